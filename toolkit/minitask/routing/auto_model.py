"""The model behind the name `auto`: one that the executor serves, one made for code where there is one."""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.errors import UsageError
from minitask.executors.registry import make_executor
from minitask.policy.route import Route
from minitask.presets import AUTO

FOR_CODE = ("coder", "code", "devstral", "codestral")


def resolve_model(engine: Context, route: Route) -> Route:
    """Return the route with a real model's name; raises `ExecutorFailure` if the server cannot be asked."""
    if route.model != AUTO:
        return route
    from minitask.executors.ollama import OllamaExecutor

    executor = make_executor(route.executor, engine.settings, engine.environ)
    if not isinstance(executor, OllamaExecutor):
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
    """Return the first model made for code, else the first; None if there is none."""
    made = (model for model in models if any(part in model.lower() for part in FOR_CODE))
    return next(made, models[0] if models else None)
