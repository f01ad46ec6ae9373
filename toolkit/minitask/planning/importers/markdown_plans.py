"""Read Markdown plans: superpowers' `Task N` headings, done in order, and spec-kit's task lists, one line per task.

spec-kit's phases are barriers; tasks marked `[P]` may run in parallel with adjacent ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import (
    DONE_MARKS,
    FENCE,
    HEADING,
    ITEM,
    MOST_TASKS,
    TEXT,
    ForeignPlan,
    MarkdownNode,
    PlanCode,
    PlanFile,
    PlanStep,
    PlanTask,
    left_out_section,
    parse_nodes,
    task_lists,
    unique_labels,
)
from minitask.planning.importers.plan_files import (
    file_remark,
    is_file_name,
    mentions,
    unfit_path,
)
from minitask.planning.importers.plan_tasks import read_tasks
from minitask.spec.markdown import find_label, strip_marks
from minitask.spec.model import FileAction
from minitask.words import counted, one_line

_TASK = lazy_pattern(
    r"[^\w#]*(?:Task\s+|T(?=\d\d))(?P<number>\d+(?:\.\d+)*[a-z]?)(?:\s*[:—–.)-]\s*|\s+|$)(?P<title>.*)",
    re.IGNORECASE,
)
_TITLE_END = lazy_pattern(r"\s*[-—–:]?\s*Implementation Plan\s*$", re.IGNORECASE)
_KEPT = ("goal", "architecture", "tech stack")
_RULES = lazy_pattern(
    r"\b(?:constraints?|guard-?rails|non-?goals?|ground\s+rules|out[ -]of[ -]scope|off[ -]limits"
    r"|(?:not|don['’]t)\s+(?:to\s+|be\s+)?(?:touch|modif|chang|edit|deviat)\w*)",
    re.IGNORECASE,
)
_TASK_LINE = lazy_pattern(
    r"\\?\[(?P<box>[ xX~-]?|[^\w\s\[\]\\]{1,3})\\?\]\*?\s+"
    r"(?:[*_]*(?P<id>[A-Z]{1,3}-?\d+[a-z]?(?:\.\d+)*)[*_]*(?!\w)[:.]?\s*)?(?P<text>.*)",
    re.DOTALL,
)
_TAG = lazy_pattern(r"\s*\\?\[(?P<tag>P|US\d+|[A-Z][A-Za-z0-9 ,-]{0,20})\\?\]\s*")
_PHASE = lazy_pattern(r"[^\w]*Phase\s+[\w.]+", re.IGNORECASE)
_DEPENDS = lazy_pattern(
    r"[(\[]?\s*\b(?:depends?\s+on|after|requires|blocked\s+by)\b:?\s+(?P<ids>[A-Z]{1,3}-?\d[^)\];.]*)[)\]]?",
    re.IGNORECASE,
)
_RANGE = lazy_pattern(
    r"(?P<head>[A-Z]{1,3}-?)(?P<first>\d+)(?P<letter>[a-z]?)(?:\s*[-–—]\s*(?:[A-Z]{1,3}-?)?(?P<last>\d+))?"
)
_VERBS = lazy_pattern(
    r"(?P<verb>delete|remove|review|read|run|verify|check|validate)\b", re.IGNORECASE
)
_SKIPPED = lazy_pattern(r"T?X{2,3}\b|Format\b")
_TITLE_START = lazy_pattern(r"[^\w]*Tasks?\s*[:—–-]\s*", re.IGNORECASE)
_KEPT_LINES = ("goal", "purpose", "independent test", "checkpoint")
LONGEST_RANGE = 200
MOST_TAGS = 8
LABEL_LEVEL = 7


def read_superpowers(text: str) -> ForeignPlan:
    """Return the plan in a text; without tasks if the text is not a plan."""
    nodes, damage = parse_nodes(text)
    sections = task_sections(nodes)
    labels = unique_labels([label for label, _, _ in sections])
    parts = [
        (label, _title(nodes[start]), nodes[start + 1 : end])
        for label, (_, start, end) in zip(labels, sections, strict=True)
    ]
    starts = [*(start for _, start, _ in sections), len(nodes)]
    ends = [0, *(end for _, _, end in sections)]
    gaps = [node for end, start in zip(ends, starts, strict=True) for node in nodes[end:start]]
    head = nodes[: starts[0]]
    return ForeignPlan(
        _plan_title(head),
        _in_order(read_tasks(parts)),
        context=(*_header(head), *rules(gaps)),
        notes=(*damage, *_left_out(gaps)),
    )


def task_sections(nodes: Sequence[MarkdownNode]) -> list[tuple[str, int, int]]:
    """Return each task's label, and the indices of its first node (the heading) and the end."""
    starts = (index for index, node in enumerate(nodes) if _is_task(node))
    return [(_number(nodes[start]), start, _end(nodes, start)) for start in starts]


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
    """Return the end of a task: the next task, or a heading that is not below its own."""
    level = nodes[start].level
    for index, node in enumerate(nodes[start + 1 :], start + 1):
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
    return [f"{key}: {one_line(text)}" for key, text in labels if key.lower() in _KEPT and text]


