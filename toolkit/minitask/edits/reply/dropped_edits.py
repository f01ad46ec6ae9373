"""Check that a reply which mends a refused one still makes the edits that were right in it.

A model that is told of one edit often sends this one again, and leaves the others out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minitask.edits.reply.check_changes import is_excused
from minitask.edits.reply.read import Parsed, parse_reply
from minitask.edits.reply.reply_context import ReplyContext
from minitask.edits.script_model import Change, SearchReplace
from minitask.errors import EditError

_LEAST = 3
"""Fewest letters of a line that tells an edit."""


def check_kept(
    changes: Sequence[Change], request: ReplyContext, *, refused: Sequence[str], reply: str
) -> None:
    """Raise `EditError` if an edit of a refused reply, which applied to the base, has left no trace in the changes."""
    if not refused:
        return
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
    telling = {row for row in added if sum(map(str.isalnum, row)) >= _LEAST}
    return not telling or not telling.isdisjoint(rows)
