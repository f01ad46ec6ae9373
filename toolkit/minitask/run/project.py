"""A whole project: its tasks, and what each depends on, checked before the first one starts."""

from __future__ import annotations

from collections.abc import Sequence

from minitask.errors import UsageError
from minitask.ledger.record import TaskResult
from minitask.run.askers import Askers
from minitask.run.engine import Engine
from minitask.run.finding import Found, spec_paths
from minitask.run.schedule import Plan, Schedule
from minitask.run.tasks import Place, Task, load_file
from minitask.run.undertaking import Wishes
from minitask.spec.graph import Graph, order
from minitask.spec.names import task_names
from minitask.spec.project import check_project

ORDER_RULES = frozenset({"E208", "E209", "E211"})


def run_project(
    engine: Engine, found: Found, *, place: Place, wishes: Wishes, askers: Askers, jobs: int = 1
) -> tuple[TaskResult, ...]:
    """Run the tasks in dependency order; one whose dependency did not land is skipped, the others go on.

    At most `jobs` validations run at once, and never two tasks at once that have files in common.
    """
    tasks = found.tasks
    _check_graph(engine, tasks, place)
    names = dict(zip([id(task.spec) for task in tasks], [task.name for task in tasks], strict=True))
    by_name = {task.name: task for task in tasks}
    ordered = [by_name[names[id(spec)]] for spec in order([task.spec for task in tasks])]
    plan = Plan(tuple(ordered), _needs(engine, tasks, place), found.refused)
    return Schedule(engine, plan, place, wishes=wishes, askers=askers, jobs=jobs).run()


def _check_graph(engine: Engine, tasks: Sequence[Task], place: Place) -> None:
    """Raise `UsageError` for what would make the order a guess: unknown dependencies, cycles, one id twice."""
    known = [task.spec for task in _siblings(engine, tasks, place)]
    for item in check_project([task.spec for task in tasks], known=known):
        if item.code in ORDER_RULES:
            where = f"{item.path}:{item.line}"
            raise UsageError(f"{item.code} {item.message}", where=where, hint=item.hint)


def _needs(engine: Engine, tasks: Sequence[Task], place: Place) -> dict[str, tuple[str, ...]]:
    """The names of the tasks that each depends on, those outside the run included."""
    others = _siblings(engine, tasks, place)
    graph = Graph(tuple(task.spec for task in tasks) + tuple(task.spec for task in others))
    names = task_names(graph.specs)
    return {
        task.name: tuple(names[need] for need in sorted(graph.needs[at]))
        for at, task in enumerate(tasks)
    }


def _siblings(engine: Engine, tasks: Sequence[Task], place: Place) -> list[Task]:
    """The tasks of the same folders that are not part of this run: a dependency may be one of them."""
    mine = {task.path for task in tasks}
    folders = {task.path.rpartition("/")[0] for task in tasks if task.spec.options.depends_on}
    paths = {path for folder in folders for path in spec_paths(engine, place.base, folder)}
    return [task for path in sorted(paths - mine) for task in load_file(engine, path, place).tasks]
