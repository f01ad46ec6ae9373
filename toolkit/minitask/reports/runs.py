"""Stretches of work: what was begun within half an hour of what came before it ended is one run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from minitask.ledger.record import Record

GAP_SECONDS = 1800
"""A pause after which another run begins."""


class Span(Struct, frozen=True):
    """The begin and the end of an attempt or a call, in seconds since 1970."""

    begin: float
    end: float
    record: Record


def spans_of(records: Iterable[Record]) -> list[Span]:
    """Return when each record was worked on, the first begun first; none of one whose time cannot be read."""
    return sorted(_spans(records), key=lambda span: span.begin)


def runs_of(records: Iterable[Record]) -> list[list[Span]]:
    """Return the spans of each run, oldest first."""
    runs: list[list[Span]] = []
    end = -math.inf
    for span in spans_of(records):
        if span.begin - end > GAP_SECONDS:
            runs.append([])
        runs[-1].append(span)
        end = max(end, span.end)
    return runs


def _spans(records: Iterable[Record]) -> Iterator[Span]:
    for record in records:
        try:
            begin = datetime.fromisoformat(record.started_at).timestamp()
        except (ValueError, OverflowError):
            continue
        seconds = record.attempt.seconds
        yield Span(begin, begin + (seconds if 0 <= seconds < math.inf else 0), record)
