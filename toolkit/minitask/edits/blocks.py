"""SEARCH/REPLACE blocks inside a fence.

The markers have seven characters or more; a block whose text holds such markers itself is written
with longer ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.edits.error_location import place_of
from minitask.edits.lines import is_blank, split_lines
from minitask.edits.script_model import SearchReplace
from minitask.errors import EditError
from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORTEST = 7
_OPENING = lazy_pattern(r"(<{7,}) SEARCH\s*")
_CLOSING = lazy_pattern(r">{7,} REPLACE\s*")
_WHOLE_HINT = (
    "only blocks belong in such a fence; for a whole file add the word `whole` after its path"
)


def has_markers(content: str) -> bool:
    """Return True if a line is a SEARCH or REPLACE marker."""
    return any(
        _OPENING.fullmatch(line) or _CLOSING.fullmatch(line) for line in split_lines(content)
    )


def parse_blocks(content: str, *, path: str, line: int, source: str) -> tuple[SearchReplace, ...]:
    """One edit a block; `line` is that of the content's first line.

    Raises `EditError` for a block that is not closed and for text outside the blocks.
    """
    lines, at, edits = split_lines(content), 0, []
    while at < len(lines):
        opening = _OPENING.fullmatch(lines[at])
        if opening:
            where = place_of(line + at, source=source)
            divider, closing = _marks(lines, at, len(opening[1]), where)
            search, replace = lines[at + 1 : divider], lines[divider + 1 : closing]
            edits.append(SearchReplace(path, "".join(search), "".join(replace), line + at))
            at = closing
        elif not is_blank(lines[at]):
            where = place_of(line + at, source=source)
            raise EditError("text outside of SEARCH/REPLACE blocks", hint=_WHOLE_HINT, where=where)
        at += 1
    return tuple(edits)


def render_block(edit: SearchReplace) -> str:
    """Return the block, with markers that none of its lines could be taken for."""
    taken = {line.rstrip() for line in split_lines(edit.search + edit.replace)}
    size = _SHORTEST
    while taken & set(_markers(size)):
        size += 1
    opening, divider, closing = _markers(size)
    return f"{opening}\n{edit.search}{divider}\n{edit.replace}{closing}\n"


def _markers(size: int) -> tuple[str, str, str]:
    return "<" * size + " SEARCH", "=" * size, ">" * size + " REPLACE"


def _marks(lines: Sequence[str], at: int, size: int, where: str | None) -> tuple[int, int]:
    """Return where the block that opens at `at` is divided and closed."""
    opening, divider, closing = _markers(size)
    dividers = []
    for i in range(at + 1, len(lines)):
        text = lines[i].rstrip()
        if text == opening:
            break
        if text == divider:
            dividers.append(i)
        elif text == closing:
            return _only(dividers, where), i
    hint = f"a block is `{opening}`, `{divider}`, `{closing}`, each on a line of its own"
    raise EditError("a SEARCH block is not closed", hint=hint, where=where)


def _only(dividers: Sequence[int], where: str | None) -> int:
    if len(dividers) == 1:
        return dividers[0]
    message = f"a SEARCH block has {len(dividers)} dividing lines (`=======`)"
    hint = "it takes one; where the text has such a line itself, lengthen all three markers by one"
    raise EditError(message, hint=hint, where=where)
