"""A plan without files and commands as goals for a planner: what every reader of one gives, in an order to plan by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.words import counted, one_line, whole_characters

DONE, CANCELLED, DEFERRED, CHECKPOINT = "done", "cancelled", "deferred", "checkpoint"
_SKIPPED = {
    **dict.fromkeys(("done", "completed", "complete", "closed"), DONE),
    **dict.fromkeys(("cancelled", "canceled", "tombstone", "archived"), CANCELLED),
    **dict.fromkeys(("deferred", "postponed"), DEFERRED),
}
DONE_ALREADY = " (done already)"
"""Behind a part of a goal that is done; whether it stands there does not change what the goal is."""
NAMED = 8
LONGEST_LABEL, LONGEST_TITLE = 60, 120


class PlanGoal(Struct, frozen=True):
    """A task of a plan, with its subtasks, as a goal. `label` is its name in the plan, unique in it.

    `needs` are the labels of the tasks before it, `skipped` is why it is not to be planned, `optional` names parts
    that may be left out, `rows` are the lines of the boxes that are ticked once it is done, and `parts` is how many
    specs it will probably take.
    """

    label: str
    title: str
    text: str
    needs: tuple[str, ...] = ()
    skipped: str = ""
    optional: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    parts: int = 1

    @property
    def digest(self) -> str:
        """Return what tells whether the text has changed; which of its parts are done does not count."""
        text = f"{self.title}\n{self.text}".replace(DONE_ALREADY, "")
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class GoalPlan(Struct, frozen=True):
    """A plan: words for its project's name, its goals, each after those that it needs, and remarks on the whole."""

    name: str
    goals: tuple[PlanGoal, ...]
    notes: tuple[str, ...] = ()


def skip_reason(status: str) -> str:
    """Return why a task with this status is not to be planned; empty if it is."""
    return _SKIPPED.get(status.strip().strip("✓✔○◒ ").casefold(), "")


def label_of(value: object, number: int) -> str:
    """Return a task's id as a label; of a task without one its place in the plan."""
    is_id = isinstance(value, str | int) and not isinstance(value, bool)
    return (
        one_line(text_of(value), longest=LONGEST_LABEL)
        if is_id and str(value).strip()
        else f"#{number}"
    )


def title_of(value: object, label: str) -> str:
    """Return a task's title on one line."""
    return one_line(text_of(value), longest=LONGEST_TITLE) or f"Task {label}"


def text_of(value: object) -> str:
    """Return a text or number of others as text, of a list its texts as items; empty for all else."""
    if isinstance(value, list):
        value = [entry for entry in value if not isinstance(entry, list)]
        return "\n".join(f"- {text}" for entry in value if (text := text_of(entry)))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return whole_characters(str(value)).strip()


def sections(fields: Mapping[str, object]) -> str:
    """Return named texts below each other, those that hold something."""
    return "\n\n".join(
        f"{name}:\n{text}" for name, value in fields.items() if (text := text_of(value))
    )


def linked(name: str, goals: Sequence[PlanGoal], notes: Sequence[str] = ()) -> GoalPlan:
    """Return the plan with its goals in order; needs that lead nowhere or in a circle are left out, with a remark."""
    by_label = {goal.label: goal for goal in goals}
    remarks = list(notes)
    needs: dict[str, list[str]] = {}
    for goal in goals:
        others = [need for need in dict.fromkeys(goal.needs) if need != goal.label]
        open_ones = [need for need in others if need in by_label and not by_label[need].skipped]
        needs[goal.label] = open_ones
        if not goal.skipped:
            remarks += _unmet(goal, [need for need in others if need not in open_ones], by_label)
    ordered, closing = _in_order(needs)
    for label, circular in closing.items():
        needs[label] = [need for need in needs[label] if need not in circular]
        remarks.append(f"task {label} depends on {listed(list(circular))}, in a circle: left out")
    return GoalPlan(
        name,
        tuple(replace(by_label[label], needs=tuple(needs[label])) for label in ordered),
        tuple(remarks),
    )


def _unmet(goal: PlanGoal, needs: Sequence[str], goals: Mapping[str, PlanGoal]) -> Iterator[str]:
    for need in needs:
        state = goals[need].skipped if need in goals else "not a task of the plan"
        if state != DONE:
            yield f"task {goal.label} depends on {one_line(need, longest=LONGEST_LABEL)}, which is {state}"


def _in_order(needs: Mapping[str, Sequence[str]]) -> tuple[list[str], dict[str, dict[str, None]]]:
    """Return the labels, each after its needs and else as they stand, and the needs that close a circle."""
    ordered: dict[str, None] = {}
    closing: dict[str, dict[str, None]] = {}
    under_way: dict[str, Iterator[str]] = {}
    for start in needs:
        if start not in ordered:
            under_way[start] = iter(needs[start])
        while under_way:
            label, pending = next(reversed(under_way.items()))
            need = next(pending, None)
            if need is None:
                del under_way[label]
                ordered[label] = None
            elif need in under_way:
                closing.setdefault(label, {})[need] = None
            elif need not in ordered:
                under_way[need] = iter(needs[need])
    return list(ordered), closing


def listed(labels: Sequence[str]) -> str:
    """Return labels in a row, of many the first ones and their number."""
    more = len(labels) - NAMED
    shown = ", ".join(labels[:NAMED])
    return f"{shown} and {counted(more, 'more', 'more')}" if more > 0 else shown
