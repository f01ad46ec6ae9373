"""The dependency graph of a project's tasks with their states, the order of a run, and expected conflicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, islice

from msgspec import Struct

from minitask.engine.check_specs import SpecCheck
from minitask.engine.context import Context
from minitask.engine.find_tasks import spec_paths
from minitask.engine.task_status import State, TaskStatus, task_statuses
from minitask.engine.tasks import PROJECTS, Base, Task, load_file
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
    """Another task, and the path that both use; `kind` is "" for tasks that may not run in parallel."""

    task: str
    path: str
    kind: str = ""


class Node(Struct, frozen=True):
    """A task in a graph.

    `depends_on` may name tasks outside the graph; `after` and `clashes` are implied by files. `tier` is "" if no tier
    can do the task, or if tiers were not requested.
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
        """Return the task."""
        return self.status.task

    @property
    def name(self) -> str:
        """Return the task's name."""
        return self.status.task.name


class TaskGraph(Struct, frozen=True):
    """The tasks by waves, the longest chain, and each implied dependency that was dropped, with its later task."""

    project: str
    nodes: tuple[Node, ...]
    critical_path: tuple[str, ...]
    dropped: tuple[tuple[str, Edge], ...]


def task_graph(
    engine: Context, tasks: Sequence[Task], base: Base, *, project: str, with_tiers: bool = True
) -> TaskGraph:
    """Return the graph of the tasks; raise `UsageError` for a cycle. Without tiers, it takes a third of the time."""
    tasks = ordered(tasks)
    specs = [task.spec for task in tasks]
    implied_order = implications(engine, tasks, base)
    needs = dependencies(SpecCheck(engine, base), tasks)
    after, clashes = _ties(tasks, implied_order)
    statuses = task_statuses(engine, tasks, base)
    rows = zip(
        statuses,
        wave_numbers(specs, implied_order.links),
        urgency(specs, implied_order.links),
        strict=True,
    )
    nodes = []
    for status, wave, length in rows:
        name = status.task.name
        tier = _tier(engine, status.task) if with_tiers else ""
        edges = needs[name], after[name], clashes[name]
        nodes.append(Node(status, wave, tier, *edges, urgency=length))
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

    def ordered_edges(edges: Iterable[Edge]) -> tuple[Edge, ...]:
        return tuple(sorted(edges, key=lambda tie: (tie.task, tie.path)))

    return (
        {name: ordered_edges(edges) for name, edges in after.items()},
        {name: ordered_edges(edges) for name, edges in clashes.items()},
    )


def _tier(engine: Context, task: Task) -> str:
    try:
        return route_of(engine, task).tier.value
    except MinitaskError:
        return ""


ORDER_RULES = frozenset({"E208", "E209", "E211"})


def check_order(check: SpecCheck, tasks: Sequence[Task]) -> None:
    """Raise `UsageError` for an ambiguous order: unknown dependencies, cycles, duplicate ids."""
    others = [task.spec for task in check.tasks_beside(tasks)]
    for diagnostic in check_project([task.spec for task in tasks], existing=others):
        if diagnostic.code in ORDER_RULES:
            message = f"{diagnostic.code} {diagnostic.message}"
            location = f"{diagnostic.path}:{diagnostic.line}"
            raise UsageError(message, where=location, hint=diagnostic.hint)


def ordered(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Return the tasks in dependency order, otherwise by path and position in the file."""
    by_spec = {id(task.spec): task for task in tasks}
    return tuple(by_spec[id(spec)] for spec in order([task.spec for task in tasks]))


def dependencies(check: SpecCheck, tasks: Sequence[Task]) -> Mapping[str, tuple[str, ...]]:
    """Return the names of each task's dependencies, including those outside the run."""
    others = check.tasks_beside(tasks)
    graph = Graph(tuple(task.spec for task in tasks) + tuple(task.spec for task in others))
    return {
        task.name: tuple(graph.names[need] for need in sorted(graph.needs[at]))
        for at, task in enumerate(tasks)
    }


def implications(engine: Context, tasks: Sequence[Task], base: Base) -> ImpliedOrder:
    """Return the order that the tasks' files imply, by task index, given the files at the target's tip."""

    def is_there(path: str) -> bool:
        return engine.objects.entry(base.base, path) is not None

    return implied([task.spec for task in tasks], is_there=is_there)


MOST_PAIRS = 200
"""Limit of pairs of candidates to merge, because each takes a git process."""


class Collision(Struct, frozen=True):
    """A task whose candidate conflicts with a branch or another task, and the paths."""

    task: str
    other: str
    paths: tuple[str, ...]


class Collisions(Struct, frozen=True):
    """The conflicts, and the numbers of candidates, of pairs tried, and of pairs left out."""

    found: tuple[Collision, ...]
    candidates: int
    pairs: int
    left_out: int


def find_collisions(engine: Context, tasks: Sequence[TaskStatus], base: Base) -> Collisions:
    """Merge every unlanded candidate with the target's tip and with the others, in memory."""
    heads = refs.snapshot(engine.repository.git, refs.BRANCHES)
    names = [status.task.name for status in tasks if status.state is not State.MERGED]
    branches = [(name, refs.branch(name)) for name in names]
    candidates = [(name, heads[branch]) for name, branch in branches if branch in heads]
    target = base.target.removeprefix("refs/heads/")
    count = len(candidates) * (len(candidates) - 1) // 2
    tried = [((name, oid), (target, base.base)) for name, oid in candidates]
    tried += islice(combinations(candidates, 2), MOST_PAIRS)
    collisions = []
    with temporary_objects(engine.repository) as git:
        for (name, theirs), (partner, ours) in tried:
            paths = merge_tree(git, ours=ours, theirs=theirs).conflicts
            if paths:
                collisions.append(Collision(name, partner, paths))
    pairs = min(count, MOST_PAIRS)
    return Collisions(tuple(collisions), len(candidates), pairs, count - pairs)


MOST_TASKS = 120
"""Limit of tasks in all graphs of a page."""


def latest_graphs(engine: Context, base: Base, projects: Iterable[str]) -> tuple[TaskGraph, ...]:
    """Return the graphs, without tiers, of the first projects with several tasks that fit into a page.

    Projects without specs at the base, or with an ambiguous order, are left out.
    """
    room = MOST_TASKS
    graphs = []
    for project in projects:
        graph = _graph(engine, base, project, room) if room > 1 else None
        if graph is not None:
            graphs.append(graph)
            room -= len(graph.nodes)
    return tuple(graphs)


def _graph(engine: Context, base: Base, project: str, room: int) -> TaskGraph | None:
    try:
        paths = spec_paths(engine, base.base, f"{PROJECTS}/{project}")
        if len(paths) > room:
            return None
        tasks = [task for path in paths for task in load_file(engine, path, base).tasks]
        if not 1 < len(tasks) <= room:
            return None
        return task_graph(engine, tasks, base, project=project, with_tiers=False)
    except MinitaskError:
        return None