def rules(nodes: Sequence[MarkdownNode]) -> list[str]:
    """Return the text of each section or label such as Global Constraints or Non-Goals, as one entry."""
    found: dict[str, list[str]] = {}
    title, level = "", 0
    for node in nodes:
        label = find_label(node.text) if node.kind == TEXT else None
        if node.kind == HEADING and (not title or node.level <= level):
            title, level = _rules_title(node.text) if node.level > 1 else "", node.level
        elif label and _rules_title(label[0]):
            title, level = _rules_title(label[0]), LABEL_LEVEL
            found[title] = [one_line(label[1])] if label[1] else []
        elif title and node.kind == ITEM and _TASK_LINE.fullmatch(node.text):
            found.pop(title, None)
            title = ""
        elif title and level == LABEL_LEVEL and node.kind in (TEXT, FENCE) and not node.level:
            title = ""
        elif title and node.kind != FENCE and node.text.strip("-*_ "):
            text = f"- {one_line(node.text)}" if node.kind == ITEM else one_line(node.text)
            found.setdefault(title, []).append(text)
    return [f"{name}:\n{chr(10).join(texts)}" for name, texts in found.items() if texts]


def _rules_title(title: str) -> str:
    return one_line(strip_marks(title)).strip(": ").capitalize() if _RULES.search(title) else ""


def _left_out(nodes: Sequence[MarkdownNode]) -> list[str]:
    titles = [node.text for node in nodes if node.kind == HEADING and node.level > 1]
    return [left_out_section(title) for title in titles if not _rules_title(title)]


def _in_order(tasks: Sequence[PlanTask]) -> tuple[PlanTask, ...]:
    """Return the tasks with valid dependencies; a task that names none depends on the one before it."""
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


class _Line(Struct, frozen=True):
    """A task's line: its phase number, whether it may run in parallel with adjacent ones, and the ids that it names."""

    task: PlanTask
    phase: int
    is_parallel: bool
    named_ids: tuple[str, ...]
    row: int = 0
    task_id: str = ""
    list_number: int = 0


def read_speckit(text: str) -> ForeignPlan:
    """Return the plan in a task list; without tasks if the text is not one."""
    nodes, damage = parse_nodes(text)
    lines, phase_notes = task_lines(nodes)
    unique = unique_labels([line.task.label for line in lines])
    lines = [
        replace(line, task=replace(line.task, label=label))
        for line, label in zip(lines, unique, strict=True)
    ]
    tasks = tuple(_by_phase(lines[: MOST_TASKS + 1]))
    title = next((node.text for node in nodes if node.kind == HEADING and node.level == 1), "")
    notes = [f"`{label}` stands for a second task of that id" for label in unique if "#" in label]
    title = one_line(_TITLE_START.sub("", strip_marks(title)))
    return ForeignPlan(title, tasks, tuple(rules(nodes)), (*damage, *notes, *phase_notes))


def task_lines(nodes: Sequence[MarkdownNode]) -> tuple[list[_Line], list[str]]:
    """Return the tasks with their phases, and a remark on each section without tasks."""
    lines: list[_Line] = []
    about: list[str] = []
    left_out: list[str] = []
    phase, owner, list_number = 0, "", 0
    for node in nodes:
        list_number += node.kind == HEADING or not node.level
        if node.kind == HEADING and node.level <= 2:
            is_phase = _PHASE.match(node.text) is not None
            phase, about = phase + is_phase, [one_line(strip_marks(node.text))] if is_phase else []
            owner = node.text
            left_out += _left_out([] if is_phase else [node])
        elif node.kind == ITEM and (line := _line(node, phase, about, len(lines))):
            lines.append(replace(line, list_number=list_number))
            left_out = [remark for remark in left_out if remark != left_out_section(owner)]
        elif lines and node.level > (node.kind == ITEM) and node.kind != HEADING:
            lines[-1] = _with_detail(lines[-1], node)
        elif node.kind not in (FENCE, HEADING):
            about += list(_kept(node.text))
    numbers = task_lists([(line.task_id, line.list_number) for line in lines])
    tasks = [line for line in lines if line.list_number in numbers]
    others = [line.row for line in lines if line.list_number not in numbers]
    remarks = left_out
    if others:
        boxes = f"{counted(len(others), 'box', 'boxes')} in lists without a task's id"
        remarks.append(f"{boxes}, the first in line {others[0]}: not imported")
    return tasks, remarks


