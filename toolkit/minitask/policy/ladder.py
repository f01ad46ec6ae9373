"""Choose the tiers of the price ladder that are worth a try, by its cost and its chance to pass.

With q the probability that a tier passes given that the ones before it failed, c the price of a try, v that of its
validation and L the cost of giving up, a ladder is expected to cost the sum of (c + v) times the product of the
earlier (1 - q). Backwards, V = L behind the last tier, and V_i = min(V_{i+1}, c + v + (1 - q) V_{i+1}): a tier is worth
it where q > (c + v) / V_{i+1}. "One tier up" may so well leave one out.

What q is comes from a Beta posterior of its samples (`posterior`); below `ENOUGH_SAMPLES` nobody knows, and the whole
ladder is tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

ENOUGH_SAMPLES = 20
PRIOR_MASS = 4
EXPLORED_IN = 20
"""One task in so many tries a tier that is not worth it, so that the ledger goes on learning: 5 %."""


class Odds(Struct, frozen=True):
    """The pass rate of tries: `passed` of `samples`, and what was believed before, from 0 to 1."""

    prior: float
    passed: int = 0
    samples: int = 0

    @property
    def mean(self) -> float:
        """Return the posterior mean of the probability."""
        return posterior(self.prior, passed=self.passed, samples=self.samples)

    @property
    def is_known(self) -> bool:
        """Return True if there are samples enough to go by."""
        return self.samples >= ENOUGH_SAMPLES


class Rung(Struct, frozen=True):
    """One tier: what a try costs in US dollars (None: unpriced), and its odds as the first and after a failure."""

    tier: str
    cost_usd: Decimal | None
    first: Odds
    after: Odds


class TierChoice(Struct, frozen=True):
    """The decision to try or skip a tier, with the reason in a line; `q` must be above `threshold`, None if nobody
    can say.
    """

    tier: str
    use: bool
    reason: str
    q: float | None = None
    threshold: float | None = None


def posterior(prior: float, *, passed: int, samples: int) -> float:
    """Return the mean of a Beta distribution whose prior has the weight of `PRIOR_MASS` samples."""
    return (prior * PRIOR_MASS + passed) / (PRIOR_MASS + samples)


def choose_rung(
    rungs: Sequence[Rung],
    *,
    loss_usd: Decimal,
    validation_usd: Decimal = Decimal(0),
    explores: bool = False,
) -> tuple[TierChoice, ...]:
    """Return which tiers to try, cheapest first; at least one is. `explores` keeps one that would be skipped."""
    left_out: list[TierChoice] = []
    remaining = tuple(rungs)
    while remaining:
        steps = _climbed(remaining, loss_usd=loss_usd, validation_usd=validation_usd)
        if steps[0].use or len(remaining) == 1:
            break
        left_out.append(steps[0])
        remaining = remaining[1:]
    if not remaining:
        return ()
    choices = [*left_out, *steps]
    if not any(step.use for step in choices):
        best = max(range(len(choices)), key=lambda index: (choices[index].q or 0.0, -index))
        choices[best] = _used(
            choices[best], "no tier is worth its cost; this one is likeliest to pass"
        )
    elif explores:
        choices = _explored(choices)
    return tuple(choices)


def _climbed(
    rungs: Sequence[Rung], *, loss_usd: Decimal, validation_usd: Decimal
) -> tuple[TierChoice, ...]:
    """Return the steps for tiers of which the first is tried first."""
    expected_cost = loss_usd
    steps: list[TierChoice] = []
    for index in range(len(rungs) - 1, -1, -1):
        rung = rungs[index]
        odds = rung.after if index else rung.first
        price = (rung.cost_usd or Decimal(0)) + validation_usd
        threshold = float(price / expected_cost) if expected_cost else 1.0
        step = _step(rung, odds, threshold)
        steps.append(step)
        if step.use:
            expected_cost = min(expected_cost, price + Decimal(1 - odds.mean) * expected_cost)
    return tuple(reversed(steps))


def _step(rung: Rung, odds: Odds, threshold: float) -> TierChoice:
    q = odds.mean
    if rung.cost_usd is None:
        return TierChoice(rung.tier, use=True, reason="price unknown", q=q)
    if not odds.is_known:
        why = f"too little history ({odds.samples} of {ENOUGH_SAMPLES}), trying every tier"
        return TierChoice(rung.tier, use=True, reason=why, q=q, threshold=threshold)
    if q > threshold:
        why = f"q {_share(q)} > {_share(threshold)}"
        return TierChoice(rung.tier, use=True, reason=why, q=q, threshold=threshold)
    why = f"skipped {rung.tier}: q {_share(q)} < {_share(threshold)}"
    return TierChoice(rung.tier, use=False, reason=why, q=q, threshold=threshold)


def _explored(steps: list[TierChoice]) -> list[TierChoice]:
    """Return the steps with the first that is left out tried anyway."""
    index = next((index for index, step in enumerate(steps) if not step.use), None)
    if index is None:
        return steps
    why = f"explored, like one task in {EXPLORED_IN} ({steps[index].reason})"
    return [*steps[:index], _used(steps[index], why), *steps[index + 1 :]]


def _used(step: TierChoice, reason: str) -> TierChoice:
    return TierChoice(step.tier, use=True, reason=reason, q=step.q, threshold=step.threshold)


def _share(probability: float) -> str:
    """Return a probability to two places, as in `.41`; what is above 1 keeps its digits."""
    text = f"{probability:.2f}"
    return text[1:] if text.startswith("0.") else text
