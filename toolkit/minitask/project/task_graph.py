"""The dependency graph and states of a project's tasks, to be drawn. Nothing is run or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, islice

from msgspec import Struct

from minitask.engine.check_specs import tasks_beside
from minitask.engine.context import Context
from minitask.engine.task_status import State, TaskStatus, task_statuses
from minitask.engine.tasks import Base, Task
from minitask.errors import MinitaskError, UsageError
from minitask.git import refs
from minitask.git.merge_tree import merge_tree
from minitask.routing.route_task import route_of
from minitask.spec.critical_path import critical_path, urgency, wave_numbers
from minitask.spec.dependency_graph import Graph, order
from minitask.spec.file_dependencies import ImpliedOrder, implied
from minitask.spec.project import check_project
from minitask.workspace.agent_workspace import temporary_objects


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
        one, other = tasks[clash.first].name, tasks[clash.second].name
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


ORDER_RULES = frozenset({"E208", "E209", "E211"})


def check_order(engine: Context, tasks: Sequence[Task], place: Base) -> None:
    """Raise `UsageError` for what would make the order a guess: unknown dependencies, cycles, one id twice."""
    known = [task.spec for task in tasks_beside(engine, tasks, place)]
    for item in check_project([task.spec for task in tasks], existing=known):
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


MOST_PAIRS = 200
"""Pairs of candidates that are merged at most: each takes a git process."""


class Collision(Struct, frozen=True):
    """A task's candidate, and the branch or task that it conflicts with, in which paths."""

    task: str
    other: str
    paths: tuple[str, ...]


class Collisions(Struct, frozen=True):
    """The conflicts found, among how many candidates and pairs of them, and how many pairs were left out."""

    found: tuple[Collision, ...]
    candidates: int
    pairs: int
    left_out: int


def find_collisions(
    engine: Context, tasks: Sequence[TaskStatus], place: Base, *, most_pairs: int = MOST_PAIRS
) -> Collisions:
    """Merge every candidate that has not landed with the target's tip, and with each other one, in memory."""
    candidates = _candidates(engine, tasks)
    target = place.target.removeprefix("refs/heads/")
    count = len(candidates) * (len(candidates) - 1) // 2
    tried = [((name, oid), (target, place.base)) for name, oid in candidates]
    tried += islice(combinations(candidates, 2), most_pairs)
    found = []
    with temporary_objects(engine.repository) as git:
        for (name, theirs), (other, ours) in tried:
            paths = merge_tree(git, ours=ours, theirs=theirs).conflicts
            if paths:
                found.append(Collision(name, other, paths))
    pairs = min(count, most_pairs)
    return Collisions(tuple(found), len(candidates), pairs, count - pairs)


def _candidates(engine: Context, tasks: Sequence[TaskStatus]) -> list[tuple[str, str]]:
    heads = refs.snapshot(engine.repository.git, refs.BRANCHES)
    names = [item.task.name for item in tasks if item.state is not State.MERGED]
    return [(name, heads[refs.branch(name)]) for name in names if refs.branch(name) in heads]
