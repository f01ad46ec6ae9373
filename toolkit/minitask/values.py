"""Bases of frozen structs: with fields excluded from comparison, or from `repr`; and groups of values."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import ClassVar, TypeVar

from msgspec import Struct


class Located(Struct, frozen=True):
    """A value with a line number, which is ignored in comparisons."""

    UNCOMPARED: ClassVar[tuple[str, ...]] = ("line",)

    def _compared(self) -> tuple[object, ...]:
        names = self.__struct_fields__
        return tuple(getattr(self, name) for name in names if name not in self.UNCOMPARED)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Located) or other.__class__ is not self.__class__:
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())


class Redacted(Struct, frozen=True):
    """A value that may hold secrets: `repr` omits the fields in `HIDDEN`."""

    HIDDEN: ClassVar[tuple[str, ...]]

    def __repr__(self) -> str:
        names = (name for name in self.__struct_fields__ if name not in self.HIDDEN)
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({shown})"


K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def grouped(values: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return the values by their key, in the order given."""
    groups: dict[K, list[T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return groups
