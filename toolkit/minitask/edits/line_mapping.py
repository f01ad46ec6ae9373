"""Carrying cited lines from the version they were cited in to a later one, by the diff between the two.

Lines that stand unchanged keep their meaning wherever they moved to. A cited line that changed, or is gone, or lines
that came to stand inside a cited range, end it: nothing is guessed. Where a removed or inserted block could as well be
said to begin some lines earlier or later (its edge repeats its surroundings), every such reading is tried.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from minitask.errors import EditError
from minitask.spec.model import LineRange


class LineHunk(Struct, frozen=True):
    """One difference, half-open and 0-based: `old[old_start:old_end]` became `new[new_start:new_end]`."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


class Versions(Struct, frozen=True):
    """A file's lines when they were cited and now, with the hunks between them, in order."""

    path: str
    old: Sequence[str]
    new: Sequence[str]
    hunks: Sequence[LineHunk]


def map_lines(cited: LineRange, versions: Versions) -> LineRange:
    """Return the cited lines' place in the new version; `EditError` naming the first that is not there any more."""
    if cited.end > len(versions.old):
        raise EditError(
            f"lines {cited} of {versions.path} are cited, but it had {len(versions.old)} lines then",
            hint="cite lines that exist at the spec's anchor commit",
        )
    shift = _shift(cited, versions)
    if shift is not None:
        return LineRange(cited.start + shift, cited.end + shift)
    found = _only_place(versions.old[cited.start - 1 : cited.end], versions.new)
    if found is not None:
        return LineRange(found + 1, found + 1 + cited.end - cited.start)
    raise _drift(cited, versions)


def spread(cited: LineRange, versions: Versions) -> LineRange | None:
    """Return the present lines that came of cited ones, changed lines included; None if none are left."""
    old_end = min(cited.end, len(versions.old))
    start = _boundary(cited.start - 1, versions.hunks, at_end=False)
    end = _boundary(old_end, versions.hunks, at_end=True)
    return LineRange(start + 1, end) if start < end else None


def _boundary(index: int, hunks: Sequence[LineHunk], *, at_end: bool) -> int:
    """Return where a place between lines is now; one inside a change moves to that change's edge."""
    shift = 0
    for hunk in hunks:
        if hunk.old_end <= index and not (at_end and hunk.old_start == index):
            shift += (hunk.new_end - hunk.new_start) - (hunk.old_end - hunk.old_start)
        elif hunk.old_start < index:
            return hunk.new_end if at_end else hunk.new_start
        else:
            break
    return index + shift


def _shift(cited: LineRange, versions: Versions) -> int | None:
    """Return how far the range moved as one block; None if a difference lies inside it."""
    start, end = cited.start - 1, cited.end
    shift = 0
    for hunk in versions.hunks:
        side = _side(hunk, versions, start=start, end=end)
        if side is None:
            return None
        if side == "before":
            shift += (hunk.new_end - hunk.new_start) - (hunk.old_end - hunk.old_start)
    moved = versions.new[start + shift : end + shift]
    return shift if list(moved) == list(versions.old[start:end]) else None


def _side(hunk: LineHunk, versions: Versions, *, start: int, end: int) -> str | None:
    """Return whether a hunk lies before or after `old[start:end]`, in some equal reading of it."""
    up, down = _slack(hunk, versions)
    for slide in sorted(range(-up, down + 1), key=abs):
        if hunk.old_end + slide <= start:
            return "before"
        if hunk.old_start + slide >= end:
            return "after"
    return None


def _slack(hunk: LineHunk, versions: Versions) -> tuple[int, int]:
    """Return how many lines up and down a pure deletion or insertion can slide without changing the outcome."""
    if hunk.old_start < hunk.old_end and hunk.new_start < hunk.new_end:
        return 0, 0
    if hunk.old_start == hunk.old_end:
        return _repeats(versions.new, hunk.new_start, hunk.new_end)
    return _repeats(versions.old, hunk.old_start, hunk.old_end)


def _repeats(lines: Sequence[str], start: int, end: int) -> tuple[int, int]:
    up = 0
    while start - up > 0 and lines[start - up - 1] == lines[end - up - 1]:
        up += 1
    down = 0
    while end + down < len(lines) and lines[start + down] == lines[end + down]:
        down += 1
    return up, down


def _only_place(block: Sequence[str], lines: Sequence[str]) -> int | None:
    """Return where a block of three lines or more stands, if it stands exactly once."""
    if len(block) < 3:
        return None
    wanted = list(block)
    places = [
        at
        for at, line in enumerate(lines)
        if line == wanted[0] and list(lines[at : at + len(wanted)]) == wanted
    ]
    return places[0] if len(places) == 1 else None


def _drift(cited: LineRange, versions: Versions) -> EditError:
    now = spread(cited, versions)
    left = f"the rest is now in lines {now}" if now else "all of them are gone"
    hint = f"{left}: cite the lines as they are now, and commit the spec again"
    message = f"lines {cited} of {versions.path} are not what the spec cites"
    for hunk in versions.hunks:
        if hunk.old_start < cited.end and hunk.old_end >= cited.start:
            line = min(max(hunk.old_start + 1, cited.start), cited.end)
            what = "new lines stand after" if hunk.old_start == hunk.old_end else "changed or gone:"
            text = versions.old[line - 1].strip()
            return EditError(f"{message}: {what} line {line} (`{text}`)", hint=hint)
    return EditError(message, hint=hint)
