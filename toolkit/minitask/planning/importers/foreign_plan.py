"""The data model of another tool's plan, between the importers and `spec_text`, and the parser of Markdown plans.

A document is a flat list of headings, texts, list items and fences, whatever their nesting.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.spec.markdown import code_span, normalise, parse_document, unclosed_fences
from minitask.spec.model import Fence, FileAction
from minitask.words import counted, one_line, whole_characters

if TYPE_CHECKING:
    from markdown_it.token import Token


_LINE = lazy_pattern(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_FRONT = lazy_pattern(
    r"\A---[ \t]*\n(?=[^\n]*\S)(?:(?!---|\.\.\.)[^\n]*\n)*+(?:---|\.\.\.)[ \t]*(?=\n|\Z)"
)
_LETTER, _NUMBER = lazy_pattern(r"[A-Z]"), lazy_pattern(r"[\da-z.]+$")
MOST_TASKS = 1_000
"""A plan with more tasks is refused."""


class PlanFile(Struct, frozen=True):
    """A file that a task names; `lines` are the cited ones, as `12-30, 41`; an `optional` file may stay unchanged."""

    path: str
    action: FileAction
    lines: str = ""
    note: str = ""
    optional: bool = False


class PlanCommand(Struct, frozen=True):
    """One shell command that must pass after the task, and fail before it if `fails_before`."""

    text: str
    fails_before: bool = False
    expected: str = ""


class PlanCode(Struct, frozen=True):
    """A code block of a plan, and its file; `is_whole` if it is the complete content of a new file."""

    path: str
    fence: Fence
    is_whole: bool = False


class PlanStep(Struct, frozen=True):
    """A step: its title, and the paragraphs and code blocks of its body, in order."""

    title: str
    body: tuple[str | PlanCode, ...] = ()


class PlanTask(Struct, frozen=True):
    """One task. `label` is its name in the plan, unique there; `needs` are the labels of the tasks that it depends on.

    `dropped` lists what is not imported, with the reasons; `missing` lists what a person must fill in.
    """

    label: str
    title: str
    files: tuple[PlanFile, ...] = ()
    steps: tuple[PlanStep, ...] = ()
    commands: tuple[PlanCommand, ...] = ()
    criteria: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    tier: str = ""
    is_done: bool = False
    dropped: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def codes(self) -> tuple[PlanCode, ...]:
        """Return the code blocks of all steps."""
        parts = (part for step in self.steps for part in step.body)
        return tuple(part for part in parts if isinstance(part, PlanCode))


class ForeignPlan(Struct, frozen=True):
    """A plan: its title, the context that all its tasks need, the tasks in order, and remarks on the whole."""

    title: str
    tasks: tuple[PlanTask, ...]
    context: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def left_out_section(title: str) -> str:
    """Return the remark that a section has no equivalent in a spec."""
    return f"the section {code_span(one_line(title, longest=80))} is not carried over"


def unique_labels(labels: list[str]) -> list[str]:
    """Return the labels, with `#2`, `#3` appended to repeated ones."""
    counts: Counter[str] = Counter()
    unique = []
    for label in labels:
        counts[label] += 1
        unique.append(label if counts[label] == 1 else f"{label}#{counts[label]}")
    return unique


def repeated(labels: Sequence[str]) -> list[str]:
    """Return a remark on each label of a repeated id."""
    further = (label for label in labels if "#" in label[1:])
    return [f"`{label}` stands for a further task of that id" for label in further]


def split_lines(text: str) -> list[str]:
    """Return the lines that `normalise` would return, each with its own line end; joined they are the text."""
    return _LINE.findall(text)


def task_lists(boxes: Sequence[tuple[str, int]]) -> frozenset[int]:
    """Return the lists that hold tasks, given each box's id (may be "") and the list that it is in.

    These are all lists, unless most ids have one form, such as `T001`: then a list without such ids is a checklist.
    """
    forms = [_LETTER.sub("A", _NUMBER.sub("", label)) for label, _ in boxes]
    form, count = next(iter(Counter(filter(None, forms)).most_common(1)), ("", 0))
    is_one = form and 2 * count > len(boxes)
    return frozenset(
        number
        for (_, number), box_form in zip(boxes, forms, strict=True)
        if not is_one or box_form == form
    )


HEADING, TEXT, ITEM, FENCE = "heading", "text", "item", "fence"


class MarkdownNode(Struct, frozen=True):
    """A part of a document; `level` is a heading's level, or the nesting depth in lists; `line` is 1-based."""

    kind: str
    text: str
    level: int = 0
    line: int = 0
    fence: Fence | None = None


def parse_nodes(text: str) -> tuple[tuple[MarkdownNode, ...], tuple[str, ...]]:
    """Return the nodes of a text in order, and a remark on each unclosed fence."""
    normal = _FRONT.sub(lambda match: "\n" * match[0].count("\n"), normalise(text))
    document = parse_document(normal)
    damage = "a fence that is never closed; all below it is read as code"
    remarks = (f"line {line}: {damage}" for line in unclosed_fences(document))
    return tuple(_nodes(document.tokens)), tuple(remarks)


