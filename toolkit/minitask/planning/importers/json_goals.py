"""Read JSON plans as goals: task-master's `tasks.json` in both its shapes, and beads' `issues.jsonl`.

Marking tasks as done edits only their status; all other bytes of the document stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minitask.errors import UsageError
from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import (
    DONE,
    DONE_ALREADY,
    MOST_TASKS,
    GoalPlan,
    PlanGoal,
    label_of,
    linked,
    listed,
    repeated,
    sections,
    skip_reason,
    split_lines,
    text_of,
    title_of,
    unique_labels,
)
from minitask.spec.frontmatter import BEADS, TASK_MASTER
from minitask.spec.markdown import normalise
from minitask.words import did_you_mean, one_line

Row = Mapping[str, Any]
Place = tuple[str | int, ...]
"""Keys and indexes of the path to a value."""
_TOKEN = lazy_pattern(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
MASTER = "master"
CLOSED = "closed"
BLOCKING = ("blocks", "conditional-blocks", "waits-for")
PARENT = "parent-child"
_FIELDS = {
    "Description": "description",
    "Details": "details",
    "Acceptance criteria": "acceptanceCriteria",
    "Test strategy": "testStrategy",
}
_ISSUE_FIELDS = {
    "Description": "description",
    "Design": "design",
    "Acceptance criteria": "acceptance_criteria",
    "Notes": "notes",
}


def parse_json(text: str) -> Any:
    """Parse a JSON document; raise `UsageError`, with the line, if it is invalid."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = f"it is not JSON: line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError):
        message = (
            "it is not readable JSON: it is nested too deep, or holds a number that is too long"
        )
    raise UsageError(message, hint="repair it, then plan it again")


def read_task_master(text: str, tag: str = "") -> GoalPlan:
    """Return the tasks of a `tasks.json`, of one tag; raise `UsageError` if it has no such tag."""
    tags = _tags(parse_json(text))
    chosen = tag or (MASTER if MASTER in tags else next(iter(tags)))
    if chosen not in tags:
        raise UsageError(f"it holds no tag {chosen}", hint=did_you_mean(chosen, tags))
    others = [one_line(name, longest=40) for name in tags if name != chosen]
    note = f"the tasks of the tag {one_line(chosen)}; others: {listed(others)} (--tag)"
    goals = [goal for _, goal in _goals(tags[chosen], chosen)]
    notes = [note] if others and not tag else []
    name = TASK_MASTER if chosen == MASTER else one_line(chosen, longest=40)
    return linked(name, goals, (*notes, *repeated([goal.label for goal in goals])))


def tick_tasks(text: str, merged: Mapping[tuple[str, str], bool]) -> tuple[str, int]:
    """Return a `tasks.json` with merged tasks marked as done, and their number.

    A task counts only if its text is as it was when planned. Only its status and that of its subtasks change.
    """
    document, ticked = parse_json(normalise(text)), 0
    statuses: dict[Place, str] = {}
    for tag, rows in _tags(document).items():
        top: Place = ("tasks",) if isinstance(document.get("tasks"), list) else (tag, "tasks")
        places = {id(row): (*top, index) for index, row in enumerate(rows)}
        for row, goal in _goals(rows, tag):
            if merged.get((TASK_MASTER, f"{goal.label} {goal.digest}")):
                ticked += 1
                statuses |= dict.fromkeys(_open_items(row, places[id(row)]), DONE)
    return with_texts(text, statuses), ticked


def _open_items(row: Row, keys: Place) -> Iterator[Place]:
    """Yield the paths of the statuses to set: of the task and its subtasks, if open."""
    subtasks = enumerate(_list(row, "subtasks"))
    items = [(row, keys), *((item, (*keys, "subtasks", index)) for index, item in subtasks)]
    for item, at in items:
        if isinstance(item, dict) and not _skipped(item):
            yield (*at, "status")


def _tags(document: Any) -> dict[str, list[Any]]:
    """Return the tasks of each tag, in either shape; raise `UsageError` if there are none."""
    top = document if isinstance(document, dict) else {}
    if isinstance(top.get("tasks"), list):
        top = {MASTER: top}
    tags = {
        name: entry["tasks"]
        for name, entry in top.items()
        if isinstance(entry, dict) and isinstance(entry.get("tasks"), list)
    }
    if not tags:
        raise UsageError("it holds no list of tasks", hint='expected {"TAG": {"tasks": […]}}')
    return tags


