"""The output of `graph`: a project's tasks as text, JSON, Mermaid or Graphviz; `graph_svg` renders SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from minitask.patterns import lazy_pattern
from minitask.project.task_graph import MOST_PAIRS, Collision, Collisions, Edge, Node, TaskGraph
from minitask.reports.graph_svg import render_svg
from minitask.reports.state_colors import TONES, tone_of
from minitask.words import counted, one_line

MOST_NAMES = 8
_SYNTAX = lazy_pattern(r"(?<=[^\W_])[./-](?=[^\W_])|([^\w ]|_)")
"""Whatever Mermaid, or the Markdown in it, might take for syntax is in the group."""


def graph_document(graph: TaskGraph, forecast: Collisions | None) -> dict[str, Any]:
    """Return the graph as JSON, with the forecast if there is one."""
    document: dict[str, Any] = {
        "project": graph.project,
        "tasks": [_task_document(node) for node in graph.nodes],
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


def _task_document(node: Node) -> dict[str, Any]:
    return {
        "task": node.name,
        "path": node.task.path,
        "title": node.task.spec.title,
        "wave": node.wave,
        "state": node.status.state.value,
        "tier": node.tier or None,
        "depends_on": list(node.depends_on),
        "after": [{"task": tie.task, "path": tie.path, "kind": tie.kind} for tie in node.after],
        "clashes": [{"task": tie.task, "path": tie.path} for tie in node.clashes],
        "urgency": node.urgency,
    }


def render_text(graph: TaskGraph) -> str:
    """Return the waves, a line a task, and below it what it waits for and what it may not run beside."""
    waves = graph.nodes[-1].wave if graph.nodes else 0
    lines = [f"{counted(len(graph.nodes), 'task')} in {counted(waves, 'wave')}"]
    if len(graph.critical_path) > 1:
        lines.append(f"longest chain: {' -> '.join(graph.critical_path)}")
    width = max((len(node.name) for node in graph.nodes), default=0)
    wave = 0
    for node in graph.nodes:
        if node.wave != wave:
            wave = node.wave
            lines += ["", f"wave {wave}"]
        state, tier = node.status.state.value, node.tier or "no tier"
        title = one_line(node.task.spec.title)
        lines.append(f"  {node.name:{width}}  {state:8}  {tier:8}  {title}".rstrip())
        lines += [f"  {'':{width}}    {line}" for line in _relations(node)]
    lines += _dropped_lines(graph)
    return "\n".join(lines)


def _relations(node: Node) -> Iterator[str]:
    reasons: dict[str, list[str]] = {name: [] for name in node.depends_on}
    for tie in node.after:
        reasons.setdefault(tie.task, []).append(one_line(tie.path) or tie.kind)
    if reasons:
        phrases = [f"{name}{_bracket(paths)}" for name, paths in reasons.items()]
        yield f"after: {_listed(phrases)}"
    by_path: dict[str, list[str]] = {}
    for tie in node.clashes:
        by_path.setdefault(tie.path, []).append(tie.task)
    for path, names in by_path.items():
        yield f"clashes: {_listed(names)} ({one_line(path)})"


def _bracket(paths: Sequence[str]) -> str:
    return f" ({', '.join(dict.fromkeys(paths))})" if paths else ""


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    shown = names if more <= 1 else names[:MOST_NAMES]
    return ", ".join(shown) + (f" and {more} more" if more > 1 else "")


def _dropped_lines(graph: TaskGraph) -> Iterator[str]:
    if graph.dropped:
        yield ""
    for name, tie in graph.dropped:
        path = f" for {one_line(tie.path)}" if tie.path else ""
        yield f"ignored dependency: {name} after {tie.task}{path} ({tie.kind}), which contradicts other dependencies"


def render_forecast(forecast: Collisions, target: str) -> str:
    """Return a line for each conflict to be expected."""
    tried = f"{counted(forecast.candidates, 'candidate')} against {target}"
    lines = [f"forecast: {tried}, {counted(forecast.pairs, 'pair')} that conflict"]
    lines += [_collision(collision) for collision in forecast.found] or ["  no conflicts expected"]
    if forecast.left_out:
        lines.append(
            f"  {counted(forecast.left_out, 'more pair')} left out: at most {MOST_PAIRS} are tried"
        )
    return "\n".join(lines)


def _collision(collision: Collision) -> str:
    return f"  {collision.task} conflicts with {collision.other}: {', '.join(map(one_line, collision.paths))}"


def render_mermaid(graph: TaskGraph) -> str:
    """Return a flowchart for GitHub and GitLab: what is declared as solid arrows, what files imply as dotted ones."""
    ids = {node.name: f"t{index}" for index, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        title = one_line(node.task.spec.title)
        label = f"{_entities(node.name)}<br/>{_entities(title)}"
        lines.append(f'  {ids[node.name]}["{label}"]:::{node.status.state.value}')
    for node in graph.nodes:
        declared = (name for name in node.depends_on if name in ids)
        lines += [f"  {ids[name]} --> {ids[node.name]}" for name in declared]
        for name, label in _labels(node.after):
            lines.append(f'  {ids[name]} -.->|"{_entities(label)}"| {ids[node.name]}')
    for state in sorted({node.status.state for node in graph.nodes}):
        tone = TONES[tone_of(state)]
        style = f"fill:{tone.fill},stroke:{tone.stroke},color:#1f2328"
        lines.append(f"  classDef {state.value} {style}")
    return "\n".join(lines)


def _entities(text: str) -> str:
    """Return text for a quoted label of Mermaid, in which possible syntax is written as numeric entities."""
    return _SYNTAX.sub(lambda match: f"#{ord(match[0])};" if match[1] else match[0], text)


def render_dot(graph: TaskGraph) -> str:
    """Return a directed graph for Graphviz: what is declared as solid arrows, what files imply as dotted ones."""
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
        for name, label in _labels(node.after):
            look = f'style=dotted, label="{_label(label)}"'
            lines.append(f"  {_quoted(name)} -> {_quoted(node.name)} [{look}];")
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _label(text: str) -> str:
    """Return text for a quoted label of Graphviz, which would read entities and backslashes."""
    return text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _labels(ties: Sequence[Edge]) -> list[tuple[str, str]]:
    """Return each earlier task once, with the paths that tie it."""
    paths_by_task: dict[str, list[str]] = {}
    for tie in ties:
        paths_by_task.setdefault(tie.task, []).append(one_line(tie.path) or tie.kind)
    return [(name, ", ".join(dict.fromkeys(paths))) for name, paths in paths_by_task.items()]


FORMATS: Mapping[str, Callable[[TaskGraph], str]] = MappingProxyType(
    {"text": render_text, "mermaid": render_mermaid, "dot": render_dot, "svg": render_svg}
)
