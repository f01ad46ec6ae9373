"""Tick the check boxes of a plan, and read Kiro's and OpenSpec's `tasks.md`, whose sections become goals.

A section is defined by its number: `2`, `2.1` and `2.2.1` are in one section, whether `2` is a box or a heading. A box
without a number belongs to the box around it, or else to the heading above it.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.planning.importers import markdown_plans
from minitask.planning.importers.foreign_plan import (
    CHECKPOINT,
    DONE,
    DONE_ALREADY,
    DONE_MARKS,
    FENCE,
    HEADING,
    ITEM,
    LONGEST_LABEL,
    MOST_TASKS,
    GoalPlan,
    MarkdownNode,
    PlanGoal,
    linked,
    listed,
    parse_nodes,
    split_lines,
    title_of,
    unique_labels,
)
from minitask.spec.frontmatter import GOALS, KIRO, OPENSPEC, SPEC_KIT, SUPERPOWERS
from minitask.spec.markdown import strip_marks
from minitask.words import counted, fence_of, one_line, whole_characters

MARK = lazy_pattern(
    r"<!-- (?:imported|planned): (?P<origin>\S+ \S+ task \S+) sha256:(?P<digest>[0-9a-f]{64}) -->"
)
"""Comment in a spec that names its source: `FORMAT PATH task LABEL`, path and label quoted."""
_TICKED = lazy_pattern(r"\[[ xX~-]?\]")
MOST_BOXES = 12
"""A section with more boxes is planned in parts, because its specs would not fit into one answer."""
_BOX = lazy_pattern(
    r"\\?\[(?P<mark>(?:[^\]\n]\ufe0f?)?)\\?\](?P<optional>\s?\\?\*)?\s+(?:(?P<id>\d{1,6}(?:(?:\.\d{1,6})+|(?=\.)))\.?\s+)?"
    r"(?P<text>.*)",
    re.DOTALL,
)
_TIGHT = lazy_pattern(r"[ \t]*[-*+](?=\[[ xX~-]\][ \t])")
_ANY_BOX = lazy_pattern(r"^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]*\[[ xX~/-]?\]", re.MULTILINE)
_EMPTY = lazy_pattern(r"[ \t]*[-*+][ \t]+\[[ xX~-]?\]\s*")
_CRITERIA = lazy_pattern(
    r"\b(?:criteria|criterion|definition\s+of\s+done|success\s+metrics|(?:validation|verification|acceptance)\s+checklist)\b",
    re.IGNORECASE,
)
_ORDERED = lazy_pattern(r"[ \t]+\d{1,6}(?:\.\d{1,6})*[.)]?[ \t]+\S")
_HEADING = lazy_pattern(r"(?:(?P<id>\d{1,6})(?:\.\d{1,6})*[.):]?\s+)?(?P<text>.*)")
_PARALLEL = lazy_pattern(r"(?:^|\s)\\?\(P\\?\)(?=\s|$)")


def origin_of(text: str) -> tuple[str, str, str] | None:
    """Return the format, path and label that a spec was imported or planned from, or None."""
    match = MARK.search(text)
    if match is None:
        return None
    form, path, _, label = match["origin"].split(" ")
    return form, unquote(path), unquote(label)


def boxes_key(text: str) -> tuple[str, str] | None:
    """Return the format and label that identify a spec's boxes, or None; for a goal, the label includes its digest."""
    origin, match = origin_of(text), MARK.search(text)
    if origin is None or match is None:
        return None
    form, _, label = origin
    return form, f"{label} {match['digest']}" if form in GOALS else label


def tick(text: str, merged: Mapping[tuple[str, str], bool]) -> tuple[str, int]:
    """Return a plan with the boxes of tasks ticked or cleared, and the number of ticked tasks.

    `merged` maps format and label to the state. A goal's box is never cleared, because it may have been ticked before
    planning.
    """
    lines = split_lines(text)
    ticked = set()
    for form in {form for form, _ in merged} & _READERS.keys():
        for label, row in _READERS[form](text):
            is_merged = merged.get((form, label))
            if is_merged is None or (form in GOALS and not is_merged):
                continue
            lines[row - 1] = _TICKED.sub("[x]" if is_merged else "[ ]", lines[row - 1], count=1)
            ticked |= {(form, label)} if is_merged else set()
    return "".join(lines), len(ticked)


