"""The accuracy of estimates: expected tokens and costs against the actual ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from minitask.ledger.record import ATTEMPT, Record, TaskResult, whole
from minitask.spec.model import Tier

CLOSE = 0.2
"""An estimate is close if the count is within 20 % of it."""


class EstimateError(Struct, frozen=True):
    """The error of estimates, for attempts of one call with known and estimated tokens.

    Percentages are of the sums: +10 means a tenth more than expected. `close` counts attempts within 20 % of their
    estimate, input and output together.
    """

    tasks: int
    input_percent: float | None
    output_percent: float | None
    close: int


class CostError(Struct, frozen=True):
    """Actual costs of proven specs against their own **Estimated Cost**, if both are known.

    A spec's cost includes the failures of that version, and the calls apart from its attempts. `over` counts specs that
    cost more than they state.
    """

    tasks: int
    stated_usd: Decimal
    actual_usd: Decimal
    over: int

    @property
    def percent(self) -> float | None:
        """Return the error: +10 for a tenth more than stated; None if nothing was stated."""
        if not self.stated_usd:
            return None
        return round(float(100 * (self.actual_usd - self.stated_usd) / self.stated_usd), 1)


class BatchTokens(Struct, frozen=True):
    """A wave's actual tokens in one run against the planned ones, input and output together.

    `tasks` counts those with a known plan and usage, which are summed; `left_out` counts the others.
    """

    wave: int
    tasks: int
    planned: int
    actual: int
    left_out: int = 0

    @property
    def percent(self) -> float | None:
        """Return the error: +10 for a tenth more than planned; None if nothing was planned."""
        return 100 * (self.actual - self.planned) / self.planned if self.planned else None

    @property
    def is_close(self) -> bool:
        """Return True if it is within 20 % of the plan."""
        return is_close(self.actual, self.planned)


def batch_tokens(
    results: Iterable[TaskResult], *, waves: Mapping[str, int], planned: Mapping[str, int | None]
) -> tuple[BatchTokens, ...]:
    """Return the waves that called a model, in order; `planned` are the specs' own estimates by task.

    A spec without one counts with the estimate of the first attempt's route. The usage includes calls apart from
    attempts.
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
    """Return the error of stated costs; a unit holds the records of one version of a spec."""
    pairs = [pair for pair in map(_costs, units) if pair is not None]
    return CostError(
        tasks=len(pairs),
        stated_usd=sum((stated for stated, _ in pairs), Decimal(0)),
        actual_usd=sum((actual for _, actual in pairs), Decimal(0)),
        over=sum(actual > stated for stated, actual in pairs),
    )


def is_close(actual: int, expected: int) -> bool:
    """Return True if a count is within 20 % of the expected one."""
    return abs(actual - expected) <= CLOSE * expected


def _costs(unit: Sequence[Record]) -> tuple[Decimal, Decimal] | None:
    """Return the stated and the actual cost of a proven spec, or None if one is unknown."""
    stated = [
        record.attempt.decision.stated_cost_usd
        for record in unit
        if record.attempt.decision and record.attempt.decision.stated_cost_usd is not None
    ]
    spent = whole(record.attempt.cost_usd for record in unit)
    is_proven = any(each.kind == ATTEMPT and each.attempt.verdict.is_good for each in unit)
    return (stated[-1], spent) if stated and is_proven and spent is not None else None


def _called_a_model(result: TaskResult) -> bool:
    """Return True if a model answered for the task; an unknown number of requests counts as answered."""
    scripted = [attempt.tier == Tier.NONE.value for attempt in result.attempts]
    return result.usage.requests != 0 and _spent(result) != 0 and not (scripted and all(scripted))


def _routed(result: TaskResult) -> int | None:
    """Return the estimated tokens of the first attempt that has an estimate."""
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
    """Return the expected and actual tokens, each as input and output, or None if they cannot be compared."""
    decision, usage = record.attempt.decision, record.attempt.usage
    if decision is None or usage.requests != 1 or not usage.input_tokens:
        return None
    if decision.input_tokens is None or decision.output_tokens is None:
        return None
    if usage.output_tokens is None:
        return None
    expected = (decision.input_tokens, decision.output_tokens)
    return expected, (usage.input_tokens, usage.output_tokens)


def _percent(actual: int, expected: int) -> float | None:
    return round(100 * (actual - expected) / expected, 1) if expected else None
