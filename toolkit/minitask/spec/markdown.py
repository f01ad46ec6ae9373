"""Markdown's block structure, by CommonMark's rules: blocks, list items and fences, each with its lines.

Only the block rules run: what is inside a paragraph is looked at where it is needed. That halves the time a file takes.
Line numbers in here are 0-based and half-open, as the parser has them; `Fence.line` and `Item.line` are 1-based.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.spec.inline import one_line, strip_marks
from minitask.spec.model import Fence

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MAX_NESTING = 100


class MarkdownBlock(Struct, frozen=True):
    """A top-level block: its kind, its lines, its tokens; of a heading also level and text, of a paragraph its text."""

    kind: str
    start: int
    end: int
    first: int
    last: int
    level: int = 0
    text: str = ""


class Item(Struct, frozen=True):
    """A list item: its own text on one line (without nested items), and how deep it is nested, from 1."""

    text: str
    depth: int
    line: int


class Document(Struct, frozen=True):
    """A parsed Markdown text."""

    lines: tuple[str, ...]
    tokens: Sequence[Token]

    def text(self, start: int, end: int) -> str:
        """Return lines `start` to `end` as written, without blank lines around them."""
        lines = self.lines[start:end]
        low, high = 0, len(lines)
        while low < high and not lines[low].strip():
            low += 1
        while high > low and not lines[high - 1].strip():
            high -= 1
        return "\n".join(lines[low:high]).rstrip()


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING})


def normalise(text: str) -> str:
    r"""Return the text without a byte order mark, every line ended by one `\n`."""
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text if text.endswith("\n") or not text else text + "\n"


def parse_document(text: str) -> Document:
    """Return the blocks of a text that `normalise` gave."""
    parser = _parser()
    tokens: list[Token] = []
    parser.block.parse(text, parser, {}, tokens)
    return Document(tuple(text.split("\n")), tokens)


def blocks(document: Document) -> list[MarkdownBlock]:
    """Return the top-level blocks in order."""
    top_blocks = []
    tokens = document.tokens
    opened = 0
    for index, token in enumerate(tokens):
        if token.level:
            continue
        if token.nesting == 1:
            opened = index
        elif token.nesting == -1:
            top_blocks.append(_container(tokens, opened, last=index + 1))
        elif token.map:
            top_blocks.append(
                MarkdownBlock(token.type, token.map[0], token.map[1], index, index + 1)
            )
    return top_blocks


def _container(tokens: Sequence[Token], first: int, *, last: int) -> MarkdownBlock:
    token = tokens[first]
    start, end = token.map or (0, 0)
    kind = token.type.removesuffix("_open")
    if kind == "heading":
        level = int(token.tag[1:])
        return MarkdownBlock(
            kind, start, end, first, last, level, one_line(tokens[first + 1].content)
        )
    text = tokens[first + 1].content if kind == "paragraph" else ""
    return MarkdownBlock(kind, start, end, first, last, 0, text)


def items(document: Document, block: MarkdownBlock) -> list[Item]:
    """Return the items of a list, nested ones after the item that holds them."""
    texts: list[list[str]] = []
    positions: list[tuple[int, int]] = []
    stack: list[int] = []
    for token in document.tokens[block.first : block.last]:
        if token.type == "list_item_open":
            stack.append(len(texts))
            texts.append([])
            positions.append((len(stack), token.map[0] + 1 if token.map else 0))
        elif token.type == "list_item_close":
            stack.pop()
        elif token.type == "inline" and stack and token.content:
            texts[stack[-1]].append(one_line(token.content))
    pairs = zip(texts, positions, strict=True)
    return [Item(" ".join(text), depth, line) for text, (depth, line) in pairs]


def find_fences(text: str) -> tuple[Fence, ...]:
    """Return every fence of a Markdown text, at any nesting, in order.

    `lead` is the last line of the paragraph (or heading) that stands directly before the fence.
    """
    document = parse_document(normalise(text))
    return tuple(fence for fence, _ in fences(document, 0, last=len(document.tokens)))


def fences(document: Document, first: int, *, last: int) -> Iterator[tuple[Fence, int]]:
    """Yield the fences among tokens `first` to `last`, each with the line (from 0) of the text that leads to it,
    or -1.
    """
    tokens = document.tokens
    for index in range(first, last):
        token = tokens[index]
        if token.type == "fence":
            lead, lead_line = _lead(tokens, index, first=first)
            line = token.map[0] + 1 if token.map else 0
            yield Fence(token.info.strip(), fence_content(token), lead, line), lead_line


def fence_content(token: Token) -> str:
    """Return what a fence holds, its last line ended."""
    content = token.content
    return content if content.endswith("\n") or not content else content + "\n"


def _lead(tokens: Sequence[Token], index: int, *, first: int) -> tuple[str, int]:
    index -= 1
    while index >= first and tokens[index].nesting == -1:
        index -= 1
    if index < first or tokens[index].type != "inline":
        return "", -1
    token = tokens[index]
    line = strip_marks(token.content.rsplit("\n", 1)[-1])
    return line, token.map[1] - 1 if token.map else -1


def unclosed_fences(document: Document) -> list[int]:
    """Return the lines, from 1, of the fences that nothing closes."""
    line_numbers = []
    for token in document.tokens:
        if token.type == "fence" and token.map:
            start, end = token.map
            if fence_content(token).count("\n") >= end - start - 1:
                line_numbers.append(start + 1)
    return line_numbers
