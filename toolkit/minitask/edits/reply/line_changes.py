"""Edits in the words of a list, "Line 12: Change `a` to `b`", as reviewers write them.

One is read where its line, or the whole file, holds the old text exactly once. An answer is read whole or not at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.edits.lines import split_lines
from minitask.edits.reply.markers import bar_of
from minitask.edits.reply.path_names import mentions
from minitask.edits.reply.reply_context import SOURCE, ReplyContext
from minitask.edits.script_model import WholeFile
from minitask.errors import EditError
from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

_ITEM = lazy_pattern(
    r"\W*(?:\d{1,3}[.)]\s+\W*)?(?:(?P<path>[^\s`*:,]+)[`*]*[\s:,]{1,3})?"
    r"(?:(?:lines?|L)\s?(?P<number>\d{1,7})(?P<span>\s*(?:-|\u2013|to)\s*\d+)?[*`]*\s*[:,\u2013\u2014-]\s*"
    r"(?P<instruction>(?:change|replace|remove|delete|add|insert)\b.+)"
    r"|(?P<label>(?:change|replace|remove|delete|add|insert)\s*:.*))",
    re.IGNORECASE,
)
_QUOTED = (
    r"(?:`(?P<{0}1>[^`]+)`|\[(?P<{0}2>[^\[\]]+)\]|\"(?P<{0}3>[^\"]+)\"|'(?P<{0}4>[^']+)'"
    r"|\u201c(?P<{0}5>[^\u201c\u201d]+)\u201d)"
)
_CHANGE = lazy_pattern(
    rf"(?:change|replace)\s*:?\s*{_QUOTED.format('old')}\s*(?:to|with|by|->|\u2192)\s*{_QUOTED.format('new')}"
    r"(?P<rest>[^`\[\"\u201c]*)",
    re.IGNORECASE,
)
_REMOVE = lazy_pattern(
    rf"(?:remove|delete)\s*:?\s*{_QUOTED.format('old')}(?P<rest>[^`\[\"\u201c]*)", re.IGNORECASE
)
_FORM = "write edits as a fence `path=…` with SEARCH/REPLACE blocks"
_SHORT_LEAD = 3
"""A line of so many words at the most that names one file is the head of what follows it."""


class _LineEdit(Struct, frozen=True):
    """One edit as it was written: its line in the answer, its file, the line of that file (may be unknown)."""

    at: int
    path: str
    number: int | None
    instruction: str


def line_changes(text: str, request: ReplyContext) -> tuple[WholeFile, ...]:
    """Return the files as the list of edits leaves them, none where there is no such list.

    Raise `EditError`, fit to be sent back, where one of the edits has no reading or has two.
    """
    files: dict[str, list[str]] = {}
    first: dict[str, int] = {}
    for edit in _line_edits(text, request):
        first.setdefault(edit.path, edit.at)
        lines = files.setdefault(edit.path, list(split_lines(request.read(edit.path) or "")))
        _apply_edit(edit, lines)
    return tuple(WholeFile(path, "".join(lines), first[path]) for path, lines in files.items())


def _line_edits(text: str, request: ReplyContext) -> Iterator[_LineEdit]:
    """Yield the edits of the lines that stand in no fence."""
    only, current, opening = request.only(), "", None
    for at, line in enumerate(text.split("\n"), 1):
        bar = bar_of(line)
        if opening is not None:
            opening = None if opening.is_closed_by(bar) else opening
            continue
        if bar is not None:
            opening = bar
            continue
        match = _ITEM.fullmatch(line.strip())
        paths = mentions(match["path"] or "" if match else line, request)
        if match is None:
            is_head = len(paths) == 1 and len(line.split()) <= _SHORT_LEAD
            current = next(iter(paths)) if is_head else current
            continue
        if match["path"] and not paths:
            continue  # words before "line 3:", so a sentence
        path = next(iter(paths), "") or current or (only.path if only else "")
        if not path:
            raise _unread(at, "does not say which file it is for")
        if match["span"]:
            raise _unread(at, "is for several lines")
        number = int(match["number"]) if match["number"] else None
        yield _LineEdit(at, path, number, (match["instruction"] or match["label"]).strip())


def _apply_edit(edit: _LineEdit, lines: list[str]) -> None:
    """Make one edit in the lines of its file; a line that goes leaves an empty string, so that numbers stay."""
    change, removal = _CHANGE.fullmatch(edit.instruction), _REMOVE.fullmatch(edit.instruction)
    if change is not None:
        old, new = _quoted(change, "old"), _quoted(change, "new")
    elif removal is not None:
        old, new = _quoted(removal, "old"), ""
    else:
        raise _unread(edit.at, "does not say what is to become what, each in backticks")
    at = _line_index(edit, old, lines)
    if not new and lines[at].strip() == old.strip():
        lines[at] = ""
    else:
        lines[at] = lines[at].replace(old, new)


def _line_index(edit: _LineEdit, old: str, lines: list[str]) -> int:
    """Return the index of the line that is meant."""
    number = edit.number
    if number is not None and number <= len(lines) and lines[number - 1].count(old) == 1:
        return number - 1
    places = [at for at, line in enumerate(lines) if old in line]
    if len(places) == 1 and lines[places[0]].count(old) == 1:
        return places[0]
    times = sum(line.count(old) for line in lines)
    raise _unread(edit.at, f"fits {edit.path} {times} times")


def _quoted(match: re.Match[str], name: str) -> str:
    return next(text for n in range(1, 6) if (text := match[f"{name}{n}"]) is not None)


def _unread(at: int, why: str) -> EditError:
    return EditError(f"the edit of line {at} {why}", hint=_FORM, where=f"{SOURCE}:{at}")
