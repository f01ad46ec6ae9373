"""How close estimates came: what calls were expected to take, and what they took."""

from __future__ import annotations

from collections.abc import Iterable

from minitask.ledger.record import Record
from minitask.values import dataclass

CLOSE = 0.2
"""What counts as close: within 20 % of the estimate."""


@dataclass(frozen=True, slots=True)
class EstimateError:
    """Of the attempts that one call was made for, and whose tokens are known and were estimated.

    Percentages are of the sums: +10 means that a tenth more was taken than expected. `close` is how many attempts took
    within 20 % of what was expected, input and output together.
    """

    tasks: int
    input_percent: float | None
    output_percent: float | None
    close: int


def estimate_error(attempts: Iterable[Record]) -> EstimateError:
    """The error of all estimates that can be compared."""
    pairs = [pair for pair in map(_pair, attempts) if pair is not None]
    expected_in = sum(expected[0] for expected, _ in pairs)
    expected_out = sum(expected[1] for expected, _ in pairs)
    return EstimateError(
        tasks=len(pairs),
        input_percent=_percent(sum(actual[0] for _, actual in pairs), expected_in),
        output_percent=_percent(sum(actual[1] for _, actual in pairs), expected_out),
        close=sum(is_close(sum(actual), sum(expected)) for expected, actual in pairs),
    )


def is_close(actual: int, expected: int) -> bool:
    """Whether a count is within 20 % of what was expected."""
    return abs(actual - expected) <= CLOSE * expected


def _pair(record: Record) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Expected and actual tokens, in and out."""
    decision, usage = record.attempt.decision, record.attempt.usage
    if decision is None or usage.requests != 1:
        return None
    counts = (
        decision.input_tokens,
        decision.output_tokens,
        usage.input_tokens,
        usage.output_tokens,
    )
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return None
    return (known[0], known[1]), (known[2], known[3])


def _percent(actual: int, expected: int) -> float | None:
    return round(100 * (actual - expected) / expected, 1) if expected else None
