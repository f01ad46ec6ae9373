"""Find cited lines that a task only moves: they need not be shown in full, nor written again."""

from __future__ import annotations

import re
from functools import cache

from minitask.spec.model import FileRef, LineRange, Spec

SHORTEST = 20
"""Fewer lines are always shown: leaving them out would save little."""

_CHANGING = (
    *(
        "adapt",
        "adjust",
        "chang",
        "change",
        "convert",
        "correct",
        "edit",
        "fix",
        "improv",
        "improve",
    ),
    *("modif", "modify", "refactor", "renam", "rename", "replac", "replace", "rewrit", "rewrite"),
    *("simplif", "simplify", "updat", "update"),
)
"""Verbs and stems that ask for more than moving."""


def is_only_moved(spec: Spec, ref: FileRef, cited: LineRange) -> bool:
    """Return True if the task only moves or copies these lines unchanged."""
    if cited.end - cited.start + 1 < SHORTEST:
        return False
    if _moves(ref.note):
        return not _changes(ref.note)
    citing = [line for line in spec.task.splitlines() if _cites(line, cited)]
    return bool(citing) and all(_moves(line) and not _changes(line) for line in citing)


@cache
def _pattern(alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{alternatives})\b", re.IGNORECASE)


def _moves(text: str) -> bool:
    return bool(
        _pattern(r"mov(?:e|es|ed|ing)|cop(?:y|ies|ied)|extract(?:s|ed)?|relocate[sd]?").search(text)
    )


def _changes(text: str) -> bool:
    return bool(_pattern(rf"(?:{'|'.join(_CHANGING)})(?:s|d|es|ed|ing)?").search(text))


def _cites(line: str, cited: LineRange) -> bool:
    return bool(re.search(rf"(?<!\d){cited.start}\s*(?:[-–—−]|to)\s*{cited.end}(?!\d)", line))


def moved_lines(spec: Spec) -> int:
    """Return how many lines the task only moves."""
    return sum(
        cited.end - cited.start + 1
        for ref in spec.files
        for cited in ref.ranges
        if is_only_moved(spec, ref, cited)
    )
