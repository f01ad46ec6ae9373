"""Read edits in other tools' forms: codex's patches, and lists of changes as reviewers write them.

A patch is `*** Begin Patch`, files to add, delete and update by context, `*** End Patch`. A list item such as "Line 12:
Change `a` to `b`" is read if its line, or the whole file, has the old text exactly once. An answer is read whole or not
at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from minitask.edits.lines import bodies, body, split_lines
from minitask.edits.match import occurrences
from minitask.edits.reply.diffs import without_blank_end
from minitask.edits.reply.markers import bar_of
from minitask.edits.reply.reply_context import SOURCE, ReplyContext, mentions, required
from minitask.edits.script_model import Edit, Operation, SearchReplace, Source, Verb, WholeFile
from minitask.errors import EditError
from minitask.patterns import lazy_pattern

BEGIN, END = "*** Begin Patch", "*** End Patch"
_ADD, _DELETE, _UPDATE = "*** Add File:", "*** Delete File:", "*** Update File:"
_MOVE, _EOF = "*** Move to:", "*** End of File"
_FORM = "begin each line of an update with a space, `-` or `+`"


class _Hunk(Struct, frozen=True):
    """Lines to change, the headings that locate them (`@@ def f():`), and their line in the reply."""

    places: tuple[str, ...]
    lines: tuple[str, ...]
    line: int

    def side(self, mark: str) -> list[str]:
        """Return the lines before (`-`) or after (`+`) the change."""
        return [line[1:] for line in self.lines if line[:1] in {" ", mark, ""}]


def patch_of(content: str) -> tuple[int, str] | None:
    """Return the patch in a text, with the number of its first line, or None."""
    lines = content.split("\n")
    starts = [at for at, line in enumerate(lines) if line.strip() == BEGIN]
    if not starts:
        return None
    start = starts[0]
    ends = [at for at, line in enumerate(lines) if line.strip() == END and at > start]
    end = ends[0] if ends else len(lines)
    return start + 1, "\n".join(lines[start : end + 1])


def read_patch(text: str, request: ReplyContext, *, line: int) -> list[Edit]:
    """Return the edits of a patch that begins at `line` of the reply; raise `EditError` if it is malformed."""
    lines = text.rstrip("\n").split("\n")
    if lines[-1].strip() != END:
        raise EditError("the patch is never closed", hint=f"end it with `{END}`")
    edits: list[Edit] = []
    at = 1
    while at < len(lines) - 1:
        end = at + 1
        while end < len(lines) - 1 and not lines[end].startswith((_ADD, _DELETE, _UPDATE)):
            end += 1
        if lines[at].strip():
            edits += _of_file(lines[at:end], request, line=line + at)
        at = end
    return edits


def _of_file(lines: Sequence[str], request: ReplyContext, *, line: int) -> list[Edit]:
    head, body_lines = lines[0], lines[1:]
    verb = next((verb for verb in (_ADD, _DELETE, _UPDATE) if head.startswith(verb)), None)
    if verb is None:
        message = f"`{head[:60]}` belongs to no file of the patch"
        raise EditError(message, hint=f"begin with `{_UPDATE} PATH`")
    path = required(head.removeprefix(verb), request)
    if verb == _DELETE:
        return [Operation(Verb.DELETE, (Source(path),), line=line)]
    if verb == _ADD:
        return [_added(path, body_lines, request, line=line)]
    return _updated(path, body_lines, request, line=line)


def _added(path: str, lines: Sequence[str], request: ReplyContext, *, line: int) -> WholeFile:
    if any(text and not text.startswith("+") for text in lines):
        message = f"a line of the new file {path} does not begin with `+`"
        raise EditError(message, hint="begin each with `+`")
    if request.read(path) is not None:
        raise EditError(f"the patch adds {path}, which exists", hint=f"write `{_UPDATE} {path}`")
    added = [text[1:] for text in without_blank_end(lines)]
    return WholeFile(path, "".join(f"{text}\n" for text in added), line)


def _updated(path: str, lines: Sequence[str], request: ReplyContext, *, line: int) -> list[Edit]:
    edits: list[Edit] = []
    origin = path
    if lines and lines[0].startswith(_MOVE):
        path = required(lines[0].removeprefix(_MOVE), request)
        edits.append(Operation(Verb.RENAME, (Source(origin),), path, line=line + 1))
        lines, line = lines[1:], line + 1
    base = request.read(origin)
    if base is None:
        message = f"the patch updates {origin}, which does not exist"
        raise EditError(message, hint=f"write `{_ADD} {origin}`")
    have = list(bodies(split_lines(base)))
    edits += [_block(hunk, have, path) for hunk in _hunks(lines, line=line + 1)]
    if not edits:
        raise EditError(f"the patch changes nothing in {path}")
    return edits


def _hunks(lines: Sequence[str], *, line: int) -> list[_Hunk]:
    hunks: list[_Hunk] = []
    places: list[str] = []
    hunk_lines: list[str] = []
    start = line
    for number, text in enumerate((*lines, "@@"), line):
        if text.startswith("@@"):
            if hunk_lines:
                hunks.append(_Hunk(tuple(places), tuple(hunk_lines), start))
                places, hunk_lines = [], []
            heading = text.strip("@ ").strip()
            places += [heading] if heading else []
            start = number
        elif text.strip() != _EOF:
            if text[:1] not in {" ", "+", "-", ""}:
                raise EditError(f"`{text[:60]}` is no line of a patch", hint=_FORM)
            hunk_lines.append(text)
    while hunks and not hunks[-1].lines:
        hunks.pop()
    return hunks


def _block(hunk: _Hunk, have: Sequence[str], path: str) -> SearchReplace:
    """Return the hunk as a block; if its lines do not occur exactly once, begin at the line that its heading names."""
    hunk = _Hunk(hunk.places, tuple(without_blank_end(hunk.lines)), hunk.line)
    old, new = hunk.side("-"), hunk.side("+")
    if old == new:
        raise EditError(f"an update of {path} changes nothing", hint="mark lines with `-` and `+`")
    starts = occurrences(have, old) if old else []
    if hunk.places and len(starts) != 1:
        old, new = _from_heading(hunk, have, old, new)
    if not old:
        message = f"an update of {path} says not where its lines go"
        raise EditError(message, hint="add lines of context")
    search, replace = ("".join(f"{text}\n" for text in side) for side in (old, new))
    return SearchReplace(path, search, replace, hunk.line)


def _from_heading(
    hunk: _Hunk, have: Sequence[str], old: list[str], new: list[str]
) -> tuple[list[str], list[str]]:
    """Return both sides with the file's lines from the named line on, if that occurs once."""
    indices = [at for at, text in enumerate(have) if body(text).strip() == hunk.places[-1]]
    if len(indices) != 1:
        return old, new
    start = indices[0]
    if not old:
        return [have[start]], [have[start], *new]
    below = [at for at in occurrences(have, old) if at > start]
    if not below:
        return old, new
    between = list(have[start : below[0]])
    return [*between, *old], [*between, *new]


