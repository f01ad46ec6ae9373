"""Lines that a change adds in place of code: comments that say the rest is as it was, where it is no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from minitask.gates.elisions import is_elision, is_note
from minitask.gates.grammars import GRAMMARS, parsed
from minitask.gates.lint_error import FileChange, LintError, quoted
from minitask.gates.syntax import LARGEST

if TYPE_CHECKING:
    from tree_sitter import Node

Known = Callable[[], frozenset[str]]
"""Gives the lines, stripped, that the base has anywhere that the change may have taken them from."""

_PROSE = frozenset(
    {".adoc", ".asciidoc", ".markdown", ".md", ".mdx", ".org", ".rst", ".tex", ".txt"}
)
_PYTHON = frozenset({".py", ".pyi"})
_LITERAL = ("string", "template", "text_block")
"""Parts of the names that grammars give to literals."""
_REMEDY = "write out the code that it stands for, or reply with edits of the lines that change"


def find_placeholders(proposal: FileChange, *, known: Known) -> Iterator[LintError]:
    """The lines that stand for code, that the base does not have, and that are no part of a string."""
    lines = proposal.content.split("\n")
    found = [(number, line) for number, line in _candidates(proposal.path, lines)]
    if not found:
        return
    own = frozenset(map(str.strip, (proposal.base or "").split("\n")))
    had = own | known()
    for number, line in found:
        if line.strip() in had or _is_in_string(proposal, number, line):
            continue
        message = f"{quoted(line)} stands for code that is left out"
        yield LintError(proposal.path, number, message, _REMEDY)


def _candidates(path: str, lines: list[str]) -> Iterator[tuple[int, str]]:
    """The numbers, from 1, and texts of the lines that look like it."""
    ends = _ends(lines)
    if PurePosixPath(path).suffix.lower() in _PROSE:
        yield from ((number, lines[number - 1]) for number in ends if is_elision(lines[number - 1]))
        return
    for number, line in enumerate(lines, 1):
        if is_elision(line) or (number in ends and is_note(line)):
            yield number, line


def _ends(lines: list[str]) -> tuple[int, ...]:
    """The numbers of the first and the last line that are not blank."""
    full = [number for number, line in enumerate(lines, 1) if line.strip()]
    return tuple(dict.fromkeys((full[0], full[-1]))) if full else ()


def _is_in_string(proposal: FileChange, number: int, line: str) -> bool:
    suffix = PurePosixPath(proposal.path).suffix.lower()
    if len(proposal.content) > LARGEST:
        return False
    if suffix in _PYTHON:
        return number in _python_strings(proposal.content)
    return suffix in GRAMMARS and _is_literal(suffix, proposal.content, number, line)


@lru_cache(maxsize=1)
def _python_strings(text: str) -> frozenset[int]:
    """The lines that a string of several lines goes on in, as far as the text can be cut into tokens."""
    import io
    import tokenize

    rows: set[int] = set()
    opened: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline):
            name = tokenize.tok_name[token.type]
            if name == "STRING":
                rows.update(range(token.start[0] + 1, token.end[0] + 1))
            elif name.endswith("STRING_START"):
                opened.append(token.start[0])
            elif name.endswith("STRING_END") and opened:
                rows.update(range(opened.pop() + 1, token.end[0] + 1))
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return frozenset(rows)


def _is_literal(suffix: str, text: str, number: int, line: str) -> bool:
    root = _tree(suffix, text)
    if root is None:
        return False
    start = len(line[: len(line) - len(line.lstrip())].encode("utf-8", "surrogateescape"))
    node = root.descendant_for_point_range((number - 1, start), (number - 1, start + 1))
    while node is not None and node.parent is not None:
        if any(part in node.type for part in _LITERAL) and node.start_point.row < number - 1:
            return True
        node = node.parent
    return False


@lru_cache(maxsize=1)
def _tree(suffix: str, text: str) -> Node | None:
    return parsed(text, GRAMMARS[suffix])
