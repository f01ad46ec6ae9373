"""A Markdown document as a flat list of headings, texts, list items and fences, whatever they are nested in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.spec.markdown import (
    fence_content,
    normalise,
    one_line,
    parse_document,
    unclosed_fences,
)
from minitask.spec.model import Fence

if TYPE_CHECKING:
    from markdown_it.token import Token

HEADING, TEXT, ITEM, FENCE = "heading", "text", "item", "fence"


class MarkdownNode(Struct, frozen=True):
    """A part of a document; `level` is a heading's, or how many lists a text is in; `line` counts from 1."""

    kind: str
    text: str
    level: int = 0
    line: int = 0
    fence: Fence | None = None


def parse_nodes(text: str) -> tuple[tuple[MarkdownNode, ...], tuple[str, ...]]:
    """Return the nodes of a text in order, and a remark on each fence that nothing closes."""
    document = parse_document(normalise(text))
    damage = "a fence that is never closed; all below it is read as code"
    remarks = (f"line {line}: {damage}" for line in unclosed_fences(document))
    return tuple(_nodes(document.tokens)), tuple(remarks)


def _nodes(tokens: Sequence[Token]) -> Iterator[MarkdownNode]:
    depth, starts_item, opened = 0, False, ""
    level, line = 0, 0
    for token in tokens:
        if token.type == "list_item_open":
            depth, starts_item = depth + 1, True
        elif token.type == "list_item_close":
            depth, starts_item = depth - 1, False
        elif token.type in ("heading_open", "paragraph_open"):
            opened, line = token.type, _line(token)
            level = int(token.tag[1:]) if opened == "heading_open" and not depth else 0
        elif token.type == "inline":
            yield _inline(token, level=level, depth=depth, starts_item=starts_item, line=line)
            starts_item = False
        elif token.type in ("fence", "code_block"):
            fence = Fence(token.info.strip(), fence_content(token), "", _line(token))
            yield MarkdownNode(FENCE, "", depth, fence.line, fence)
            starts_item = False
        elif token.type == "html_block":
            yield MarkdownNode(TEXT, token.content.strip(), depth, _line(token))


def _inline(token: Token, *, level: int, depth: int, starts_item: bool, line: int) -> MarkdownNode:
    if level:
        return MarkdownNode(HEADING, one_line(token.content), level, line)
    return MarkdownNode(ITEM if starts_item else TEXT, token.content.strip(), depth, line)


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0