def _goals(rows: Sequence[Any], tag: str) -> list[tuple[dict[str, Any], PlanGoal]]:
    """Return the tasks of a tag in order, each with its goal."""
    tasks = [row for row in rows if isinstance(row, dict)][: MOST_TASKS + 1]
    prefix = "" if tag == MASTER else f"{one_line(tag, longest=40)}:"
    ids = [f"{prefix}{label_of(row.get('id'), number)}" for number, row in enumerate(tasks, 1)]
    labels = unique_labels(ids)
    return [(row, _task(row, label, prefix)) for row, label in zip(tasks, labels, strict=True)]


def _task(row: Row, label: str, prefix: str) -> PlanGoal:
    subtasks = [item for item in _list(row, "subtasks") if isinstance(item, dict)]
    body = {name: row.get(key) for name, key in _FIELDS.items()}
    body["Relevant files"] = _files(row)
    numbered = enumerate(subtasks, 1)
    parts = [sections(body), *(_subtask(item, label, number) for number, item in numbered)]
    needs = _list(row, "dependencies")
    for item in subtasks:
        needs += [need for need in _list(item, "dependencies") if "." in text_of(need)]
    return PlanGoal(
        label,
        title_of(row.get("title"), label),
        "\n\n".join(part for part in parts if part),
        tuple(f"{prefix}{text_of(need).partition('.')[0]}" for need in needs if text_of(need)),
        _skipped(row),
        parts=max(1, len(subtasks)),
    )


def _subtask(row: Row, label: str, number: int) -> str:
    skipped = _skipped(row)
    if skipped and skipped != DONE:
        return ""
    name = f"{label}.{label_of(row.get('id'), number).rpartition('.')[2]}"
    state = DONE_ALREADY if skipped else ""
    needs = ", ".join(text_of(need) for need in _list(row, "dependencies"))
    body = {"Depends on": needs, **{name: row.get(key) for name, key in _FIELDS.items()}}
    return f"Subtask {name}: {title_of(row.get('title'), name)}{state}\n{sections(body)}".strip()


def _skipped(row: Row) -> str:
    """Return why a task is not planned, or "" if it is."""
    return skip_reason(text_of(row.get("status")))


def _files(row: Row) -> list[str]:
    entries = _list(row, "relevantFiles")
    files = (item if isinstance(item, dict) else {"path": item} for item in entries)
    rows = ((text_of(item.get("path")), text_of(item.get("action"))) for item in files)
    return [f"{path} ({action})" if action else path for path, action in rows if path]


def _list(row: Row, key: str) -> list[Any]:
    entries = row.get(key)
    return list(entries) if isinstance(entries, list) else []


def read_beads(text: str) -> GoalPlan:
    """Return the issues of a JSONL file, most urgent first. An issue with open children is only their context."""
    lines, notes = _issue_lines(text.split("\n"))
    issues = {label: row for label, (_, row) in lines.items()}
    parents, blockers = _links(issues)
    children: dict[str, list[str]] = {}
    for child, parent in parents.items():
        if not _skipped(issues[child]):
            children.setdefault(parent, []).append(child)
    goals = []
    for label in sorted(issues, key=lambda label: _priority(issues[label])):
        if label in children:
            continue
        above = _above(label, parents)
        needs = [need for item in (label, *above) for need in blockers.get(item, ())]
        leaves = [leaf for need in needs for leaf in _leaves(need, children)]
        goals.append(_issue(issues, label, above, leaves))
    return linked(BEADS, goals, notes)


def tick_issues(text: str, merged: Mapping[tuple[str, str], bool]) -> tuple[str, int]:
    """Return a JSONL file with merged issues closed, and their number.

    An issue counts only if its text is as it was when planned. Only its status changes; beads itself adds the time.
    """
    lines = split_lines(text)
    issues, _ = _issue_lines([normalise(line) for line in lines])
    ticked = 0
    for goal in read_beads(normalise(text)).goals:
        if not merged.get((BEADS, f"{goal.label} {goal.digest}")):
            continue
        ticked += 1
        index, row = issues[goal.label]
        if not _skipped(row):
            lines[index] = with_texts(lines[index], {("status",): CLOSED})
    return "".join(lines), ticked


