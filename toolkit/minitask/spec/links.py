"""Inline links of Markdown, `[text](destination "title")`, with parentheses in the destination as in CommonMark."""

from __future__ import annotations

from urllib.parse import unquote

from msgspec import Struct

from minitask.patterns import lazy_pattern

_TEXT = lazy_pattern(r"\[((?:[^\[\]\\]|\\.|\[[^\[\]]*\])+)\]\(\s*")
_TITLE = lazy_pattern(r"""\s*(?:\s(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)""")


class Link(Struct, frozen=True):
    """A link at the start of a text, which ends before `end`."""

    text: str
    target: str
    end: int


def find_link(text: str) -> Link | None:
    """Return the link that a text begins with; None if it begins with none."""
    head = _TEXT.match(text)
    if head is None:
        return None
    start = head.end()
    stop = _angle_end(text, start) if text.startswith("<", start) else _plain_end(text, start)
    target = text[start:stop].strip("<>") if text.startswith("<", start) else text[start:stop]
    tail = _TITLE.match(text, stop)
    if tail is None or not target:
        return None
    return Link(head[1].strip(), unquote(target), tail.end())


def _angle_end(text: str, start: int) -> int:
    end = text.find(">", start)
    return len(text) if end < 0 else end + 1


def _plain_end(text: str, start: int) -> int:
    """Return where a bare destination ends: at a blank, or at the bracket that closes the link."""
    depth = 0
    for index in range(start, len(text)):
        character = text[index]
        if character.isspace() or (character == ")" and depth == 0):
            return index
        depth += (character == "(") - (character == ")")
    return len(text)
