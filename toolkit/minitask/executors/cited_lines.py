"""What a prompt shows of cited lines: excerpts of what is only moved, and one numbering, that of the base."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.model import FileRef, LineRange, Spec

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
    found: dict[str, tuple[LineRange, ...]] = {}
    for ref in files:
        if ref.ranges:
            found[ref.path] = (*found.get(ref.path, ()), *ref.ranges)
    return found


def _is_moved(path: str, ranges: Sequence[LineRange], locate: Locate) -> bool:
    return any(_now(path, each, locate) not in (each, None) for each in ranges)


def _now(path: str, cited: LineRange, locate: Locate) -> LineRange | None:
    try:
        return locate(path, cited)
    except EditError:
        return None


def _line(line: str, cited: dict[str, tuple[LineRange, ...]], locate: Locate) -> str:
    named = [path for path in cited if path in line]
    for path in named:
        pattern = rf"(?P<before>(?<![\w./-]){re.escape(path)}`?:)L?{_RANGE}(?![\w])"
        line = re.sub(pattern, lambda found, path=path: _rewritten(found, path, locate), line)  # type: ignore[misc]

    others = _PATH.sub(lambda found: "" if found[0] in cited else found[0], line)

    def worded(found: re.Match[str]) -> str:
        given = _range(found)
        if _PATH.search(others):
            return found[0]
        meant = named or [path for path, ranges in cited.items() if _holds(ranges, given)]
        return _rewritten(found, meant[0], locate) if len(meant) == 1 else found[0]

    return _WORDED.sub(worded, line)


def _holds(ranges: Sequence[LineRange], given: LineRange | None) -> bool:
    return given is not None and any(
        each.start <= given.start and given.end <= each.end for each in ranges
    )


def _range(found: re.Match[str]) -> LineRange | None:
    start, end = int(found["start"]), int(found["end"] or found["start"])
    return LineRange(start, end) if 1 <= start <= end else None


def _rewritten(found: re.Match[str], path: str, locate: Locate) -> str:
    """Return the match with the range as it is now; as it stands where that is not known."""
    given = _range(found)
    now = _now(path, given, locate) if given else None
    if now is None:
        return found[0]
    end = f"{found['dash']}{now.end}" if found["end"] else ""
    return f"{found['before']}{now.start}{end}"


SHORTEST = 20
"""Fewer lines than these are shown: leaving them out would save nothing."""

_CHANGING = (
    *(
        "adapt",
        "adjust",
        "chang",
        "change",
        "convert",
        "correct",
        "edit",
        "fix",
        "improv",
        "improve",
    ),
    *("modif", "modify", "refactor", "renam", "rename", "replac", "replace", "rewrit", "rewrite"),
    *("simplif", "simplify", "updat", "update"),
)
"""Verbs, and their stems, that ask for more than moving."""


def is_only_moved(spec: Spec, ref: FileRef, cited: LineRange) -> bool:
    """Return True if the task does nothing with these lines but put them elsewhere as they are."""
    if cited.end - cited.start + 1 < SHORTEST:
        return False
    if _moves(ref.note):
        return not _changes(ref.note)
    citing = [line for line in spec.task.splitlines() if _cites(line, cited)]
    return bool(citing) and all(_moves(line) and not _changes(line) for line in citing)


@cache
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


def _moves(text: str) -> bool:
    return bool(
        _pattern(r"mov(?:e|es|ed|ing)|cop(?:y|ies|ied)|extract(?:s|ed)?|relocate[sd]?").search(text)
    )


def _changes(text: str) -> bool:
    return bool(_pattern(rf"(?:{'|'.join(_CHANGING)})(?:s|d|es|ed|ing)?").search(text))


def _cites(line: str, cited: LineRange) -> bool:
    return bool(re.search(rf"(?<!\d){cited.start}\s*(?:[-–—−]|to)\s*{cited.end}(?!\d)", line))
