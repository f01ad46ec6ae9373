"""The accuracy of estimates: what calls were expected to take, and what they took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from minitask.ledger.record import ATTEMPT, Record, TaskResult
from minitask.spec.model import Tier

CLOSE = 0.2
"""What counts as close: within 20 % of the estimate."""


class EstimateError(Struct, frozen=True):
    """Of the attempts that one call was made for, and whose tokens are known and were estimated.

    Percentages are of the sums: +10 means that a tenth more was taken than expected. `close` is how many attempts took
    within 20 % of what was expected, input and output together.
    """

    tasks: int
    input_percent: float | None
    output_percent: float | None
    close: int


class CostError(Struct, frozen=True):
    """The cost of proven specs beside their own **Estimated Cost**, of those that state one and whose cost is known.

    A spec's cost is all that was spent on that version of it, failures and calls beside its attempts included. `over`
    is how many cost more than they state.
    """

    tasks: int
    stated_usd: Decimal
    actual_usd: Decimal
    over: int

    @property
    def percent(self) -> float | None:
        """+10 where a tenth more was spent than stated; None where nothing was stated."""
        if not self.stated_usd:
            return None
        return round(float(100 * (self.actual_usd - self.stated_usd) / self.stated_usd), 1)


class BatchTokens(Struct, frozen=True):
    """Tokens that the tasks of a wave used in one run, beside the plan; input and output together.

    `tasks` are those of which both is known, and the sums are theirs. `left_out` called models too, but their tokens
    were not counted, or nothing was planned for them.
    """

    wave: int
    tasks: int
    planned: int
    actual: int
    left_out: int = 0

    @property
    def percent(self) -> float | None:
        """+10 where a tenth more was taken than planned; None if none was planned."""
        return 100 * (self.actual - self.planned) / self.planned if self.planned else None

    @property
    def is_close(self) -> bool:
        """Return True if it is within 20 % of the plan."""
        return is_close(self.actual, self.planned)


def batch_tokens(
    results: Iterable[TaskResult],
    *,
    waves: Mapping[str, int],
    planned: Mapping[str, int | None],
) -> tuple[BatchTokens, ...]:
    """Each wave that called a model, first to last; waves and the specs' own estimates are by task.

    Where a spec makes none, the estimate of the route that its first attempt took stands in. Everything counts that
    the run spent on a task: its attempts and the calls beside them. Tasks that no model worked on are left out.
    """
    groups: dict[int, list[tuple[int | None, int | None]]] = {}
    for result in results:
        if _called_a_model(result):
            plan = planned.get(result.task)
            pair = (_routed(result) if plan is None else plan, _spent(result))
            groups.setdefault(waves[result.task], []).append(pair)
    tokens = []
    for wave in sorted(groups):
        pairs = [
            (plan, spent) for plan, spent in groups[wave] if plan is not None and spent is not None
        ]
        plans, actuals = (sum(pair[side] for pair in pairs) for side in (0, 1))
        tokens.append(BatchTokens(wave, len(pairs), plans, actuals, len(groups[wave]) - len(pairs)))
    return tuple(tokens)


def estimate_error(attempts: Iterable[Record]) -> EstimateError:
    """Return the error of all estimates that can be compared."""
    pairs = [pair for pair in map(token_pair, attempts) if pair is not None]
    expected_in = sum(expected[0] for expected, _ in pairs)
    expected_out = sum(expected[1] for expected, _ in pairs)
    return EstimateError(
        tasks=len(pairs),
        input_percent=_percent(sum(actual[0] for _, actual in pairs), expected_in),
        output_percent=_percent(sum(actual[1] for _, actual in pairs), expected_out),
        close=sum(is_close(sum(actual), sum(expected)) for expected, actual in pairs),
    )


def cost_error(units: Iterable[Sequence[Record]]) -> CostError:
    """Return the error of the costs that specs state; each unit is all records of one version of a spec."""
    pairs = [pair for pair in map(_costs, units) if pair is not None]
    return CostError(
        tasks=len(pairs),
        stated_usd=sum((stated for stated, _ in pairs), Decimal(0)),
        actual_usd=sum((actual for _, actual in pairs), Decimal(0)),
        over=sum(actual > stated for stated, actual in pairs),
    )


def is_close(actual: int, expected: int) -> bool:
    """Return True if a count is within 20 % of what was expected."""
    return abs(actual - expected) <= CLOSE * expected


def _costs(unit: Sequence[Record]) -> tuple[Decimal, Decimal] | None:
    """Return what a proven spec states last, and what it cost; None where either is not known."""
    stated = [
        record.attempt.decision.stated_cost_usd
        for record in unit
        if record.attempt.decision and record.attempt.decision.stated_cost_usd is not None
    ]
    spent = [record.attempt.cost_usd for record in unit]
    known_costs = [cost for cost in spent if cost is not None]
    is_proven = any(each.kind == ATTEMPT and each.attempt.verdict.is_good for each in unit)
    if not stated or not is_proven or len(known_costs) < len(spent):
        return None
    return stated[-1], sum(known_costs, Decimal(0))


def _called_a_model(result: TaskResult) -> bool:
    """Return True if a model answered that worked on the task, or beside it before anybody had; unknown counts as
    answered.
    """
    scripted = [attempt.tier == Tier.NONE.value for attempt in result.attempts]
    return result.usage.requests != 0 and _spent(result) != 0 and not (scripted and all(scripted))


def _routed(result: TaskResult) -> int | None:
    """Return what the route of the first attempt by a model was expected to take."""
    for attempt in result.attempts:
        decision = attempt.decision
        if decision and decision.input_tokens is not None and decision.output_tokens is not None:
            return decision.input_tokens + decision.output_tokens
    return None


def _spent(result: TaskResult) -> int | None:
    usage = result.usage
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return usage.input_tokens + usage.output_tokens


def token_pair(record: Record) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return expected and actual tokens, each in and out; None where they cannot be compared."""
    decision, usage = record.attempt.decision, record.attempt.usage
    if decision is None or usage.requests != 1 or not usage.input_tokens:
        return None
    counts = (
        decision.input_tokens,
        decision.output_tokens,
        usage.input_tokens,
        usage.output_tokens,
    )
    known_counts = [count for count in counts if count is not None]
    if len(known_counts) < len(counts):
        return None
    return (known_counts[0], known_counts[1]), (known_counts[2], known_counts[3])


def _percent(actual: int, expected: int) -> float | None:
    return round(100 * (actual - expected) / expected, 1) if expected else None
