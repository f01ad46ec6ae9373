"""The lines of backticks or tildes that open and close fences, read one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

_BAR = lazy_pattern(r" {0,3}(`{3,}|~{3,})[ \t]*(.*?)[ \t\r]*")


class Bar(Struct, frozen=True):
    """A line that may open or close a fence: its character, how many of it, and the info string behind."""

    mark: str
    size: int
    info: str

    def is_closed_by(self, other: Bar | None) -> bool:
        """Return whether the other line closes the fence that this one opens."""
        return other is not None and not other.info and self.covers(other)

    def covers(self, other: Bar) -> bool:
        """Return whether the other line is of the same kind, and long enough to matter inside of this one's fence."""
        return other.mark == self.mark and other.size >= self.size


def is_balanced(lines: Iterable[str]) -> bool:
    """Return whether every fence that opens in some lines is closed there."""
    bar: Bar | None = None
    for line in lines:
        found = bar_of(line)
        if bar is None:
            bar = found
        elif bar.is_closed_by(found):
            bar = None
    return bar is None


def without_fences(text: str) -> str:
    """Return the text without its fences; one that is never closed is left in."""
    kept: list[str] = []
    fence: list[str] = []
    bar: Bar | None = None
    for line in text.split("\n"):
        found = bar_of(line)
        if bar is None and found is None:
            kept.append(line)
            continue
        fence.append(line)
        if bar is None:
            bar = found
        elif bar.is_closed_by(found):
            bar, fence = None, []
    return "\n".join(kept + fence)


def bar_of(line: str) -> Bar | None:
    """Return the bar in a line, or None where there is none."""
    found = _BAR.fullmatch(line.rstrip("\n"))
    if not found or (found[1][0] == "`" and "`" in found[2]):
        return None
    return Bar(found[1][0], len(found[1]), found[2])
