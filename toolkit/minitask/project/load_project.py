"""A whole project: its tasks, and what each waits for, checked before the first one starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.check_specs import (
    check_tasks,
    refusals,
    waits_for,
    warn,
)
from minitask.engine.context import Context
from minitask.engine.find_tasks import SHOWN, FoundTasks, fits
from minitask.engine.task_status import State, task_statuses
from minitask.engine.tasks import Base, Task
from minitask.errors import UsageError
from minitask.ledger.record import TaskResult
from minitask.project.call_pool import CallPool
from minitask.project.cluster import Cluster
from minitask.project.schedule import Plan, Schedule
from minitask.project.task_graph import check_order, dependencies, implications, ordered
from minitask.routing.requests import find_shared_reads
from minitask.spec.dependency_graph import order
from minitask.spec.file_dependencies import urgency
from minitask.task.state import RunOptions


def run_project(
    engine: Context,
    selected: FoundTasks,
    *,
    base: Base,
    options: RunOptions,
    askers: CallPool,
    jobs: int = 1,
    cluster: Cluster | None = None,
) -> tuple[TaskResult, ...]:
    """Run the tasks in order; one whose dependency did not land is skipped, the others go on.

    At most `jobs` validations run at once, and never two tasks at once of which one writes what the other uses.
    """
    plan = make_plan(engine, selected, base, again=options.again)
    shared_reads = find_shared_reads(task.spec for task in plan.tasks)
    options = replace(options, shared_reads=shared_reads)
    return Schedule(
        engine, plan, base, options=options, askers=askers, jobs=jobs, cluster=cluster
    ).run()


def make_plan(engine: Context, selected: FoundTasks, base: Base, *, again: bool = False) -> Plan:
    """Return the tasks in order, and what each waits for; raise `UsageError` if the specs leave that open."""
    check_order(engine, selected.tasks, base)
    verdicts = check_tasks(engine, selected.tasks, base, again=again)
    warn(engine, selected.tasks, verdicts, base)
    wrong = refusals(selected.tasks, verdicts)
    tasks = ordered(selected.tasks)
    names = tuple(task.name for task in tasks)
    implied_order = implications(engine, tasks, base)
    pairs = [(clash.first, clash.second) for clash in implied_order.clashes]
    lengths = urgency([task.spec for task in tasks], implied_order.links)
    return Plan(
        tasks,
        needs=dependencies(engine, selected.tasks, base),
        after=_joined(
            _by_name(names, ((link.after, link.before) for link in implied_order.links)),
            waits_for(selected.tasks, verdicts),
        ),
        clashes=_by_name(names, (*pairs, *((second, first) for first, second in pairs))),
        urgency=dict(zip(names, lengths, strict=True)),
        refused={**wrong, **selected.refused},
    )


def _joined(
    after: Mapping[str, tuple[str, ...]], waits: Mapping[str, tuple[str, ...]]
) -> Mapping[str, tuple[str, ...]]:
    return {
        name: tuple(dict.fromkeys((*names, *waits.get(name, ())))) for name, names in after.items()
    }


def _by_name(
    names: tuple[str, ...], pairs: Iterable[tuple[int, int]]
) -> Mapping[str, tuple[str, ...]]:
    """Return for every name those that its index is paired with, in order."""
    paired: dict[int, set[int]] = {index: set() for index in range(len(names))}
    for index, partner in pairs:
        paired[index].add(partner)
    return {
        names[index]: tuple(names[partner] for partner in sorted(others))
        for index, others in paired.items()
    }


TO_RETRY = frozenset(
    {State.FAILED, State.REFUSED, State.CONFLICT, State.ERROR, State.SKIPPED, State.CHANGED}
)


class Selection(Struct, frozen=True):
    """The tasks to select: `only` and `since` are `PROJECT/ID`, an ID alone, or a number."""

    only: tuple[str, ...] = ()
    since: str = ""
    retry_failed: bool = False


def select(engine: Context, selected: FoundTasks, base: Base, choice: Selection) -> FoundTasks:
    """Return the tasks that are chosen; raise `UsageError` if a name is that of none."""
    tasks = selected.tasks
    if choice.only:
        chosen = {_task_called(tasks, name).name for name in choice.only}
        tasks = tuple(task for task in tasks if task.name in chosen)
    if choice.since:
        tasks = _since(tasks, _task_called(tasks, choice.since))
    if choice.retry_failed:
        tasks = tuple(
            status.task for status in task_statuses(engine, tasks, base) if status.state in TO_RETRY
        )
    names = {task.name for task in tasks}
    refused = {name: error for name, error in selected.refused.items() if name in names}
    return replace(selected, tasks=tasks, refused=refused)


def _task_called(tasks: Sequence[Task], name: str) -> Task:
    fitting = [task for task in tasks if fits(name, task.name, task.spec.number)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(task.name for task in (fitting or tasks)[:SHOWN])
    many = "several tasks are" if fitting else "no task of this run is"
    raise UsageError(f"{many} called {name}", hint=f"name one of: {names}")


def _since(tasks: Sequence[Task], first: Task) -> tuple[Task, ...]:
    """Return the task and all that come after it, in dependency order."""
    by_spec = {id(task.spec): task for task in tasks}
    ordered = [by_spec[id(spec)] for spec in order([task.spec for task in tasks])]
    at = next(index for index, task in enumerate(ordered) if task.name == first.name)
    return tuple(ordered[at:])
