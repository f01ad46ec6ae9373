"""The check boxes of a plan that was imported: which task each belongs to, and how they are ticked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

from minitask.patterns import lazy_pattern
from minitask.planning.importers import markdown_plans
from minitask.planning.importers.box_goals import read_boxes
from minitask.planning.importers.foreign_plan import (
    ITEM,
    MarkdownNode,
    parse_nodes,
    split_lines,
    unique_labels,
)
from minitask.spec.frontmatter import GOALS, KIRO, OPENSPEC, SPEC_KIT, SUPERPOWERS
from minitask.words import whole_characters

MARK = lazy_pattern(
    r"<!-- (?:imported|planned): (?P<origin>\S+ \S+ task \S+) sha256:(?P<digest>[0-9a-f]{64}) -->"
)
"""The comment in a spec that says what it was made from: `FORMAT PATH task LABEL`, path and label quoted."""
_BOX = lazy_pattern(r"\[[ xX~-]?\]")


def origin_of(text: str) -> tuple[str, str, str] | None:
    """Return the format, the path and the label that a spec was imported from; None if it was not."""
    match = MARK.search(text)
    if match is None:
        return None
    form, path, _, label = match["origin"].split(" ")
    return form, unquote(path), unquote(label)


def boxes_key(text: str) -> tuple[str, str] | None:
    """Return by which format and label the boxes of a spec's task are found; of a goal only in the wording that was
    planned.
    """
    origin, match = origin_of(text), MARK.search(text)
    if origin is None or match is None:
        return None
    form, _, label = origin
    return form, f"{label} {match['digest']}" if form in GOALS else label


def tick(text: str, merged: Mapping[tuple[str, str], bool]) -> tuple[str, int]:
    """Return a plan with the boxes of some tasks, by format and label, ticked or cleared, and how many tasks are
    ticked; all else stays.

    A box of a goal is never cleared: it may have been ticked before that was planned.
    """
    lines = split_lines(text)
    ticked = set()
    for key, row in _rows(text, merged):
        lines[row - 1] = _BOX.sub("[x]" if merged[key] else "[ ]", lines[row - 1], count=1)
        ticked |= {key} if merged[key] else set()
    return "".join(lines), len(ticked)


def _rows(
    text: str, merged: Mapping[tuple[str, str], bool]
) -> Iterator[tuple[tuple[str, str], int]]:
    for form in {form for form, _ in merged}:
        for label, row in _READERS[form](text) if form in _READERS else ():
            if (form, label) in merged and (merged[form, label] or form not in GOALS):
                yield (form, label), row


def _task_lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield the tasks of a task list: label, and the line of the box."""
    lines, _ = markdown_plans.task_lines(parse_nodes(text)[0])
    yield from zip(
        unique_labels([line.task.label for line in lines]),
        (line.row for line in lines),
        strict=True,
    )


def _steps(text: str) -> Iterator[tuple[str, int]]:
    """Yield the boxes of a plan's steps: the label of the task, and the line."""
    nodes = parse_nodes(text)[0]
    sections = markdown_plans.task_sections(nodes)
    labels = unique_labels([label for label, _, _ in sections])
    for label, (_, start, end) in zip(labels, sections, strict=True):
        yield from ((label, row) for row in _boxes(nodes[start:end]))


def _sections(text: str) -> Iterator[tuple[str, int]]:
    """Yield the boxes of a plan whose sections are goals: the section with its digest, and the line."""
    for goal in read_boxes(whole_characters(text)).goals:
        yield from ((f"{goal.label} {goal.digest}", row) for row in goal.rows)


def _boxes(nodes: Sequence[MarkdownNode]) -> Iterator[int]:
    return (node.line for node in nodes if node.kind == ITEM and _BOX.match(node.text))


_READERS = {SPEC_KIT: _task_lines, SUPERPOWERS: _steps, KIRO: _sections, OPENSPEC: _sections}
