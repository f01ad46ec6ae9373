"""The graph of a project as text, JSON, Mermaid and Graphviz, and in other tools' formats (`export`).

`graph_svg` renders SVG. In other tools, a task is done only if it has merged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from msgspec import to_builtins

from minitask.engine.task_status import State
from minitask.ledger.record import money
from minitask.patterns import lazy_pattern
from minitask.project.task_graph import MOST_PAIRS, Collisions, Edge, Node, TaskGraph
from minitask.reports.graph_svg import TONES, render_svg, tone_of
from minitask.reports.ledger_export import spreadsheet
from minitask.spec.dependency_graph import slug
from minitask.spec.model import FileAction
from minitask.values import grouped
from minitask.words import counted, json_text, one_line

MOST_NAMES = 8
_SYNTAX = lazy_pattern(r"(?<=[^\W_])[./-](?=[^\W_])|([^\w ]|_)")
"""Group 1 matches characters that may be syntax of Mermaid, or of Markdown in it."""


def graph_document(graph: TaskGraph, forecast: Collisions | None) -> dict[str, Any]:
    """Return the graph as JSON, with the forecast if there is one."""
    document: dict[str, Any] = {
        "project": graph.project,
        "tasks": [
            {
                "task": node.name,
                "path": node.task.path,
                "title": node.task.spec.title,
                "wave": node.wave,
                "state": node.status.state.value,
                "tier": node.tier or None,
                "depends_on": list(node.depends_on),
                "after": to_builtins(node.after),
                "clashes": [{"task": tie.task, "path": tie.path} for tie in node.clashes],
                "urgency": node.urgency,
            }
            for node in graph.nodes
        ],
        "critical_path": list(graph.critical_path),
    }
    if forecast is not None:
        document["forecast"] = {
            "conflicts": [
                {"task": collision.task, "with": collision.other, "paths": list(collision.paths)}
                for collision in forecast.found
            ],
            "candidates": forecast.candidates,
            "pairs": forecast.pairs,
            "pairs_left_out": forecast.left_out,
        }
    return document


def render_text(graph: TaskGraph) -> str:
    """Return the waves with one line per task, and below it its dependencies and clashes."""
    waves = graph.nodes[-1].wave if graph.nodes else 0
    lines = [f"{counted(len(graph.nodes), 'task')} in {counted(waves, 'wave')}"]
    if len(graph.critical_path) > 1:
        lines.append(f"longest chain: {' -> '.join(graph.critical_path)}")
    width = max((len(node.name) for node in graph.nodes), default=0)
    for wave, nodes in groupby(graph.nodes, key=lambda node: node.wave):
        lines += ["", f"wave {wave}"]
        for node in nodes:
            state, tier = node.status.state.value, node.tier or "no tier"
            title = one_line(node.task.spec.title)
            lines.append(f"  {node.name:{width}}  {state:8}  {tier:8}  {title}".rstrip())
            lines += [f"  {'':{width}}    {line}" for line in _relations(node)]
    if graph.dropped:
        lines.append("")
    for name, tie in graph.dropped:
        path = f" for {one_line(tie.path)}" if tie.path else ""
        order = f"{name} after {tie.task}{path} ({tie.kind})"
        lines.append(f"ignored dependency: {order}, which contradicts other dependencies")
    return "\n".join(lines)


def _relations(node: Node) -> Iterator[str]:
    reasons = dict.fromkeys(node.depends_on, "") | _labels(node.after)
    if reasons:
        phrases = [f"{name} ({paths})" if paths else name for name, paths in reasons.items()]
        yield f"after: {_listed(phrases)}"
    for path, ties in grouped(node.clashes, lambda tie: tie.path).items():
        yield f"clashes: {_listed([tie.task for tie in ties])} ({one_line(path)})"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    shown = names if more <= 1 else names[:MOST_NAMES]
    return ", ".join(shown) + (f" and {more} more" if more > 1 else "")


def render_forecast(forecast: Collisions, target: str) -> str:
    """Return a line for each expected conflict."""
    tried = f"{counted(forecast.candidates, 'candidate')} against {target}"
    lines = [f"forecast: {tried}, {counted(forecast.pairs, 'pair')} that conflict"]
    lines += [
        f"  {collision.task} conflicts with {collision.other}: {', '.join(map(one_line, collision.paths))}"
        for collision in forecast.found
    ] or ["  no conflicts expected"]
    if forecast.left_out:
        more = counted(forecast.left_out, "more pair")
        lines.append(f"  {more} left out: at most {MOST_PAIRS} are tried")
    return "\n".join(lines)


def render_mermaid(graph: TaskGraph) -> str:
    """Return a flowchart for GitHub and GitLab: solid arrows are declared dependencies, dotted ones implied."""
    ids = {node.name: f"t{index}" for index, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        title = one_line(node.task.spec.title)
        label = f"{_entities(node.name)}<br/>{_entities(title)}"
        lines.append(f'  {ids[node.name]}["{label}"]:::{node.status.state.value}')
    for node in graph.nodes:
        lines += [f"  {ids[name]} --> {ids[node.name]}" for name in node.depends_on if name in ids]
        for name, label in _labels(node.after).items():
            lines.append(f'  {ids[name]} -.->|"{_entities(label)}"| {ids[node.name]}')
    for state in sorted({node.status.state for node in graph.nodes}):
        tone = TONES[tone_of(state)]
        style = f"fill:{tone.fill},stroke:{tone.stroke},color:#1f2328"
        lines.append(f"  classDef {state.value} {style}")
    return "\n".join(lines)


def _entities(text: str) -> str:
    """Return text for a quoted label of Mermaid, with possible syntax written as numeric entities."""
    return _SYNTAX.sub(lambda match: f"#{ord(match[0])};" if match[1] else match[0], text)


def render_dot(graph: TaskGraph) -> str:
    """Return a directed graph for Graphviz: solid arrows are declared dependencies, dotted ones implied."""
    names = {node.name for node in graph.nodes}
    lines = ["digraph minitask {", "  rankdir=LR;"]
    lines.append('  node [shape=box, style="rounded,filled", fontname="sans-serif"];')
    for node in graph.nodes:
        tone = TONES[tone_of(node.status.state)]
        title, state = one_line(node.task.spec.title), node.status.state.value
        label = f"{_label(node.name)}\\n{_label(title)}\\n{state}"
        colours = f'fillcolor="{tone.fill}", color="{tone.stroke}"'
        lines.append(f'  {_quoted(node.name)} [label="{label}", {colours}];')
    for node in graph.nodes:
        declared = (name for name in node.depends_on if name in names)
        lines += [f"  {_quoted(name)} -> {_quoted(node.name)};" for name in declared]
        for name, label in _labels(node.after).items():
            look = f'style=dotted, label="{_label(label)}"'
            lines.append(f"  {_quoted(name)} -> {_quoted(node.name)} [{look}];")
    return "\n".join([*lines, "}"])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _label(text: str) -> str:
    """Return text for a quoted label of Graphviz, which interprets entities and backslashes."""
    return _escaped(text.replace("&", "&amp;"))


def _labels(ties: Sequence[Edge]) -> dict[str, str]:
    """Return each earlier task with the paths that link them."""
    return {
        name: ", ".join(dict.fromkeys(one_line(tie.path) or tie.kind for tie in group))
        for name, group in grouped(ties, lambda tie: tie.task).items()
    }


FORMATS: Mapping[str, Callable[[TaskGraph], str]] = {
    "text": render_text,
    "mermaid": render_mermaid,
    "dot": render_dot,
    "svg": render_svg,
}


WRITTEN_BY = "minitask export"
"""Text that marks a file as one that `export` may replace."""
COLUMNS = ("task", "title", "state", "wave", "tier", "attempts", "cost_usd", "merge", "spec")
_TASK_MASTER = {State.MERGED: "done", State.NEW: "pending", State.UNDONE: "pending"}
_BACKLOG = {State.MERGED: "Done", State.NEW: "To Do", State.UNDONE: "To Do"}


def render_tasks_md(graph: TaskGraph) -> str:
    """Return a task list in spec-kit's format: a wave is a phase, `[P]` marks tasks that may run in parallel."""
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
    location = f" in {paths}" if paths else ""
    after = f" (depends on {needed})" if needed else ""
    return f"- [{box}] T{numbers[node.name]:03} {mark}{_title(node)}{location}{after}"


