"""Routes: who would do a task, why, and what it should cost, in a line each; with the whole ladder on request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from minitask.ledger.record import money
from minitask.policy.route import Route
from minitask.reports.results import dollars

Routed = Sequence[tuple[str, Route]]
"""Tasks by name, with the route of each."""


def routes_document(routed: Routed) -> list[dict[str, Any]]:
    """Return routes as JSON."""
    return [_document(name, route) for name, route in routed]


def render_routes(routed: Routed, *, explain: bool) -> str:
    """Return routes as text."""
    width = max((len(name) for name, _ in routed), default=0)
    return "\n".join(
        line for name, route in routed for line in _lines(name, route, width, explain=explain)
    )


def _lines(name: str, route: Route, width: int, *, explain: bool) -> Iterator[str]:
    who = route.model or "edit script"
    yield f"{name:{width}}  {route.tier.value:8}  {who}, {_cost(route)}: {route.reason}"
    if not explain:
        return
    for step in route.ladder:
        yield f"{'':{width}}  {'try' if step.use else 'skip':5}  {step.tier:8}  {step.reason}"
    if route.review:
        yield f"{'':{width}}  review {route.review:8}  {route.review_reason}"
    elif route.review_reason:
        yield f"{'':{width}}  review none      {route.review_reason}"
    estimate = route.estimate
    if estimate is not None and estimate.input_tokens:
        yield (
            f"{'':{width}}  about {estimate.input_tokens:,} tokens in, {estimate.output_tokens:,} out"
            f" (tasks of class {route.task_class})"
        )


def _cost(route: Route) -> str:
    estimate = route.estimate
    if estimate is None or estimate.cost_usd is None:
        return "cost unknown"
    return f"about {dollars(estimate.cost_usd)}" if estimate.cost_usd else "$0"


def _document(name: str, route: Route) -> dict[str, Any]:
    estimate = route.estimate
    return {
        "task": name,
        "tier": route.tier.value,
        "executor": route.executor,
        "model": route.model or None,
        "reason": route.reason,
        "ladder": [
            {"tier": step.tier, "use": step.use, "reason": step.reason} for step in route.ladder
        ],
        "estimate": {
            "input_tokens": estimate.input_tokens if estimate else None,
            "output_tokens": estimate.output_tokens if estimate else None,
            "cost_usd": money(estimate.cost_usd) if estimate else None,
        },
    }
