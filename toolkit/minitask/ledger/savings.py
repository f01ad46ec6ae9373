"""Totals of records, and savings against a frontier model that does each proven task in one call."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from typing import cast

from msgspec import Struct

from minitask.ledger.record import ATTEMPT, CALLS, LANDING, LOST, USAGE, Record, Usage, classes
from minitask.values import grouped

Unit = tuple[str, str]
"""A task and the blob of its spec, which identifies the spec's version."""


class Savings(Struct, frozen=True):
    """The estimated savings against the frontier model, called once for each proven task.

    The baseline includes the actual cost of planning and verifying projects, and of one classification, review and
    message of each task in it: `shared_usd`, for the phases `shared_phases`.

    `tasks` counts the tasks (with their spec blobs) in the baseline, once each. `left_out` are proven, too, but one of
    their attempts or the baseline has no known price. `cost_usd` is all known spending, including failures.
    `baseline_by_day` adds up to `baseline_cost_usd`; a task counts on the day of its first proven attempt.
    """

    baseline_model: str
    baseline_cost_usd: Decimal | None
    cost_usd: Decimal | None
    tasks: int
    left_out: int
    shared_usd: Decimal = Decimal(0)
    shared_phases: tuple[str, ...] = ()
    baseline_by_day: Mapping[str, Decimal] = {}

    @property
    def saved_usd(self) -> Decimal | None:
        """Return the savings; negative if more was spent."""
        if self.baseline_cost_usd is None or self.cost_usd is None:
            return None
        return EXACT.subtract(self.baseline_cost_usd, self.cost_usd)

    @property
    def saved_percent(self) -> float | None:
        """Return the savings in percent of the baseline, to a tenth."""
        if self.saved_usd is None or not self.baseline_cost_usd:
            return None
        return round(float(self.saved_usd / self.baseline_cost_usd * 100), 1)


def units_of(records: Iterable[Record]) -> Mapping[Unit, list[Record]]:
    """Return the records of each task at each version of its spec, in the order given."""
    return grouped(records, lambda record: (record.task, record.spec_blob))


def savings_of(records: Sequence[Record], model: str) -> Savings:
    """Return the savings of records, against the baseline costs of a model."""
    baselines: list[tuple[str, Decimal | None]] = []
    shared = [record for record in records if record.is_call and not record.spec_blob]
    left_out = 0
    for unit in units_of(records).values():
        proven = [each for each in unit if each.kind == ATTEMPT and each.attempt.verdict.is_good]
        if not proven:
            continue
        priced = [each for each in proven if each.baseline_cost_usd is not None]
        if priced and all(each.attempt.cost_usd is not None for each in unit):
            baselines.append((priced[0].started_at[:10], priced[0].baseline_cost_usd))
            shared += _calls_once(unit)
        else:
            left_out += 1
    unknown = left_out and not baselines
    calls = [(each.started_at[:10], each.attempt.cost_usd) for each in shared]
    besides = total(amount for _, amount in calls) or Decimal(0)
    baseline = total([*(amount for _, amount in baselines), besides])
    return Savings(
        baseline_model=model,
        baseline_cost_usd=None if unknown else baseline,
        cost_usd=total([record.attempt.cost_usd for record in records]),
        tasks=len(baselines),
        left_out=left_out,
        shared_usd=besides,
        shared_phases=tuple(phase for phase in CALLS if any(each.kind == phase for each in shared)),
        baseline_by_day={} if unknown else _by_day([*baselines, *calls]),
    )


def _by_day(amounts: Iterable[tuple[str, Decimal | None]]) -> Mapping[str, Decimal]:
    """Return the sum of the known amounts of each day, in order."""
    days: dict[str, Decimal] = {}
    for day, amount in amounts:
        if amount is not None:
            days[day] = EXACT.add(days.get(day, Decimal(0)), amount)
    return dict(sorted(days.items()))


def _calls_once(unit: Sequence[Record]) -> Iterator[Record]:
    """Yield the latest call of each phase; earlier ones failed, or belong to failed attempts."""
    for phase in CALLS:
        calls = [record for record in unit if record.kind == phase and record.is_call]
        yield from calls[-1:]


CLASSES = (
    "fresh_input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "unsplit_input",
    "output",
    "reasoning",
)
"""Disjoint classes of tokens; `unsplit_input` is input without cache counts."""
EXACT = Context(prec=200, Emax=MAX_EMAX, Emin=MIN_EMIN)


class TallyLine(Struct, frozen=True):
    """A record, and its counts in the order of `USAGE` and `CLASSES`."""

    record: Record
    counts: tuple[int | None, ...]


class Tally(Struct, frozen=True):
    """Totals of records.

    `attempts` includes lost ones, but neither landings nor calls apart from attempts. Counts and `cost_usd` are sums of
    the known values, None if all are unknown (or a count's sum is 0); `unpriced` records have no known cost,
    `uncounted` ones no known tokens.
    `tasks` counts distinct tasks, so a task on two tiers is in both of their tallies.
    """

    records: int
    attempts: int
    tasks: int
    counts: Mapping[str, int | None]
    cost_usd: Decimal | None
    unpriced: int
    uncounted: int
    seconds: float


def line_of(record: Record) -> TallyLine:
    """Return a record with its counts."""
    usage = record.attempt.usage
    counts = (usage.requests, usage.input_tokens, usage.cached_input_tokens, usage.output_tokens)
    by_class = classes(usage)
    is_split = by_class.output is not None  # both output without reasoning, and reasoning
    output = (by_class.output, by_class.reasoning) if is_split else (usage.output_tokens, None)
    return TallyLine(record, counts + _split_input(usage, by_class.fresh_input) + output)


def tally(lines: Sequence[TallyLine]) -> Tally:
    """Return the totals of records, in any order."""
    records = [line.record for line in lines]
    tries = [record for record in records if record.kind in (ATTEMPT, LOST)]
    spent = [record.attempt for record in records if record.kind != LANDING]
    columns = zip(*(line.counts for line in lines), strict=True) if lines else [()] * len(NAMES)
    uncounted = sum(None in (item.usage.input_tokens, item.usage.output_tokens) for item in spent)
    return Tally(
        records=len(records),
        attempts=len(tries),
        tasks=len({record.task for record in records if not record.is_call}),
        counts={name: _known(column) for name, column in zip(NAMES, columns, strict=True)},
        cost_usd=total([record.attempt.cost_usd for record in records]),
        unpriced=sum(record.attempt.cost_usd is None for record in records),
        uncounted=uncounted,
        seconds=math.fsum(item.seconds for item in spent),
    )


NAMES = USAGE + CLASSES


def total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the exact sum of the known amounts; None if all are unknown, 0 without amounts."""
    all_amounts = list(amounts)
    known_amounts = [amount for amount in all_amounts if amount is not None]
    if all_amounts and not known_amounts:
        return None
    with localcontext(EXACT):
        return sum(known_amounts, Decimal(0))


def _known(column: Sequence[int | None]) -> int | None:
    if None not in column:  # the usual case
        return sum(cast("Sequence[int]", column))
    return sum(count for count in column if count is not None) or None


def _split_input(usage: Usage, fresh: int | None) -> tuple[int | None, ...]:
    """Return input tokens by class: fresh, cache reads, cache writes for 5 minutes and for an hour, unsplit."""
    whole = usage.input_tokens
    parts = (usage.cached_input_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens)
    if whole is None:
        return (None,) * 5
    if fresh is not None:
        return (fresh, *parts, 0)
    known_sum = sum(part or 0 for part in parts)
    if known_sum > whole:
        return (None, None, None, None, whole)
    return (None, *parts, whole - known_sum)
