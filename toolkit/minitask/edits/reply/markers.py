"""Read SEARCH/REPLACE blocks in the forms of other tools: other words, lengths and characters.

A block is read if it has its three markers once each, in order. Any other line like a marker is refused as text of a
file, unless the file or the task already has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.fences import has_markers, parse_blocks
from minitask.edits.lines import BOM, body, is_blank, split_lines
from minitask.edits.reply.reply_context import SOURCE
from minitask.edits.script_model import SearchReplace
from minitask.errors import EditError
from minitask.patterns import lazy_pattern

_OLD = r"(?:SEARCH|ORIGINAL|HEAD|FIND|BEFORE|OLD|CURRENT)\b"
_NEW = r"(?:REPLACE|UPDATED?|NEW|AFTER|MODIFIED|REPLACEMENT|END)\b"
_OPENING = lazy_pattern(
    rf"(?i)[ \t]*(?:<{{6,}}(?:[ \t]*[A-Za-z].*|[ \t]*)|<{{4,}}[ \t]*{_OLD}.*|-{{4,}}[ \t]*SEARCH\b.*)"
)
_CLOSING = lazy_pattern(
    rf"(?i)[ \t]*(?:>{{6,}}(?:[ \t]*[A-Za-z].*|[ \t]*)|>{{4,}}[ \t]*{_NEW}.*|\+{{4,}}[ \t]*REPLACE\b.*)"
)
_ESCAPED = lazy_pattern(r"(?i)[ \t]*(?:(?:&lt;){5,}|(?:&gt;){5,}).*")
_DIVIDER = lazy_pattern(r"[ \t]*={5,}[ \t]*")
_BASE = lazy_pattern(r"[ \t]*\|{6,}.*")
_START = lazy_pattern(r"(?i)[ \t]*:(?:start|end)_line:.*")
_RULE = lazy_pattern(r"[ \t]*-{5,}[ \t]*")
_WORDS = lazy_pattern(r"[\w\s]+")
PARTS = "parts"
"""The word behind a fence's path that lets a search text be a part of a line, as tools that replace text do."""
ALL = "all"
"""The word there that is for every place where the search text occurs."""
_FORM = "write each block as `<<<<<<< SEARCH`, `=======`, `>>>>>>> REPLACE`"
_LITERAL = "; where such lines are the file's own text, add the word `whole` after its path"


def is_opening(line: str) -> bool:
    """Return True if the line opens a block in any tool's form."""
    return _OPENING.fullmatch(body(line)) is not None


def is_closing(line: str) -> bool:
    """Return True if the line closes a block in any tool's form."""
    return _CLOSING.fullmatch(body(line)) is not None


def find_markers(content: str, *, known_lines: Iterable[str] = ()) -> tuple[int, str] | None:
    """Return the number and text of the first line that opens or closes a block and is not in `known_lines`."""
    had = {line.strip() for line in known_lines}
    for number, line in enumerate(split_lines(content), 1):
        is_marker = is_opening(line) or is_closing(line) or _ESCAPED.fullmatch(body(line))
        if is_marker and line.strip() not in had:
            return number, line.strip()
    return None


def is_framed(content: str, base: str) -> bool:
    """Return True if a text is a block between labels such as `[SEARCH]`, and not the file.

    Its first line and the one below some lines of the file have a form that no line of the file has, and the text has
    no more than half of the file's lines.
    """
    rows, base_rows = (
        [row for row in map(str.strip, text.split("\n")) if row] for text in (content, base)
    )
    base_set = set(base_rows)
    below = next((at for at, row in enumerate(rows[1:], 1) if row not in base_set), 0)
    frame = _frame(rows[0]) if rows else ""
    is_label = frame and below > 1 and rows[0] not in base_set and _frame(rows[below]) == frame
    shared = base_set.intersection(rows)
    return (
        bool(is_label) and len(shared) * 2 <= len(base_set) and frame not in map(_frame, base_set)
    )


def _frame(row: str) -> str:
    """Return the marks of a line: what is left without its words."""
    return _WORDS.sub("", row.replace("</", "<"))


def has_block_form(content: str) -> bool:
    """Return True if the text begins with a block's opening line."""
    lines = [line for line in split_lines(content) if not is_blank(line)]
    return bool(lines) and is_opening(lines[0])


def read_blocks(content: str, *, path: str, line: int) -> tuple[SearchReplace, ...]:
    """Return the blocks, in this tool's form or another's; raise `EditError` if they are malformed or ambiguous."""
    placed = any(_START.fullmatch(body(line)) for line in split_lines(content))
    if has_markers(content) and not placed:
        try:
            return parse_blocks(content, path=path, line=line, source=SOURCE)
        except EditError:
            blocks = _loose_blocks(split_lines(content), path=path, line=line)
            if blocks is None:
                raise
            return blocks
    blocks = _loose_blocks(split_lines(content), path=path, line=line)
    if blocks is None:
        number, text = find_markers(content) or (1, content.strip().partition("\n")[0])
        message = f"`{text[:60]}` is no marker of a block, and no text of {path}"
        raise EditError(message, hint=_FORM + _LITERAL, where=f"{SOURCE}:{line + number - 1}")
    return blocks


