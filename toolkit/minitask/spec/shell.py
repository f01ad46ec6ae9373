"""A shell fence cut into its top-level commands, each with its line and what is expected of it.

Lines that are plainly one command each are cut without a parser; anything else goes through
tree-sitter's bash grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from minitask.spec.expectations import FORMS, find_expectation_text, parse_expectation
from minitask.spec.model import Command, Diagnostic, Expectation, Fence
from minitask.spec.problems import Problem

if TYPE_CHECKING:
    from tree_sitter import Language, Node

SHELLS = frozenset({"", "bash", "sh", "shell", "console", "zsh"})

_WORD = r"""(?:[A-Za-z0-9_./=:@%+,^~?*\[\]-]|"[^"$`\\!\n]*"|'[^'\n]*')++"""
_REDIRECT = rf"[012]?(?:>>?|<)(?:&[012]|[ \t]*{_WORD})"
_SIMPLE = rf"{_WORD}(?:[ \t]+(?:{_WORD}|{_REDIRECT}))*"
_PLAIN = re.compile(
    rf"[ \t]*(?:(?P<command>{_SIMPLE}(?:[ \t]*(?:&&|\|\|?)[ \t]*{_SIMPLE})*)"
    r"(?:[ \t]+(?P<tail>\#.*))?|(?P<comment>\#.*))?[ \t]*$"
)
_RESERVED = re.compile(
    r"(?:^|&&|\|\|?)[ \t]*(?:if|then|elif|else|fi|for|select|while|until|do|done|case|esac|in|"
    r"function|time|coproc|\[\[)(?![A-Za-z0-9_./=:@%+,-])"
)


@dataclass(frozen=True, slots=True)
class _Part:
    """A command or a comment, and its first and last row within the fence, from 0."""

    text: str
    first: int
    last: int
    is_comment: bool = False
    inner: tuple[str, ...] = ()


@dataclass(slots=True)
class _Splitter:
    """Joins comments to the commands that they speak of."""

    offset: int
    commands: list[Command] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    pending: list[tuple[int, Expectation]] = field(default_factory=list)
    last_row: int = -1

    def add(self, part: _Part) -> None:
        if part.is_comment:
            self._comment(part.text, part.first)
            return
        waiting = tuple(expectation for _, expectation in self.pending)
        self.pending.clear()
        self.commands.append(Command(part.text, waiting, part.first + self.offset))
        self.last_row = part.first if part.inner else part.last
        for comment in part.inner:
            self._comment(comment, part.first)
        self.last_row = part.last

    def _comment(self, text: str, row: int) -> None:
        said = find_expectation_text(text)
        if said is None:
            return
        expectation = parse_expectation(said)
        if expectation is None:
            self._problem(row, f"unknown expectation `{said}`", f"write one of {FORMS}")
        elif row == self.last_row and self.commands:
            command = self.commands[-1]
            self.commands[-1] = replace(command, expectations=(*command.expectations, expectation))
        else:
            self.pending.append((row, expectation))

    def finish(self) -> None:
        for row, _ in self.pending:
            self._problem(
                row, "an expectation with no command after it", "put it above its command"
            )

    def _problem(self, row: int, message: str, hint: str) -> None:
        self.problems.append(Problem(row + self.offset, "E107", message, hint))


def is_shell(fence: Fence) -> bool:
    """Whether a fence of the Validation section is run."""
    words = fence.info.split(maxsplit=1)
    return (words[0].casefold() if words else "") in SHELLS


def split_commands(
    fence: Fence, *, path: str = ""
) -> tuple[tuple[Command, ...], tuple[Diagnostic, ...]]:
    """The top-level commands of a shell fence in order, and what was wrong with them.

    A fence that bash's grammar cannot read gives no command and one diagnostic.
    """
    content = _without_prompts(fence.content)
    offset = fence.line + 1
    parts = _plain_parts(content)
    if parts is None:
        try:
            parts = list(_parsed_parts(content))
        except _UnreadableError as unreadable:
            return (), (unreadable.problem(offset).at(path),)
    splitter = _Splitter(offset)
    for part in parts:
        splitter.add(part)
    splitter.finish()
    return tuple(splitter.commands), tuple(problem.at(path) for problem in splitter.problems)


def _without_prompts(content: str) -> str:
    """A session as typed: where the first line begins with `$ `, only such lines are commands."""
    lines = content.split("\n")
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    if not first.startswith("$ "):
        return content
    typed, continued = [], False
    for line in lines:
        if line.startswith("$ "):
            typed.append(line[2:])
        elif continued:
            typed.append(line.removeprefix("> "))
        else:
            typed.append(line if line.startswith("#") else "")
        continued = typed[-1].endswith("\\")
    return "\n".join(typed)


def _plain_parts(content: str) -> list[_Part] | None:
    """The parts of lines that are one simple command each; None where a line could be more."""
    parts = []
    for row, line in enumerate(content.split("\n")):
        match = _PLAIN.match(line)
        if match is None or _RESERVED.search(line):
            return None
        if match["command"]:
            parts.append(_Part(match["command"].strip(), row, row))
        comment = match["comment"] or match["tail"]
        if comment:
            parts.append(_Part(comment, row, row, is_comment=True))
    return parts


class _UnreadableError(Exception):
    """Bash that the grammar cannot read; carries the row, from 0, and the text there."""

    def __init__(self, row: int, near: str) -> None:
        super().__init__(near)
        self.row = row
        self.near = near

    def problem(self, offset: int) -> Problem:
        message = f"the validation is not bash that can be split into commands, near `{self.near}`"
        hint = (
            "close quotes, brackets and here-documents; quote `<` and `>` that are not redirections"
        )
        return Problem(self.row + offset, "E106", message, hint)


@cache
def _language() -> Language:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Language(tree_sitter_bash.language())


def _parsed_parts(content: str) -> Iterator[_Part]:
    from tree_sitter import Parser

    source = content.encode("utf-8", "surrogatepass")
    root = Parser(_language()).parse(source).root_node
    if root.has_error:
        raise _unreadable(root, source)
    held: _Part | None = None
    for node in root.children:
        if node.is_named:
            if held:
                yield held
            *whole, held = _node_parts(node, source)
            yield from whole
        elif held and node.type == "&":
            held = replace(held, text=f"{held.text} &")
    if held:
        yield held


def _node_parts(node: Node, source: bytes) -> list[_Part]:
    if node.type == "comment":
        text = _slice(source, node.start_byte, node.end_byte)
        return [_Part(text, node.start_point.row, node.end_point.row, is_comment=True)]
    if node.type == "command":
        return _command_parts(node, source)
    return [_part(node, node, source)]


def _command_parts(node: Node, source: bytes) -> list[_Part]:
    """The grammar joins `A=1 B=2` to the next line: cut where a line ends that is not continued."""
    parts = []
    first = previous = node.children[0]
    for child in node.children[1:]:
        gap = source[previous.end_byte : child.start_byte]
        if b"\n" in gap.replace(b"\\\n", b""):
            parts.append(_part(first, previous, source))
            first = child
        previous = child
    parts.append(_part(first, previous, source))
    return parts


def _part(first: Node, last: Node, source: bytes) -> _Part:
    text = _slice(source, first.start_byte, last.end_byte).rstrip("\n")
    inner: tuple[str, ...] = ()
    if "#" in text and "expect" in text:
        inner = tuple(_inner_expectations(first, source))
    row = first.start_point.row
    return _Part(text, row, row + text.count("\n"), inner=inner)


def _inner_expectations(node: Node, source: bytes) -> Iterator[str]:
    """Expectations inside a command; meant where its here-document begins: `cat <<EOF # expect: …`."""
    waiting = list(node.children)
    while waiting:
        child = waiting.pop(0)
        if child.type == "comment":
            text = _slice(source, child.start_byte, child.end_byte)
            if find_expectation_text(text) is not None:
                yield text if child.start_point.row == node.start_point.row else _misplaced(text)
        waiting.extend(child.children)


def _misplaced(comment: str) -> str:
    return f"# expect: {find_expectation_text(comment)} (inside a compound command)"


def _slice(source: bytes, start: int, end: int) -> str:
    return source[start:end].decode("utf-8", "surrogatepass")


def _unreadable(root: Node, source: bytes) -> _UnreadableError:
    """The first place that the grammar could not read."""
    node = root
    while True:
        child = next((c for c in node.children if c.has_error or c.is_error or c.is_missing), None)
        if child is None:
            break
        node = child
    row = min(node.start_point.row, source.rstrip().count(b"\n"))
    line = source.split(b"\n")[row].decode("utf-8", "surrogatepass").strip()
    return _UnreadableError(row, line[:60])
