"""Read Backlog.md's files as goals, one per task; a subtask's file is part of its task's goal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import (
    CANCELLED,
    DEFERRED,
    DONE,
    DONE_ALREADY,
    HEADING,
    LONGEST_LABEL,
    GoalPlan,
    PlanGoal,
    linked,
    listed,
    parse_nodes,
    repeated,
    skip_reason,
    text_of,
    title_of,
    unique_labels,
)
from minitask.spec.frontmatter import BACKLOG
from minitask.spec.markdown import normalise
from minitask.values import grouped
from minitask.words import one_line, whole_characters

NamedText = tuple[str, str]
LONGEST_FRONT = 8_000
_NAME = lazy_pattern(r"(?P<id>[A-Za-z][\w.]*-\d+(?:\.\d+)*)(?:\s+-\s+(?P<title>.*))?\.md")
_FRONT = lazy_pattern(r"\A---[ \t]*\n(?P<front>.*?)^---[ \t]*$\n?", 8 | 16)  # MULTILINE | DOTALL
_RAW_FRONT = lazy_pattern(
    r"\A\ufeff?---[ \t]*(?P<end>\r\n|\r|\n)(?P<front>.*?)(?<=[\r\n])---[ \t]*(?=[\r\n]|\Z)", 16
)
_STATUS = lazy_pattern(
    r"(?:^|(?<=[\r\n]))status[ \t]*:(?P<value>[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]+)*)"
)
_PLAIN = lazy_pattern(r"[^\W\d_][\w -]*")
_KEY = lazy_pattern(r"(?m)^(?=[A-Za-z_][\w-]*[ \t]*:)")
_COMMENT = lazy_pattern(r"<!--.*?-->[ \t]*\n?", 16)  # DOTALL
_CRITERION = lazy_pattern(r"(?m)^([ \t]*[-*+][ \t]+)\[[^\]\n]?\][ \t]+(?:#\d+[ \t]+)?")
_LEFT_OUT = ("implementation notes", "notes", "final summary", "comments", "title")


class _TaskFile(Struct, frozen=True):
    """A parsed file: its name, its fields, and its body."""

    name: str
    label: str
    title: str
    parent: str
    needs: tuple[str, ...]
    skipped: str
    text: str


def read_backlog(files: Sequence[NamedText]) -> GoalPlan:
    """Return the plan in these files, given as (name, text)."""
    tasks, others = _tasks(files)
    goals = [goal for goal, _ in _goals(tasks)]
    names = [one_line(name, longest=LONGEST_LABEL) for name in others]
    notes = [f"no task, for want of an id: {listed(names)}"] if names else []
    return linked(BACKLOG, goals, (*notes, *repeated(list(tasks))))


def tick_backlog(
    files: Sequence[NamedText], merged: Mapping[tuple[str, str], bool], *, status: str
) -> tuple[dict[str, str], int]:
    """Return the changed texts of files whose planned tasks have merged, and the number of these tasks.

    A task counts only if its text is as it was when planned. Only the `status` of the task and its open subtasks
    changes in the front matter; check boxes of criteria are left to people.
    """
    tasks, _ = _tasks([(name, whole_characters(text)) for name, text in files])
    reopened = {
        label: replace(task, skipped="") if task.skipped == DONE else task
        for label, task in tasks.items()
    }  # a subtask belongs to its task while the task is open
    ticked = {
        goal.label: labels
        for reading in (tasks, reopened)
        for goal, labels in _goals(reading)
        if merged.get((BACKLOG, f"{goal.label} {goal.digest}"))
    }
    texts = dict(files)
    for task in {label: tasks[label] for labels in ticked.values() for label in labels}.values():
        if not task.skipped:
            texts[task.name] = _with_status(texts[task.name], status)
    return {name: texts[name] for name, text in files if texts[name] != text}, len(ticked)


def _with_status(text: str, status: str) -> str:
    """Return a file with a new status in its front matter; unchanged if it has no front matter."""
    match = _RAW_FRONT.match(text)
    if match is None:
        return text
    start, end = match.span("front")
    front, value = match["front"], _scalar(status)
    spans = [status_line.span("value") for status_line in _STATUS.finditer(front)]
    if not spans:
        return f"{text[:end]}status: {value}{match['end']}{text[end:]}"
    at, until = (start + offset for offset in spans[-1])
    return f"{text[:at]} {value}{text[until:]}"


def _scalar(text: str) -> str:
    """Return a text as a YAML scalar: plain if YAML reads it back unchanged, else quoted."""
    import yaml

    is_plain = _PLAIN.fullmatch(text) and yaml.safe_load(text) == text
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _tasks(files: Sequence[NamedText]) -> tuple[dict[str, _TaskFile], list[str]]:
    """Return the tasks by label, and the names of the files that hold none."""
    read = [(name, _task(name, text)) for name, text in files]
    tasks = [task for _, task in read if task is not None]
    labels = unique_labels([task.label for task in tasks])
    others = [name for name, task in read if task is None]
    return dict(zip(labels, tasks, strict=True)), others


def _goals(tasks: Mapping[str, _TaskFile]) -> Iterator[tuple[PlanGoal, list[str]]]:
    """Yield each goal, with the labels of its tasks."""
    find = _finder(tasks)
    roots = {label: _root(label, tasks, find) for label in tasks}
    for label in tasks:
        if roots[label] == label:
            below = [part for part, root in roots.items() if root == label and part != label]
            needs = [need for part in (label, *below) for need in tasks[part].needs if need]
            resolved = (_find(need, find) for need in needs)
            task = tasks[label]
            text = "\n\n".join(filter(None, (task.text, *_subtasks(below, tasks))))
            before = tuple(roots.get(need, need) for need in resolved)
            goal = PlanGoal(label, task.title, text, before, task.skipped, parts=max(1, len(below)))
            yield goal, [label, *below]


def _task(name: str, text: str) -> _TaskFile | None:
    normal = normalise(text)
    match, name_match = _FRONT.match(normal), _NAME.fullmatch(name)
    fields = _fields(match["front"]) if match else {}
    label = one_line(
        text_of(fields.get("id")) or (name_match["id"] if name_match else ""), longest=LONGEST_LABEL
    )
    if not label:
        return None
    slug = (name_match["title"] or "") if name_match else ""
    needs = fields.get("dependencies")
    return _TaskFile(
        name,
        label,
        title_of(text_of(fields.get("title")) or slug.replace("-", " "), label),
        text_of(fields.get("parent_task_id")),
        tuple(map(text_of, needs)) if isinstance(needs, list) else (),
        skip_reason(text_of(fields.get("status"))),
        _body(normal[match.end() :] if match else normal),
    )


def _fields(front: str) -> Mapping[str, Any]:
    """Return the front matter, parsed key by key, so that an invalid value (`assignee: @x`) affects no other."""
    import yaml

    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    fields: dict[str, Any] = {}
    for chunk in _KEY.split(front[:LONGEST_FRONT]):
        key, _, raw = chunk.partition(":")
        try:
            value = yaml.load(chunk, Loader=loader)  # noqa: S506 - only texts, lists, mappings
        except (yaml.YAMLError, ValueError, RecursionError):
            value = {key.strip(): raw.strip().strip("'\"")}
        fields |= value if isinstance(value, dict) else {}
    return fields


def _body(text: str) -> str:
    """Return a task's body without notes on the work, comments and the states of its criteria."""
    plain = _CRITERION.sub(r"\1", _COMMENT.sub("", text))
    nodes, _ = parse_nodes(plain)
    headings = [node for node in nodes if node.kind == HEADING and node.level <= 2]
    lines = plain.split("\n")
    starts = [node.line - 1 for node in headings]
    parts = [lines[: starts[0] if starts else None]]
    for node, start, end in zip(headings, starts, [*starts, len(lines)][1:], strict=True):
        if node.text.strip().casefold() not in _LEFT_OUT:
            parts.append(lines[start:end])
    return "\n".join(line.rstrip() for part in parts for line in part).strip()


