"""Find what a search that matched nothing probably meant: the lines of the file that resemble it most.

A cheap score by shared words, kept as a running sum, picks a few regions; only these are compared
character by character, so that the cost stays small on long files.
"""

from __future__ import annotations

from heapq import nlargest
from itertools import accumulate
from typing import TYPE_CHECKING

from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORD = lazy_pattern(r"\w+")
_CANDIDATES = 8
_COMPARED_CHARACTERS = 2000
_SHOWN_LINES = 12
_SHOWN_WIDTH = 160


def describe_nearest(lines: Sequence[str], wanted: Sequence[str]) -> str:
    """Return the region of `lines` (without ends) nearest to `wanted`; `""` where nothing is alike."""
    start = nearest_start(lines, wanted)
    if start is None:
        return ""
    end = min(start + len(wanted), len(lines))
    first = _first_difference(lines[start:end], wanted)
    low = start + max(0, min(first, len(wanted) - 1) - 2)
    shown = range(low, min(end, low + _SHOWN_LINES))
    region = "\n".join(f"  {i + 1:>5} | {lines[i][:_SHOWN_WIDTH]}" for i in shown)
    span = f"line {start + 1}" if end == start + 1 else f"lines {start + 1}-{end}"
    told = _character(lines[start:end], wanted, first)
    return f"{span} (first difference in line {min(start + first, end - 1) + 1}{told}):\n{region}"


def _character(window: Sequence[str], wanted: Sequence[str], first: int) -> str:
    """Name the characters that differ, where they may look alike; empty if plain text differs."""
    if first >= min(len(window), len(wanted)):
        return ""
    have, want = window[first], wanted[first]
    at = next(
        (i for i, pair in enumerate(zip(have, want, strict=False)) if pair[0] != pair[1]), None
    )
    if at is None or (_is_plain(have[at]) and _is_plain(want[at])):
        return ""
    return f": the file has {_named(have[at])} where the search text has {_named(want[at])}"


def _is_plain(char: str) -> bool:
    return char.isascii() and char.isprintable()


def _named(char: str) -> str:
    from unicodedata import name

    known = {"\t": "a tab", " ": "a space"}
    return known.get(char) or f"U+{ord(char):04X} {name(char, '')}".rstrip()


def nearest_start(lines: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Return where the window nearest to `wanted` starts, from 0."""
    scores = _window_scores(lines, wanted)
    best = nlargest(_CANDIDATES, range(len(scores)), key=lambda i: (scores[i], -i))
    alike = [i for i in best if scores[i] > 0]
    if not alike:
        return None
    return max(alike, key=lambda i: (_likeness(lines[i : i + len(wanted)], wanted), -i))


def _window_scores(lines: Sequence[str], wanted: Sequence[str]) -> list[float]:
    stripped = {line.strip() for line in wanted} - {""}
    words = {word for line in wanted for word in _WORD.findall(line)}
    scores = [_line_score(line, stripped, words) for line in lines]
    size = min(len(wanted), len(lines))
    sums = list(accumulate(scores, initial=0.0))
    return [sums[i + size] - sums[i] for i in range(len(lines) - size + 1)] if size else []


def _line_score(line: str, stripped: set[str], words: set[str]) -> float:
    if line.strip() in stripped:
        return 2.0
    own = set(_WORD.findall(line))
    return len(own & words) / len(own | words) if own else 0.0


def _likeness(window: Sequence[str], wanted: Sequence[str]) -> float:
    from difflib import SequenceMatcher

    have, want = "\n".join(window), "\n".join(wanted)
    return SequenceMatcher(None, have[:_COMPARED_CHARACTERS], want[:_COMPARED_CHARACTERS]).ratio()


def _first_difference(window: Sequence[str], wanted: Sequence[str]) -> int:
    pairs = enumerate(zip(window, wanted, strict=False))
    return next((i for i, (have, want) in pairs if have != want), len(window))
