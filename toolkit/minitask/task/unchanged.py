"""Commands that fail the same way with the change as without it: no fault of whoever made the change."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from minitask.ledger.record import CommandRecord
from minitask.patterns import lazy_pattern

PASSING = lazy_pattern(
    r"\b\d+(?:\.\d+)?\s?(?:ms|s|sec|seconds|m)\b|0x[0-9a-f]+|\b\d\d:\d\d(?::\d\d(?:\.\d+)?)?\b"
    r"|\b\d{4}-\d\d-\d\d\b|(?:/[\w.@+-]+)*/minitask[\w./@+-]*|\bpid \d+\b|\b[0-9a-f]{40}\b"
)
"""What differs between two runs of the same: times, addresses, dates, private folders, processes, commits."""
SHORT = 3


def fails_without_change(
    before: Sequence[CommandRecord], after: Sequence[CommandRecord], *, written: Collection[str]
) -> CommandRecord | None:
    """The first command that is red, where all that are red were so on the base, by the same words.

    Something else must have become green by the change, and nothing that the task writes may be named by what is red:
    else it may be the task itself that is not done.
    """
    known = {(each.line, each.command): each for each in before}
    pairs = [(each, known.get((each.line, each.command))) for each in after]
    mended = any(new.passed and old is not None and not old.passed for new, old in pairs)
    red = [(new, old) for new, old in pairs if not new.passed]
    if not mended or not red or not all(old and _is_same(new, old) for new, old in red):
        return None
    if any(_names(new, written) for new, _ in red):
        return None
    return red[0][0]


def _is_same(new: CommandRecord, old: CommandRecord) -> bool:
    if old.passed or new.exit_code is None or new.exit_code != old.exit_code or new.changed:
        return False
    said = _words(new.output_tail)
    return bool(said) and said == _words(old.output_tail)


def _words(output: str) -> list[str]:
    return PASSING.sub("", output).split()


def _names(record: CommandRecord, written: Collection[str]) -> bool:
    """Whether a command or what it printed names a file that the task writes, or a module of that name."""
    text = f"{record.command}\n{record.output_tail}".lower()
    for path in written:
        stem = path.rpartition("/")[2].partition(".")[0].lower()
        if path.lower() in text or re.search(rf"(?<!\w){re.escape(stem)}(?!\w)", text):
            return True
        if len(stem) >= SHORT and stem in text:
            return True
    return False