def _task_lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield the label of each task in a task list, and the line of its box."""
    lines, _ = markdown_plans.task_lines(parse_nodes(text)[0])
    labels = unique_labels([line.task.label for line in lines])
    yield from zip(labels, (line.row for line in lines), strict=True)


def _steps(text: str) -> Iterator[tuple[str, int]]:
    """Yield the boxes of a plan's steps: the label of the task, and the line."""
    nodes = parse_nodes(text)[0]
    sections = markdown_plans.task_sections(nodes)
    labels = unique_labels([label for label, _, _ in sections])
    for label, (_, start, end) in zip(labels, sections, strict=True):
        for node in nodes[start:end]:
            if node.kind == ITEM and _TICKED.match(node.text):
                yield label, node.line


def _sections(text: str) -> Iterator[tuple[str, int]]:
    """Yield the boxes of a plan whose sections are goals: section with digest, and line."""
    for goal in read_boxes(whole_characters(text)).goals:
        yield from ((f"{goal.label} {goal.digest}", row) for row in goal.rows)


_READERS = {SPEC_KIT: _task_lines, SUPERPOWERS: _steps, KIRO: _sections, OPENSPEC: _sections}


class _Box(Struct, frozen=True):
    """A box with its section, its number in the plan (may be ""), and the nodes that belong to it."""

    section: str
    number: str
    title: str
    node: MarkdownNode
    heading: str
    is_done: bool
    is_optional: bool
    is_parallel: bool
    more: str = ""
    nodes: tuple[MarkdownNode, ...] = ()


def way_in(text: str, path: str) -> str:
    """Return the command that plans a text in no known format: box by box if it has boxes, else as one goal."""
    if _ANY_BOX.search(text):
        return (
            f"its boxes are tasks to `minitask plan --from {shlex.quote(path)} --format openspec`"
        )
    return f'have it planned as one goal: `minitask plan "$(cat {shlex.quote(path)})"`'


def read_boxes(text: str, name: str = "") -> GoalPlan:
    """Return the sections of a task list as goals."""
    nodes, damage = parse_nodes(_regular(text))
    every = list(_boxes(nodes))
    boxes = [box for box in every if not _CRITERIA.search(box.heading)] or every
    criteria = [box for box in every if _CRITERIA.search(box.heading)] if boxes != every else []
    runs = [tuple(run) for _, run in groupby(boxes, key=lambda box: (box.section, box.heading))]
    parts = [part for run in runs[: MOST_TASKS + 1] for part in _parts(run)]
    labels = unique_labels([_label(part) for part in parts])
    rules = markdown_plans.rules(nodes)
    rules += ["\n".join(["Criteria of the whole plan:", *map(_text, criteria)])] if criteria else []
    about = "\n\n".join(rules)
    goals = [_goal(part, label, about) for part, label in zip(parts, labels, strict=True)]
    optional = [label for goal in goals if not goal.skipped for label in goal.optional]
    note = f"optional, planned as specs of their own: {', '.join(optional)}"
    notes = [*damage, note] if optional else [*damage]
    if criteria:
        named = listed(list(dict.fromkeys(f"`{box.heading}`" for box in criteria)))
        notes.append(f"{counted(len(criteria), 'box', 'boxes')} below {named}: criteria, no tasks")
    ordered = _in_sequence(goals, [part[0].is_parallel for part in parts])
    return linked(name, ordered, notes)


def _regular(text: str) -> str:
    """Return a task list, line by line, with the space that a box lacks, and with a box's text on its own line."""
    lines = split_lines(text)
    for at, line in enumerate(lines):
        tight = _TIGHT.match(line)
        if tight:
            lines[at] = f"{tight[0]} {line[tight.end() :]}"
        elif _EMPTY.fullmatch(line) and at + 1 < len(lines) and _ORDERED.match(lines[at + 1]):
            lines[at] = f"{line.rstrip()} {lines[at + 1].lstrip()}"
            lines[at + 1] = "\n"
    return "".join(lines)


def _boxes(nodes: Sequence[MarkdownNode]) -> Iterator[_Box]:
    """Yield the boxes of a document in order, each with the nodes below it."""
    heading, number = "", ""
    above: list[_Box] = []
    lead: list[MarkdownNode] = []
    box: _Box | None = None
    for node in nodes:
        match = _BOX.fullmatch(node.text) if node.kind == ITEM else None
        if node.kind == HEADING or match is not None:
            yield from [box] if box else []
            box = None
        if node.kind == HEADING:
            parts = _HEADING.fullmatch(strip_marks(node.text))
            heading = parts["text"] if parts else node.text
            number, above, lead = (parts["id"] if parts else "") or "", [], []
        elif match is not None:
            above = [box_above for box_above in above if box_above.node.level < node.level]
            box = _box(node, match, above[-1] if above else None, heading, number)
            above.append(box)
            box, lead = replace(box, nodes=tuple(lead)), []
        elif box is not None:
            box = replace(box, nodes=(*box.nodes, node))
        else:
            lead.append(node)
    yield from [box] if box else []


