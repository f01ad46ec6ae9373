"""A task whose executor has reached its limit: moved to another tier, or retried when the limit ends."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.executors import http
from minitask.executors.retry import ReachedLimit
from minitask.ledger.record import TaskResult, plus, whole
from minitask.policy.route import SCRIPT, Route
from minitask.spec.model import Tier
from minitask.task.state import RunOptions

SLICE_SECONDS = 60.0
"""Interval of reading the clock while a task waits, since the machine may sleep meanwhile."""


def within_limits(engine: Context, route: Route, options: RunOptions) -> Route:
    """Return the route, or at its executor's limit one to the first available tier of `routing.at_limit`."""
    limit = engine.reached.find(route.executor, engine.clock())
    if limit is None or route.executor == SCRIPT or not options.demand.is_empty:
        return route
    for tier in engine.settings.routing.at_limit:
        entry = engine.settings.tiers.get(tier)
        if entry is not None and engine.reached.find(entry.executor, engine.clock()) is None:
            reason = f"{route.executor} has reached its limit; {tier} takes its place"
            return replace(
                route,
                tier=Tier(tier),
                executor=entry.executor,
                model=entry.model,
                reason=reason,
                ladder=(),
            )
    return route


def goes_on(engine: Context, task: Task, options: RunOptions, result: TaskResult) -> bool:
    """Return True if the task can resume: another tier is available, or its executor's limit has ended."""
    limit = engine.reached.find(result.limited, engine.clock())
    if limit is None:
        return bool(result.limited) and options.waits
    refused = Route(Tier.CHEAP, result.limited, "", "")
    if within_limits(engine, refused, options).executor != result.limited:
        return True
    return options.waits and _has_ended(engine, task, limit)


def joined(first: TaskResult, second: TaskResult) -> TaskResult:
    """Return the second result with the attempts and cost of both."""
    return replace(
        second,
        attempts=(*first.attempts, *second.attempts),
        calls=(*first.calls, *second.calls),
        cost_usd=whole((first.cost_usd, second.cost_usd)),
        usage=plus(first.usage, second.usage),
    )


def _has_ended(engine: Context, task: Task, limit: ReachedLimit) -> bool:
    """Wait for the end of a limit; return False if the run is stopped before."""
    at = datetime.fromtimestamp(limit.until).astimezone().strftime("%a %H:%M")
    engine.emit(Progress(task.name, "waiting", f"waits until {at}: {limit.words}"))
    while (left := limit.until - engine.clock()) > 0:
        if http.SHARED.pause(min(left, SLICE_SECONDS)):
            return False
    return True