def _kept(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        plain = strip_marks(line)
        if plain.lower().startswith(_KEPT_LINES):
            yield one_line(plain)


def _line(node: MarkdownNode, phase: int, about: Sequence[str], count: int) -> _Line | None:
    """Return the task in a list item, or None if it is not a task, such as a legend."""
    match = _TASK_LINE.fullmatch(node.text)
    if match is None or _SKIPPED.match(match["text"]):
        return None
    text = match["text"]
    tags: list[str] = []
    while len(tags) < MOST_TAGS and (tag := _TAG.match(text)):
        tags.append(tag["tag"])
        text = text[tag.end() :]
    if not text.strip():
        return None
    named_ids = tuple(label for match in _DEPENDS.finditer(text) for label in _labels(match["ids"]))
    title = one_line(_DEPENDS.sub("", text).strip())
    files, missing = _files(text)
    task = PlanTask(
        match["id"] or f"line-{count + 1}",
        strip_marks(title) or "Untitled",
        files=files,
        steps=(PlanStep("", (one_line(text),)),),
        context=tuple(about),
        is_done=match["box"].rstrip("\ufe0f") in DONE_MARKS,
        missing=missing,
    )
    return _Line(task, phase, "P" in tags, named_ids, node.line, match["id"] or "")


def _with_detail(line: _Line, node: MarkdownNode) -> _Line:
    """Return a task with a node nested below its line."""
    text = f"- {node.text}" if node.kind == ITEM else node.text
    part = PlanCode("", node.fence) if node.fence else text
    steps = (PlanStep("", (*line.task.steps[0].body, part)),)
    return replace(line, task=replace(line.task, steps=steps))


def _files(text: str) -> tuple[tuple[PlanFile, ...], tuple[str, ...]]:
    """Return the files that a line names, to change or only to read, and remarks on names that are no files."""
    action = _action(strip_marks(text))
    files, missing = [], []
    named: dict[str, bool] = {}
    for path, is_reference in mentions(text):
        named.setdefault(path, is_reference)
    for path, is_reference in named.items():
        if any(other.endswith(f"/{path}") for other in named):
            continue
        if why := unfit_path(path.removeprefix("./")):
            missing.append(file_remark(path, why))
        elif is_file_name(path):
            file_action = FileAction.READ if is_reference else action
            files.append(PlanFile(path.removeprefix("./"), file_action))
        else:
            missing.append(file_remark(path, "may be a folder: name the files"))
    return tuple(files), tuple(missing)


def _action(text: str) -> FileAction:
    """Return a line's action on its files: `Remove X from a.py` edits one, `Remove a.py` deletes it."""
    verb = _VERBS.match(text)
    if verb is None:
        return FileAction.WRITE
    if verb["verb"].lower() not in ("delete", "remove"):
        return FileAction.READ
    return FileAction.WRITE if " from " in text else FileAction.DELETE


def _labels(text: str) -> Iterator[str]:
    """Yield the ids in a text such as `T004, T006–T008`."""
    for match in _RANGE.finditer(text):
        first, width = int(match["first"][:9]), len(match["first"])
        last = int((match["last"] or match["first"])[:9])
        if match["letter"] or not first <= last <= first + LONGEST_RANGE:
            last = first
        for number in range(first, last + 1):
            yield f"{match['head']}{number:0{width}}{match['letter']}"


def _by_phase(lines: Sequence[_Line]) -> Iterator[PlanTask]:
    """Yield the tasks, each depending on the group before it; adjacent `[P]` tasks of a phase form a group."""
    labels = {line.task.label for line in lines}
    before: list[str] = []
    group: list[str] = []
    last: _Line | None = None
    for line in lines:
        both_parallel = last is not None and last.is_parallel and line.is_parallel
        if last is not None and not (both_parallel and last.phase == line.phase):
            before, group = group, []
        named = [name for name in line.named_ids if name in labels and name != line.task.label]
        unknown = [name for name in line.named_ids if name not in labels]
        dropped = tuple(f"the dependency on {name}: no such task" for name in unknown)
        needs = tuple(dict.fromkeys((*before, *named)))
        yield replace(line.task, needs=needs, dropped=(*line.task.dropped, *dropped))
        group.append(line.task.label)
        last = line
