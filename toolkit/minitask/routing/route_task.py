"""Route a task by its spec, history, settings and ledger; resolve models named `auto`; warn of keys sent over http."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.task_records import records_of
from minitask.engine.tasks import Task
from minitask.errors import UsageError
from minitask.executors.address import is_loopback
from minitask.executors.registry import has_script, make_executor
from minitask.ledger.record import ATTEMPT, Attempt, Record, Usage
from minitask.policy.estimates import features_of
from minitask.policy.route import (
    EXPLORED_IN,
    Route,
    RouteOverrides,
    RoutingContext,
    find_script_route,
    has_declined,
)
from minitask.policy.tier_rules import reviewer_of
from minitask.presets import AUTO
from minitask.routing.pass_rates import odds
from minitask.routing.requests import likely_order, price_of, prompt_tokens
from minitask.settings import TierSetting
from minitask.spec.model import Spec, Tier

NO_DEMAND = RouteOverrides()


def route_of(
    engine: Context, task: Task, demand: RouteOverrides = NO_DEMAND, *, spec: Spec | None = None
) -> Route:
    """Return the route of a task; `spec` replaces its own. The model may still be `auto`."""
    routed_spec = spec or task.spec
    script = find_script_route(routed_spec, demand, scripted=has_script(task.spec))
    if script is not None:
        if "review" not in engine.settings.gates:
            return script
        review, reason = reviewer_of(routed_spec, engine.settings)
        return replace(script, review=review, review_reason=reason)
    from minitask.policy.choice import choose

    context = routing_context(engine, task, routed_spec)
    return choose(routed_spec, engine.settings, demand=demand, scripted=False, context=context)


FOR_CODE = ("coder", "code", "devstral", "codestral")
NO_TEXT = ("embed", "rerank", "bge-", "minilm", "whisper")
"""Parts of the names of models that do not write text."""


def resolve_model(engine: Context, route: Route) -> Route:
    """Return the route with `auto` replaced by a model; raise `ExecutorFailure` if the server does not answer."""
    if route.model != AUTO:
        return route
    from minitask.executors.ollama import OllamaExecutor
    from minitask.executors.openai import OpenAiExecutor

    executor = make_executor(route.executor, engine.settings, engine.environ)
    if not isinstance(executor, OllamaExecutor | OpenAiExecutor):
        message = f"executor {route.executor} does not list its models, so `auto` cannot choose one"
        raise UsageError(message, hint="name the model in `tiers`")
    model = pick(executor.models())
    if model is None:
        message = f"{executor.name} ({executor.host}) serves no models yet"
        raise UsageError(message, hint="pull one, such as: ollama pull qwen2.5-coder")
    return replace(route, model=model, reason=f"{route.reason}; it serves {model}")


def pick(models: tuple[str, ...]) -> str | None:
    """Return the first model for code, or else the first that writes text, or None."""
    writing = text_models(models)
    for_code = (name for name in writing if any(part in name.lower() for part in FOR_CODE))
    return next(for_code, writing[0] if writing else None)


def text_models(models: tuple[str, ...]) -> tuple[str, ...]:
    """Return the models that write text, by their names."""
    return tuple(name for name in models if not any(part in name.lower() for part in NO_TEXT))


_WARNED: set[tuple[str, str]] = set()
"""Executors and warnings that this process has printed."""


def find_exposure(engine: Context, executor: str) -> str:
    """Return the warning for an executor whose key is sent over plain http, or ""."""
    setting = engine.settings.executors.get(executor)
    if setting is None:
        return ""
    keys = [name for name in setting.key_variables if engine.environ.get(name)]
    if not keys or urlsplit(setting.base_url).scheme != "http" or is_loopback(setting.base_url):
        return ""
    host = urlsplit(setting.base_url).hostname
    return f"{keys[0]} goes to {host} over plain http, where others can read it: use https"


def warn_exposure(engine: Context, task: str, executor: str) -> None:
    """Warn once that an executor's key is sent over plain http."""
    warning = find_exposure(engine, executor)
    if warning and (executor, warning) not in _WARNED:
        _WARNED.add((executor, warning))
        engine.emit(Progress(task, "key", warning))


def routing_context(
    engine: Context, task: Task, spec: Spec, attempts: Sequence[Attempt] = ()
) -> RoutingContext:
    """Return the facts about a task; `attempts` are not recorded yet, `spec` is the one to route."""
    failures = [*failures_before(engine, task), *filter(_is_settled_failure, attempts)]
    failed = [*(engine.lessons or {}).get("failed", ()), *(attempt.tier for attempt in failures)]
    return RoutingContext(
        failures=len(failed),
        failed_tiers=frozenset(failed),
        declined=_declined_before(engine, task),
        expected=partial(_expected, engine, task),
        odds=partial(odds, engine, features_of(spec).task_class),
        price=lambda entry, usage: price_of(engine, entry.executor, entry.model, usage),
        explores=_explores(task),
    )


def failures_before(engine: Context, task: Task) -> tuple[Attempt, ...]:
    """Return the settled failures of this version of the spec since it last passed, oldest first."""
    failures: list[Attempt] = []
    for record in _own_records(engine, task):
        if record.attempt.verdict.is_good:
            failures.clear()
        elif _is_settled_failure(record.attempt):
            failures.append(record.attempt)
    return tuple(failures)


def _declined_before(engine: Context, task: Task) -> frozenset[tuple[str, str]]:
    """Return the tiers and models that declined this version of the spec since it last passed."""
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


def _is_settled_failure(attempt: Attempt) -> bool:
    """Return True if a recorded attempt shows that its tier cannot do the task."""
    decision = attempt.decision
    return decision is not None and decision.settles and not attempt.verdict.is_good


def _explores(task: Task) -> bool:
    """Return True if the task tries a tier that is not worth it; the same for the same spec."""
    digest = hashlib.sha256(f"{task.name}\0{task.blob}".encode("utf-8", "surrogateescape")).digest()
    return digest[0] * 256 + digest[1] < 65_536 // EXPLORED_IN


def _expected(
    engine: Context, task: Task, tier: str, entry: TierSetting, output_tokens: int
) -> Usage:
    """Return the estimated usage of an attempt at a tier, as its model counts; `output_tokens` are the answer's."""
    route = Route(Tier(tier), entry.executor, entry.model, "")
    order = likely_order(engine, task, route)
    if order.expected.requests:
        return order.expected
    return Usage(1, prompt_tokens(order), 0, output_tokens, 0, 0)
