"""Summarize a ledger: totals, groups, success rates, savings; and group its records into runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from minitask.ledger.accuracy import CostError, EstimateError, cost_error, estimate_error
from minitask.ledger.record import (
    APPLY,
    ATTEMPT,
    CORRECT,
    LANDING,
    LOST,
    REPAIR,
    SUBSCRIPTION,
    Attempt,
    Grade,
    Record,
    Verdict,
)
from minitask.ledger.savings import Savings, Tally, TallyLine, line_of, savings_of, tally, units_of
from minitask.spec.model import Tier
from minitask.values import grouped

IMPLEMENT, LAND = "implement", "land"
WINDOW = timedelta(hours=5)
"""Length of a usage window of common subscriptions."""
RANKS: Mapping[str, int] = {tier.value: rank for rank, tier in enumerate(Tier)}

Groups = Mapping[str, Tally]


class FirstTries(Struct, frozen=True):
    """The number of tasks, and of those whose first attempt was proven (`ready` or `merged`).

    The first attempt is that of the given records, by number and time; lost calls and landings are not attempts.
    """

    tasks: int
    proven: int

    @property
    def rate(self) -> float | None:
        """Return the proven share from 0 to 1, or None without tasks."""
        return round(self.proven / self.tasks, 4) if self.tasks else None


class Summary(Struct, frozen=True):
    """The summary of records; the tallies of each grouping add up to `totals`, except for their numbers of tasks.

    A phase is `implement`, `plan`, `classify`, `review`, `message`, `lost` (killed during a call) or `land` (a refused
    merge, which costs nothing). `escalations` are attempts at a spec blob on a higher tier than the one before,
    `repairs` those on the same tier that continue an unproven change. `failures_by_gate` counts lost calls as `lost`.
    `outages` are attempts in which a provider, a program or the machine failed: neither tries nor failures. `windows`
    are spans of five hours with calls that a subscription paid for, by executor; `limits_reached` counts attempts that
    ended at a limit. `grade` sums the planted and the noticed faults.
    """

    totals: Tally
    by_tier: Groups
    by_model: Groups
    by_phase: Groups
    by_project: Groups
    by_day: Groups
    savings: Savings
    first_tries: FirstTries
    failures_by_gate: Mapping[str, int]
    escalations: int
    repairs: int
    grade: Grade
    outages: int
    windows: int
    limits_reached: int
    estimates: EstimateError
    costs: CostError
    first_at: str | None
    last_at: str | None


def summarize(records: Iterable[Record], *, baseline_model: str) -> Summary:
    """Return the summary of records in any order; `baseline_model` is the model of their baseline costs."""
    ordered = sorted(records, key=_sort_key)
    lines = [line_of(record) for record in ordered]
    tries = [record for record in ordered if record.kind == ATTEMPT]
    attempts = [record for record in tries if not is_outage(record)]
    pairs = [
        pair
        for unit in units_of(attempts).values()
        for pair in pairwise(record.attempt for record in unit)
    ]
    times = [record.started_at for record in ordered]
    return Summary(
        totals=tally(lines),
        by_tier=_groups(lines, lambda record: record.attempt.tier, first=tuple(RANKS)),
        by_model=_groups(lines, model_of),
        by_phase=_groups(lines, phase_of, first=(IMPLEMENT,)),
        by_project=_groups(lines, lambda record: record.task.partition("/")[0]),
        by_day=dict(sorted(_groups(lines, lambda record: record.started_at[:10]).items())),
        savings=savings_of(ordered, baseline_model),
        first_tries=_first_tries(attempts),
        failures_by_gate=_failures(ordered),
        escalations=sum(_is_higher(before, after) for before, after in pairs),
        repairs=sum(_is_repair(before, after) for before, after in pairs),
        grade=_grade_total(attempts),
        outages=len(tries) - len(attempts),
        windows=_windows(ordered),
        limits_reached=sum(record.attempt.reason.startswith("quota:") for record in tries),
        estimates=estimate_error(attempts),
        costs=cost_error(units_of(ordered).values()),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
    )


def _grade_total(attempts: Iterable[Record]) -> Grade:
    """Return the sum of the attempts' grades, without their lists of missed faults."""
    grades = [record.attempt.grade for record in attempts if record.attempt.grade]
    return Grade(sum(grade.planted for grade in grades), sum(grade.noticed for grade in grades))


