"""Simulate routing policies from known results of models, without keys or costs.

A policy asks its models in turn until one passes. With c the cost of a model for all tasks and q its pass rate, it
costs the sum of c times the product of the earlier (1 - q): exact for two models, for more an estimate that assumes
independent failures. Hard tasks are hard for all models, so each figure also has a bound: a policy solves at least what
its best model solves alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from minitask.errors import UsageError
from minitask.ledger.savings import EXACT
from minitask.policy.model_stats import ModelRow, ModelStats
from minitask.policy.route import Odds, Rung, choose_rung
from minitask.words import did_you_mean, one_line

ONE = Decimal(1)
MICRO = Decimal("0.000001")
TRIES_LOST = 10
"""Cost of giving up a task, in tries of the baseline."""


class SimulatedStep(Struct, frozen=True):
    """A model of a policy: its cost for all tasks, and the share of tasks that reaches it.

    `reached` assumes independent failures; `reached_at_most` assumes failures on the same tasks.
    """

    model: ModelRow
    cost_usd: Decimal
    reached: Decimal
    reached_at_most: Decimal


class Outcome(Struct, frozen=True):
    """The cost and results of a policy for all tasks, and the cost of the baseline alone."""

    steps: tuple[SimulatedStep, ...]
    baseline_cost_usd: Decimal
    is_ladder: bool = False

    @property
    def cost_usd(self) -> Decimal:
        """Return the expected cost."""
        return _rounded(sum((step.cost_usd * step.reached for step in self.steps), Decimal(0)))

    @property
    def cost_usd_at_most(self) -> Decimal:
        """Return the cost if all models fail on the same tasks; for up to two models, it equals `cost_usd`."""
        parts = (step.cost_usd * step.reached_at_most for step in self.steps)
        return _rounded(sum(parts, Decimal(0)))

    @property
    def saved_usd(self) -> Decimal:
        """Return the savings against the baseline; negative if the policy costs more."""
        return EXACT.subtract(self.baseline_cost_usd, self.cost_usd)

    @property
    def saved_percent(self) -> float | None:
        """Return the savings in percent of the baseline, to a tenth, or None if the baseline is free."""
        return _percent(self.saved_usd, self.baseline_cost_usd)

    @property
    def saved_percent_at_least(self) -> float | None:
        """Return the savings in percent at the policy's highest cost."""
        least = EXACT.subtract(self.baseline_cost_usd, self.cost_usd_at_most)
        return _percent(least, self.baseline_cost_usd)

    @property
    def solved_min(self) -> float:
        """Return the share of tasks that the best model solves alone."""
        return float(max(step.model.q for step in self.steps))

    @property
    def solved_max(self) -> float:
        """Return the share of solved tasks if failures are independent."""
        last = self.steps[-1]
        return float(1 - last.reached * (1 - last.model.q))


def replay(policy: Sequence[ModelRow], figures: ModelStats, *, is_ladder: bool = False) -> Outcome:
    """Return the cost and results of a policy; `figures` must have a baseline."""
    steps = []
    reached = at_most = ONE
    for model in policy:
        bill = _rounded(model.price * figures.tasks)
        steps.append(SimulatedStep(model, bill, reached, at_most))
        reached *= 1 - model.q
        at_most = min(at_most, 1 - model.q)
    alone = figures.baseline.price * figures.tasks if figures.baseline else Decimal(0)
    return Outcome(tuple(steps), _rounded(alone), is_ladder)


def usual_outcomes(figures: ModelStats, *, loss_usd: Decimal | None = None) -> tuple[Outcome, ...]:
    """Return each model alone, each cheaper one before the baseline, and last the ladder of `choose_rung`."""
    best = figures.baseline
    if best is None:
        return ()
    ranked = _ranked(figures)
    pairs = [(model, best) for model in ranked if model.price < best.price]
    policies: list[tuple[ModelRow, ...]] = [*((model,) for model in ranked), *pairs]
    outcomes = [replay(policy, figures) for policy in policies]
    return (*outcomes, replay(ladder(figures, loss_usd=loss_usd), figures, is_ladder=True))


def _ranked(figures: ModelStats) -> list[ModelRow]:
    return sorted(figures.models, key=lambda model: (model.price, model.name))


def ladder(figures: ModelStats, *, loss_usd: Decimal | None = None) -> tuple[ModelRow, ...]:
    """Return the models worth a try, among those cheaper than the baseline, and the baseline."""
    best = figures.baseline
    if best is None:
        return ()
    loss = best.price * TRIES_LOST if loss_usd is None else loss_usd
    candidates = [*(model for model in _ranked(figures) if model.price < best.price), best]
    rungs = []
    for model in candidates:
        passed = round(model.q * model.tasks)
        odds = Odds(prior=float(model.q), passed=passed, samples=model.tasks)
        rungs.append(Rung(model.name, model.price, first=odds, after=odds))
    steps = choose_rung(rungs, loss_usd=loss)
    return tuple(model for model, step in zip(candidates, steps, strict=True) if step.use)


def parse_policy(text: str, models: Sequence[ModelRow]) -> tuple[ModelRow, ...]:
    """Return the models of a list of names, unique parts of names, or tiers; raise `UsageError` for unknown ones."""
    subject = f'the policy "{one_line(text)}"'
    if not models:
        hint = "no attempts recorded yet; try `--table aider-polyglot`"
        raise UsageError(f"no figures for {subject}", hint=hint)
    names = [part.strip() for part in text.split(",")]
    if not all(names):
        raise UsageError(f"{subject} lacks a name", hint='write it as "CHEAP,DEAR"')
    policy = tuple(_find_model(name, models) for name in names)
    for model, count in Counter(model.name for model in policy).items():
        if count > 1:
            hint = "name each model once; there are no figures for second tries"
            raise UsageError(f"{subject} names {model} twice", hint=hint)
    return policy


def _find_model(name: str, models: Sequence[ModelRow]) -> ModelRow:
    """Return the model with this name, or with this tier, or with this unique part of its name."""
    folded = name.casefold()
    ways = (
        [model for model in models if model.name.casefold() == folded],
        [model for model in models if model.tier.casefold() == folded],
        [model for model in models if folded in model.name.casefold()],
    )
    matches = next(filter(None, ways), [])
    if len(matches) == 1:
        return matches[0]
    if matches:
        several = ", ".join(one_line(model.name) for model in matches)
        message = f"{name} matches several models: {several}"
        raise UsageError(message, hint="give a longer part of the name")
    names = [one_line(model.name) for model in models]
    raise UsageError(f"no model named {one_line(name)}", hint=did_you_mean(name, names))


def _rounded(amount: Decimal) -> Decimal:
    """Return an amount rounded to a millionth of a dollar."""
    return amount.quantize(MICRO, context=EXACT)


def _percent(part: Decimal, whole: Decimal) -> float | None:
    return round(float(100 * part / whole), 1) if whole else None
