"""A dry run of one task: its route, the prompt and its receiver, the commands. Nothing is spent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from msgspec import Struct

from minitask.engine import preflight
from minitask.engine.anchors import Anchor
from minitask.engine.attempt_numbers import task_refs
from minitask.engine.check_specs import check_alone
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.executors.registry import make_executor
from minitask.executors.request import Description, ExecutorFailure
from minitask.ledger.record import CLASSIFY, MESSAGE, PLAN, REVIEW
from minitask.policy.named_tiers import filled
from minitask.policy.route import SCRIPT, Route
from minitask.routing.auto_model import resolve_model
from minitask.routing.exposure import find_exposure
from minitask.routing.requests import make_order
from minitask.routing.route_task import route_of
from minitask.spec.model import Tier
from minitask.task.results import landed_result
from minitask.task.state import RunOptions


class TaskPreview(Struct, frozen=True):
    """A dry run's findings; `sandbox` is one line on what the commands would run in.

    `questions` are what other models would be asked besides: the phase, the tier, and the model. `exposure` warns of a
    key that goes over plain http.
    """

    task: Task
    route: Route
    description: Description
    sandbox: str
    landed: bool
    questions: tuple[tuple[str, str, str], ...] = ()
    exposure: str = ""


def preview_task(engine: Context, task: Task, wishes: RunOptions) -> TaskPreview:
    """Everything short of running a command or calling a model; raises what would refuse the task."""
    preflight.check_branch(task, engine.objects, task_refs(engine, task.name))
    check_alone(engine, task)
    route = route_of(engine, task, wishes.demand)
    with suppress(ExecutorFailure):  # a server that does not answer is for the real run to report
        route = resolve_model(engine, route)
    anchor = Anchor(engine.repository.git, engine.objects, task)
    order = make_order(engine, task, anchor, route=route)
    executor = make_executor(route.executor, engine.settings, engine.environ)
    return TaskPreview(
        task=task,
        route=route,
        description=executor.describe(order),
        sandbox=engine.sandbox.describe(),
        landed=landed_result(engine, task) is not None,
        questions=tuple(_questions(engine, task, route)),
        exposure=find_exposure(engine, route.executor),
    )


def _questions(engine: Context, task: Task, route: Route) -> Iterator[tuple[str, str, str]]:
    """Yield what models would be asked besides the work; what they are told depends on what comes of that."""
    settings = engine.settings
    entry, scripted = settings.routing.entry, route.executor == SCRIPT
    asked = {
        CLASSIFY: entry[CLASSIFY] if not scripted and not task.spec.options.complexity else "",
        PLAN: "" if scripted else entry[PLAN],
        REVIEW: route.review,
        MESSAGE: entry[MESSAGE] if entry[MESSAGE] in settings.tiers else "",
    }
    for phase, tier in asked.items():
        wanted = tier and tier != Tier.NONE.value and (phase == REVIEW or phase in settings.gates)
        near = filled(settings, tier) if wanted else None
        if near is not None:
            yield phase, near, settings.tiers[near].model
