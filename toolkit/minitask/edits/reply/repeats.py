"""Edits of a reply that say the same, and files whose texts were exchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.edits.apply import apply_script
from minitask.edits.script_model import (
    Change,
    Edit,
    EditScript,
    Operation,
    SearchReplace,
    WholeFile,
)
from minitask.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minitask.edits.reply.request import Request


def without_repeats(edits: Sequence[Edit], request: Request) -> tuple[Edit, ...]:
    """Return the edits, each once: what stands there twice is said twice, not to be done twice."""
    kept: list[Edit] = []
    for edit in edits:
        if isinstance(edit, Operation) or edit not in kept:
            kept.append(edit)
    for whole in [edit for edit in kept if isinstance(edit, WholeFile)]:
        blocks = [e for e in kept if isinstance(e, SearchReplace) and e.path == whole.path]
        if blocks and _makes(blocks, whole, request):
            kept = [edit for edit in kept if edit not in blocks]
    return tuple(kept)


def _makes(blocks: Sequence[SearchReplace], whole: WholeFile, request: Request) -> bool:
    """Whether the blocks alone make the whole file that the reply shows too."""
    try:
        (change,) = apply_script(EditScript(tuple(blocks)), read=request.read, locate=None)
    except (EditError, ValueError):
        return False
    return (change.content or "").rstrip("\n") == whole.content.rstrip("\n")


def check_exchanged(changes: Sequence[Change], request: Request) -> None:
    """Raise where a file would get the text of another, which gets the text of a third or of the first."""
    taken = {
        change.path: origin
        for change in changes
        if change.content and (origin := _origin(change.path, change.content, request))
    }
    for path, origin in taken.items():
        if origin in taken:
            raise EditError(
                f"{path} would hold the text of {origin}, and {origin} that of {taken[origin]}",
                hint="write the path of each file above its own text",
            )


def _origin(path: str, content: str, request: Request) -> str | None:
    """The other file whose lines the new text has, where it has none of its own file's."""
    own = request.read(path)
    if own is None:
        return None
    new = _lines(content)
    others = {file.path: _lines(request.read(file.path) or "") for file in request.written()}
    mine = others.pop(path, None) or _lines(own)
    for other, lines in others.items():
        shared, kept = new & (lines - mine), new & (mine - lines)
        if shared and not kept and 2 * len(shared) >= len(lines - mine):
            return other
    return None


def _lines(text: str) -> set[str]:
    """The lines of a text that say something."""
    return {line.strip() for line in text.split("\n") if any(map(str.isalnum, line))}
