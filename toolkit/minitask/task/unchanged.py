"""Commands that fail the same way with the change as without it: no fault of whoever made the change."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from minitask.landing.missing_on_base import may_be_brought, missing_modules
from minitask.ledger.record import CommandRecord
from minitask.patterns import lazy_pattern

PASSING = lazy_pattern(
    r"\b\d+(?:\.\d+)?\s?(?:ms|s|sec|seconds|m)\b|0x[0-9a-f]+|\b\d\d:\d\d(?::\d\d(?:\.\d+)?)?\b"
    r"|\b\d{4}-\d\d-\d\d\b|(?:/[\w.@+-]+)*/minitask[\w./@+-]*|\bpid \d+\b|\b[0-9a-f]{40}\b"
)
"""What differs between two runs of the same: times, addresses, dates, private folders, processes, commits."""
SHORT = 3


def fails_without_change(
    before: Sequence[CommandRecord],
    after: Sequence[CommandRecord],
    *,
    written: Collection[str],
    told: str = "",
) -> CommandRecord | None:
    """Return the first command that is red, where all that are red were so on the base, for the same reason.

    The reason is a module that is missing before and after, or the same words. With the same words alone, something
    else must have become green by the change, and nothing that the task writes may be named by what is red: else it may
    be the task itself that is not done. A module is the task's own where a path that it writes may bring it, or where
    `told`, the text of the task, names it.
    """
    known = {(each.line, each.command): each for each in before}
    pairs = [(each, known.get((each.line, each.command))) for each in after]
    mended = any(new.passed and old is not None and not old.passed for new, old in pairs)
    red = [(new, old) for new, old in pairs if not new.passed]
    lacks = [_lack(new, old, written, told) for new, old in red]
    others = [pair for pair, lack in zip(red, lacks, strict=True) if not lack]
    if not all(old and _is_same(new, old) for new, old in others):
        return None
    if any(_names(new, written) for new, _ in others):
        return None
    if red and lacks[0]:
        return replace(red[0][0], reason=f"the module {lacks[0]} is not there")
    return red[0][0] if red and (mended or any(lacks)) else None


def _lack(
    new: CommandRecord, old: CommandRecord | None, written: Collection[str], told: str
) -> str:
    """Return the module that a command lacks before and after, and that is not the task's own to bring; else
    empty.
    """
    if old is None or old.passed or new.exit_code is None:
        return ""
    lacking = missing_modules(new.output_tail)
    if not lacking or not lacking <= missing_modules(old.output_tail):
        return ""
    own = any(may_be_brought(name, written) or _is_told(name, told) for name in lacking)
    return "" if own else min(lacking)


def _is_told(module: str, told: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(module)}(?![\w-])", told) is not None


def _is_same(new: CommandRecord, old: CommandRecord) -> bool:
    if old.passed or new.exit_code is None or new.exit_code != old.exit_code or new.changed:
        return False
    said = _words(new.output_tail)
    return bool(said) and said == _words(old.output_tail)


def _words(output: str) -> list[str]:
    return PASSING.sub("", output).split()


def _names(record: CommandRecord, written: Collection[str]) -> bool:
    """Return True if a command or what it printed names a file that the task writes, or a module of that name."""
    text = f"{record.command}\n{record.output_tail}".lower()
    for path in written:
        stem = path.rpartition("/")[2].partition(".")[0].lower()
        if path.lower() in text or re.search(rf"(?<!\w){re.escape(stem)}(?!\w)", text):
            return True
        if len(stem) >= SHORT and stem in text:
            return True
    return False
