"""Replaying routing policies over figures that are known already: no key is needed, and nothing is spent.

A policy asks its models in turn until one passes. With c the bill of a model for all tasks and q the share that it
passes, it costs the sum of c times the product of the earlier (1 - q): exact for two models, for more an estimate
that takes failures to have nothing to do with each other. In truth hard tasks are hard for all, so that each figure
has a limit on the other side, too: nothing is solved but what the best model of the policy solves by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from minitask.errors import UsageError
from minitask.ledger.savings import EXACT
from minitask.policy.ladder import Odds, Rung, choose_rung
from minitask.policy.model_stats import ModelRow, ModelStats
from minitask.words import did_you_mean, one_line

ONE = Decimal(1)
MICRO = Decimal("0.000001")
TRIES_LOST = 10
"""Giving a task up is taken to cost as much as so many tries of the baseline."""


class SimulatedStep(Struct, frozen=True):
    """One model of a policy: its bill if it were asked for all tasks, and the share that reaches it.

    `reached` takes failures to be independent; `reached_at_most` is the share if they all fall on the same tasks.
    """

    model: ModelRow
    cost_usd: Decimal
    reached: Decimal
    reached_at_most: Decimal


class Outcome(Struct, frozen=True):
    """The cost and results of a policy for all tasks, beside the baseline alone."""

    steps: tuple[SimulatedStep, ...]
    baseline_cost_usd: Decimal
    is_ladder: bool = False

    @property
    def cost_usd(self) -> Decimal:
        """Return what is expected to be paid."""
        return _rounded(sum((step.cost_usd * step.reached for step in self.steps), Decimal(0)))

    @property
    def cost_usd_at_most(self) -> Decimal:
        """Return what is paid if all fail on the same tasks; the same as `cost_usd` for up to two models."""
        parts = (step.cost_usd * step.reached_at_most for step in self.steps)
        return _rounded(sum(parts, Decimal(0)))

    @property
    def saved_usd(self) -> Decimal:
        """Return the difference to the baseline; negative where it costs more."""
        return EXACT.subtract(self.baseline_cost_usd, self.cost_usd)

    @property
    def saved_percent(self) -> float | None:
        """Return the difference in percent of the baseline, to a tenth; None if the baseline is free."""
        return _percent(self.saved_usd, self.baseline_cost_usd)

    @property
    def saved_percent_at_least(self) -> float | None:
        """Return the same where the policy costs the most."""
        least = EXACT.subtract(self.baseline_cost_usd, self.cost_usd_at_most)
        return _percent(least, self.baseline_cost_usd)

    @property
    def solved_min(self) -> float:
        """Return the share of tasks that is solved if the others solve nothing that the best one does not."""
        return float(max(step.model.q for step in self.steps))

    @property
    def solved_max(self) -> float:
        """Return the share that is solved if their failures have nothing to do with each other."""
        last = self.steps[-1]
        return float(1 - last.reached * (1 - last.model.q))


def replay(policy: Sequence[ModelRow], figures: ModelStats, *, is_ladder: bool = False) -> Outcome:
    """Return what a policy comes to; the figures have a baseline."""
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
    """Return each model alone, each cheaper one before the baseline, and last the ladder that `choose_rung` picks."""
    if figures.baseline is None:
        return ()
    best = figures.baseline
    ranked = sorted(figures.models, key=lambda model: (model.price, model.name))
    pairs = [(model, best) for model in ranked if model.price < best.price]
    policies: list[tuple[ModelRow, ...]] = [*((model,) for model in ranked), *pairs]
    outcomes = [replay(policy, figures) for policy in policies]
    return (*outcomes, replay(ladder(figures, loss_usd=loss_usd), figures, is_ladder=True))


def ladder(figures: ModelStats, *, loss_usd: Decimal | None = None) -> tuple[ModelRow, ...]:
    """Return the models worth climbing, of the baseline and those that cost less; nothing dearer can be worth it."""
    best = figures.baseline
    if best is None:
        return ()
    loss = best.price * TRIES_LOST if loss_usd is None else loss_usd
    cheaper = [model for model in figures.models if model.price < best.price]
    candidates = (*sorted(cheaper, key=lambda model: (model.price, model.name)), best)
    rungs = [
        Rung(model.name, model.price, first=_odds(model), after=_odds(model))
        for model in candidates
    ]
    steps = choose_rung(rungs, loss_usd=loss)
    return tuple(model for model, step in zip(candidates, steps, strict=True) if step.use)


def _odds(model: ModelRow) -> Odds:
    passed = round(model.q * model.tasks)
    return Odds(prior=float(model.q), passed=passed, samples=model.tasks)


def parse_policy(text: str, models: Sequence[ModelRow]) -> tuple[ModelRow, ...]:
    """Return the models that names, unique parts of names or tiers stand for, in order; raise `UsageError` if one
    does not.
    """
    if not models:
        raise UsageError(
            f'no figures for the policy "{one_line(text)}"',
            hint="no attempts recorded yet; try `--table aider-polyglot`",
        )
    names = [part.strip() for part in text.split(",")]
    if not all(names):
        raise UsageError(
            f'the policy "{one_line(text)}" lacks a name', hint='write it as "CHEAP,DEAR"'
        )
    policy = tuple(_find_model(name, models) for name in names)
    for model, count in Counter(model.name for model in policy).items():
        if count > 1:
            raise UsageError(
                f'the policy "{one_line(text)}" names {model} twice',
                hint="name each model once; there are no figures for second tries",
            )
    return policy


def _find_model(name: str, models: Sequence[ModelRow]) -> ModelRow:
    """Return the model with the whole name, else by tier, else by a part of the name that only one has."""
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
        raise UsageError(
            f"{name} matches several models: {several}", hint="give a longer part of the name"
        )
    names = [one_line(model.name) for model in models]
    raise UsageError(f"no model named {one_line(name)}", hint=did_you_mean(name, names))


def _rounded(amount: Decimal) -> Decimal:
    """Return an amount to a millionth of a dollar."""
    return amount.quantize(MICRO, context=EXACT)


def _percent(part: Decimal, whole: Decimal) -> float | None:
    return round(float(100 * part / whole), 1) if whole else None
