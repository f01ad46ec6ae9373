"""The tasks of a project as the boards of other tools: a task is done there if it has merged, and only then."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from types import MappingProxyType

from minitask.engine.task_status import State
from minitask.ledger.record import money
from minitask.project.task_graph import Node, TaskGraph
from minitask.reports.record_lines import spreadsheet
from minitask.spec.dependency_graph import slug
from minitask.spec.model import FileAction
from minitask.words import json_text, one_line

WRITTEN_BY = "minitask export"
"""What every file says that `export` may write again."""
COLUMNS = ("task", "title", "state", "wave", "tier", "attempts", "cost_usd", "merge", "spec")
_TASK_MASTER = {State.MERGED: "done", State.NEW: "pending", State.UNDONE: "pending"}
_BACKLOG = {State.MERGED: "Done", State.NEW: "To Do", State.UNDONE: "To Do"}


def render_tasks_md(graph: TaskGraph) -> str:
    """Return a task list as spec-kit reads it: a wave is a phase, `[P]` marks what may run beside its neighbours."""
    numbers = _numbers(graph)
    lines = [f"# Tasks: {graph.project}", "", f"<!-- written by {WRITTEN_BY} -->"]
    for wave, nodes in groupby(graph.nodes, key=lambda node: node.wave):
        lines += ["", f"## Phase {wave}", ""]
        lines += (_task_line(node, numbers) for node in nodes)
    return "\n".join(lines)


def _task_line(node: Node, numbers: Mapping[str, int]) -> str:
    box = "x" if node.status.state is State.MERGED else " "
    mark = "" if node.clashes else "[P] "
    paths = ", ".join(
        f"`{ref.path}`" for ref in node.task.spec.files if ref.action is not FileAction.READ
    )
    needed = ", ".join(f"T{numbers[name]:03}" for name in node.depends_on if name in numbers)
    where = f" in {paths}" if paths else ""
    after = f" (depends on {needed})" if needed else ""
    return f"- [{box}] T{numbers[node.name]:03} {mark}{_title(node)}{where}{after}"


def render_tasks_json(graph: TaskGraph) -> str:
    """Return the tasks as task-master keeps them: `{"master": {"tasks": […], "metadata": {…}}}`."""
    numbers = _numbers(graph)
    tasks = [_task_master(node, numbers) for node in graph.nodes]
    about = {"description": f"Tasks of {graph.project}", "writtenBy": WRITTEN_BY}
    document = {"master": {"tasks": tasks, "metadata": about}}
    return json_text(document, indent=2)


def _task_master(node: Node, numbers: Mapping[str, int]) -> dict[str, object]:
    spec = node.task.spec
    default = "review" if node.status.state is State.READY else "blocked"
    return {
        "id": numbers[node.name],
        "title": _title(node),
        "description": f"{node.name} ({node.task.path})",
        "details": spec.task,
        "testStrategy": "\n".join(command.text for command in spec.commands),
        "status": _TASK_MASTER.get(node.status.state, default),
        "priority": "medium",
        "dependencies": [numbers[name] for name in node.depends_on if name in numbers],
        "subtasks": [],
        "acceptanceCriteria": [criterion.text for criterion in spec.criteria],
    }


def render_csv(graph: TaskGraph) -> str:
    """Return a row a task."""
    return spreadsheet(COLUMNS, map(_row, graph.nodes)).rstrip("\n")


def _row(node: Node) -> tuple[object, ...]:
    status = node.status
    return (
        *(node.name, _title(node), status.state.value, node.wave, node.tier, status.attempts),
        *(money(status.cost_usd) or "unknown", status.merge or "", node.task.path),
    )


def backlog_files(graph: TaskGraph) -> Iterator[tuple[str, str]]:
    """Yield a file a task as Backlog.md keeps them: name and text."""
    numbers = _numbers(graph)
    for node in graph.nodes:
        number = numbers[node.name]
        yield f"task-{number} - {slug(_title(node)) or 'task'}.md", _backlog(node, number, numbers)


def _backlog(node: Node, number: int, numbers: Mapping[str, int]) -> str:
    spec, state = node.task.spec, node.status.state
    front = {
        "id": f"task-{number}",
        "title": _title(node),
        "status": _BACKLOG.get(state, "In Progress"),
        "assignee": [],
        "labels": ["minitask", state.value],
        "dependencies": [f"task-{numbers[name]}" for name in node.depends_on if name in numbers],
    }
    box = "x" if state is State.MERGED else " "
    criteria = (
        f"- [{box}] #{count} {one_line(criterion.text)}"
        for count, criterion in enumerate(spec.criteria, start=1)
    )
    return "\n".join(
        (
            "---",
            *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items()),
            *("---", "", f"<!-- written by {WRITTEN_BY} -->", "", "## Description", ""),
            f"Task {node.name} of minitask; its spec is {node.task.path}.",
            *("", "## Acceptance Criteria", "<!-- AC:BEGIN -->", *criteria, "<!-- AC:END -->"),
        )
    )


def _numbers(graph: TaskGraph) -> Mapping[str, int]:
    return {node.name: number for number, node in enumerate(graph.nodes, start=1)}


def _title(node: Node) -> str:
    return one_line(node.task.spec.title or node.name)


BOARDS: Mapping[str, Callable[[TaskGraph], str]] = MappingProxyType(
    {"tasks.md": render_tasks_md, "tasks.json": render_tasks_json, "csv": render_csv}
)
"""The formats of one file; `backlog` is a folder of files."""
