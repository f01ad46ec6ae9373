"""Kiro's and OpenSpec's `tasks.md` as goals: a numbered section of boxes each, after the one before it.

A section is what its number says: `2`, `2.1` and `2.2.1` are one, be the first a box or a heading. Boxes without a
number belong to the box that they are in, else to the heading above them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import (
    FENCE,
    HEADING,
    ITEM,
    MOST_TASKS,
    MarkdownNode,
    parse_nodes,
    unique_labels,
)
from minitask.planning.importers.plan_goals import (
    CHECKPOINT,
    DONE,
    DONE_ALREADY,
    LONGEST_LABEL,
    GoalPlan,
    PlanGoal,
    linked,
    title_of,
)
from minitask.spec.markdown import strip_marks
from minitask.words import fence_of, one_line, whole_characters

MOST_BOXES = 12
"""A section with more boxes is planned in parts: their specs would not fit into one answer."""
_BOX = lazy_pattern(
    r"\\?\[(?P<mark>[^\]\n]?)\\?\](?P<optional>\s?\\?\*)?\s+(?:(?P<id>\d{1,6}(?:(?:\.\d{1,6})+|(?=\.)))\.?\s+)?"
    r"(?P<text>.*)",
    re.DOTALL,
)
_HEADING = lazy_pattern(r"(?:(?P<id>\d{1,6})(?:\.\d{1,6})*[.):]?\s+)?(?P<text>.*)")
_PARALLEL = lazy_pattern(r"(?:^|\s)\\?\(P\\?\)(?=\s|$)")


class _Box(Struct, frozen=True):
    """A box with its section, its number in the plan (may be empty), and the nodes that belong to it."""

    section: str
    number: str
    words: str
    node: MarkdownNode
    heading: str
    is_done: bool
    is_optional: bool
    is_parallel: bool
    nodes: tuple[MarkdownNode, ...] = ()


def read_boxes(text: str, name: str = "") -> GoalPlan:
    """Return the sections of a task list."""
    nodes, damage = parse_nodes(text)
    boxes = list(_boxes(nodes))
    runs = [tuple(run) for _, run in groupby(boxes, key=lambda box: (box.section, box.heading))]
    parts = [part for run in runs[: MOST_TASKS + 1] for part in _parts(run)]
    labels = unique_labels([_label(part) for part in parts])
    goals = [_goal(part, label) for part, label in zip(parts, labels, strict=True)]
    optional = [label for goal in goals if not goal.skipped for label in goal.optional]
    notes = [*damage]
    if optional:
        notes.append(f"optional, planned as specs of their own: {', '.join(optional)}")
    ordered = _in_sequence(goals, [part[0].is_parallel for part in parts])
    return linked(name, ordered, notes)


def _boxes(nodes: Sequence[MarkdownNode]) -> Iterator[_Box]:
    """Yield the boxes of a document in order, each with what stands below it."""
    heading, number = "", ""
    above: list[_Box] = []
    box: _Box | None = None
    for node in nodes:
        match = _BOX.fullmatch(node.text) if node.kind == ITEM else None
        if node.kind == HEADING or match is not None:
            yield from [box] if box else []
            box = None
        if node.kind == HEADING:
            parts = _HEADING.fullmatch(strip_marks(node.text))
            heading = parts["text"] if parts else node.text
            number, above = (parts["id"] if parts else "") or "", []
        elif match is not None:
            above = [box_above for box_above in above if box_above.node.level < node.level]
            box = _box(node, match, above[-1] if above else None, heading, number)
            above.append(box)
        elif box is not None:
            box = replace(box, nodes=(*box.nodes, node))
    yield from [box] if box else []


def _box(
    node: MarkdownNode, match: re.Match[str], outer: _Box | None, heading: str, number: str
) -> _Box:
    """Return a box; `outer` is the one that it is in, `number` that of the heading above it."""
    box_id = match["id"] or ""
    section = box_id.partition(".")[0] or (outer.section if outer else number or _short(heading))
    first = match["text"].partition("\n")[0]
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
        is_done=match["mark"] in ("x", "X"),
        is_optional=bool(match["optional"]),
        is_parallel=bool(_PARALLEL.search(first)),
    )


def _short(heading: str) -> str:
    return one_line(strip_marks(heading), longest=LONGEST_LABEL)


def _parts(run: tuple[_Box, ...]) -> Iterator[tuple[_Box, ...]]:
    """Yield a section, or parts of about one size of one that has many boxes."""
    count = -(-len(run) // MOST_BOXES)
    size = -(-len(run) // count)
    yield from (run[start : start + size] for start in range(0, len(run), size))


def _label(part: Sequence[_Box]) -> str:
    """Return the section's name; of a later part the number of its first box."""
    first = part[0]
    is_start = first.number in ("", first.section) or first.number.endswith(".1")
    return first.section if is_start else first.number


def _goal(part: Sequence[_Box], label: str) -> PlanGoal:
    first = part[0]
    has_top = first.number == first.section and len(part) > 1
    needed = [box for box in (part[1:] if has_top else part) if not box.is_optional]
    required = needed or part
    title = first.words if has_top or len(part) == 1 or not first.heading else _short(first.heading)
    return PlanGoal(
        label,
        title_of(title, label),
        "\n".join(map(_text, part)),
        skipped=DONE if all(box.is_done for box in required) else _pause(first.words),
        optional=tuple(
            box.number or one_line(box.words, longest=LONGEST_LABEL)
            for box in part
            if box.is_optional
        ),
        rows=tuple(box.node.line for box in part if not box.is_optional),
        parts=max(1, len(part) - has_top),
    )


def _pause(title: str) -> str:
    """Return why a section that only asks to look at what there is needs no plan."""
    return CHECKPOINT if title.casefold().startswith(CHECKPOINT) else ""


def _text(box: _Box) -> str:
    number = f"{box.number} " if box.number else ""
    optional = " (optional)" if box.is_optional else ""
    state = DONE_ALREADY if box.is_done else ""
    match = _BOX.fullmatch(box.node.text)
    more = match["text"].partition("\n")[2] if match else ""
    details = [more] if more else []
    details += [_detail(node) for node in box.nodes]
    indented = (f"  {line}".rstrip() for text in details for line in text.split("\n"))
    return "\n".join((f"- {number}{box.words}{optional}{state}", *indented))


def _detail(node: MarkdownNode) -> str:
    if node.kind == FENCE and node.fence is not None:
        ticks = fence_of(node.fence.content)
        return f"{ticks}{node.fence.info}\n{node.fence.content.rstrip()}\n{ticks}"
    return f"- {node.text}" if node.kind == ITEM else node.text


def _in_sequence(goals: Sequence[PlanGoal], parallel: Sequence[bool]) -> list[PlanGoal]:
    """Return the goals, each after the one before it; neighbours marked `(P)` after the same ones."""
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
