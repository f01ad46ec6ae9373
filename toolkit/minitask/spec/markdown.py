"""Markdown by CommonMark's rules: blocks, list items and fences with their lines, and the marks within a line.

Only the block rules run; text in paragraphs is parsed on demand, which halves the time per file. Line numbers here are
0-based and half-open, as in the parser; `Fence.line` and `Item.line` are 1-based.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import dropwhile
from typing import TYPE_CHECKING
from urllib.parse import unquote

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.spec.model import Fence

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

CODE = lazy_pattern(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")

_MARK = lazy_pattern(
    r"\\([!-/:-@\[-`{-~])"  # an escaped punctuation mark
    r"|(?<!`)(`+)(?!`)(.+?)(?<!`)\2(?!`)"  # a code span
    r"|\*+|~~|`|_+(?=`)|(?<=`)_+"
)
_SPECIAL = lazy_pattern(r"[\\`*\[<~#>]|_(?=`)|(?<=`)_")
_BLOCK_START = lazy_pattern(r"([-+=]|[0-9]+(?=[.)]))")
_LABEL = lazy_pattern(
    r"(?s)[^\x00-\x7f]*[ \t]*\*\*(?P<key>[^*\n]{1,80}?)(?:[:\uff1a][ \t]*\*\*|\*\*[ \t]*[:\uff1a])(?P<value>.*)"
)
_NEXT_LABEL = lazy_pattern(
    r"(?<![ \t])[ \t]+\|[ \t]+(?=\*\*[^*\n]{1,80}?(?::[ \t]*\*\*|\*\*[ \t]*:))"
)


def strip_marks(line: str) -> str:
    """Return the line without Markdown marks: emphasis and backticks are dropped, code spans keep their content."""
    return _MARK.sub(_unmark, line).strip()


def _unmark(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1]
    return code_text(match[3]) if match[3] is not None else ""


def code_text(content: str) -> str:
    """Return a code span's text, without one padding space on either side."""
    padded = len(content) > 2 and content[0] == content[-1] == " " and content.strip()
    return content[1:-1] if padded else content


def escape_marks(line: str) -> str:
    """Return a paragraph of one line that `strip_marks` turns back into `line`."""
    escaped = _SPECIAL.sub(r"\\\g<0>", line)
    start = _BLOCK_START.match(escaped)
    if start is None:
        return escaped
    if start[1].isdigit():
        return f"{start[1]}\\{escaped[start.end() :]}"
    return f"\\{escaped}"


def code_span(text: str) -> str:
    """Return `text` as a code span, with as many backticks as it needs."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def find_label(line: str) -> tuple[str, str] | None:
    """Return the key and value of a line such as `**Key**: value` or `**Key:** value`."""
    if "**" not in line:
        return None
    match = _LABEL.match(line.strip())
    return (match["key"].strip(), match["value"].strip()) if match else None


def split_labels(line: str) -> list[str]:
    """Return the labelled parts of a line such as `**Time**: 5 min | **Cost**: $0.01`."""
    return _NEXT_LABEL.split(line) if "|" in line else [line]


def one_line(text: str) -> str:
    """Return the text with line breaks replaced by spaces."""
    return " ".join(part.strip() for part in text.split("\n")) if "\n" in text else text.strip()


_WIKI = lazy_pattern(r"\[\[(?P<path>[^\[\]|\n]+)(?:\|[^\[\]\n]*)?\]\]")
_ELEMENT = lazy_pattern(
    r"<(?P<tag>[a-z]\w*)(?:\s(?:[^<>]*\s)?href=[\"'](?P<href>[^\"'<>]+)[\"'])?(?:\s[^<>]*)?>(?P<inner>[^<>]+)</(?P=tag)>"
)
_ESCAPED = lazy_pattern(r"\\([!-/:-@\[-`{-~])")
_LINES = lazy_pattern(r"L?\d+(?:-L?\d+)?")
_REFERENCE = lazy_pattern(
    r"`[^`\n]*`|(?<!\])\[(?P<text>[^\[\]\n]+)\](?:\[(?P<label>[^\[\]\n]*)\])?(?![(\[:])"
)
_TEXT = lazy_pattern(r"\[((?:[^\[\]\\]|\\.|\[[^\[\]]*\])+)\]\(\s*")
_TITLE = lazy_pattern(r"""\s*(?:\s(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)""")


class Link(Struct, frozen=True):
    """A link, or an element of HTML, at the start of a text; `end` is the offset after it."""

    text: str
    target: str
    end: int


def find_link(text: str) -> Link | None:
    """Return the link at the start of a text, in Markdown's form, HTML's or a wiki's, or None."""
    wiki, element, head = _WIKI.match(text), _ELEMENT.match(text), _TEXT.match(text)
    if wiki:
        return Link(wiki["path"], wiki["path"], wiki.end())
    if element:
        inner = element["inner"].strip()
        return Link(inner, element["href"] or inner, element.end())
    if head is None:
        return None
    start = head.end()
    stop = _target_end(text, start)
    target = text[start:stop]
    if target.startswith("<"):
        target = target.strip("<>")
    tail = _TITLE.match(text, stop)
    if tail is None or not target:
        return None
    path, mark, fragment = _ESCAPED.sub(r"\1", target).partition("#")
    suffix = f"{mark}{fragment}" if not path or _LINES.fullmatch(fragment) else ""
    return Link(head[1].strip(), unquote(path) + suffix, tail.end())


def _target_end(text: str, start: int) -> int:
    """Return where a destination ends: at its angle bracket, at a blank, or at the bracket that closes the link."""
    if text.startswith("<", start):
        return text.find(">", start) + 1 or len(text)
    depth = 0
    for index in range(start, len(text)):
        character = text[index]
        if character.isspace() or (character == ")" and depth == 0):
            return index
        depth += (character == "(") - (character == ")")
    return len(text)


_MAX_NESTING = 100


class MarkdownBlock(Struct, frozen=True):
    """A top-level block: kind, lines and tokens; for a heading also level and text, for a paragraph its text."""

    kind: str
    start: int
    end: int
    first: int
    last: int
    level: int = 0
    text: str = ""


class Item(Struct, frozen=True):
    """A list item: its own text on one line (without nested items), and its nesting depth, from 1."""

    text: str
    depth: int
    line: int


class Document(Struct, frozen=True):
    """A parsed Markdown text; `targets` are those of its link references, by label."""

    lines: tuple[str, ...]
    tokens: Sequence[Token]
    targets: Mapping[str, str] = {}

    def text(self, start: int, end: int) -> str:
        """Return lines `start` to `end` as written, without surrounding blank lines."""
        lines = dropwhile(lambda line: not line.strip(), self.lines[start:end])
        return "\n".join(lines).rstrip()


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING})


