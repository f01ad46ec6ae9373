"""What a task would do: its route, what would be sent to whom, what would be run where. Nothing is spent."""

from __future__ import annotations

from contextlib import suppress

from minitask.executors.model import Description, ExecutorFailure
from minitask.executors.registry import make_executor
from minitask.policy.route import Route
from minitask.run import preflight
from minitask.run.anchors import Anchor
from minitask.run.engine import Engine
from minitask.run.judging import protected
from minitask.run.models import resolve_model
from minitask.run.numbers import task_refs
from minitask.run.orders import make_order
from minitask.run.outcome import landed_result
from minitask.run.routing import route_of
from minitask.run.tasks import Task
from minitask.run.undertaking import Wishes
from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class Forecast:
    """A dry run's findings; `sandbox` is one line on what the commands would run in."""

    task: Task
    route: Route
    description: Description
    sandbox: str
    landed: bool


def forecast(engine: Engine, task: Task, wishes: Wishes) -> Forecast:
    """Everything short of running a command or calling a model; raises what would refuse the task."""
    preflight.check_branch(task, engine.objects, task_refs(engine, task.name))
    preflight.check_files(task, engine.objects, protected=protected(engine, task))
    preflight.check_edits(task)
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
    )
