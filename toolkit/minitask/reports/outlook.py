"""The output of `run --dry-run`: waves, routes and estimates."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from minitask.ledger.record import money
from minitask.project.preview import RunPreview
from minitask.reports.results import dollars


def outlook_document(project: str, prospects: Sequence[RunPreview]) -> dict[str, Any]:
    """Return an outlook as JSON."""
    last = max((each.wave for each in prospects), default=0)
    return {
        "project": project,
        "dry_run": True,
        "waves": [
            [each.task.name for each in prospects if each.wave == wave]
            for wave in range(1, last + 1)
        ],
        "tasks": [_task(each) for each in prospects],
        "cost_usd": money(_total(prospects)),
    }


def render_outlook(prospects: Sequence[RunPreview]) -> str:
    """Return an outlook as text: a line a task, and the sum."""
    width = max((len(each.task.name) for each in prospects), default=0)
    lines = ["dry run, nothing is spent"]
    wave = 0
    for each in prospects:
        if each.wave != wave:
            wave = each.wave
            lines.append(f"wave {wave}")
        lines.append(f"  {each.task.name:{width}}  {_said(each)}")
    unknown = sum(each.cost_usd is None for each in prospects)
    more = f" ({unknown} without estimate)" if unknown else ""
    known = [each.cost_usd for each in prospects if each.cost_usd is not None]
    lines.append(f"estimated total {dollars(sum(known, Decimal(0)))}{more}")
    return "\n".join(lines)


def _said(each: RunPreview) -> str:
    if each.merge:
        return f"already merged ({each.merge[:12]})"
    if each.route is None:
        return f"cannot run: {each.problem.partition(chr(10))[0]}"
    who = each.route.model or "edit script"
    tokens = "" if not each.input_tokens else f", {each.input_tokens:,} tokens in"
    cost = "cost unknown" if each.cost_usd is None else f"about {dollars(each.cost_usd)}"
    return f"{each.route.tier.value:8} {who}{tokens}, {cost}"


def _task(each: RunPreview) -> dict[str, Any]:
    route = each.route
    return {
        "task": each.task.name,
        "wave": each.wave,
        "tier": route.tier.value if route else None,
        "executor": route.executor if route else None,
        "model": (route.model or None) if route else None,
        "reason": route.reason if route else each.problem,
        "estimate": {
            "input_tokens": each.input_tokens,
            "output_tokens": each.output_tokens,
            "cost_usd": money(each.cost_usd),
        },
    }


def _total(prospects: Sequence[RunPreview]) -> Decimal | None:
    known = [each.cost_usd for each in prospects if each.cost_usd is not None]
    return sum(known, Decimal(0)) if len(known) == len(prospects) else None