_ITEM = lazy_pattern(
    r"(?i)\W*(?:\d{1,3}[.)]\s+\W*)?(?:(?P<path>[^\s`*:,]+)[`*]*[\s:,]{1,3})?"
    r"(?:(?:lines?|L)\s?(?P<number>\d{1,7})(?P<span>\s*(?:-|\u2013|to)\s*\d+)?[*`]*\s*[:,\u2013\u2014-]\s*"
    r"(?P<instruction>(?:change|replace|remove|delete|add|insert)\b.+)"
    r"|(?P<label>(?:change|replace|remove|delete|add|insert)\s*:.*))"
)
_QUOTED = (
    r"(?:`(?P<{0}1>[^`]+)`|\[(?P<{0}2>[^\[\]]+)\]|\"(?P<{0}3>[^\"]+)\"|'(?P<{0}4>[^']+)'"
    r"|\u201c(?P<{0}5>[^\u201c\u201d]+)\u201d)"
)
_CHANGE = lazy_pattern(
    rf"(?i)(?:change|replace)\s*:?\s*{_QUOTED.format('old')}\s*(?:to|with|by|->|\u2192)\s*{_QUOTED.format('new')}"
    r"(?P<rest>[^`\[\"\u201c]*)"
)
_REMOVE = lazy_pattern(
    rf"(?i)(?:remove|delete)\s*:?\s*{_QUOTED.format('old')}(?P<rest>[^`\[\"\u201c]*)"
)
_BLOCKS_FORM = "write edits as a fence `path=…` with SEARCH/REPLACE blocks"
_SHORT_LEAD = 3
"""Most words of a line naming one file that heads the items below it."""


class _LineEdit(Struct, frozen=True):
    """An edit as written: its line in the answer, its file, and the line of that file (None if not given)."""

    at: int
    path: str
    number: int | None
    instruction: str


def line_changes(text: str, request: ReplyContext) -> tuple[WholeFile, ...]:
    """Return the files with a list of edits applied; empty if there is no such list.

    Raise `EditError`, worded for the model, if an edit cannot be read or is ambiguous.
    """
    files: dict[str, list[str]] = {}
    first: dict[str, int] = {}
    for edit in _line_edits(text, request):
        first.setdefault(edit.path, edit.at)
        lines = files.setdefault(edit.path, list(split_lines(request.read(edit.path) or "")))
        _apply_edit(edit, lines)
    return tuple(WholeFile(path, "".join(lines), first[path]) for path, lines in files.items())


def _line_edits(text: str, request: ReplyContext) -> Iterator[_LineEdit]:
    """Yield the edits outside fences."""
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
    """Apply one edit to the file's lines; a removed line becomes an empty string to keep the numbering."""
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
    return EditError(f"the edit of line {at} {why}", hint=_BLOCKS_FORM, where=f"{SOURCE}:{at}")
