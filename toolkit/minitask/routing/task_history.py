"""Facts about a task before it is routed: its history, its prompt's size, and what the ledger has learned."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from minitask.engine.context import Context
from minitask.engine.task_records import records_of
from minitask.engine.tasks import Task
from minitask.ledger.record import ATTEMPT, Attempt, Record
from minitask.ledger.usage import Usage
from minitask.policy.ladder import EXPLORED_IN
from minitask.policy.route import Route, RoutingContext
from minitask.policy.task_features import features_of
from minitask.routing.costs import price_of
from minitask.routing.pass_rates import has_declined, odds
from minitask.routing.requests import likely_order, prompt_tokens
from minitask.settings import TierSetting
from minitask.spec.model import Spec, Tier


def routing_context(
    engine: Context, task: Task, spec: Spec, attempts: Sequence[Attempt] = ()
) -> RoutingContext:
    """Return what is known of a task; `attempts` are those not on record yet, `spec` is what it is routed by."""
    failures = [
        *failures_before(engine, task),
        *(candidate for candidate in attempts if settled_failure(candidate)),
    ]
    failed = [*(engine.lessons or {}).get("failed", ()), *(attempt.tier for attempt in failures)]
    return RoutingContext(
        failures=len(failed),
        failed_tiers=frozenset(failed),
        declined=declined_before(engine, task),
        expected=partial(_expected, engine, task),
        odds=partial(odds, engine, features_of(spec).task_class),
        price=partial(_price, engine),
        explores=explores(task),
    )


def failures_before(engine: Context, task: Task) -> tuple[Attempt, ...]:
    """Return the settled failures at this very spec since it last passed, oldest first."""
    failures: list[Attempt] = []
    for record in _own_records(engine, task):
        if record.attempt.verdict.is_good:
            failures.clear()
        elif settled_failure(record.attempt):
            failures.append(record.attempt)
    return tuple(failures)


def declined_before(engine: Context, task: Task) -> frozenset[tuple[str, str]]:
    """Return the tiers and models that declined this very spec since it last passed."""
    declined: set[tuple[str, str]] = set()
    for record in _own_records(engine, task):
        attempt = record.attempt
        if attempt.verdict.is_good:
            declined.clear()
        elif has_declined(attempt.verdict, attempt.gate, attempt.reason):
            declined.add((attempt.tier, attempt.model))
    return frozenset(declined)


def _own_records(engine: Context, task: Task) -> list[Record]:
    return [
        record
        for record in records_of(engine, task.name)
        if record.kind == ATTEMPT and record.spec_blob == task.blob
    ]


def settled_failure(attempt: Attempt) -> bool:
    """Return True if an attempt on record tells that its tier could not do the task."""
    decision = attempt.decision
    return decision is not None and decision.settles and not attempt.verdict.is_good


def explores(task: Task) -> bool:
    """Return True if it is the task's turn to climb a tier that does not pay; the same for the same spec."""
    digest = hashlib.sha256(f"{task.name}\0{task.blob}".encode("utf-8", "surrogateescape")).digest()
    return digest[0] * 256 + digest[1] < 65_536 // EXPLORED_IN


def _expected(
    engine: Context, task: Task, tier: str, entry: TierSetting, output_tokens: int
) -> Usage:
    """Return an estimate of what an attempt at a tier takes, as its model counts; `output_tokens` are the answer's."""
    route = Route(Tier(tier), entry.executor, entry.model, "")
    order = likely_order(engine, task, route)
    if order.expected.requests:
        return order.expected
    return Usage(1, prompt_tokens(order), 0, output_tokens, 0, 0)


def _price(engine: Context, entry: TierSetting, usage: Usage) -> Decimal | None:
    return price_of(engine, entry.executor, entry.model, usage)
