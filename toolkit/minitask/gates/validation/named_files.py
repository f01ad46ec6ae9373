"""Tell what a validation command does with a file that it names: run it, or only read it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from minitask.patterns import lazy_pattern

_READS = lazy_pattern(
    r"\s*(?:!\s+)?(?:[ef]?grep|rg|git grep|test|\[\[?|cat|head|tail|wc|ls|diff|cmp)\s"
)
_PARTS = lazy_pattern(r"&&|\|\|?|;|\n|\$\(|<\(")


def is_named_in(command: str, path: str) -> bool:
    """Return True if the command has the file's path as a word."""
    return re.search(rf"(?<![\w./-])(?:\./)?{re.escape(path)}(?![\w./-])", command) is not None


def may_run(command: str, path: str) -> bool:
    """Return True if a part of the command names the file and does not only read or search it."""
    parts = (part for part in _PARTS.split(command) if is_named_in(part, path))
    return any(_READS.match(part) is None for part in parts)


def reads_one(command: str, paths: Sequence[str]) -> bool:
    """Return True if the command only reads one of the files, so that it asks for the change of that file."""
    return any(is_named_in(command, path) and not may_run(command, path) for path in paths)
