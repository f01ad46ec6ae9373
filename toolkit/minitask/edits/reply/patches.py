"""Patches in codex's form: `*** Begin Patch`, files to add, delete and update by context, `*** End Patch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.edits.lines import bodies, body, split_lines
from minitask.edits.match import occurrences
from minitask.edits.reply.path_names import required
from minitask.edits.script_model import Edit, Operation, SearchReplace, Source, Verb, WholeFile
from minitask.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minitask.edits.reply.reply_context import ReplyContext

BEGIN, END = "*** Begin Patch", "*** End Patch"
_ADD, _DELETE, _UPDATE = "*** Add File:", "*** Delete File:", "*** Update File:"
_MOVE, _EOF = "*** Move to:", "*** End of File"
_FORM = "begin each line of an update with a space, `-` or `+`"


class _Hunk(Struct, frozen=True):
    """Lines to change, the lines that say where (`@@ def f():`), and where in the reply they stand."""

    places: tuple[str, ...]
    lines: tuple[str, ...]
    line: int

    def side(self, mark: str) -> list[str]:
        """Return the lines before (`-`) or after (`+`) the change."""
        return [line[1:] for line in self.lines if line[:1] in {" ", mark, ""}]


def patch_of(content: str) -> tuple[int, str] | None:
    """Return the patch that a text holds, with the number of its first line; None where there is none."""
    lines = content.split("\n")
    starts = [at for at, line in enumerate(lines) if line.strip() == BEGIN]
    if not starts:
        return None
    start = starts[0]
    ends = [at for at, line in enumerate(lines) if line.strip() == END and at > start]
    end = ends[0] if ends else len(lines)
    return start + 1, "\n".join(lines[start : end + 1])


def read_patch(text: str, request: ReplyContext, *, line: int) -> list[Edit]:
    """Return the edits of a patch whose first line is `line` of the reply; raise `EditError` where it is malformed."""
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
        raise EditError(
            f"`{head[:60]}` belongs to no file of the patch", hint=f"begin with `{_UPDATE} PATH`"
        )
    path = required(head.removeprefix(verb), request)
    if verb == _DELETE:
        return [Operation(Verb.DELETE, (Source(path),), line=line)]
    if verb == _ADD:
        return [_added(path, body_lines, request, line=line)]
    return _updated(path, body_lines, request, line=line)


def _added(path: str, lines: Sequence[str], request: ReplyContext, *, line: int) -> WholeFile:
    if any(text and not text.startswith("+") for text in lines):
        raise EditError(
            f"a line of the new file {path} does not begin with `+`", hint="begin each with `+`"
        )
    if request.read(path) is not None:
        raise EditError(f"the patch adds {path}, which exists", hint=f"write `{_UPDATE} {path}`")
    added = [text[1:] for text in _without_trailing_blanks(lines)]
    return WholeFile(path, "".join(f"{text}\n" for text in added), line)


def _without_trailing_blanks(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines without the empty ones at the end, which separate parts of a patch."""
    size = len(lines)
    while size and not lines[size - 1]:
        size -= 1
    return lines[:size]


def _updated(path: str, lines: Sequence[str], request: ReplyContext, *, line: int) -> list[Edit]:
    edits: list[Edit] = []
    origin = path
    if lines and lines[0].startswith(_MOVE):
        path = required(lines[0].removeprefix(_MOVE), request)
        edits.append(Operation(Verb.RENAME, (Source(origin),), path, line=line + 1))
        lines, line = lines[1:], line + 1
    base = request.read(origin)
    if base is None:
        raise EditError(
            f"the patch updates {origin}, which does not exist", hint=f"write `{_ADD} {origin}`"
        )
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
    """Return the hunk as a block; if its lines occur more than once, begin at the line that its heading names."""
    hunk = _Hunk(hunk.places, tuple(_without_trailing_blanks(hunk.lines)), hunk.line)
    old, new = hunk.side("-"), hunk.side("+")
    if old == new:
        raise EditError(f"an update of {path} changes nothing", hint="mark lines with `-` and `+`")
    starts = occurrences(have, old) if old else []
    if hunk.places and len(starts) != 1:
        old, new = _from_heading(hunk, have, old, new)
    if not old:
        raise EditError(
            f"an update of {path} says not where its lines go", hint="add lines of context"
        )
    search, replace = ("".join(f"{text}\n" for text in side) for side in (old, new))
    return SearchReplace(path, search, replace, hunk.line)


def _from_heading(
    hunk: _Hunk, have: Sequence[str], old: list[str], new: list[str]
) -> tuple[list[str], list[str]]:
    """Return both sides with the file's lines from the named one on, where that stands once."""
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
