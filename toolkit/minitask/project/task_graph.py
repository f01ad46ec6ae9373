"""The dependency graph and states of a project's tasks, to be drawn. Nothing is run or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.task_status import TaskStatus, task_statuses
from minitask.engine.tasks import Base, Task
from minitask.errors import MinitaskError
from minitask.project.order import dependencies, implications, ordered
from minitask.routing.route_task import route_of
from minitask.spec.critical_path import critical_path, urgency, wave_numbers
from minitask.spec.file_dependencies import ImpliedOrder


class Edge(Struct, frozen=True):
    """Another task, and the path that ties the two; `kind` is how, empty for tasks that may not run at once."""

    task: str
    path: str
    kind: str = ""


class Node(Struct, frozen=True):
    """One task of a picture.

    `depends_on` names tasks that may be outside of it; `after` and `clashes` are what its files imply. `tier` is empty
    where no tier can serve it.
    """

    standing: TaskStatus
    wave: int
    tier: str
    depends_on: tuple[str, ...]
    after: tuple[Edge, ...]
    clashes: tuple[Edge, ...]
    urgency: int

    @property
    def task(self) -> Task:
        """Return the task itself."""
        return self.standing.task

    @property
    def name(self) -> str:
        """Return the task's name."""
        return self.standing.task.name


class TaskGraph(Struct, frozen=True):
    """The tasks wave by wave, the longest chain, and each implied order that gave way: the later task, and the tie."""

    project: str
    nodes: tuple[Node, ...]
    critical_path: tuple[str, ...]
    dropped: tuple[tuple[str, Edge], ...]


def task_graph(engine: Context, tasks: Sequence[Task], place: Base, *, project: str) -> TaskGraph:
    """Return the picture of the tasks; a cycle of `depends_on` is a `UsageError` that prints it."""
    tasks = ordered(tasks)
    specs = [task.spec for task in tasks]
    said = implications(engine, tasks, place)
    needs = dependencies(engine, tasks, place)
    after, clashes = _ties(tasks, said)
    found = task_statuses(engine, tasks, place)
    rows = zip(found, wave_numbers(specs, said.links), urgency(specs, said.links), strict=True)
    nodes = [
        Node(
            standing,
            wave=wave,
            tier=_tier(engine, standing.task),
            depends_on=needs[standing.task.name],
            after=after[standing.task.name],
            clashes=clashes[standing.task.name],
            urgency=length,
        )
        for standing, wave, length in rows
    ]
    return TaskGraph(
        project,
        tuple(sorted(nodes, key=lambda node: node.wave)),
        tuple(tasks[at].name for at in critical_path(specs, said.links)),
        tuple(
            (tasks[link.after].name, Edge(tasks[link.before].name, link.path, link.kind.value))
            for link in said.dropped
        ),
    )


def _ties(
    tasks: Sequence[Task], said: ImpliedOrder
) -> tuple[Mapping[str, tuple[Edge, ...]], Mapping[str, tuple[Edge, ...]]]:
    after: dict[str, list[Edge]] = {task.name: [] for task in tasks}
    clashes: dict[str, list[Edge]] = {task.name: [] for task in tasks}
    for link in said.links:
        tie = Edge(tasks[link.before].name, link.path, link.kind.value)
        after[tasks[link.after].name].append(tie)
    for clash in said.clashes:
        one, other = tasks[clash.one].name, tasks[clash.other].name
        clashes[one].append(Edge(other, clash.path))
        clashes[other].append(Edge(one, clash.path))
    return _sorted(after), _sorted(clashes)


def _sorted(ties: Mapping[str, list[Edge]]) -> Mapping[str, tuple[Edge, ...]]:
    return {
        name: tuple(sorted(each, key=lambda tie: (tie.task, tie.path)))
        for name, each in ties.items()
    }


def _tier(engine: Context, task: Task) -> str:
    try:
        route = route_of(engine, task)
    except MinitaskError:
        return ""
    return route.tier.value
