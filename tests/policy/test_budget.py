"""A budget that parallel calls share: what does not fit waits for the calls in flight."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest

from minitask.concurrency import BackgroundCall
from minitask.errors import BudgetError, StoppedError
from minitask.ledger.record import Usage
from minitask.policy.budget import Budget, TaskMeter
from minitask.policy.prices import ModelPricing

ONE, TWO, THREE = Decimal(1), Decimal(2), Decimal(3)


def waiting(call: Callable[[], None]) -> BackgroundCall[None]:
    """Start a call that must wait; return it once it does, or fail."""
    background = BackgroundCall(call)
    assert not background.wait(0.05)
    return background


def test_a_call_that_does_not_fit_waits_until_another_has_cost_less_than_reserved() -> None:
    budget = Budget(THREE, is_shared=True)
    budget.reserve(TWO)
    second = waiting(lambda: budget.reserve(TWO))
    budget.settle(TWO, ONE)
    second.result()
    assert (budget.left_usd, budget.unspent_usd) == (Decimal(0), TWO)


def test_a_call_is_refused_once_nothing_is_in_flight_that_may_cost_less() -> None:
    budget = Budget(THREE, is_shared=True)
    budget.reserve(TWO)
    second = waiting(lambda: budget.reserve(TWO))
    budget.settle(TWO, TWO)
    with pytest.raises(BudgetError, match=r"could cost \$2, and \$1 is left"):
        second.result()


def test_a_task_waits_for_the_budget_of_its_run_and_never_for_its_own() -> None:
    run = Budget(THREE, is_shared=True)
    first, second, third = (Budget(most, parent=run) for most in (TWO, TWO, ONE))
    first.reserve(TWO)
    background = waiting(lambda: second.reserve(TWO))
    with pytest.raises(BudgetError):
        third.reserve(TWO)
    first.settle(TWO, ONE)
    background.result()
    second.settle(TWO, ONE)
    assert (run.left_usd, second.left_usd, third.left_usd) == (ONE, ONE, ONE)


def test_nobody_waits_for_a_closed_budget() -> None:
    budget = Budget(ONE, is_shared=True)
    budget.reserve(ONE)
    second = waiting(lambda: budget.reserve(ONE))
    last = waiting(lambda: budget.wait_for(None))
    budget.close("a task failed")
    for background in (second, last):
        with pytest.raises(StoppedError, match="a task failed"):
            background.result()


def test_parallel_calls_never_exceed_the_limit_and_use_all_of_it() -> None:
    budget, spent = Budget(Decimal(10), is_shared=True), []

    def call() -> None:
        budget.reserve(TWO)
        spent.append(ONE)
        budget.settle(TWO, ONE)

    threads = [threading.Thread(target=call) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(spent), budget.left_usd) == (9, ONE)
    with pytest.raises(BudgetError):
        budget.reserve(TWO)


def test_a_program_that_keeps_to_a_limit_is_told_all_that_its_call_may_cost() -> None:
    """Its own reservation included, those of others taken off."""
    run = Budget(THREE, is_shared=True)
    pricing = ModelPricing("m", prices={"m": {"input": ONE, "output": ONE}})
    million = Usage(1, 500_000, 0, 500_000, 0, 0)

    def refuse() -> None:
        raise AssertionError

    meters = [TaskMeter(pricing, run, note=lambda _: None, unpriced=refuse) for _ in range(2)]
    settle = meters[0].reserve(million)
    assert meters[0].left_usd == THREE
    meters[1].reserve(million)
    assert (meters[0].left_usd, meters[1].left_usd) == (TWO, TWO)
    settle(million)
    assert meters[0].left_usd == ONE