def render_tasks_json(graph: TaskGraph) -> str:
    """Return the tasks in the file format of task-master."""
    numbers = _numbers(graph)
    tasks = [_task_master(node, numbers) for node in graph.nodes]
    about = {"description": f"Tasks of {graph.project}", "writtenBy": WRITTEN_BY}
    return json_text({"master": {"tasks": tasks, "metadata": about}}, indent=2)


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
    """Return a CSV spreadsheet with one row per task."""
    rows = []
    for node in graph.nodes:
        status = node.status
        row = (node.name, _title(node), status.state.value, node.wave, node.tier, status.attempts)
        cost = money(status.cost_usd) or "unknown"
        rows.append((*row, cost, status.merge or "", node.task.path))
    return spreadsheet(COLUMNS, rows).rstrip("\n")


def backlog_files(graph: TaskGraph) -> Iterator[tuple[str, str]]:
    """Yield the name and text of a Backlog.md file for each task."""
    numbers = _numbers(graph)
    for node in graph.nodes:
        number = numbers[node.name]
        yield f"task-{number} - {slug(_title(node)) or 'task'}.md", _backlog(node, number, numbers)


def _backlog(node: Node, number: int, numbers: Mapping[str, int]) -> str:
    """Return the Backlog.md file of a task."""
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
    lines = [
        "---",
        *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items()),
        *("---", "", f"<!-- written by {WRITTEN_BY} -->", "", "## Description", ""),
        f"Task {node.name} of minitask; its spec is {node.task.path}.",
        *("", "## Acceptance Criteria", "<!-- AC:BEGIN -->", *criteria, "<!-- AC:END -->"),
    ]
    return "\n".join(lines)


def _numbers(graph: TaskGraph) -> Mapping[str, int]:
    return {node.name: number for number, node in enumerate(graph.nodes, start=1)}


def _title(node: Node) -> str:
    return one_line(node.task.spec.title or node.name)


BOARDS: Mapping[str, Callable[[TaskGraph], str]] = {
    "tasks.md": render_tasks_md,
    "tasks.json": render_tasks_json,
    "csv": render_csv,
}
"""Single-file formats; `backlog` is a folder of files."""
