"""Forecasts of work and its cost: the output of `route`, of dry runs and of `simulate`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from minitask.ledger.record import money, whole
from minitask.reports.results import dollars
from minitask.words import aligned, counted

if TYPE_CHECKING:
    from minitask.policy.model_stats import ModelStats
    from minitask.policy.route import CallEstimate, Route
    from minitask.policy.simulate import Outcome
    from minitask.project.load_project import RunPreview
    from minitask.task.prepare import TaskPreview

Routed = Sequence[tuple[str, "Route"]]
"""Tasks by name, each with its route."""


def routes_document(routed: Routed) -> list[dict[str, Any]]:
    """Return routes as JSON."""
    return [
        {
            "task": name,
            "tier": route.tier.value,
            "executor": route.executor,
            "model": route.model or None,
            "reason": route.reason,
            "ladder": [
                {"tier": step.tier, "use": step.use, "reason": step.reason} for step in route.ladder
            ],
            "estimate": estimate_document(route.estimate),
        }
        for name, route in routed
    ]


def estimate_document(estimate: CallEstimate | None) -> dict[str, Any]:
    """Return an estimate as JSON; unknown values are null."""
    return {
        "input_tokens": estimate.input_tokens if estimate else None,
        "output_tokens": estimate.output_tokens if estimate else None,
        "cost_usd": money(estimate.cost_usd) if estimate else None,
    }


def render_routes(routed: Routed, *, explain: bool) -> str:
    """Return one line per task; `explain` adds its ladder, review and tokens."""
    width = max((len(name) for name, _ in routed), default=0)
    lines = []
    for name, route in routed:
        who = route.model or "edit script"
        lines.append(
            f"{name:{width}}  {route.tier.value:8}  {who}, {_route_cost(route)}: {route.reason}"
        )
        lines += [f"{'':{width}}  {line}" for line in _explanation(route)] if explain else []
    return "\n".join(lines)


def _explanation(route: Route) -> Iterator[str]:
    for step in route.ladder:
        yield f"{'try' if step.use else 'skip':5}  {step.tier:8}  {step.reason}"
    if route.review or route.review_reason:
        yield f"review {route.review or 'none':8}  {route.review_reason}"
    estimate = route.estimate
    if estimate is not None and estimate.input_tokens:
        tokens = f"{estimate.input_tokens:,} tokens in, {estimate.output_tokens:,} out"
        yield f"about {tokens} (tasks of class {route.task_class})"


def _route_cost(route: Route) -> str:
    if route.estimate is None or route.estimate.cost_usd is None:
        return "cost unknown"
    cost = route.estimate.cost_usd
    return f"about {dollars(cost)}" if cost else "$0"


def outlook_document(project: str, previews: Sequence[RunPreview]) -> dict[str, Any]:
    """Return the dry run of a project as JSON."""
    last = max((preview.wave for preview in previews), default=0)
    return {
        "project": project,
        "dry_run": True,
        "waves": [
            [preview.task.name for preview in previews if preview.wave == wave]
            for wave in range(1, last + 1)
        ],
        "tasks": [preview_document(preview) for preview in previews],
        "cost_usd": money(whole(preview.cost_usd for preview in previews)),
    }


def preview_document(preview: RunPreview) -> dict[str, Any]:
    """Return the dry run of a task as JSON."""
    route = preview.route
    return {
        "task": preview.task.name,
        "wave": preview.wave,
        "tier": route.tier.value if route else None,
        "executor": route.executor if route else None,
        "model": (route.model or None) if route else None,
        "reason": route.reason if route else preview.problem,
        "estimate": estimate_document(preview.estimate),
    }


def render_outlook(previews: Sequence[RunPreview]) -> str:
    """Return the dry run of a project: one line per task, and the total."""
    width = max((len(preview.task.name) for preview in previews), default=0)
    lines = ["dry run, nothing is spent"]
    wave = 0
    for preview in previews:
        if preview.wave != wave:
            wave = preview.wave
            lines.append(f"wave {wave}")
        lines.append(f"  {preview.task.name:{width}}  {preview_line(preview)}")
    costs = [preview.cost_usd for preview in previews if preview.cost_usd is not None]
    unknown = len(previews) - len(costs)
    more = f" ({unknown} without estimate)" if unknown else ""
    lines.append(f"estimated total {dollars(sum(costs, Decimal(0)))}{more}")
    return "\n".join(lines)


def preview_line(preview: RunPreview) -> str:
    """Return a task's model and estimated cost."""
    if preview.merge:
        return f"already merged ({preview.merge[:12]})"
    if preview.route is None:
        return f"cannot run: {preview.problem.partition(chr(10))[0]}"
    who = preview.route.model or "edit script"
    count = preview.estimate.input_tokens if preview.estimate else 0
    tokens = f", {count:,} tokens in" if count else ""
    cost = "cost unknown" if preview.cost_usd is None else f"about {dollars(preview.cost_usd)}"
    return f"{preview.route.tier.value:8} {who}{tokens}, {cost}"


