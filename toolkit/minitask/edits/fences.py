"""Info strings of fences, paths above fences, quoted paths, and SEARCH/REPLACE blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from minitask.edits.lines import is_blank, split_lines
from minitask.edits.script_model import SearchReplace, place_of
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.words import word_set

QUOTED = r'"(?:[^"\\]|\\.)*"'
_BARE = lazy_pattern(r"[\w./@+-]+")
_NUMBERS = lazy_pattern(r"[0-9]+(-[0-9]+)?")
_ESCAPE = lazy_pattern(r'\\(["\\])')
_KEYWORDS = frozenset({"dedent", "indent"})


def quote(path: str) -> str:
    """Return the path as it must be written: in quotes if it could be read as anything else."""
    if _BARE.fullmatch(path) and path not in _KEYWORDS and not _NUMBERS.fullmatch(path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(written: str) -> str:
    """Return the path written by `quote`, or a bare path unchanged."""
    if not written.startswith('"'):
        return written
    return _ESCAPE.sub(r"\1", written[1:-1])


_PATH = lazy_pattern(rf"(?s)(?:^|\s)path=({QUOTED}|[^\s\"]\S*)?(?=\s|$)(.*)")
_MARKS = ("**", "*", "`")
_EXTENSION = lazy_pattern(r"(?:.*/)?[^/]*\.[A-Za-z_]\w*")
_FILES_WITHOUT = word_set("Dockerfile Gemfile Justfile LICENSE Makefile Procfile Rakefile")
_SHORTEST = 3


def path_in(info: str) -> str | None:
    """Return the path of `path=…` in an info string, or None.

    Raises `EditError` if it is empty or its quotes do not close.
    """
    match = _PATH.search(info)
    if match is None and re.search(r"(?:^|\s)path=", info):
        hint = 'write path="with spaces.py" or path=plain.py'
        raise EditError(f"cannot read the path of `{info}`", hint=hint)
    if match is None:
        return None
    path = unquote(match[1] or "")
    if not path:
        raise EditError(f"the path of `{info}` is empty", hint="write path=src/name.py")
    return path


def is_literal(info: str) -> bool:
    """Return True if the word `whole` after the path says that the content is the whole file."""
    match = _PATH.search(info)
    return bool(match and "whole" in match[2].split())


def path_above(lead: str) -> str | None:
    """Return the path in the line above a fence if the line is only a path, in any Markdown, or None."""
    text, marked = _undressed(lead.strip().lstrip("#").strip())
    if not text or any(mark in text for mark in ("://", "\\", '"', "`", "*")):
        return None
    is_file_name = _EXTENSION.fullmatch(text) or text.rsplit("/", 1)[-1] in _FILES_WITHOUT
    if any(character.isspace() for character in text):
        return text if marked and is_file_name else None
    folder = "/" in text and not text.endswith("/")
    return text if is_file_name or (marked and folder) else None


def _undressed(text: str) -> tuple[str, bool]:
    """Return the text without outer emphasis, backticks and colons, and whether it had marks."""
    bare = text.removesuffix(":").strip()
    for mark in _MARKS:
        inner = bare.removeprefix(mark).removesuffix(mark)
        if len(bare) - len(inner) == 2 * len(mark):
            return _undressed(inner)[0], True
    return (bare, False) if bare == text else _undressed(bare)


def render_fence(info: str, content: str) -> str:
    """Return a fence longer than any in its content, made of tildes if its info string has a backtick."""
    mark = "~" if "`" in info else "`"
    runs = re.findall(rf"^[ \t]*({re.escape(mark)}+)", content, re.MULTILINE)
    bar = mark * max(_SHORTEST, *(len(run) + 1 for run in runs), _SHORTEST)
    end = "\n" if content and not content.endswith("\n") else ""
    return f"{bar}{info}\n{content}{end}{bar}\n"


def path_info(path: str, *, literal: bool = False) -> str:
    """Return the info string that `path_in` and `is_literal` read."""
    return f"path={quote(path)}" + (" whole" if literal else "")


def content_lines(content: str, *, after: int) -> Iterable[tuple[int, str]]:
    """Return the content's lines with their numbers, where `after` is the fence's line."""
    return enumerate(split_lines(content), after + 1)


_SHORTEST_MARK = 7
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
    """Return one edit for each block; `line` is that of the content's first line.

    Raises `EditError` for an unclosed block and for text outside blocks.
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
    """Return the block with markers that differ from all of its lines."""
    used_lines = {line.rstrip() for line in split_lines(edit.search + edit.replace)}
    size = _SHORTEST_MARK
    while used_lines & set(_markers(size)):
        size += 1
    opening, divider, closing = _markers(size)
    return f"{opening}\n{edit.search}{divider}\n{edit.replace}{closing}\n"


def _markers(size: int) -> tuple[str, str, str]:
    return "<" * size + " SEARCH", "=" * size, ">" * size + " REPLACE"


def _marks(lines: Sequence[str], at: int, size: int, where: str | None) -> tuple[int, int]:
    """Return the indices of the divider and the end of the block that opens at `at`."""
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
