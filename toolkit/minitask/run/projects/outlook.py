"""What a run would do: its waves, and for each task who would be asked, at what likely cost. Nothing is spent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

from minitask.errors import MinitaskError
from minitask.executors.model import ExecutorFailure
from minitask.policy.route import SCRIPT, Route
from minitask.run.anchors import Anchor
from minitask.run.attempts.outcome import landed_result
from minitask.run.checking import check_tasks, refusals
from minitask.run.engine import Engine
from minitask.run.projects.ordering import check_order, implications, ordered
from minitask.run.routes.models import resolve_model
from minitask.run.routes.orders import make_order
from minitask.run.routes.routing import route_of
from minitask.run.tasks import Place, Task
from minitask.spec.chains import wave_numbers
from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class Prospect:
    """One task's outlook; tokens and cost are estimates, None where nobody can say.

    `problem` is why it would not run; `merge` is the commit by which it has landed already, which costs nothing.
    """

    task: Task
    wave: int
    route: Route | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    problem: str = ""
    merge: str = ""


def look_ahead(
    engine: Engine, tasks: Sequence[Task], place: Place, *, again: bool
) -> tuple[Prospect, ...]:
    """The outlook of each task, wave by wave; `again` is whether those that have landed would run anew.

    A task is in a later wave than all that it depends on, and all that it comes after by the files of both. What a run
    would refuse as a whole is a `UsageError`.
    """
    check_order(engine, tasks, place)
    verdicts = check_tasks(engine, tasks, place, again=again)
    wrong = {name: str(error) for name, error in refusals(tasks, verdicts).items()}
    tasks = ordered(tasks)
    links = implications(engine, tasks, place).links
    numbers = wave_numbers([task.spec for task in tasks], links)
    found = sorted(zip(numbers, range(len(tasks)), strict=True))
    return tuple(
        _prospect(engine, tasks[at], wave, again=again, problem=wrong.get(tasks[at].name, ""))
        for wave, at in found
    )


def _prospect(engine: Engine, task: Task, wave: int, *, again: bool, problem: str = "") -> Prospect:
    if problem:
        return Prospect(task, wave, problem=problem)
    try:
        done = None if again else landed_result(engine, task)
        if done is not None:
            return Prospect(
                task, wave, None, 0, 0, Decimal(0), problem=done.reason, merge=done.merge or ""
            )
        route = route_of(engine, task)
        if route.executor == SCRIPT:
            return Prospect(task, wave, route, 0, 0, Decimal(0))
        with suppress(
            ExecutorFailure
        ):  # a server that does not answer is for the real run to report
            route = resolve_model(engine, route)
        make_order(engine, task, Anchor(engine.repository.git, engine.objects, task), route=route)
    except MinitaskError as error:
        return Prospect(task, wave, problem=str(error))
    estimate = route.estimate
    if estimate is None:
        return Prospect(task, wave, route)
    return Prospect(
        task, wave, route, estimate.input_tokens, estimate.output_tokens, estimate.cost_usd
    )
