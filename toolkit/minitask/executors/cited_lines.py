"""Cited lines in a prompt have one numbering, that of the base."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.model import FileRef, LineRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minitask.edits.script_model import Locate
    from minitask.spec.model import FileRef

_RANGE = r"(?P<start>\d{1,6})(?:(?P<dash>\s?(?:[-–—]|\bto\b)\s?L?)(?P<end>\d{1,6}))?"
_WORDED = lazy_pattern(rf"(?P<before>\b(?:lines?|rows?|L)\s?){_RANGE}(?![\w-])", re.IGNORECASE)
_PATH = lazy_pattern(r"[\w.@+/-]*\w\.[A-Za-z]\w{0,5}\b")


def renumbered(text: str, files: Sequence[FileRef], locate: Locate | None) -> str:
    """Return the text with ranges of the listed files as they are now."""
    cited = _cited(files)
    if locate is None or not any(_is_moved(path, ranges, locate) for path, ranges in cited.items()):
        return text
    lines = text.split("\n")
    return "\n".join(_line(line, cited, locate) for line in lines)


def _cited(files: Sequence[FileRef]) -> dict[str, tuple[LineRange, ...]]:
    """Return the ranges of each file that has some."""
    cited: dict[str, tuple[LineRange, ...]] = {}
    for ref in files:
        if ref.ranges:
            cited[ref.path] = (*cited.get(ref.path, ()), *ref.ranges)
    return cited


def _is_moved(path: str, ranges: Sequence[LineRange], locate: Locate) -> bool:
    return any(_now(path, line_range, locate) not in (line_range, None) for line_range in ranges)


def _now(path: str, cited: LineRange, locate: Locate) -> LineRange | None:
    try:
        return locate(path, cited)
    except EditError:
        return None


def _line(line: str, cited: dict[str, tuple[LineRange, ...]], locate: Locate) -> str:
    paths = [path for path in cited if path in line]
    for path in paths:
        pattern = rf"(?P<before>(?<![\w./-]){re.escape(path)}`?:)L?{_RANGE}(?![\w])"
        line = re.sub(pattern, lambda match, path=path: _rewritten(match, path, locate), line)  # type: ignore[misc]

    others = _PATH.sub(lambda match: "" if match[0] in cited else match[0], line)

    def worded(match: re.Match[str]) -> str:
        line_range = _range(match)
        if _PATH.search(others):
            return match[0]
        meant = paths or [path for path, ranges in cited.items() if _holds(ranges, line_range)]
        return _rewritten(match, meant[0], locate) if len(meant) == 1 else match[0]

    return _WORDED.sub(worded, line)


def _holds(ranges: Sequence[LineRange], line_range: LineRange | None) -> bool:
    return line_range is not None and any(
        cited_range.start <= line_range.start and line_range.end <= cited_range.end
        for cited_range in ranges
    )


def _range(match: re.Match[str]) -> LineRange | None:
    start, end = int(match["start"]), int(match["end"] or match["start"])
    return LineRange(start, end) if 1 <= start <= end else None


def _rewritten(match: re.Match[str], path: str, locate: Locate) -> str:
    """Return the match with the range as it is now; as it stands where that is not known."""
    line_range = _range(match)
    now = _now(path, line_range, locate) if line_range else None
    if now is None:
        return match[0]
    end = f"{match['dash']}{now.end}" if match["end"] else ""
    return f"{match['before']}{now.start}{end}"
