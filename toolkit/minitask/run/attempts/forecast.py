"""What a task would do: its route, what would be sent to whom, what would be run where. Nothing is spent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from minitask.executors.model import Description, ExecutorFailure
from minitask.executors.registry import make_executor
from minitask.ledger.record import CLASSIFY, MESSAGE, PLAN, REVIEW
from minitask.policy.choice import filled
from minitask.policy.route import SCRIPT, Route
from minitask.run import preflight
from minitask.run.anchors import Anchor
from minitask.run.attempts.outcome import landed_result
from minitask.run.attempts.undertaking import Wishes
from minitask.run.checking import check_alone
from minitask.run.engine import Engine
from minitask.run.numbers import task_refs
from minitask.run.routes.exposure import find_exposure
from minitask.run.routes.models import resolve_model
from minitask.run.routes.orders import make_order
from minitask.run.routes.routing import route_of
from minitask.run.tasks import Task
from minitask.spec.model import Tier
from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class Forecast:
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


def forecast(engine: Engine, task: Task, wishes: Wishes) -> Forecast:
    """Everything short of running a command or calling a model; raises what would refuse the task."""
    preflight.check_branch(task, engine.objects, task_refs(engine, task.name))
    check_alone(engine, task)
    route = route_of(engine, task, wishes.demand)
    with suppress(ExecutorFailure):  # a server that does not answer is for the real run to report
        route = resolve_model(engine, route)
    anchor = Anchor(engine.repository.git, engine.objects, task)
    order = make_order(engine, task, anchor, route=route)
    executor = make_executor(route.executor, engine.settings, engine.environ)
    return Forecast(
        task=task,
        route=route,
        description=executor.describe(order),
        sandbox=engine.sandbox.describe(),
        landed=landed_result(engine, task) is not None,
        questions=tuple(_questions(engine, task, route)),
        exposure=find_exposure(engine, route.executor),
    )


def _questions(engine: Engine, task: Task, route: Route) -> Iterator[tuple[str, str, str]]:
    """What models would be asked besides the work; what they are told depends on what comes of that."""
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
