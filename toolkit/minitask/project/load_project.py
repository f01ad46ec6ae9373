"""A whole project: its tasks, and what each waits for, checked before the first one starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from minitask.engine.check_specs import check_tasks, refusals, waits_for, warn
from minitask.engine.context import Context
from minitask.engine.find_tasks import FoundTasks
from minitask.engine.tasks import Base
from minitask.ledger.record import TaskResult
from minitask.project.call_pool import CallPool
from minitask.project.cluster import Cluster
from minitask.project.order import check_order, dependencies, implications, ordered
from minitask.project.schedule import Plan, Schedule
from minitask.spec.critical_path import urgency
from minitask.task.state import RunOptions


def run_project(
    engine: Context,
    found: FoundTasks,
    *,
    place: Base,
    wishes: RunOptions,
    askers: CallPool,
    jobs: int = 1,
    cluster: Cluster | None = None,
) -> tuple[TaskResult, ...]:
    """Run the tasks in order; one whose dependency did not land is skipped, the others go on.

    At most `jobs` validations run at once, and never two tasks at once of which one writes what the other uses.
    """
    plan = make_plan(engine, found, place, again=wishes.again)
    return Schedule(
        engine, plan, place, wishes=wishes, askers=askers, jobs=jobs, cluster=cluster
    ).run()


def make_plan(engine: Context, found: FoundTasks, place: Base, *, again: bool = False) -> Plan:
    """Return the tasks in order, and what each waits for; raise `UsageError` if the specs leave that open."""
    check_order(engine, found.tasks, place)
    verdicts = check_tasks(engine, found.tasks, place, again=again)
    warn(engine, verdicts)
    wrong = refusals(found.tasks, verdicts)
    tasks = ordered(found.tasks)
    names = tuple(task.name for task in tasks)
    said = implications(engine, tasks, place)
    pairs = [(clash.one, clash.other) for clash in said.clashes]
    lengths = urgency([task.spec for task in tasks], said.links)
    return Plan(
        tasks,
        needs=dependencies(engine, found.tasks, place),
        after=_joined(
            _named(names, ((link.after, link.before) for link in said.links)),
            waits_for(found.tasks, verdicts),
        ),
        clashes=_named(names, (*pairs, *((other, one) for one, other in pairs))),
        urgency=dict(zip(names, lengths, strict=True)),
        refused={**wrong, **found.refused},
    )


def _joined(
    one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]
) -> Mapping[str, tuple[str, ...]]:
    return {
        name: tuple(dict.fromkeys((*names, *other.get(name, ())))) for name, names in one.items()
    }


def _named(
    names: tuple[str, ...], pairs: Iterable[tuple[int, int]]
) -> Mapping[str, tuple[str, ...]]:
    """For every name, those that its place is paired with, by place."""
    found: dict[int, set[int]] = {place: set() for place in range(len(names))}
    for place, other in pairs:
        found[place].add(other)
    return {
        names[place]: tuple(names[each] for each in sorted(others))
        for place, others in found.items()
    }
