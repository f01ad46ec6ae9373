"""Which tasks of a project a run is for: some by name, those from one on, those that failed."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.find_tasks import FoundTasks
from minitask.engine.task_status import State, task_statuses
from minitask.engine.tasks import Base, Task
from minitask.errors import UsageError
from minitask.spec.graph import order

TO_RETRY = frozenset(
    {State.FAILED, State.REFUSED, State.CONFLICT, State.ERROR, State.SKIPPED, State.CHANGED}
)


class Selection(Struct, frozen=True):
    """The tasks to select: `only` and `since` are `PROJECT/ID`, an ID alone, or a number."""

    only: tuple[str, ...] = ()
    since: str = ""
    retry_failed: bool = False


def select(engine: Context, found: FoundTasks, place: Base, choice: Selection) -> FoundTasks:
    """Return the tasks that are chosen; raise `UsageError` if a name is that of none."""
    tasks = found.tasks
    if choice.only:
        wanted = {_one(tasks, name).name for name in choice.only}
        tasks = tuple(task for task in tasks if task.name in wanted)
    if choice.since:
        tasks = _since(tasks, _one(tasks, choice.since))
    if choice.retry_failed:
        tasks = tuple(
            standing.task
            for standing in task_statuses(engine, tasks, place)
            if standing.state in TO_RETRY
        )
    names = {task.name for task in tasks}
    refused = {name: error for name, error in found.refused.items() if name in names}
    return replace(found, tasks=tasks, refused=refused)


def _one(tasks: Sequence[Task], name: str) -> Task:
    fitting = [
        task
        for task in tasks
        if name in (task.name, task.name.partition("/")[2], task.spec.number or None)
    ]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(task.name for task in (fitting or tasks)[:6])
    many = "several tasks are" if fitting else "no task of this run is"
    raise UsageError(f"{many} called {name}", hint=f"name one of: {known}")


def _since(tasks: Sequence[Task], first: Task) -> tuple[Task, ...]:
    """Return the task and all that come after it, in dependency order."""
    by_spec = {id(task.spec): task for task in tasks}
    ordered = [by_spec[id(spec)] for spec in order([task.spec for task in tasks])]
    at = next(place for place, task in enumerate(ordered) if task.name == first.name)
    return tuple(ordered[at:])