def dry_run_document(preview: TaskPreview) -> dict[str, Any]:
    """Return the dry run of `exec` as JSON."""
    description = preview.description
    return {
        "task": preview.task.name,
        "spec": {"path": preview.task.path, "blob": preview.task.blob},
        "dry_run": True,
        "landed": preview.landed,
        "base": preview.task.base,
        "target": preview.task.target.removeprefix("refs/heads/"),
        "tier": preview.route.tier.value,
        "executor": preview.route.executor,
        "model": preview.route.model or None,
        "reason": preview.route.reason,
        "url": description.url or None,
        "key_variable": description.key_variable or None,
        "key_set": description.key_set,
        "command_line": list(description.command) or None,
        "brought": list(description.brought),
        "missing": description.missing or None,
        "max_output_tokens": description.max_output_tokens,
        "prompt": description.prompt or None,
        "commands": [command.text for command in preview.task.spec.commands],
        "sandbox": preview.sandbox,
        "questions": [
            {"phase": phase, "tier": tier, "model": model}
            for phase, tier, model in preview.questions
        ],
    }


def render_dry_run(preview: TaskPreview) -> str:
    """Return the dry run of `exec`: the route, the receiver, the commands, the sandbox and the prompt."""
    task, description = preview.task, preview.description
    lines = [
        f"{task.name}: dry run, nothing is spent",
        f"  spec     {task.path} at {task.blob[:12]}, on {task.base[:12]}",
        f"  route    tier {preview.route.tier.value}: {preview.route.reason}",
    ]
    if preview.landed:
        skips = "exec would skip it (--again to rerun)"
        lines.append(f"  merged   already; {'it would be run again' if preview.again else skips}")
    if description.url:
        state = "set" if description.key_set else "NOT SET"
        name = description.key_variable
        key = f"key {name} ({state})" if name else "no key"
        lines.append(f"  sent to  {description.url}, model {description.model}, {key}")
    if preview.exposure:
        lines.append(f"  WARNING  {preview.exposure}")
    if description.command:
        lines.append(f"  program  {shlex.join(description.command)}")
    if description.missing:
        lines.append(f"  MISSING  {description.missing} is not on PATH")
    lines += [f"  brings   {text}" for text in description.brought]
    if description.max_output_tokens is not None:
        lines.append(f"  answer   at most {description.max_output_tokens:,} tokens")
    lines += [
        f"  calls    {model} (tier {tier}) for the {phase}"
        for phase, tier, model in preview.questions
    ]
    lines.append(f"  sandbox  {preview.sandbox}")
    lines += [f"  run      {command.text}" for command in task.spec.commands]
    if description.prompt:
        lines += ["  prompt", *(f"  | {line}" for line in description.prompt.splitlines())]
    return "\n".join(lines)


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
    """Return a simulation as JSON; costs are for all tasks, shares from 0 to 1."""
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
                "steps": [
                    {
                        "name": step.model.name,
                        "q": round(float(step.model.q), 4),
                        "cost_usd": money(step.cost_usd),
                        "reached": round(float(step.reached), 4),
                    }
                    for step in outcome.steps
                ],
            }
            for outcome in outcomes
        ],
    }


def render_simulation(figures: ModelStats, outcomes: Sequence[Outcome], *, in_detail: bool) -> str:
    """Return the policies for a terminal: one line each, and the ladder (or with `in_detail` all) step by step."""
    if figures.baseline is None:
        return "\n".join([NOTHING, *_notes(figures, outcomes)])
    best, alone = figures.baseline.name, dollars(outcomes[0].baseline_cost_usd)
    lines = [f"{figures.name}: {counted(figures.tasks, 'task')}; {best} alone costs {alone}"]
    if figures.origin:
        lines.append(f"  figures: {figures.origin}")
    detailed = [outcome for outcome in outcomes if in_detail or outcome.is_ladder]
    listed = [outcome for outcome in outcomes if outcome not in detailed]
    if listed:
        rows = [
            (
                _names(outcome),
                dollars(outcome.cost_usd),
                _change(outcome.saved_percent),
                _solved(outcome),
            )
            for outcome in listed
        ]
        lines += ["", *aligned([("policy", "cost", f"against {alone}", "solved"), *rows])]
    for outcome in detailed:
        lines += ["", *_detail(outcome)]
    return "\n".join([*lines, "", *_notes(figures, outcomes)])


def _detail(outcome: Outcome) -> Iterator[str]:
    """Yield a policy, its cost and results, and one line for each of its models."""
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
    """Return the cost's difference from the baseline, in percent."""
    if saved_percent is None:
        return "the baseline is free"
    return f"{-saved_percent:+.0f} %" if round(saved_percent) else "0 %"


def _solved(outcome: Outcome) -> str:
    low, high = _share(outcome.solved_min), _share(outcome.solved_max)
    return f"{low} %" if low == high else f"{low} to {high} %"


def _share(fraction: float) -> str:
    """Return a share in percent to a tenth; 100.0 only for exactly all."""
    percent = round(100 * fraction, 1)
    return f"{percent if fraction == 1 else min(percent, 99.9):.1f}"


def _notes(figures: ModelStats, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield notes on reading the figures, and on what they leave out."""
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
