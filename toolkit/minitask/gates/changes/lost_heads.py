"""Find what a rewritten file lost above its code: its first comment, or a definition's decorator or attribute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise, takewhile
from posixpath import splitext

from minitask.gates.changes.comments_and_repeats import (
    ABOUT_COMMENTS,
    MARKED,
    MOST_LINES,
    is_mark,
    is_remark,
)
from minitask.gates.requested_removals import telling_words, text_beside
from minitask.gates.result import SEND_WHOLE, FileChange, LintError, filled_lines, quoted
from minitask.gates.source.parts import is_code
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_LEAST_LINES = 3
"""Fewest lines of a first comment that no change takes out by the way, and of a definition that stays as it is."""
_CONDITION = "#[cfg"
_OF_TOOLS = lazy_pattern(r"(?:#\[(?:allow|expect|inline)|@(?:Override|SuppressWarnings))\b")
"""Marks that say nothing of what the code does."""
_ABOUT_MARKS = lazy_pattern(
    r"(?i)\b(?:decorat\w*|annotat\w*|attributes?|deriv\w*|cfg|deprecat\w*|features?)\b"
)


def find_lost_head(proposal: FileChange, spec: Spec) -> LintError | None:
    """Return the loss of a file's first comment or of a definition's mark that the spec does not speak of, or None."""
    old, new = filled_lines(proposal.base or ""), filled_lines(proposal.content)
    if not new or not is_code(proposal.path) or max(len(old), len(new)) > MOST_LINES:
        return None
    rows, fresh = [row for _, row in old], [row for _, row in new]
    request = text_beside(spec, proposal.path)
    lost = _first_comment(rows, fresh) if ABOUT_COMMENTS.search(request) is None else ""
    line = 1
    if (
        not lost
        and splitext(proposal.path)[1].lower() in MARKED
        and not _ABOUT_MARKS.search(request)
    ):
        words = telling_words(request)
        marks = (pair for pair in _lost_marks(rows, fresh) if not words & telling_words(pair[0]))
        lost, at = next(marks, ("", 0))
        line = new[min(at, len(new) - 1)][0]
    message = f"it loses {quoted(lost)}, which the spec does not ask for"
    return LintError(proposal.path, line, message, SEND_WHOLE) if lost else None


def _first_comment(rows: Sequence[str], fresh: Sequence[str]) -> str:
    """Return the first line of the comment above a file's code if none of it is left, and the code below is."""
    head = list(takewhile(is_remark, rows))
    below = rows[len(head) : len(head) + 1]
    is_gone = len(head) >= _LEAST_LINES and below == list(fresh[:1])
    telling = [row for row in head if any(map(str.isalnum, row))]
    return telling[0] if is_gone and telling and set(telling).isdisjoint(fresh) else ""


def _lost_marks(rows: Sequence[str], fresh: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield each mark that only goes, from above a definition that stays as it is, with its place in the new file.

    One of several conditions may go: the definitions for the others may be gone, too.
    """
    fewer = Counter(rows) - Counter(fresh)
    has_one_condition = (
        sum(times for row, times in fewer.items() if row.startswith(_CONDITION)) == 1
    )
    blocks = SequenceMatcher(None, rows, fresh, autojunk=False).get_opcodes()
    for (tag, start, end, at, _), following in pairwise(blocks):
        stays = following[2] - following[1] >= _LEAST_LINES
        if tag == "delete" and stays and all(map(is_mark, rows[start:end])):
            marks = (row for row in rows[start:end] if fewer[row] and not _OF_TOOLS.match(row))
            for mark in marks:
                if has_one_condition or not mark.startswith(_CONDITION):
                    yield mark, at
