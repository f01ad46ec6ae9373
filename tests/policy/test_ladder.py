"""The ladder: which rungs are worth climbing, against what all possible ladders would cost."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.policy.route import ENOUGH_SAMPLES, Odds, Rung, choose_rung

TIERS = ("free", "cheap", "balanced", "frontier")


def sure(q: float) -> Odds:
    """Odds known so well that their mean is `q`."""
    return Odds(q, passed=round(q * 10**6), samples=10**6)


def rung(tier: str, cost: str, q: float, after: float | None = None) -> Rung:
    return Rung(tier, Decimal(cost), sure(q), sure(q if after is None else after))


def used(*rungs: Rung, loss: str = "1") -> list[str]:
    return [step.tier for step in choose_rung(rungs, loss_usd=Decimal(loss)) if step.use]


def expected(rungs: tuple[Rung, ...], loss: float) -> float:
    """The sum of the prices times the odds of getting there, and the loss at the end."""
    total, reached = 0.0, 1.0
    for each in rungs:
        total += reached * float(each.cost_usd or 0)
        reached *= 1 - each.first.mean
    return total + reached * loss


@given(
    st.lists(st.tuples(st.integers(1, 1_000), st.floats(0.01, 0.99)), min_size=1, max_size=4),
    st.integers(2_000, 100_000),
)
def test_no_other_ladder_is_cheaper(figures: list[tuple[int, float]], loss: int) -> None:
    ordered = sorted(figures)
    rungs = tuple(rung(TIERS[n], str(cost), q) for n, (cost, q) in enumerate(ordered))
    chosen = tuple(
        each
        for each, step in zip(rungs, choose_rung(rungs, loss_usd=Decimal(loss)), strict=True)
        if step.use
    )
    every = [c for size in range(1, len(rungs) + 1) for c in combinations(rungs, size)]
    best = min(expected(each, loss) for each in every)
    assert expected(chosen, loss) == pytest.approx(best, rel=1e-6) or best >= loss, "none pays"


def test_a_rung_between_pays_only_above_half_of_what_the_next_costs() -> None:
    cheap, frontier = rung("cheap", "0.0015", 0.6), rung("frontier", "0.054", 1.0)
    assert used(cheap, rung("balanced", "0.027", 0.49), frontier) == ["cheap", "frontier"]
    assert used(cheap, rung("balanced", "0.027", 0.51), frontier) == [
        "cheap",
        "balanced",
        "frontier",
    ]


def test_what_is_left_out_is_said() -> None:
    rungs = (
        rung("cheap", "0.0015", 0.6),
        rung("balanced", "0.027", 0.41),
        rung("frontier", "0.054", 1.0),
    )
    assert choose_rung(rungs, loss_usd=Decimal(1))[1].reason == "skipped balanced: q .41 < .50"


def test_the_first_rung_goes_by_first_tries_and_the_others_by_those_after_a_failure() -> None:
    hopeless_after = rung("balanced", "0.5", 0.9, after=0.01)
    assert used(rung("cheap", "0.4", 0.001), hopeless_after, loss="1") == ["balanced"]
    assert used(rung("cheap", "0.1", 0.9), hopeless_after, loss="1") == ["cheap"]


def test_below_enough_samples_the_whole_ladder_is_climbed() -> None:
    bad = Odds(0.5, passed=0, samples=ENOUGH_SAMPLES - 1)
    steps = choose_rung([Rung(tier, Decimal(1), bad, bad) for tier in TIERS], loss_usd=Decimal(1))
    assert all(step.use for step in steps)
    assert "too little history (19 of 20)" in steps[0].reason


def test_at_least_one_rung_is_climbed_and_the_likeliest() -> None:
    assert used(rung("cheap", "5", 0.1), rung("frontier", "9", 0.3), loss="1") == ["frontier"]
    assert choose_rung([], loss_usd=Decimal(1)) == ()


def test_exploring_climbs_what_does_not_pay() -> None:
    rungs = (
        rung("cheap", "0.0015", 0.6),
        rung("balanced", "0.027", 0.41),
        rung("frontier", "0.054", 1.0),
    )
    steps = choose_rung(rungs, loss_usd=Decimal(1), explores=True)
    assert all(step.use for step in steps)
    assert "explored" in steps[1].reason


def test_an_unpriced_rung_is_kept() -> None:
    unpriced = Rung("cheap", None, sure(0.01), sure(0.01))
    assert choose_rung([unpriced, rung("frontier", "1", 0.9)], loss_usd=Decimal(2))[0].use


def test_the_prior_weighs_four_samples() -> None:
    assert Odds(0.5).mean == 0.5
    assert Odds(0.5, passed=4, samples=4).mean == 0.75
