"""The output of `plan --from` another tool's plan: what became of each task, the specs, the cost, and what is next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from minitask.ledger.record import money
from minitask.ledger.usage import NO_USAGE, plus
from minitask.planning.importers.plan_goals import listed
from minitask.planning.plan_from import (
    FAILED,
    OPEN,
    PLANNED,
    PRESENT,
    SKIPPED,
    GoalResult,
    PlannedGoals,
)
from minitask.policy.route import CallEstimate, Route
from minitask.reports.planning import mistakes, next_steps, planned_document
from minitask.reports.results import dollars, tokens_text
from minitask.spec.frontmatter import KIRO, OPENSPEC
from minitask.words import counted, one_line


def goals_document(outcome: PlannedGoals, *, dry_run: bool) -> dict[str, Any]:
    """Return the tasks of a plan, and what came of them, as JSON."""
    return {
        "format": outcome.source.form,
        "source": outcome.source.path,
        "dry_run": dry_run,
        "tasks_found": len(outcome.results),
        "goals": [_goal(result) for result in outcome.results],
        "notes": list(outcome.source.plan.notes),
        "estimate_usd": money(outcome.estimate_usd) if dry_run else None,
        **planned_document(outcome.planned),
    }


def _goal(result: GoalResult) -> dict[str, Any]:
    goal = result.goal
    return {
        "task": goal.label,
        "title": goal.title,
        "state": result.state,
        "reason": result.reason or None,
        "depends_on": list(goal.needs),
        "specs": list(result.specs),
        "estimate": estimate_document(result.estimate) if result.estimate else None,
    }


def estimate_document(estimate: CallEstimate) -> dict[str, Any]:
    """Return an estimate as JSON."""
    return {
        "input_tokens": estimate.input_tokens,
        "output_tokens": estimate.output_tokens,
        "cost_usd": money(estimate.cost_usd),
    }


def render_goals(outcome: PlannedGoals, *, dry_run: bool) -> str:
    """Return the tasks of a plan, and what came of them, as text."""
    lines = [
        line for result in outcome.results if result.state != SKIPPED for line in _lines(result)
    ]
    lines += _skipped(outcome)
    lines += [f"note: {one_line(note)}" for note in outcome.source.plan.notes]
    lines += mistakes(outcome.planned)
    lines.append(_total(outcome, dry_run=dry_run))
    lines += next_steps(outcome.planned)
    remaining = [result for result in outcome.results if result.state in (OPEN, FAILED)]
    if remaining and not dry_run:
        repaired = (
            ", and takes a kept answer that you have repaired" if outcome.planned.kept else ""
        )
        lines.append(f"again: the same command asks only for what is missing{repaired}")
    return "\n".join(lines)


def _lines(result: GoalResult) -> Iterator[str]:
    goal = result.goal
    after = f"  (after {listed(goal.needs)})" if goal.needs else ""
    cost = f"  {estimate_text(result.estimate)}" if result.estimate else ""
    yield f"{result.state:8} {goal.label}  {goal.title}{after}{cost}"
    if result.specs:
        yield f"         {listed([path.rpartition('/')[2] for path in result.specs])}"
    if result.reason:
        yield f"         {one_line(result.reason)}"


def estimate_text(estimate: CallEstimate) -> str:
    """Return an estimate as text."""
    tokens = (
        f"{tokens_text(estimate.input_tokens)} tokens in, {tokens_text(estimate.output_tokens)} out"
    )
    return f"about {tokens}: {dollars(estimate.cost_usd)}"


def who_plans(route: Route) -> str:
    """Return who is asked."""
    return f"{route.model} (tier {route.tier.value})"


def _skipped(outcome: PlannedGoals) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for result in outcome.results:
        if result.state == SKIPPED:
            reasons.setdefault(result.reason, []).append(result.goal.label)
    for reason, labels in reasons.items():
        yield f"{SKIPPED:8} {len(labels)} {reason}: {listed(labels)}"


def _total(outcome: PlannedGoals, *, dry_run: bool) -> str:
    unit = "section" if outcome.source.form in (KIRO, OPENSPEC) else "task"
    total_found = f"{outcome.source.form}: {counted(len(outcome.results), unit)}"
    count = Counter(result.state for result in outcome.results)
    if dry_run:
        asked_for = f"{total_found}, {count[OPEN]} to plan, a call each"
        if outcome.route is None:
            return f"{asked_for}; no tier has an executor, so nobody knows what that costs"
        who, cost = who_plans(outcome.route), dollars(outcome.estimate_usd)
        return f"{asked_for}, by {who}: about {cost}; nothing was sent"
    states = ((PLANNED, "planned"), (PRESENT, "planned before"), (FAILED, "failed"), (OPEN, "left"))
    shown = [f"{count[state]} {words}" for state, words in states if count[state]]
    total = ", ".join([total_found, *shown, f"{count[SKIPPED]} skipped"])
    calls = outcome.planned.calls
    if not calls:
        return total
    usage = NO_USAGE
    for call in calls:
        usage = plus(usage, call.usage)
    models = ", ".join(dict.fromkeys(call.model for call in calls))
    tokens = f"{tokens_text(usage.input_tokens)} tokens in, {tokens_text(usage.output_tokens)} out"
    paid = dollars(outcome.planned.cost_usd)
    return f"{total}\n{counted(len(calls), 'call')} of {models}, {tokens}: {paid}"