def normalise(text: str) -> str:
    r"""Return the text without a byte order mark and NUL characters, every line ended by one `\n`."""
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text if text.endswith("\n") or not text else text + "\n"


def parse_document(text: str) -> Document:
    """Return the blocks of a text normalised by `normalise`."""
    parser = _parser()
    tokens: list[Token] = []
    env: dict[str, dict[str, dict[str, str]]] = {}
    parser.block.parse(text, parser, env, tokens)
    targets = {name.casefold(): link["href"] for name, link in env.get("references", {}).items()}
    return Document(tuple(text.split("\n")), tokens, targets)


def _with_targets(text: str, targets: Mapping[str, str]) -> str:
    """Return a text in which each link by reference has its target."""

    def inline(match: re.Match[str]) -> str:
        target = targets.get((match["label"] or match["text"] or "").casefold())
        return match[0] if target is None else f"[{match['text']}](<{target}>)"

    return _REFERENCE.sub(inline, text) if targets else text


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
            start, end = token.map
            top_blocks.append(MarkdownBlock(token.type, start, end, index, index + 1))
    return top_blocks


def _container(tokens: Sequence[Token], first: int, *, last: int) -> MarkdownBlock:
    token = tokens[first]
    start, end = token.map or (0, 0)
    kind = token.type.removesuffix("_open")
    level, text = 0, ""
    if kind == "heading":
        level, text = int(token.tag[1:]), one_line(tokens[first + 1].content)
    elif kind == "paragraph":
        text = tokens[first + 1].content
    return MarkdownBlock(kind, start, end, first, last, level, text)


def items(document: Document, block: MarkdownBlock) -> list[Item]:
    """Return the items of a list, nested ones after their parent."""
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
    return [
        Item(_with_targets(" ".join(text), document.targets), depth, line)
        for text, (depth, line) in pairs
    ]


def find_fences(text: str) -> tuple[Fence, ...]:
    """Return every fence of a Markdown text, at any nesting, in order.

    `lead` is the last line of the paragraph (or heading) directly before the fence.
    """
    document = parse_document(normalise(text))
    return tuple(fence for fence, _ in fences(document, 0, last=len(document.tokens)))


def fences(document: Document, first: int, *, last: int) -> Iterator[tuple[Fence, int]]:
    """Yield the fences among tokens `first` to `last`, each with the line (from 0) of its lead, or -1."""
    tokens = document.tokens
    for index in range(first, last):
        token = tokens[index]
        if token.type == "fence":
            lead, lead_line = _lead(tokens, index, first=first)
            line = token.map[0] + 1 if token.map else 0
            yield Fence(token.info.strip(), token.content, lead, line), lead_line


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
    """Return the lines, from 1, of unclosed fences."""
    line_numbers = []
    for token in document.tokens:
        if token.type == "fence" and token.map:
            start, end = token.map
            if token.content.count("\n") >= end - start - 1:
                line_numbers.append(start + 1)
    return line_numbers
