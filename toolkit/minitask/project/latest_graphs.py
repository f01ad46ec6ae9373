"""The graphs of the projects that were worked on last, as many as fit into a page."""

from __future__ import annotations

from collections.abc import Iterable

from minitask.engine.context import Context
from minitask.engine.find_tasks import spec_paths
from minitask.engine.tasks import PROJECTS, Base, load_file
from minitask.errors import MinitaskError
from minitask.project.task_graph import TaskGraph, task_graph

MOST_TASKS = 120
"""Tasks of all graphs together."""


def latest_graphs(engine: Context, base: Base, projects: Iterable[str]) -> tuple[TaskGraph, ...]:
    """Return a graph, without tiers, of each project of several tasks, until these are too many.

    Left out are projects without specs at the base, and those whose order cannot be told.
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