def _nodes(tokens: Sequence[Token]) -> Iterator[MarkdownNode]:
    depth, starts_item, opened = 0, False, ""
    level, line = 0, 0
    for token in tokens:
        if token.type == "list_item_open":
            depth, starts_item = depth + 1, True
        elif token.type == "list_item_close":
            depth, starts_item = depth - 1, False
        elif token.type in ("heading_open", "paragraph_open"):
            opened, line = token.type, _line(token)
            level = int(token.tag[1:]) if opened == "heading_open" and not depth else 0
        elif token.type == "inline" and level:
            yield MarkdownNode(HEADING, one_line(token.content), level, line)
            starts_item = False
        elif token.type == "inline":
            kind = ITEM if starts_item else TEXT
            yield MarkdownNode(kind, token.content.strip(), depth, line)
            starts_item = False
        elif token.type in ("fence", "code_block"):
            fence = Fence(token.info.strip(), token.content, "", _line(token))
            yield MarkdownNode(FENCE, "", depth, fence.line, fence)
            starts_item = False
        elif token.type == "html_block":
            yield MarkdownNode(TEXT, token.content.strip(), depth, _line(token))


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0


DONE, CANCELLED, DEFERRED, CHECKPOINT = "done", "cancelled", "deferred", "checkpoint"
_SKIPPED = {
    **dict.fromkeys(("done", "completed", "complete", "closed"), DONE),
    **dict.fromkeys(("cancelled", "canceled", "tombstone", "archived"), CANCELLED),
    **dict.fromkeys(("deferred", "postponed"), DEFERRED),
}
DONE_SIGNS = tuple("✓✔✅☑")
"""Signs behind the title of what is done."""
DONE_MARKS = (*"xX", *DONE_SIGNS)
"""Marks in the box of what is done."""
DONE_ALREADY = " (done already)"
"""Suffix of a goal's part that is done; it does not count in the goal's digest."""
NAMED = 8
LONGEST_LABEL, LONGEST_TITLE = 60, 120


class PlanGoal(Struct, frozen=True):
    """A task of a plan, with its subtasks, as a goal. `label` is its name in the plan, unique there.

    `needs` are the labels of the tasks that it depends on, `skipped` is the reason not to plan it, `optional` names
    optional parts, `rows` are the lines of the boxes to tick when it is done, and `parts` is the expected number of
    specs.
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
        """Return the digest of title and text, without regard to which parts are done."""
        text = f"{self.title}\n{self.text}".replace(DONE_ALREADY, "")
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class GoalPlan(Struct, frozen=True):
    """A plan: its name for the project, its goals in dependency order, and remarks on the whole."""

    name: str
    goals: tuple[PlanGoal, ...]
    notes: tuple[str, ...] = ()


def skip_reason(status: str) -> str:
    """Return why a task with this status is not planned, or "" if it is."""
    return _SKIPPED.get(status.strip().strip("✓✔○◒ ").casefold(), "")


def label_of(value: object, number: int) -> str:
    """Return a task's id as a label, or its number in the plan."""
    is_id = isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip()
    return one_line(text_of(value), longest=LONGEST_LABEL) if is_id else f"#{number}"


def title_of(value: object, label: str) -> str:
    """Return a task's title on one line."""
    return one_line(text_of(value), longest=LONGEST_TITLE) or f"Task {label}"


def text_of(value: object) -> str:
    """Return a text or number as text, a list of them as Markdown items, and "" for any other value."""
    if isinstance(value, list):
        value = [entry for entry in value if not isinstance(entry, list)]
        return "\n".join(f"- {text}" for entry in value if (text := text_of(entry)))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return whole_characters(str(value)).strip()


def sections(fields: Mapping[str, object]) -> str:
    """Return the non-empty texts, each below its name."""
    texts = {name: text_of(value) for name, value in fields.items()}
    return "\n\n".join(f"{name}:\n{text}" for name, text in texts.items() if text)


def linked(name: str, goals: Sequence[PlanGoal], notes: Sequence[str] = ()) -> GoalPlan:
    """Return the plan in dependency order, without unknown and cyclic dependencies, each of which gets a remark."""
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
    in_order = (replace(by_label[label], needs=tuple(needs[label])) for label in ordered)
    return GoalPlan(name, tuple(in_order), tuple(remarks))


def _unmet(goal: PlanGoal, needs: Sequence[str], goals: Mapping[str, PlanGoal]) -> Iterator[str]:
    for need in needs:
        state = goals[need].skipped if need in goals else "not a task of the plan"
        if state != DONE:
            yield f"task {goal.label} depends on {one_line(need, longest=LONGEST_LABEL)}, which is {state}"


def _in_order(needs: Mapping[str, Sequence[str]]) -> tuple[list[str], dict[str, dict[str, None]]]:
    """Return the labels in dependency order, else in their own, and the dependencies that close a cycle."""
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
    """Return labels in a row; of many, the first ones and the number of the others."""
    more = len(labels) - NAMED
    shown = ", ".join(labels[:NAMED])
    return f"{shown} and {counted(more, 'more', 'more')}" if more > 0 else shown
