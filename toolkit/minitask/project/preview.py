"""A dry run of a project: its waves, and each task's executor and likely cost. Nothing is spent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

from msgspec import Struct

from minitask.engine.anchors import Anchor
from minitask.engine.check_specs import check_tasks, refusals
from minitask.engine.context import Context
from minitask.engine.tasks import Base, Task
from minitask.errors import MinitaskError
from minitask.executors.request import ExecutorFailure
from minitask.policy.route import SCRIPT, CallEstimate, Route
from minitask.project.task_graph import check_order, implications, ordered
from minitask.routing.requests import make_order
from minitask.routing.route_task import resolve_model, route_of
from minitask.spec.file_dependencies import wave_numbers
from minitask.task.finish import landed_result


class RunPreview(Struct, frozen=True):
    """The forecast of one task; the estimate is None if it is unknown.

    `problem` is why it would not run; `merge` is the commit by which it has landed already, which costs nothing.
    """

    task: Task
    wave: int
    route: Route | None = None
    estimate: CallEstimate | None = None
    problem: str = ""
    merge: str = ""

    @property
    def cost_usd(self) -> Decimal | None:
        """Return the estimated cost; None if it is unknown."""
        return self.estimate.cost_usd if self.estimate else None


def preview_run(
    engine: Context, tasks: Sequence[Task], base: Base, *, again: bool
) -> tuple[RunPreview, ...]:
    """Return the forecast of each task, wave by wave; `again` is whether those that have landed would run again.

    A task is in a later wave than all that it depends on, and all that it comes after by the files of both. What a run
    would refuse as a whole is a `UsageError`.
    """
    check_order(engine, tasks, base)
    verdicts = check_tasks(engine, tasks, base, again=again)
    wrong = {name: str(error) for name, error in refusals(tasks, verdicts).items()}
    tasks = ordered(tasks)
    links = implications(engine, tasks, base).links
    numbers = wave_numbers([task.spec for task in tasks], links)
    by_wave = sorted(zip(numbers, range(len(tasks)), strict=True))
    return tuple(
        prospect(engine, tasks[at], wave, again=again, problem=wrong.get(tasks[at].name, ""))
        for wave, at in by_wave
    )


def prospect(
    engine: Context, task: Task, wave: int = 1, *, again: bool, problem: str = ""
) -> RunPreview:
    """Return the forecast of one task."""
    if problem:
        return RunPreview(task, wave, problem=problem)
    try:
        landed = None if again else landed_result(engine, task)
        if landed is not None:
            free = CallEstimate(0, 0, Decimal(0))
            merge = landed.merge or ""
            return RunPreview(task, wave, None, free, problem=landed.reason, merge=merge)
        route = route_of(engine, task)
        if route.executor != SCRIPT:
            with suppress(ExecutorFailure):  # the real run reports a server that does not answer
                route = resolve_model(engine, route)
            anchor = Anchor(engine.repository.git, engine.objects, task)
            make_order(engine, task, anchor, route=route)
    except MinitaskError as error:
        return RunPreview(task, wave, problem=str(error))
    return RunPreview(task, wave, route, route.estimate)
