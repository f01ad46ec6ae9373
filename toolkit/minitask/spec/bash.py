"""Read bash with tree-sitter's grammar: the top-level commands of a script, with their lines.

The grammar is lax in places. Code that it would silently misread is corrected or refused here: two assignments on a
line, which it joins to the next line, and reserved words in place of a command.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.spec.model import Problem
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Language, Node

_RESERVED_WORDS = word_set("then else elif fi do done esac coproc { }")
_NAME = rb"[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]\n]*\])?\+?="
_ASSIGNMENTS = re.compile(rb"^[ \t]*" + _NAME + rb".*[ \t]" + _NAME, re.MULTILINE)
_ASTRAL = re.compile(rb"([{.$?][0-9]*|-[A-Za-z]*)[\xf0-\xf4][\x80-\xbf]{3}")
_EXPECTATION = lazy_pattern(r"(?is)#+\s*expect\s*:(?P<text>.*)")


class ShellPart(Struct, frozen=True):
    """A command or a comment, with its first and last row within the fence, from 0.

    `inner` are the comments inside a command.
    """

    text: str
    first: int
    last: int
    is_comment: bool = False
    inner: tuple[str, ...] = ()


class UnreadableError(Exception):
    """Bash that cannot be split into commands, with its row (from 0) and the text there."""

    def __init__(self, row: int, near: str) -> None:
        """Store the position."""
        super().__init__(near)
        self.row = row
        self.near = near

    def problem(self, offset: int) -> Problem:
        """Return the error as a problem of the file, in which row 0 is line `offset`."""
        message = f"the validation is not bash that can be split into commands, near `{self.near}`"
        hint = (
            "close quotes, brackets and here-documents (one a line, with at most a pipe behind it)"
        )
        return Problem(self.row + offset, "E106", message, hint)


def find_expectation_text(comment: str) -> str | None:
    """Return the text after `expect:` in a shell comment, or None if it has none."""
    match = _EXPECTATION.fullmatch(comment.strip())
    return match["text"].strip() if match else None


class _Script(Struct, frozen=True):
    """A parsed script; at the byte offsets `inserted`, a `;` was added to separate commands."""

    root: Node
    source: bytes
    inserted: tuple[int, ...] = ()

    def text(self, start: int, end: int) -> str:
        """Return the original text between two offsets of the tree."""
        low, high = bisect_left(self.inserted, start), bisect_left(self.inserted, end)
        return self.source[start - low : end - high].decode("utf-8", "surrogatepass")


def parsed_parts(content: str) -> Iterator[ShellPart]:
    """Yield the top-level commands and comments of a script; raise `UnreadableError` if it cannot be parsed."""
    script = _parse(content)
    part: ShellPart | None = None
    for node in script.root.children:
        if node.is_named:
            if part:
                yield part
            part = _part(node, script)
        elif part and node.type == "&":
            part = replace(part, text=f"{part.text} &")
    if part:
        yield part


def parse_tree(content: str) -> Node:
    """Return the root of a script's syntax tree; raise `UnreadableError` if it cannot be parsed."""
    return _parse(content).root


def node_text(node: Node | None) -> str:
    """Return a node's text, decoded from UTF-8; empty for None."""
    return "" if node is None else (node.text or b"").decode("utf-8", "replace")


@cache
def _language() -> Language:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Language(tree_sitter_bash.language())


def _readable(source: bytes) -> bytes:
    """Return the source with other characters, as many bytes long, where the grammar's scanner would read past a table.

    It asks C's `isdigit` and `isalpha` about whatever follows `{`, `..`, `$`, `?` and `-`, and glibc looks that up
    without a check: a character beyond U+FFFF there can end the process.
    """
    return _ASTRAL.sub(lambda match: match[1] + "éé".encode(), source)


def _parse(content: str) -> _Script:
    from tree_sitter import Parser

    parser = Parser(_language())
    source = content.encode("utf-8", "surrogatepass")
    script = _Script(parser.parse(_readable(source)).root_node, source)
    cuts: list[int] = []
    while _ASSIGNMENTS.search(source) and (offset := _run_on(script.root)):
        cut = offset - bisect_left(script.inserted, offset)
        if cut in cuts:
            raise _unreadable(script.root, source)
        cuts.append(cut)
        apart, inserted = _with_cuts(source, sorted(cuts))
        script = _Script(parser.parse(_readable(apart)).root_node, source, inserted)
    broken = next((child for child in script.root.children if child.has_error), None)
    names = (node for node in walk(script.root) if node.type == "command_name")
    broken = broken or next((n for n in names if node_text(n) in _RESERVED_WORDS), None)
    if broken or script.root.has_error:
        raise _unreadable(broken or script.root, source)
    return script


def _with_cuts(source: bytes, cuts: list[int]) -> tuple[bytes, tuple[int, ...]]:
    """Return the source with a `;` at each cut, and the offsets of these in it."""
    pieces = [source[low:high] for low, high in pairwise((0, *cuts, len(source)))]
    return b";".join(pieces), tuple(cut + index for index, cut in enumerate(cuts))


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all that is below it, the last children first."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += current.children


def walk_in_order(node: Node) -> Iterator[Node]:
    """Yield a node and all that is below it, as the text has them."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += reversed(current.children)


def _run_on(root: Node) -> int:
    """Return the offset of a line end, without backslash, at which a command does not end; 0 if there is none."""
    for node in walk(root):
        if node.type != "command":
            continue
        children = [child for child in node.children if child.type != "comment"]
        for before, after in pairwise(children):
            rows = after.start_point.row - before.end_point.row
            if before.type == "variable_assignment" and rows and not _is_continued(before, after):
                return before.end_byte
    return 0


def _is_continued(before: Node, after: Node) -> bool:
    """Return True if each line end between two words has a backslash before it."""
    node = before
    while node.parent is not None:
        node = node.parent
    whole = node.text or b""
    gap = whole[before.end_byte - node.start_byte : after.start_byte - node.start_byte]
    return b"\n" not in gap.replace(b"\\\n", b"")


def _part(node: Node, script: _Script) -> ShellPart:
    text = script.text(node.start_byte, node.end_byte).rstrip("\n")
    row = node.start_point.row
    last = row + text.count("\n")
    if node.type == "comment":
        return ShellPart(text, row, last, is_comment=True)
    inner = tuple(_inner_comments(node, script)) if "#" in text else ()
    return ShellPart(text, row, last, inner=inner)


def _inner_comments(node: Node, script: _Script) -> Iterator[str]:
    """Yield the comments inside a command; an expectation counts only on the command's first row."""
    for child in walk(node):
        if child.type == "comment":
            text = script.text(child.start_byte, child.end_byte)
            expectation = find_expectation_text(text)
            if expectation is not None and child.start_point.row != node.start_point.row:
                text = f"# expect: {expectation} (inside a compound command)"
            yield text


def _unreadable(node: Node, source: bytes) -> UnreadableError:
    row = min(node.start_point.row, source.rstrip().count(b"\n"))
    line = source.split(b"\n")[row].decode("utf-8", "surrogatepass").strip()
    return UnreadableError(row, line[:60])
