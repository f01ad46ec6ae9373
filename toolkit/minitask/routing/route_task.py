"""The route of a task, by its spec, the settings and what is known of it."""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.executors.edit_script import has_script
from minitask.policy.route import Route, RouteOverrides, find_script_route
from minitask.spec.model import Spec

NO_DEMAND = RouteOverrides()
REVIEW = "review"


def route_of(
    engine: Context, task: Task, demand: RouteOverrides = NO_DEMAND, *, spec: Spec | None = None
) -> Route:
    """Return the route of a task; `spec` stands for its own where more is known of it. A model may be named `auto`
    still.
    """
    asked = spec or task.spec
    script = find_script_route(asked, demand, scripted=has_script(task.spec))
    if script is not None:
        return _reviewed(engine, asked, script) if REVIEW in engine.settings.gates else script
    # Imported here: a task that needs no model needs neither the rules nor what the ledger has learned.
    from minitask.policy.choice import choose
    from minitask.routing.history import routing_context

    known = routing_context(engine, task, asked)
    return choose(asked, engine.settings, demand=demand, scripted=False, known=known)


def _reviewed(engine: Context, spec: Spec, route: Route) -> Route:
    """Return the route of a spec's own edits with who reviews them: whoever wrote the spec may be a model, too."""
    from minitask.policy.named_tiers import reviewer_of

    review, reason = reviewer_of(spec, engine.settings)
    return replace(route, review=review, review_reason=reason)