def _finder(tasks: Mapping[str, _TaskFile]) -> Mapping[str, str]:
    """Return the label for each spelling of an id: the whole id, or `-NUMBER` if only one task has that number."""
    spelled = {label.casefold(): label for label in tasks}
    numbers = grouped(tasks, lambda label: label.rpartition("-")[2])
    alone = {f"-{number}": labels[0] for number, labels in numbers.items() if len(labels) == 1}
    return alone | spelled


def _find(name: str, find: Mapping[str, str]) -> str:
    """Return the label for a reference with any prefix, or the reference itself if it is unknown."""
    return find.get(name.casefold()) or find.get(f"-{name.rpartition('-')[2]}") or name


def _root(label: str, tasks: Mapping[str, _TaskFile], find: Mapping[str, str]) -> str:
    """Return the topmost open task above a subtask, or the subtask itself."""
    root, visited = label, {label}
    while True:
        parent = tasks[root].parent or root.rpartition(".")[0]
        above = _find(parent, find) if parent else ""
        if above in visited:  # a cycle
            return label
        if above not in tasks or tasks[above].skipped:
            return root
        visited.add(above)
        root = above


def _subtasks(labels: Sequence[str], tasks: Mapping[str, _TaskFile]) -> Iterator[str]:
    for label in labels:
        task = tasks[label]
        if task.skipped not in (CANCELLED, DEFERRED):
            state = DONE_ALREADY if task.skipped else ""
            yield f"Subtask {label}: {task.title}{state}\n{task.text}".strip()
