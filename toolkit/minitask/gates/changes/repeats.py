"""Find code that a change puts into a file twice in a row, word for word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from minitask.gates.result import FileChange, LintError, Rows, indented_lines, quoted
from minitask.gates.source.parts import is_code, parts_of_both

_MOST_LINES, _MOST_APART = 5_000, 250
_LEAST, _LEAST_OF_PART, _LETTERS = 8, 3, 30
"""Fewest lines of a repeated block, of one that is a definition, and letters and digits of either."""


def find_repeat(proposal: FileChange) -> LintError | None:
    """Return the second of two equal blocks of code, one right below the other, if the base has only one."""
    if not proposal.base or not is_code(proposal.path):
        return None
    old, new = indented_lines(proposal.base), indented_lines(proposal.content)
    if max(len(old), len(new)) > _MOST_LINES:
        return None
    added = Counter(row for _, row in new) - Counter(row for _, row in old)
    had = {row for _, row in old}
    if sum(times for row, times in added.items() if row in had) < _LEAST_OF_PART:
        return None
    rows = [row for _, row in new]
    known = {tuple(block) for _, block in _repeated([row for _, row in old])}
    starts = _starts(proposal)
    for at, block in _repeated(rows):
        is_new = tuple(block) not in known and all(row in had for row in block)
        if is_new and (len(block) >= _LEAST or _is_part(new, at, len(block), starts)):
            number = new[at + len(block)][0]
            message = f"{len(block)} lines from {quoted(block[0].strip())} stand twice in a row"
            return LintError(proposal.path, number, message, "take out one of the two")
    return None


def _repeated(rows: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield each block that is repeated right below, with its index; of overlapping ones, the first."""
    for apart in range(_LEAST_OF_PART, min(_MOST_APART, len(rows) // 2) + 1):
        run = 0
        for at in range(len(rows) - apart):
            run = run + 1 if rows[at] == rows[at + apart] else 0
            if run == apart:
                block = rows[at - apart + 1 : at + 1]
                if _tells(block):
                    yield at - apart + 1, block
                run = 0


def _tells(block: Sequence[str]) -> bool:
    letters = sum(map(str.isalnum, "".join(block)))
    return letters >= _LETTERS and len(set(block)) > len(block) // 2


def _starts(proposal: FileChange) -> frozenset[int]:
    """Return the first lines of the definitions."""
    _, after = parts_of_both(proposal.path, proposal.base or "", proposal.content)
    return frozenset(part.start for part in after if part.kind == "code" and part.end > part.start)


def _is_part(rows: Rows, at: int, size: int, starts: frozenset[int]) -> bool:
    """Return True if a definition starts in the block and again in its repetition."""
    first = {number for number, _ in rows[at : at + size]}
    second = {number for number, _ in rows[at + size : at + 2 * size]}
    return bool(first & starts) and bool(second & starts)