def _box(
    node: MarkdownNode, match: re.Match[str], outer: _Box | None, heading: str, number: str
) -> _Box:
    """Return a box; `outer` is the box around it, `number` that of the heading above it."""
    box_id = match["id"] or ""
    section = box_id.partition(".")[0] or (outer.section if outer else number or _short(heading))
    first, _, more = match["text"].partition("\n")
    if not box_id and outer:
        heading = outer.heading
    elif box_id and not number:
        heading = ""
    return _Box(
        section or "tasks",
        box_id,
        one_line(whole_characters(_PARALLEL.sub(" ", first))) or f"Task {box_id or section}",
        node,
        heading,
        is_done=match["mark"].rstrip("\ufe0f") in DONE_MARKS,
        is_optional=bool(match["optional"]),
        is_parallel=bool(_PARALLEL.search(first)),
        more=more,
    )


def _short(heading: str) -> str:
    return one_line(strip_marks(heading), longest=LONGEST_LABEL)


def _parts(run: tuple[_Box, ...]) -> Iterator[tuple[_Box, ...]]:
    """Yield a section, or parts of about equal size if it has many boxes."""
    count = math.ceil(len(run) / MOST_BOXES)
    size = math.ceil(len(run) / count)
    yield from (run[start : start + size] for start in range(0, len(run), size))


def _label(part: Sequence[_Box]) -> str:
    """Return the label of a section, or the first box's number for a later part of it."""
    first = part[0]
    is_start = first.number in ("", first.section) or first.number.endswith(".1")
    return first.section if is_start else first.number


def _goal(part: Sequence[_Box], label: str, about: str) -> PlanGoal:
    first = part[0]
    has_top = first.number == first.section and len(part) > 1
    needed = [box for box in (part[1:] if has_top else part) if not box.is_optional]
    is_done = all(box.is_done for box in needed or part)
    is_pause = first.title.casefold().startswith(CHECKPOINT)  # it only asks for a review
    is_named = has_top or len(part) == 1 or not first.heading
    title = first.title if is_named else _short(first.heading)
    optional = [box for box in part if box.is_optional]
    return PlanGoal(
        label,
        title_of(title, label),
        "\n\n".join(filter(None, ("\n".join(map(_text, part)), about))),
        skipped=DONE if is_done else CHECKPOINT if is_pause else "",
        optional=tuple(b.number or one_line(b.title, longest=LONGEST_LABEL) for b in optional),
        rows=tuple(box.node.line for box in part if not box.is_optional),
        parts=max(1, len(part) - has_top),
    )


def _text(box: _Box) -> str:
    number = f"{box.number} " if box.number else ""
    optional = " (optional)" if box.is_optional else ""
    state = DONE_ALREADY if box.is_done else ""
    details = [box.more] if box.more else []
    details += [_detail(node) for node in box.nodes]
    indented = (f"  {line}".rstrip() for text in details for line in text.split("\n"))
    return "\n".join((f"- {number}{box.title}{optional}{state}", *indented))


def _detail(node: MarkdownNode) -> str:
    if node.kind == FENCE and node.fence is not None:
        ticks = fence_of(node.fence.content)
        return f"{ticks}{node.fence.info}\n{node.fence.content.rstrip()}\n{ticks}"
    return f"- {node.text}" if node.kind == ITEM else node.text


def _in_sequence(goals: Sequence[PlanGoal], parallel: Sequence[bool]) -> list[PlanGoal]:
    """Return the goals, each depending on the one before it; adjacent goals marked `(P)` share their dependencies."""
    ordered: list[PlanGoal] = []
    before: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    was_parallel = False
    for goal, is_parallel in zip(goals, parallel, strict=True):
        if goal.skipped:
            ordered.append(goal)
            continue
        if not (is_parallel and was_parallel):
            before, beside = beside, ()
        ordered.append(replace(goal, needs=before))
        beside, was_parallel = (*beside, goal.label), is_parallel
    return ordered