def _issue_lines(lines: Sequence[str]) -> tuple[dict[str, tuple[int, Row]], list[str]]:
    """Return the issues by id, with the index of their line, and remarks; of duplicates, the one updated last."""
    issues: dict[str, tuple[int, Row]] = {}
    broken, twice = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip() or len(issues) > MOST_TASKS:
            continue
        try:
            row = parse_json(line)
        except UsageError:
            row = None
        if not isinstance(row, dict) or not (row.get("id") or row.get("title")):
            broken.append(str(number))
            continue
        label = label_of(row.get("id"), number)
        _, before = issues.get(label, (0, None))
        twice += [label] if before else []
        if before is None or text_of(before.get("updated_at")) <= text_of(row.get("updated_at")):
            issues[label] = number - 1, row
    notes = [f"lines that hold no issue: {listed(broken)}"] if broken else []
    notes += [f"there more than once, the latest counts: {listed(twice)}"] if twice else []
    return issues, notes


def _links(issues: Mapping[str, Row]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the parent of each issue that has one, and the blockers of each."""
    parents: dict[str, str] = {}
    blockers: dict[str, list[str]] = {}
    for label, row in issues.items():
        for link in _list(row, "dependencies"):
            if not isinstance(link, dict):
                continue
            owner = text_of(link.get("issue_id")) or label
            target, kind = text_of(link.get("depends_on_id")), text_of(link.get("type"))
            if kind == PARENT and owner in issues and target in issues and owner != target:
                parents[owner] = target
            elif kind in BLOCKING and target:
                blockers.setdefault(owner, []).append(target)
        above = label.rpartition(".")[0]
        if above in issues:
            parents.setdefault(label, above)
    for label in issues:
        if label in _above(label, parents):  # a cycle
            del parents[label]
    return parents, blockers


def _above(label: str, parents: Mapping[str, str]) -> list[str]:
    """Return the ancestors of an issue, from its parent upward."""
    above: dict[str, None] = {}
    while (label := parents.get(label, "")) and label not in above:
        above[label] = None
    return list(above)


def _leaves(label: str, children: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the issues to wait for in place of a dependency: the issue itself, or all open ones below it."""
    waiting, visited = [label], {label}
    while waiting:
        current = waiting.pop(0)
        below = [child for child in children.get(current, ()) if child not in visited]
        visited.update(below)
        waiting += below
        if current not in children:
            yield current


def _priority(row: Row) -> int:
    value = row.get("priority")
    return value if isinstance(value, int) and not isinstance(value, bool) else 2


def _issue(
    issues: Mapping[str, Row], label: str, above: Sequence[str], needs: Sequence[str]
) -> PlanGoal:
    row = issues[label]
    parts = [sections({name: row.get(key) for name, key in _ISSUE_FIELDS.items()})]
    for parent in above:
        title = title_of(issues[parent].get("title"), parent)
        parts.append(f"Part of {parent}: {title}\n{text_of(issues[parent].get('description'))}")
    return PlanGoal(
        label,
        title_of(row.get("title"), label),
        "\n\n".join(part.strip() for part in parts if part.strip()),
        tuple(needs),
        _skipped(row),
    )


def with_texts(document: str, texts: Mapping[Place, str]) -> str:
    """Return a valid JSON document with these texts set; a missing key is inserted first in its object."""
    spans = _spans(document.replace("\0", "\ufffd"))  # as in `normalise`
    edits = []
    for keys, text in texts.items():
        value = json.dumps(text)
        if keys in spans:
            edits.append((*spans[keys], value))
            continue
        start, end = spans[keys[:-1]]
        rest = ", " if document[start + 1 : end - 1].strip() else ""
        edits.append((start + 1, start + 1, f"{json.dumps(keys[-1])}: {value}{rest}"))
    for start, end, value in sorted(edits, reverse=True):
        document = document[:start] + value + document[end:]
    return document


def _spans(document: str) -> dict[Place, tuple[int, int]]:
    """Return the span of each value; of a duplicate key, the last one counts."""
    spans: dict[Place, tuple[int, int]] = {}
    keys: list[str | int] = []
    opened: list[int] = []
    is_key = False
    for match in _TOKEN.finditer(document):
        part = match[0]
        if part in "{[":
            opened.append(match.start())
            keys.append("" if part == "{" else 0)
        elif part in "}]":
            keys.pop()
            spans[tuple(keys)] = opened.pop(), match.end()
        elif part == "," and isinstance(keys[-1], int):
            keys[-1] += 1
        elif is_key:
            keys[-1] = json.loads(part)
            if tuple(keys) in spans:  # a duplicate key: remove the first one's values
                spans = {
                    key: span for key, span in spans.items() if key[: len(keys)] != tuple(keys)
                }
        elif part not in ",:":
            spans[tuple(keys)] = match.span()
        is_key = part == "{" or (part == "," and isinstance(keys[-1], str))
    return spans
