"""Find comments that stand for code which a change leaves out, such as "... rest of the file unchanged"."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from minitask.gates.result import BaseLines, FileChange, LintError, quoted
from minitask.gates.source.elisions import (
    comment_text,
    is_elision,
    is_no_content,
    is_note,
    may_replace_code,
    rows_in_strings,
)
from minitask.gates.source.grammars import DOCUMENTS, GRAMMARS, parsed
from minitask.gates.source.syntax import LARGEST

if TYPE_CHECKING:
    pass

_LITERAL = ("string", "template", "text_block")
"""Parts of the grammars' names for literals."""
_WRITE_IT_OUT = (
    "write out the code that it stands for, or reply with edits of the lines that change"
)


def find_placeholders(proposal: FileChange, *, base_lines: BaseLines) -> Iterator[LintError]:
    """Yield the lines that stand for code, are new, and are not inside a string."""
    lines = proposal.content.split("\n")
    elisions = sorted({*_candidates(proposal.path, lines), *_in_place_of_code(proposal, lines)})
    if not elisions:
        return
    old_lines = frozenset(map(str.strip, (proposal.base or "").split("\n")))
    had = old_lines | base_lines()
    for number, line in elisions:
        if line.strip() in had or _is_in_string(proposal, number, line):
            continue
        message = f"{quoted(line)} stands for code that is left out"
        yield LintError(proposal.path, number, message, _WRITE_IT_OUT)


def _candidates(path: str, lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the numbers (from 1) and texts of the lines that look like elisions."""
    ends = _ends(lines)
    if is_no_content("\n".join(lines)):
        yield from ((number, lines[number - 1]) for number in ends)
        return
    if PurePosixPath(path).suffix.lower() in DOCUMENTS:
        yield from ((number, lines[number - 1]) for number in ends if is_elision(lines[number - 1]))
        return
    for number, line in enumerate(lines, 1):
        if is_elision(line) or (number in ends and is_note(line)):
            yield number, line


def _in_place_of_code(proposal: FileChange, lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the new comments at hunks with more code removed than added, for which they may stand."""
    rows = (proposal.base or "").split("\n")
    had = frozenset(map(str.strip, rows))
    fresh = [
        n for n, line in enumerate(lines) if line.strip() not in had and may_replace_code(line)
    ]
    if not fresh or not proposal.base:
        return
    matcher = SequenceMatcher(None, rows, lines, autojunk=False)
    for _, start, end, first, last in matcher.get_opcodes():
        went, came = (
            sum(comment_text(row) is None and any(map(str.isalnum, row)) for row in part)
            for part in (rows[start:end], lines[first:last])
        )
        if went > came:
            yield from ((n + 1, lines[n]) for n in fresh if first <= n < last)


def _ends(lines: list[str]) -> tuple[int, ...]:
    """Return the numbers of the first and the last line that are not blank."""
    full = [number for number, line in enumerate(lines, 1) if line.strip()]
    return tuple(dict.fromkeys((full[0], full[-1]))) if full else ()


def _is_in_string(proposal: FileChange, number: int, line: str) -> bool:
    suffix = PurePosixPath(proposal.path).suffix.lower()
    if len(proposal.content) > LARGEST:
        return False
    if suffix in {".py", ".pyi"}:
        return number in _python_strings(proposal.content)
    if suffix not in GRAMMARS:
        return number in rows_in_strings(proposal.content)
    return _is_literal(suffix, proposal.content, number, line)


@lru_cache(maxsize=1)
def _python_strings(text: str) -> frozenset[int]:
    """Return the lines on which a multi-line string continues, up to the first tokenizer error."""
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
    root = parsed(text, GRAMMARS[suffix])
    if root is None:
        return False
    start = len(line[: len(line) - len(line.lstrip())].encode("utf-8", "surrogateescape"))
    node = root.descendant_for_point_range((number - 1, start), (number - 1, start + 1))
    while node is not None and node.parent is not None:
        if any(part in node.type for part in _LITERAL) and node.start_point.row < number - 1:
            return True
        node = node.parent
    return False
