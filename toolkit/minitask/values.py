"""`dataclass` as the library has it, but much faster to define: a command defines a hundred of them when it starts.

The library compiles every method of every class again. Here nothing is compiled: making, comparing, hashing, showing
and guarding a value are closures over the names of its fields, and behave the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, **options):
        """As `dataclasses.dataclass`, with the same options."""
        return _define(cls, options) if cls is not None else lambda found: _define(found, options)


Reader = Callable[[Any], tuple[Any, ...]]
Writer = Callable[[Any, Any], None]
COVERED = frozenset({"frozen", "slots"})
"""The options that are seen to here; a class with any other is the library's business."""
MISSING = dataclasses.MISSING


def _define(cls: type, options: dict[str, Any]) -> type:
    own = vars(cls)
    if not COVERED.issuperset(options) or "__post_init__" in own or cls.__mro__[1:] != (object,):
        return dataclasses.dataclass(**options)(cls)
    frozen, slots = options.get("frozen", False), options.get("slots", False)
    made: type = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    fields = dataclasses.fields(made)
    compared = _reader([item.name for item in fields if item.compare])
    hashed = _reader([f.name for f in fields if (f.compare if f.hash is None else f.hash)])
    shown = tuple(item.name for item in fields if item.repr)
    _attach(made, "__init__", _initialiser(made, fields, slots=slots))
    if "__eq__" not in own:
        _attach(made, "__eq__", _equality(compared))
    if "__hash__" not in own:
        _attach(made, "__hash__", _hash(hashed) if frozen else None)
    if "__repr__" not in own:
        _attach(made, "__repr__", _representation(shown))
    if frozen:
        _freeze(made, tuple(item.name for item in fields), slots=slots)
    return made


def hasten(*classes: type) -> None:
    """Compile what makes values of these classes, which then takes half of the time: it pays from some hundred on.

    They are `dataclass`es of this module with slots and without factories, and behave as before.
    """
    for cls in classes:
        fields = dataclasses.fields(cls)
        writers = {f"write_{item.name}": vars(cls)[item.name].__set__ for item in fields}
        defaults = {f"default_{f.name}": f.default for f in fields if f.default is not MISSING}
        known = {**writers, **defaults}
        names = [
            f"{f.name}=default_{f.name}" if f"default_{f.name}" in known else f.name for f in fields
        ]
        body = "".join(f"\n    write_{item.name}(self, {item.name})" for item in fields)
        exec(f"def initialise(self, {', '.join(names)}):{body}", known)  # noqa: S102 - names of fields, no input
        _attach(cls, "__init__", known["initialise"])


def _attach(cls: type, name: str, method: Callable[..., object] | None) -> None:
    if method is not None:
        method.__name__ = name
        method.__qualname__ = f"{cls.__qualname__}.{name}"
        method.__module__ = cls.__module__
    setattr(cls, name, method)


def _initialiser(
    cls: type, fields: tuple[dataclasses.Field[Any], ...], *, slots: bool
) -> Callable[..., None]:
    """Return what sets every field, from arguments by position or name, then from its default or factory."""
    names = tuple(item.name for item in fields)
    setters = tuple((name, _writer(cls, name, slots=slots)) for name in names)
    makers = {item.name: _maker(item) for item in fields if _has_default(item)}

    def initialise(self: Any, /, *args: Any, **given: Any) -> None:
        count = len(args)
        if count > len(names):
            raise TypeError(f"{cls.__qualname__} takes at most {len(names)} values, not {count}")
        for (_, write), value in zip(setters, args, strict=False):
            write(self, value)
        for name, write in setters[count:]:
            if name in given:
                write(self, given.pop(name))
            elif name in makers:
                write(self, makers[name]())
            else:
                raise TypeError(f"{cls.__qualname__} needs a value for {name!r}")
        if given:
            raise TypeError(f"{cls.__qualname__} has no field {next(iter(given))!r} to set (again)")

    return initialise


def _has_default(item: dataclasses.Field[Any]) -> bool:
    return item.default is not MISSING or item.default_factory is not MISSING


def _maker(item: dataclasses.Field[Any]) -> Callable[[], Any]:
    """Return what gives a field's default."""
    if item.default_factory is not MISSING:
        return item.default_factory
    default = item.default
    return lambda: default


def _writer(cls: type, name: str, *, slots: bool) -> Writer:
    """Return what sets one field, whether the class is frozen or not."""
    if slots:
        write: Writer = vars(cls)[name].__set__
        return write
    return lambda value, content: object.__setattr__(value, name, content)


def _freeze(cls: type, names: tuple[str, ...], *, slots: bool) -> None:
    """Refuse any change of a value; with slots, let it be pickled and copied anyway."""

    def refuse_set(self: Any, name: str, value: object) -> None:  # noqa: ARG001
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def refuse_delete(self: Any, name: str) -> None:  # noqa: ARG001
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    _attach(cls, "__setattr__", refuse_set)
    _attach(cls, "__delattr__", refuse_delete)
    cls.__dataclass_params__.frozen = True  # type: ignore[attr-defined]
    if slots:
        _attach(cls, "__getstate__", lambda self: [getattr(self, name) for name in names])
        _attach(cls, "__setstate__", _restorer(tuple(vars(cls)[name].__set__ for name in names)))


def _restorer(writers: tuple[Writer, ...]) -> Callable[[Any, list[Any]], None]:
    def restore(self: Any, state: list[Any]) -> None:
        for write, value in zip(writers, state, strict=True):
            write(self, value)

    return restore


def _reader(names: list[str]) -> Reader:
    """Return what gives the values of some fields, always as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _equality(values: Reader) -> Callable[[Any, Any], bool]:
    def equal(self: Any, other: Any) -> bool:
        return (
            values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented
        )

    return equal


def _hash(values: Reader) -> Callable[[Any], int]:
    return lambda self: hash(values(self))


def _representation(names: tuple[str, ...]) -> Callable[[Any], str]:
    @recursive_repr("...")
    def shown(self: Any) -> str:
        said = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({said})"

    return shown