def _windows(records: Iterable[Record]) -> int:
    """Return the number of subscription windows; each begins with a call and lasts five hours."""
    starts: dict[str, datetime] = {}
    count = 0
    for record in sorted(records, key=lambda record: record.started_at):
        pricing, executor = record.attempt.pricing, record.attempt.executor
        if pricing is None or pricing.source != SUBSCRIPTION:
            continue
        at = datetime.fromisoformat(record.started_at)
        if executor not in starts or at - starts[executor] >= WINDOW:
            starts[executor] = at
            count += 1
    return count


def is_outage(record: Record) -> bool:
    """Return True for an attempt whose provider or program failed, which is not the model's fault."""
    attempt = record.attempt
    is_implementing = record.kind == ATTEMPT and attempt.gate == IMPLEMENT
    return is_implementing and attempt.verdict in (Verdict.ERROR, Verdict.SKIPPED)


def model_of(record: Record) -> str:
    """Return the model of a record, or the executor if it has none."""
    return record.attempt.model or record.attempt.executor


def phase_of(record: Record) -> str:
    """Return the phase of a record."""
    return {ATTEMPT: IMPLEMENT, LANDING: LAND}.get(record.kind, record.kind)


def _sort_key(record: Record) -> tuple[object, ...]:
    """Return a record's sort key, which gives equal sets of records the same order."""
    attempt = record.attempt
    key = (record.spec_blob, attempt.tier, model_of(record), attempt.verdict.value, attempt.gate)
    costs = (str(attempt.cost_usd), str(record.baseline_cost_usd))
    return (record.task, attempt.n, record.started_at, record.kind, *key, *costs)


def _groups(
    lines: Sequence[TallyLine], key: Callable[[Record], str], *, first: Sequence[str] = ()
) -> Groups:
    """Return a tally for each key: those of `first` in that order, then by cost, then by name."""
    by_name = grouped(lines, lambda line: key(line.record))
    tallies = {name: tally(group) for name, group in by_name.items()}
    places = {name: index for index, name in enumerate(first)}

    def order(name: str) -> tuple[int, Decimal, str]:
        return places.get(name, len(places)), -(tallies[name].cost_usd or Decimal(0)), name

    return {name: tallies[name] for name in sorted(tallies, key=order)}


def _is_higher(before: Attempt, after: Attempt) -> bool:
    if after.decision is not None and after.decision.step in (CORRECT, APPLY):
        return False
    are_ranked = before.tier in RANKS and after.tier in RANKS
    return are_ranked and RANKS[after.tier] > RANKS[before.tier]


def _is_repair(before: Attempt, after: Attempt) -> bool:
    """Return True if the second attempt continues the failed change of the first; a rerun starts over."""
    if after.decision is not None and after.decision.step != REPAIR:
        return False
    return after.tier == before.tier and not before.verdict.is_good


def _failures(records: Iterable[Record]) -> Mapping[str, int]:
    """Return the number of failures by gate (by verdict without a gate), most frequent first."""
    failures: Counter[str] = Counter()
    for record in records:
        attempt = record.attempt
        if record.kind == LOST:
            failures[LOST] += 1
        elif not attempt.verdict.is_good and not record.is_call and not is_outage(record):
            failures[LAND if record.kind == LANDING else attempt.gate or attempt.verdict.value] += 1
    return dict(sorted(failures.items(), key=lambda item: (-item[1], item[0])))


def _first_tries(attempts: Iterable[Record]) -> FirstTries:
    first: dict[str, Attempt] = {}
    for record in attempts:
        first.setdefault(record.task, record.attempt)
    return FirstTries(len(first), sum(attempt.verdict.is_good for attempt in first.values()))


GAP_SECONDS = 1800
"""A longer pause ends a run."""


class Span(Struct, frozen=True):
    """The start and end of an attempt or a call, in Unix time."""

    begin: float
    end: float
    record: Record


def runs_of(records: Iterable[Record]) -> list[list[Span]]:
    """Return the spans of each run, oldest first, without records of unreadable time."""
    runs: list[list[Span]] = []
    end = -math.inf
    for span in sorted(_spans(records), key=lambda span: span.begin):
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
