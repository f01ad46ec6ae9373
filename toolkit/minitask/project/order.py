"""Dependencies between the tasks of a run, and on tasks outside of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minitask.engine.check_specs import tasks_beside
from minitask.engine.context import Context
from minitask.engine.tasks import Base, Task
from minitask.errors import UsageError
from minitask.spec.file_dependencies import ImpliedOrder, implied
from minitask.spec.graph import Graph, order
from minitask.spec.project import check_project

ORDER_RULES = frozenset({"E208", "E209", "E211"})


def check_order(engine: Context, tasks: Sequence[Task], place: Base) -> None:
    """Raise `UsageError` for what would make the order a guess: unknown dependencies, cycles, one id twice."""
    known = [task.spec for task in tasks_beside(engine, tasks, place)]
    for item in check_project([task.spec for task in tasks], known=known):
        if item.code in ORDER_RULES:
            where = f"{item.path}:{item.line}"
            raise UsageError(f"{item.code} {item.message}", where=where, hint=item.hint)


def ordered(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Return the tasks, each after all that it depends on, else by path and place in the file."""
    by_spec = {id(task.spec): task for task in tasks}
    return tuple(by_spec[id(spec)] for spec in order([task.spec for task in tasks]))


def dependencies(
    engine: Context, tasks: Sequence[Task], place: Base
) -> Mapping[str, tuple[str, ...]]:
    """Return the names of the tasks that each depends on, those outside the run included."""
    others = tasks_beside(engine, tasks, place)
    graph = Graph(tuple(task.spec for task in tasks) + tuple(task.spec for task in others))
    return {
        task.name: tuple(graph.names[need] for need in sorted(graph.needs[at]))
        for at, task in enumerate(tasks)
    }


def implications(engine: Context, tasks: Sequence[Task], place: Base) -> ImpliedOrder:
    """Return what the tasks' files imply, by the tasks' places, given the files at the target's tip."""

    def is_there(path: str) -> bool:
        return engine.objects.entry(place.base, path) is not None

    return implied([task.spec for task in tasks], is_there=is_there)
