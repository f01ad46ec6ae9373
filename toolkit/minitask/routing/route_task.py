"""The route of a task, by its spec, the settings and what is known of it."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.errors import UsageError
from minitask.executors.http import is_loopback
from minitask.executors.registry import has_script, make_executor
from minitask.policy.route import Route, RouteOverrides, find_script_route
from minitask.presets import AUTO
from minitask.spec.model import Spec

NO_DEMAND = RouteOverrides()
REVIEW = "review"


def route_of(
    engine: Context, task: Task, demand: RouteOverrides = NO_DEMAND, *, spec: Spec | None = None
) -> Route:
    """Return the route of a task; `spec` stands for its own where more is known of it. A model may be named `auto`
    still.
    """
    routed_spec = spec or task.spec
    script = find_script_route(routed_spec, demand, scripted=has_script(task.spec))
    if script is not None:
        return _reviewed(engine, routed_spec, script) if REVIEW in engine.settings.gates else script
    # Imported here: a task that needs no model needs neither the rules nor what the ledger has learned.
    from minitask.policy.choice import choose
    from minitask.routing.task_history import routing_context

    context = routing_context(engine, task, routed_spec)
    return choose(routed_spec, engine.settings, demand=demand, scripted=False, context=context)


def _reviewed(engine: Context, spec: Spec, route: Route) -> Route:
    """Return the route of a spec's own edits with who reviews them: whoever wrote the spec may be a model, too."""
    from minitask.policy.named_tiers import reviewer_of

    review, reason = reviewer_of(spec, engine.settings)
    return replace(route, review=review, review_reason=reason)


FOR_CODE = ("coder", "code", "devstral", "codestral")
NO_TEXT = ("embed", "rerank", "bge-", "minilm", "whisper")
"""Parts of the names of models that write no text."""


def resolve_model(engine: Context, route: Route) -> Route:
    """Return the route with a real model's name; raises `ExecutorFailure` if the server cannot be asked."""
    if route.model != AUTO:
        return route
    from minitask.executors.ollama import OllamaExecutor
    from minitask.executors.openai import OpenAiExecutor

    executor = make_executor(route.executor, engine.settings, engine.environ)
    if not isinstance(executor, OllamaExecutor | OpenAiExecutor):
        raise UsageError(
            f"executor {route.executor} does not list its models, so `auto` cannot choose one",
            hint="name the model in `tiers`",
        )
    model = pick(executor.models())
    if model is None:
        raise UsageError(
            f"{executor.name} ({executor.host}) serves no models yet",
            hint="pull one, such as: ollama pull qwen2.5-coder",
        )
    return replace(route, model=model, reason=f"{route.reason}; it serves {model}")


def pick(models: tuple[str, ...]) -> str | None:
    """Return the first model made for code, else the first that writes text; None if there is none."""
    writing = text_models(models)
    for_code = (name for name in writing if any(part in name.lower() for part in FOR_CODE))
    return next(for_code, writing[0] if writing else None)


def text_models(models: tuple[str, ...]) -> tuple[str, ...]:
    """Return the models that write text, by their names."""
    return tuple(name for name in models if not any(part in name.lower() for part in NO_TEXT))


_SAID: set[tuple[str, str]] = set()
"""The variables and hosts that this process has warned of."""


def find_exposure(engine: Context, executor: str) -> str:
    """Return the warning for an executor whose key goes over plain http; empty if none does."""
    setting = engine.settings.executors.get(executor)
    if setting is None:
        return ""
    keys = [name for name in setting.key_variables if engine.environ.get(name)]
    if not keys or urlsplit(setting.base_url).scheme != "http" or is_loopback(setting.base_url):
        return ""
    host = urlsplit(setting.base_url).hostname
    return f"{keys[0]} goes to {host} over plain http, where others can read it: use https"


def warn_exposure(engine: Context, task: str, executor: str) -> None:
    """Say once that an executor's key goes over plain http."""
    warning = find_exposure(engine, executor)
    if warning and (executor, warning) not in _SAID:
        _SAID.add((executor, warning))
        engine.emit(Progress(task, "key", warning))
