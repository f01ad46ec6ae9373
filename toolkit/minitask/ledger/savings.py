"""Savings: all that was spent, against a frontier model that does each proven task at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from minitask.ledger.record import ATTEMPT, CALLS, Record
from minitask.ledger.tally import EXACT, total
from minitask.ledger.units import units_of

HUNDRED = Decimal(100)


class Savings(Struct, frozen=True):
    """Against the frontier model, asked once for each task that is proven: an estimate.

    Both sides hold the same kinds of calls: what planning and verifying projects took, and one classification, review
    and message of each task that the baseline holds, is in the baseline as it was spent. That is `shared_usd`, of the
    phases `shared_phases`; `baseline_cost_usd` holds it.

    `tasks` are those (a task and its spec blob) that the baseline holds, each once however many attempts it took.
    `left_out` are proven too, but one of their attempts has no known price, or the baseline has none: they count for
    nothing on the baseline's side. `cost_usd` is all that is known to have been spent, failures included.
    """

    baseline_model: str
    baseline_cost_usd: Decimal | None
    cost_usd: Decimal | None
    tasks: int
    left_out: int
    shared_usd: Decimal = Decimal(0)
    shared_phases: tuple[str, ...] = ()

    @property
    def saved_usd(self) -> Decimal | None:
        """Return the difference; negative where it cost more."""
        if self.baseline_cost_usd is None or self.cost_usd is None:
            return None
        return EXACT.subtract(self.baseline_cost_usd, self.cost_usd)

    @property
    def saved_percent(self) -> float | None:
        """Return the difference in percent of the baseline, to a tenth."""
        if self.saved_usd is None or not self.baseline_cost_usd:
            return None
        return round(float(self.saved_usd / self.baseline_cost_usd * HUNDRED), 1)


def savings_of(records: Sequence[Record], model: str) -> Savings:
    """Return what the records saved against the model that their baseline costs are of."""
    baselines = []
    shared = [record for record in records if record.is_call and not record.spec_blob]
    left_out = 0
    for unit in units_of(records).values():
        proven = [each for each in unit if each.kind == ATTEMPT and each.attempt.verdict.is_good]
        if not proven:
            continue
        known = [each.baseline_cost_usd for each in proven if each.baseline_cost_usd is not None]
        if known and all(each.attempt.cost_usd is not None for each in unit):
            baselines.append(known[0])
            shared += _calls_once(unit)
        else:
            left_out += 1
    unknown = left_out and not baselines
    besides = total([each.attempt.cost_usd for each in shared]) or Decimal(0)
    return Savings(
        baseline_model=model,
        baseline_cost_usd=None if unknown else total([*baselines, besides]),
        cost_usd=total([record.attempt.cost_usd for record in records]),
        tasks=len(baselines),
        left_out=left_out,
        shared_usd=besides,
        shared_phases=tuple(phase for phase in CALLS if any(each.kind == phase for each in shared)),
    )


def _calls_once(unit: Sequence[Record]) -> Iterator[Record]:
    """Yield the latest call of each phase: earlier ones were about attempts that failed, or failed themselves."""
    for phase in CALLS:
        calls = [record for record in unit if record.kind == phase and record.is_call]
        yield from calls[-1:]
