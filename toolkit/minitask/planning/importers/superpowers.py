"""Superpowers plans: `docs/plans/*.md`, tasks under `Task N` headings, done in order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import (
    ForeignPlan,
    PlanTask,
    left_out_section,
    unique_labels,
)
from minitask.planning.importers.markdown_nodes import (
    FENCE,
    HEADING,
    ITEM,
    MarkdownNode,
    parse_nodes,
)
from minitask.planning.importers.plan_tasks import read_tasks
from minitask.spec.markdown import find_label, strip_marks
from minitask.words import one_line

_TASK = lazy_pattern(
    r"[^\w#]*Task\s+(?P<number>\d+(?:\.\d+)*[a-z]?)(?:\s*[:—–.)-]\s*|\s+|$)(?P<title>.*)",
    re.IGNORECASE,
)
_TITLE_END = lazy_pattern(r"\s*[-—–:]?\s*Implementation Plan\s*$", re.IGNORECASE)
CONSTRAINTS = "global constraints"
KEPT = ("goal", "architecture", "tech stack")


def read_superpowers(text: str) -> ForeignPlan:
    """Return the plan that a text holds; of one that is none, a plan without tasks."""
    nodes, damage = parse_nodes(text)
    starts = [index for index, node in enumerate(nodes) if _is_task(node)]
    labels = unique_labels([_number(nodes[index]) for index in starts])
    ends = [_end(nodes, index) for index in starts]
    parts = [
        (label, _title(nodes[start]), nodes[start + 1 : end])
        for label, start, end in zip(labels, starts, ends, strict=True)
    ]
    head = nodes[: starts[0]] if starts else nodes
    gaps = [
        node
        for end, start in zip(ends, [*starts, len(nodes)][1:], strict=True)
        for node in nodes[end:start]
    ]
    return ForeignPlan(
        _plan_title(head),
        _in_order(read_tasks(parts)),
        context=(*_header(head), *_constraints([*head, *gaps])),
        notes=(*damage, *_left_out([*head, *gaps])),
    )


def _is_task(node: MarkdownNode) -> bool:
    return node.kind == HEADING and node.level > 1 and _TASK.fullmatch(node.text) is not None


def _number(node: MarkdownNode) -> str:
    match = _TASK.fullmatch(node.text)
    return match["number"] if match else ""


def _title(node: MarkdownNode) -> str:
    match = _TASK.fullmatch(node.text)
    title = strip_marks(match["title"]) if match else ""
    return one_line(title, longest=120) or f"Task {_number(node)}"


def _end(nodes: Sequence[MarkdownNode], start: int) -> int:
    """Return where a task ends: at the next task, or at a heading that is not below the task's own."""
    level = nodes[start].level
    for index in range(start + 1, len(nodes)):
        node = nodes[index]
        if node.kind == HEADING and (node.level <= level or _is_task(node)):
            return index
    return len(nodes)


def _plan_title(head: Sequence[MarkdownNode]) -> str:
    first = next((node.text for node in head if node.kind == HEADING and node.level == 1), "")
    return one_line(_TITLE_END.sub("", strip_marks(first)), longest=120)


def _header(head: Sequence[MarkdownNode]) -> list[str]:
    """Return the lines `Goal: …`, `Architecture: …` and `Tech Stack: …` of the plan's header."""
    lines = [line for node in head if node.kind != FENCE for line in node.text.split("\n")]
    labels = (starts for line in lines if (starts := find_label(line)))
    return [f"{key}: {one_line(text)}" for key, text in labels if key.lower() in KEPT and text]


def _constraints(nodes: Sequence[MarkdownNode]) -> list[str]:
    """Return what stands below the heading Global Constraints, an entry each."""
    entries, level = [], 0
    for node in nodes:
        if node.kind == HEADING and (not level or node.level <= level):
            level = node.level if node.text.strip("*: ").lower() == CONSTRAINTS else 0
        elif level and node.kind != FENCE and node.text.strip("-*_ "):
            entries.append(f"- {one_line(node.text)}" if node.kind == ITEM else one_line(node.text))
    return [f"Global constraints:\n{chr(10).join(entries)}"] if entries else []


def _left_out(nodes: Sequence[MarkdownNode]) -> list[str]:
    titles = [
        node.text
        for node in nodes
        if node.kind == HEADING and node.level > 1 and node.text.strip("*: ").lower() != CONSTRAINTS
    ]
    return list(map(left_out_section, titles))


def _in_order(tasks: Sequence[PlanTask]) -> tuple[PlanTask, ...]:
    """Return the tasks, each after the ones that it names; one that names none after the task before it."""
    labels = {task.label for task in tasks}
    before: set[str] = set()
    previous: tuple[str, ...] = ()
    ordered = []
    for task in tasks:
        needs = task.needs if task.needs != ("?",) else previous
        unknown = [need for need in needs if need not in labels]
        dropped = [f"the dependency on task {need}: no such task" for need in unknown]
        earlier = tuple(dict.fromkeys(need for need in needs if need in before))
        later = [need for need in needs if need in labels and need not in before]
        dropped += [f"the dependency on task {need}, which comes later" for need in later]
        ordered.append(replace(task, needs=earlier, dropped=(*task.dropped, *dropped)))
        before.add(task.label)
        previous = (task.label,)
    return tuple(ordered)