def check_once(block: SearchReplace, base: str) -> None:
    """Raise if a block that is meant for every place has several."""
    count = base.count(block.search.removesuffix("\n"))
    if count > 1:
        message = f"the search text occurs {count} times in {block.path}, and a block replaces one"
        raise EditError(message, hint="give a block for each place, or the whole file")


def of_whole_lines(block: SearchReplace, base: str) -> SearchReplace:
    """Return a block of parts of lines as one of whole lines, if its search text occurs in the base exactly once."""
    old, new = block.search.removesuffix("\n"), block.replace.removesuffix("\n")
    if base.count(old) != 1:
        return block
    start = base.index(old)
    end = start + len(old)
    first = base.rfind("\n", 0, start) + 1 or len(BOM) * base.startswith(BOM)
    last = base.find("\n", end) + 1 or len(base)
    before, behind = base[first:start], base[end:last]
    if not before and not behind.strip("\r\n"):
        return block
    return replace(block, search=base[first:last], replace=before + new + behind)


def _loose_blocks(
    lines: Sequence[str], *, path: str, line: int
) -> tuple[SearchReplace, ...] | None:
    """Return the blocks if each has one opening, divider and closing line and no text is outside, otherwise None."""
    blocks, at = [], 0
    while at < len(lines):
        if is_blank(lines[at]):
            at += 1
            continue
        end = _block_end(lines, at)
        if end is None:
            return None
        divider = _divider(lines, at, end)
        if divider is None:
            return None
        first = _search_start(lines, at + 1, divider)
        search, replace = lines[first:divider], lines[divider + 1 : end]
        blocks.append(SearchReplace(path, "".join(search), "".join(replace), line + at))
        at = end + 1
    return tuple(blocks) or None


def _block_end(lines: Sequence[str], start: int) -> int | None:
    """Return the index of the closing line of the block opened at `start`, or None if another block opens first."""
    if not is_opening(lines[start]):
        return None
    for at in range(start + 1, len(lines)):
        if is_opening(lines[at]) or _BASE.fullmatch(body(lines[at])):
            return None
        if is_closing(lines[at]):
            return at
    return None


def _divider(lines: Sequence[str], start: int, end: int) -> int | None:
    dividers = [at for at in range(start + 1, end) if _DIVIDER.fullmatch(body(lines[at]))]
    return dividers[0] if len(dividers) == 1 else None


def _search_start(lines: Sequence[str], start: int, divider: int) -> int:
    """Return the index at which the search text begins, after notes on its position."""
    at = start
    while at < divider and _START.fullmatch(body(lines[at])):
        at += 1
    return at + 1 if at > start and at < divider and _RULE.fullmatch(body(lines[at])) else at


_BAR = lazy_pattern(r" {0,3}(`{3,}|~{3,})[ \t]*(.*?)[ \t\r]*")


class Bar(Struct, frozen=True):
    """A line that may open or close a fence: its character, their number, and the info string after them."""

    mark: str
    size: int
    info: str

    def is_closed_by(self, bar: Bar | None) -> bool:
        """Return True if `bar` closes the fence that this one opens."""
        return bar is not None and not bar.info and self.covers(bar)

    def covers(self, bar: Bar) -> bool:
        """Return True if `bar` has the same character, and enough of them to close this one's fence."""
        return bar.mark == self.mark and bar.size >= self.size


def is_balanced(lines: Iterable[str]) -> bool:
    """Return True if every fence opened in the lines is closed there."""
    bar: Bar | None = None
    for line in lines:
        line_bar = bar_of(line)
        if bar is None:
            bar = line_bar
        elif bar.is_closed_by(line_bar):
            bar = None
    return bar is None


def without_fences(text: str) -> str:
    """Return the text without its fences; an unclosed one is left in."""
    outside: list[str] = []
    fence: list[str] = []
    bar: Bar | None = None
    for line in text.split("\n"):
        line_bar = bar_of(line)
        if bar is None and line_bar is None:
            outside.append(line)
            continue
        fence.append(line)
        if bar is None:
            bar = line_bar
        elif bar.is_closed_by(line_bar):
            bar, fence = None, []
    return "\n".join(outside + fence)


def bar_of(line: str) -> Bar | None:
    """Return the bar in a line, or None."""
    match = _BAR.fullmatch(line.rstrip("\n"))
    if not match or (match[1][0] == "`" and "`" in match[2]):
        return None
    return Bar(match[1][0], len(match[1]), match[2])
