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
from minitask.git.trees import merge_tree
from minitask.routing.route_task import route_of
from minitask.spec.dependency_graph import Graph, order
from minitask.spec.file_dependencies import (
    ImpliedOrder,
    critical_path,
    implied,
    urgency,
    wave_numbers,
)
from minitask.spec.project import check_project
from minitask.workspace.agent_workspace import temporary_objects


class Edge(Struct, frozen=True):
    """Another task, and the path that ties the two; `kind` is how, empty for tasks that may not run at once."""

    task: str
    path: str
    kind: str = ""


class Node(Struct, frozen=True):
    """A task of a graph.

    `depends_on` names tasks that may be outside of the graph; `after` and `clashes` are what its files imply.
    `tier` is empty where no tier can serve it, or nobody asked.
    """

    status: TaskStatus
    wave: int
    tier: str
    depends_on: tuple[str, ...]
    after: tuple[Edge, ...]
    clashes: tuple[Edge, ...]
    urgency: int

    @property
    def task(self) -> Task:
        """Return the task itself."""
        return self.status.task

    @property
    def name(self) -> str:
        """Return the task's name."""
        return self.status.task.name


class TaskGraph(Struct, frozen=True):
    """The tasks wave by wave, the longest chain, and each implied order that gave way: the later task, and the tie."""

    project: str
    nodes: tuple[Node, ...]
    critical_path: tuple[str, ...]
    dropped: tuple[tuple[str, Edge], ...]


def task_graph(
    engine: Context, tasks: Sequence[Task], base: Base, *, project: str, with_tiers: bool = True
) -> TaskGraph:
    """Return the graph of the tasks; a cycle of `depends_on` is a `UsageError` that prints it.

    Without tiers it takes a third of the time.
    """
    tasks = ordered(tasks)
    specs = [task.spec for task in tasks]
    implied_order = implications(engine, tasks, base)
    needs = dependencies(engine, tasks, base)
    after, clashes = _ties(tasks, implied_order)
    statuses = task_statuses(engine, tasks, base)
    rows = zip(
        statuses,
        wave_numbers(specs, implied_order.links),
        urgency(specs, implied_order.links),
        strict=True,
    )
    nodes = [
        Node(
            status,
            wave=wave,
            tier=_tier(engine, status.task) if with_tiers else "",
            depends_on=needs[status.task.name],
            after=after[status.task.name],
            clashes=clashes[status.task.name],
            urgency=length,
        )
        for status, wave, length in rows
    ]
    return TaskGraph(
        project,
        tuple(sorted(nodes, key=lambda node: node.wave)),
        tuple(tasks[at].name for at in critical_path(specs, implied_order.links)),
        tuple(
            (tasks[link.after].name, Edge(tasks[link.before].name, link.path, link.kind.value))
            for link in implied_order.dropped
        ),
    )


def _ties(
    tasks: Sequence[Task], implied_order: ImpliedOrder
) -> tuple[Mapping[str, tuple[Edge, ...]], Mapping[str, tuple[Edge, ...]]]:
    after: dict[str, list[Edge]] = {task.name: [] for task in tasks}
    clashes: dict[str, list[Edge]] = {task.name: [] for task in tasks}
    for link in implied_order.links:
        tie = Edge(tasks[link.before].name, link.path, link.kind.value)
        after[tasks[link.after].name].append(tie)
    for clash in implied_order.clashes:
        first, second = tasks[clash.first].name, tasks[clash.second].name
        clashes[first].append(Edge(second, clash.path))
        clashes[second].append(Edge(first, clash.path))
    return _sorted(after), _sorted(clashes)


def _sorted(ties: Mapping[str, list[Edge]]) -> Mapping[str, tuple[Edge, ...]]:
    return {
        name: tuple(sorted(edges, key=lambda tie: (tie.task, tie.path)))
        for name, edges in ties.items()
    }


def _tier(engine: Context, task: Task) -> str:
    try:
        route = route_of(engine, task)
    except MinitaskError:
        return ""
    return route.tier.value


ORDER_RULES = frozenset({"E208", "E209", "E211"})


def check_order(engine: Context, tasks: Sequence[Task], base: Base) -> None:
    """Raise `UsageError` for what would make the order a guess: unknown dependencies, cycles, one id twice."""
    others = [task.spec for task in tasks_beside(engine, tasks, base)]
    for diagnostic in check_project([task.spec for task in tasks], existing=others):
        if diagnostic.code in ORDER_RULES:
            where = f"{diagnostic.path}:{diagnostic.line}"
            raise UsageError(
                f"{diagnostic.code} {diagnostic.message}", where=where, hint=diagnostic.hint
            )


def ordered(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Return the tasks, each after all that it depends on, else by path and position in the file."""
    by_spec = {id(task.spec): task for task in tasks}
    return tuple(by_spec[id(spec)] for spec in order([task.spec for task in tasks]))


def dependencies(
    engine: Context, tasks: Sequence[Task], base: Base
) -> Mapping[str, tuple[str, ...]]:
    """Return the names of the tasks that each depends on, those outside the run included."""
    others = tasks_beside(engine, tasks, base)
    graph = Graph(tuple(task.spec for task in tasks) + tuple(task.spec for task in others))
    return {
        task.name: tuple(graph.names[need] for need in sorted(graph.needs[at]))
        for at, task in enumerate(tasks)
    }


def implications(engine: Context, tasks: Sequence[Task], base: Base) -> ImpliedOrder:
    """Return what the tasks' files imply, by the index of each task, given the files at the target's tip."""

    def is_there(path: str) -> bool:
        return engine.objects.entry(base.base, path) is not None

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
    engine: Context, tasks: Sequence[TaskStatus], base: Base, *, most_pairs: int = MOST_PAIRS
) -> Collisions:
    """Merge every candidate that has not landed with the target's tip, and with each other one, in memory."""
    candidates = _candidates(engine, tasks)
    target = base.target.removeprefix("refs/heads/")
    count = len(candidates) * (len(candidates) - 1) // 2
    tried = [((name, oid), (target, base.base)) for name, oid in candidates]
    tried += islice(combinations(candidates, 2), most_pairs)
    collisions = []
    with temporary_objects(engine.repository) as git:
        for (name, theirs), (partner, ours) in tried:
            paths = merge_tree(git, ours=ours, theirs=theirs).conflicts
            if paths:
                collisions.append(Collision(name, partner, paths))
    pairs = min(count, most_pairs)
    return Collisions(tuple(collisions), len(candidates), pairs, count - pairs)


def _candidates(engine: Context, tasks: Sequence[TaskStatus]) -> list[tuple[str, str]]:
    heads = refs.snapshot(engine.repository.git, refs.BRANCHES)
    names = [status.task.name for status in tasks if status.state is not State.MERGED]
    return [(name, heads[refs.branch(name)]) for name in names if refs.branch(name) in heads]
