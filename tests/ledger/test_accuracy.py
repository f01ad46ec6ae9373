"""Estimates against what was taken: only what can be compared is, and unknown is never 0."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.kit import ATTEMPT, OID, record_of
from minitask.ledger.accuracy import (
    BatchTokens,
    EstimateError,
    batch_tokens,
    estimate_error,
    is_close,
)
from minitask.ledger.record import (
    NO_USAGE,
    REVIEW,
    Attempt,
    Record,
    RecordedDecision,
    TaskResult,
    Usage,
    Verdict,
    plus,
)


def attempt(
    *, expected: tuple[int | None, int | None] | None = (100, 20), **fields: Any
) -> Attempt:
    """An attempt of a cheap model that took 100 tokens in and 20 out, but for what is said."""
    decision = None
    if expected is not None:
        decision = RecordedDecision("asked", input_tokens=expected[0], output_tokens=expected[1])
    return replace(ATTEMPT, decision=decision, **fields)


def record(**fields: Any) -> Record:
    return record_of(attempt(**fields), baseline_cost_usd=None)


def result(task: str, *attempts: Attempt, calls: tuple[Attempt, ...] = ()) -> TaskResult:
    return TaskResult(
        task, f"mini-projects/{task}.md", OID, Verdict.MERGED, "",
        usage=reduce(plus, (each.usage for each in (*attempts, *calls)), NO_USAGE),
        attempts=attempts,
        calls=tuple((REVIEW, call) for call in calls),
    )  # fmt: skip


def test_the_error_is_that_of_the_sums() -> None:
    found = estimate_error([record(), record(expected=(50, 40)), record(expected=(110, 20))])
    assert found == EstimateError(3, input_percent=15.4, output_percent=-25.0, close=2)


@pytest.mark.parametrize(
    "fields",
    [
        {"expected": None},
        {"expected": (100, None)},
        {"usage": Usage(2, 200, 0, 40)},
        {"usage": Usage(1, None, None, 20)},
        {"usage": NO_USAGE, "tier": "none"},
    ],
    ids=["no route on record", "half an estimate", "two calls", "nobody counted", "no call"],
)
def test_what_cannot_be_compared_is_left_out(fields: dict[str, Any]) -> None:
    assert estimate_error([record(**fields)]) == EstimateError(0, None, None, 0)


@pytest.mark.parametrize(
    ("actual", "expected", "close"),
    [
        (120, 100, True),
        (121, 100, False),
        (80, 100, True),
        (79, 100, False),
        (0, 0, True),
        (1, 0, False),
    ],
)
def test_close_is_within_a_fifth(actual: int, expected: int, close: bool) -> None:
    assert is_close(actual, expected) is close


def test_a_batch_is_summed_over_its_tasks_attempts_and_calls() -> None:
    failed = attempt(verdict=Verdict.FAILED)
    results = [result("p/a", failed, attempt()), result("p/b", attempt(), calls=(attempt(),))]
    found = batch_tokens(results, waves={"p/a": 2, "p/b": 2}, planned={"p/a": 200, "p/b": None})
    assert found == (BatchTokens(2, tasks=2, planned=320, actual=480),)
    assert (found[0].percent, found[0].is_close) == (50.0, False)


def test_the_specs_own_estimate_goes_before_that_of_the_route() -> None:
    (found,) = batch_tokens([result("p/a", attempt())], waves={"p/a": 1}, planned={"p/a": 0})
    assert (found.planned, found.percent, found.is_close) == (0, None, False)


def test_waves_are_told_apart_in_their_order_and_those_without_a_model_left_out() -> None:
    script = attempt(tier="none", usage=NO_USAGE, expected=(None, None))
    results = [
        result("p/c", attempt()),
        result("p/a", attempt()),
        result("p/b", script),
        result("p/d"),
        result("p/e", script, calls=(attempt(),)),
    ]
    waves = {"p/a": 1, "p/b": 1, "p/c": 3, "p/d": 3, "p/e": 2}
    found = batch_tokens(results, waves=waves, planned={"p/b": 500, "p/e": 0})
    assert found == (BatchTokens(1, 1, 120, 120), BatchTokens(3, 1, 120, 120))


def test_a_script_that_failed_before_a_model_was_asked_leaves_the_plan_to_the_model() -> None:
    script = attempt(tier="none", usage=NO_USAGE, expected=(None, None), verdict=Verdict.FAILED)
    (found,) = batch_tokens([result("p/a", script, attempt())], waves={"p/a": 1}, planned={})
    assert (found.planned, found.actual) == (120, 120)


def test_unknown_tokens_or_no_plan_are_left_out_of_both_sides_and_counted() -> None:
    results = [
        result("p/a", attempt()),
        result("p/b", attempt(usage=Usage(1, None, None, None))),
        result("p/c", attempt(expected=None)),
        result("p/d", attempt(usage=Usage(None, None, None, None))),
    ]
    waves = dict.fromkeys(("p/a", "p/b", "p/c", "p/d"), 1)
    assert batch_tokens(results, waves=waves, planned={}) == (BatchTokens(1, 1, 120, 120, 3),)
