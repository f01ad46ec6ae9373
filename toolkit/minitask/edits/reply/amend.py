"""Read a reply that corrects an earlier one: its edits apply to the files as the earlier one left them.

The combined result must pass all checks of a single reply. A reply that repeats all edits of the earlier one is read by
itself, against the base. One that mends a refused reply makes its right edits again: a model that is told of one edit
often leaves the others out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.apply_script import apply_script
from minitask.edits.lines import split_lines
from minitask.edits.reply.check_changes import check_complete, check_result, check_seen, is_excused
from minitask.edits.reply.read import (
    Parsed,
    changes_of,
    check_exchanged,
    no_edits,
    parse_reply,
    with_origin,
)
from minitask.edits.reply.reply_context import SOURCE, ListedFile, ReplyContext
from minitask.edits.reply.retyped import check_seams
from minitask.edits.reply.samples import check_unplaced
from minitask.edits.script_model import (
    Change,
    Edit,
    Operation,
    SearchReplace,
    UnifiedDiff,
    WholeFile,
    placed,
)
from minitask.errors import EditError
from minitask.spec.model import LineRange


class EarlierReply(Struct, frozen=True):
    """Earlier replies that could be applied: their edits, and the combined change."""

    parsed: tuple[Parsed, ...]
    changes: tuple[Change, ...]


def find_earlier(
    replies: Sequence[str], changes: Sequence[Change], request: ReplyContext
) -> EarlierReply | None:
    """Return the earlier replies to correct, or None if lines were moved by number, which refers to the base alone."""
    if not changes or any(change.content is None or change.mode_from for change in changes):
        return None
    try:
        parsed = tuple(parse_reply(reply, request) for reply in replies)
    except EditError:
        return None
    moves = any(isinstance(edit, Operation) for part in parsed for edit in part.script.edits)
    return None if moves else EarlierReply(parsed, tuple(changes))


def amended(reply: str, request: ReplyContext, earlier: EarlierReply) -> tuple[Change, ...]:
    """Return the combined change, against the base, of an earlier reply and one that corrects it.

    Raise `EditError`, worded for the model, if it is not complete and valid.
    """
    contents = {change.path: change.content or "" for change in earlier.changes}

    def read(path: str) -> str | None:
        return contents[path] if path in contents else request.read(path)

    files = tuple(_as_left(file, request, contents) for file in request.files)
    view = replace(request, read=read, files=files)
    parsed = parse_reply(reply, view)
    if _is_made_anew(parsed.script.edits, earlier):
        return changes_of(reply, request)
    if not parsed.script.edits:
        raise no_edits(parsed.unplaced)
    _check_fresh(parsed.script.edits, earlier)
    check_unplaced(parsed.unplaced, parsed.script, view)
    later = apply_script(parsed.script, read=view.read, locate=None, source=SOURCE)
    check_seen(parsed.script, view)
    check_seams(parsed.script.edits, later, view)
    return _checked(tuple(with_origin(c, parsed.script) for c in later), parsed, request, earlier)


def _check_fresh(edits: Iterable[Edit], earlier: EarlierReply) -> None:
    """Raise for an edit by line numbers, which refer to the base, and for an edit that was already made."""
    made = [edit for part in earlier.parsed for edit in part.script.edits]
    for edit in edits:
        with placed(edit.line, source=SOURCE):
            if isinstance(edit, Operation):
                hint = "use SEARCH/REPLACE blocks, or write the file as a whole"
                raise EditError("line numbers do not count in files that changed", hint=hint)
            if not isinstance(edit, WholeFile) and edit in made:
                message = "this edit is in the files already"
                raise EditError(message, hint="leave it out, or reply with all edits again")


def _checked(
    later: Sequence[Change], parsed: Parsed, request: ReplyContext, earlier: EarlierReply
) -> tuple[Change, ...]:
    """Return both changes as one against the base, after the checks for any change."""
    combined = {change.path: change for change in earlier.changes}
    for change in later:
        before = combined.get(change.path)
        explicit = change.explicit and (before is None or before.explicit)
        combined[change.path] = replace(change, explicit=explicit)
    changes = tuple(
        change for path, change in sorted(combined.items()) if change.content != request.read(path)
    )
    if not changes:
        raise EditError("the reply takes all of the change back", hint="do what the task asks")
    parts = (*earlier.parsed, parsed)
    check_result(changes, request, literal=frozenset().union(*(part.literal for part in parts)))
    check_exchanged(changes, request)
    check_complete(changes, request, prose="\n".join(part.prose for part in parts))
    return changes


def _as_left(file: ListedFile, request: ReplyContext, contents: Mapping[str, str]) -> ListedFile:
    """Return a listed file with the lines of the earlier result that the model knows: written or shown ones."""
    base = request.read(file.path)
    if file.path not in contents:
        return file
    if base is None or file.whole:
        return replace(file, whole=True)
    shown = {n for part in (*file.shown, *file.ends) for n in range(part.start, part.end + 1)}
    known = _known(split_lines(base), split_lines(contents[file.path]), shown)
    return replace(file, shown=tuple(LineRange(n, n) for n in known), ends=(), cited=())


def _known(old: Sequence[str], new: Sequence[str], shown: set[int]) -> Iterator[int]:
    """Yield the numbers of the new lines, except unchanged ones that were not shown."""
    for tag, start, _, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for at in range(first, last):
            if tag != "equal" or start + at - first + 1 in shown:
                yield at + 1


def _is_made_anew(edits: Iterable[Edit], earlier: EarlierReply) -> bool:
    """Return True if a reply searches for all that the first one replaced: it applies to the base."""
    searched = set(_searched(earlier.parsed[0].script.edits))
    return bool(searched) and searched <= set(_searched(edits))


def _searched(edits: Iterable[Edit]) -> Iterator[tuple[str, str]]:
    for edit in edits:
        if isinstance(edit, SearchReplace):
            yield edit.path, edit.search
        elif isinstance(edit, UnifiedDiff):
            yield "", edit.text


def changes_of_next(
    text: str, request: ReplyContext, earlier: EarlierReply | None, refused: Sequence[str]
) -> tuple[Change, ...]:
    """Return the changes of a reply that corrects an earlier one, or that follows `refused` ones."""
    changes = amended(text, request, earlier) if earlier else changes_of(text, request)
    if refused:
        _check_kept(changes, request, refused=refused, reply=text)
    return changes


def _check_kept(
    changes: Sequence[Change], request: ReplyContext, *, refused: Sequence[str], reply: str
) -> None:
    """Raise `EditError` if an edit of a refused reply, which applied to the base, has left no trace in the changes."""
    contents = {change.path: change.content or "" for change in changes}
    prose = parse_reply(reply, request).prose
    for edit in (edit for text in refused for edit in _edits(text, request)):
        content = contents.get(edit.path)
        if content is None or is_excused(edit.path, prose):
            continue
        base = request.read(edit.path) or ""
        if base.count(edit.search) == 1 and edit.search in content and not _has_any(content, edit):
            line = next(filter(str.strip, edit.replace.split("\n")), edit.search).strip()
            message = f"the reply leaves out an edit of {edit.path} that the one before it made: {line[:80]}"
            hint = "reply with all edits again, or say in a line why that one is not needed"
            raise EditError(message, hint=hint)


def _edits(text: str, request: ReplyContext) -> Iterator[SearchReplace]:
    try:
        parsed: Parsed = parse_reply(text, request)
    except EditError:
        return
    yield from (edit for edit in parsed.script.edits if isinstance(edit, SearchReplace))


def _has_any(content: str, edit: SearchReplace) -> bool:
    """Return True if the content has one of the lines that the edit adds, or if it adds none that tells."""
    had, rows = ({row.strip() for row in text.split("\n")} for text in (edit.search, content))
    added = {row.strip() for row in edit.replace.split("\n")} - had
    telling = {row for row in added if sum(map(str.isalnum, row)) >= _LEAST_LETTERS}
    return not telling or not telling.isdisjoint(rows)


_LEAST_LETTERS = 3
"""Fewest letters of a line that tells an edit."""
