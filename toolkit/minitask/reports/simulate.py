"""The output of `simulate`: what each policy would cost and solve, beside the baseline alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from minitask.ledger.record import money
from minitask.policy.model_stats import ModelStats
from minitask.policy.simulate import Outcome, SimulatedStep
from minitask.reports.results import dollars
from minitask.words import counted

NOTHING = (
    "no model attempts recorded yet: use `minitask run`, "
    "or try `minitask simulate --table aider-polyglot`"
)
WHY_RANGE = (
    "solved is a range: at least what the policy's best model solves alone, at most what all would solve if\n"
    "      their failures were independent; hard tasks are hard for all models, so expect less than the maximum"
)
WHY_COST = (
    "with three models or more the cost is a range too: from independent failures\n"
    "      to failures on the same tasks"
)
WHY_LADDER = (
    "the ladder omits models that cost more than they save, assuming independent failures;\n"
    "      --loss sets the cost of giving up a task"
)
LATE_TIERS = "a tier tried only after another failed saw harder tasks, so its pass rate is low"


def simulation_document(figures: ModelStats, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return a simulation as JSON; costs are of all tasks, the shares from 0 to 1."""
    return {
        "source": figures.name,
        "tasks": figures.tasks,
        "baseline": figures.baseline.name if figures.baseline else None,
        "policies": [
            {
                "policy": [step.model.name for step in outcome.steps],
                "is_ladder": outcome.is_ladder,
                "cost_usd": money(outcome.cost_usd),
                "cost_usd_at_most": money(outcome.cost_usd_at_most),
                "baseline_cost_usd": money(outcome.baseline_cost_usd),
                "saved_usd": money(outcome.saved_usd),
                "saved_percent": outcome.saved_percent,
                "solved_min": round(outcome.solved_min, 4),
                "solved_max": round(outcome.solved_max, 4),
                "steps": [_step_document(step) for step in outcome.steps],
            }
            for outcome in outcomes
        ],
    }


def _step_document(step: SimulatedStep) -> dict[str, Any]:
    return {
        "name": step.model.name,
        "q": round(float(step.model.q), 4),
        "cost_usd": money(step.cost_usd),
        "reached": round(float(step.reached), 4),
    }


def render_simulation(figures: ModelStats, outcomes: Sequence[Outcome], *, in_detail: bool) -> str:
    """Return the policies for a terminal: a line each and the ladder step by step, or all of them `in_detail`."""
    if figures.baseline is None:
        return "\n".join([NOTHING, *_notes(figures, outcomes)])
    best, alone = figures.baseline.name, dollars(outcomes[0].baseline_cost_usd)
    lines = [f"{figures.name}: {counted(figures.tasks, 'task')}; {best} alone costs {alone}"]
    if figures.origin:
        lines.append(f"  figures: {figures.origin}")
    detailed = [outcome for outcome in outcomes if in_detail or outcome.is_ladder]
    listed = [outcome for outcome in outcomes if outcome not in detailed]
    if listed:
        lines += ["", *_table(listed, alone)]
    for outcome in detailed:
        lines += ["", *_detail(outcome)]
    return "\n".join([*lines, "", *_notes(figures, outcomes)])


def _table(outcomes: Sequence[Outcome], alone: str) -> list[str]:
    rows = [("policy", "cost", f"against {alone}", "solved")]
    rows += [
        (
            _names(outcome),
            dollars(outcome.cost_usd),
            _change(outcome.saved_percent),
            _solved(outcome),
        )
        for outcome in outcomes
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"{name:{widths[0]}}  {cost:>{widths[1]}}  {change:>{widths[2]}}  {solved:>{widths[3]}}"
        for name, cost, change, solved in rows
    ]


def _detail(outcome: Outcome) -> Iterator[str]:
    """Yield a policy, what it comes to, and a line for each of its models."""
    title = "the best ladder: " if outcome.is_ladder else ""
    cost, most = dollars(outcome.cost_usd), dollars(outcome.cost_usd_at_most)
    changes = (outcome.saved_percent, outcome.saved_percent_at_least)
    change = " to ".join(dict.fromkeys(map(_change, changes)))
    span = cost if cost == most else f"{cost} to {most}"
    yield f"{title}{_names(outcome)}"
    yield f"  {span} against {dollars(outcome.baseline_cost_usd)} ({change}), solves {_solved(outcome)}"
    width = max(len(step.model.name) for step in outcome.steps)
    for step in outcome.steps:
        paid = dollars(step.cost_usd * step.reached)
        share = f"tried for {100 * step.reached:.1f} % of the tasks: {paid}"
        yield f"  {step.model.name:{width}}  passes {100 * step.model.q:.1f} %, {share}"


def _names(outcome: Outcome) -> str:
    return ", then ".join(step.model.name for step in outcome.steps)


def _change(saved_percent: float | None) -> str:
    """Return how the cost differs from the baseline's, in percent."""
    if saved_percent is None:
        return "the baseline is free"
    return f"{-saved_percent:+.0f} %" if round(saved_percent) else "0 %"


def _solved(outcome: Outcome) -> str:
    low, high = _share(outcome.solved_min), _share(outcome.solved_max)
    return f"{low} %" if low == high else f"{low} to {high} %"


def _share(fraction: float) -> str:
    """Return a share in percent to a tenth; 100.0 only where it is all."""
    percent = round(100 * fraction, 1)
    return f"{percent if fraction == 1 else min(percent, 99.9):.1f}"


def _notes(figures: ModelStats, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield how to read the figures, and what they leave out."""
    if any(len(outcome.steps) > 1 for outcome in outcomes):
        yield f"note: {WHY_RANGE}"
    if any(outcome.cost_usd != outcome.cost_usd_at_most for outcome in outcomes):
        yield f"note: {WHY_COST}"
    if any(outcome.is_ladder for outcome in outcomes):
        yield f"note: {WHY_LADDER}"
    if figures.by_tier and figures.models:
        yield f"note: {LATE_TIERS}"
    if figures.left_out:
        yield f"note: attempts left out (error or conflict): {figures.left_out}"
    if figures.unpriced:
        yield f"note: samples of unknown cost, counted at their tier's average: {figures.unpriced}"
    if figures.priceless:
        yield f"note: tiers left out (cost unknown): {', '.join(figures.priceless)}"
