"""The counts in the `@@` lines of a diff: models often get them wrong, and a closed fence shows where a hunk ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

_HUNK = lazy_pattern(r"@@ -(\d{1,9})(?:,\d{1,9})? \+(\d{1,9})(?:,\d{1,9})? @@(.*)")
_HEADERS = ("diff --git ", "Index: ")


def recount(text: str) -> str | None:
    """Return the diff with each hunk's counts as its lines are; None where a line belongs to no hunk.

    What the lines hold still has to fit the file exactly, so that only the counts are forgiven.
    """
    lines = text.removesuffix("\n").split("\n")
    starts = [at for at, line in enumerate(lines) if _HUNK.fullmatch(line.rstrip("\r"))]
    if not starts:
        return None
    found = lines[: starts[0]]
    for number, start in enumerate(starts):
        follows = starts[number + 1] if number + 1 < len(starts) else len(lines)
        end = _end(lines, start + 1, follows)
        hunk = _without_blank_end(lines[start + 1 : end])
        if any(line[:1] not in {" ", "+", "-", "\\", ""} for line in hunk):
            return None
        found += [_header(lines[start], hunk), *hunk, *lines[end:follows]]
    return "\n".join(found) + "\n"


def _end(lines: Sequence[str], start: int, limit: int) -> int:
    """The index behind a hunk's last line: at the next hunk, or at the lines that name the next file."""
    for at in range(start, limit):
        names = lines[at].startswith("--- ") and at + 1 < limit and lines[at + 1][:4] == "+++ "
        if lines[at].startswith(_HEADERS) or (names and at + 2 == limit):
            return at
    return limit


def _without_blank_end(hunk: Sequence[str]) -> Sequence[str]:
    size = len(hunk)
    while size and not hunk[size - 1].strip("\r"):
        size -= 1
    return hunk[:size]


def _header(line: str, hunk: Sequence[str]) -> str:
    found = _HUNK.fullmatch(line.rstrip("\r"))
    assert found is not None  # noqa: S101 - the caller found the line by the same pattern
    old = sum(each[:1] in {" ", "-", ""} for each in hunk)
    new = sum(each[:1] in {" ", "+", ""} for each in hunk)
    return f"@@ -{found[1]},{old} +{found[2]},{new} @@{found[3]}"
