"""A plan of another tool as values: what every importer gives and `spec_text` writes, and how Markdown is read.

A document is a flat list of headings, texts, list items and fences, whatever they are nested in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.spec.markdown import (
    code_span,
    fence_content,
    normalise,
    parse_document,
    unclosed_fences,
)
from minitask.spec.model import Fence, FileAction
from minitask.words import one_line

if TYPE_CHECKING:
    from markdown_it.token import Token

_LINE = lazy_pattern(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LETTER, _NUMBER = lazy_pattern(r"[A-Z]"), lazy_pattern(r"[\da-z.]+$")
MOST_TASKS = 1_000
"""A plan with more tasks is refused."""


class PlanFile(Struct, frozen=True):
    """A file that a task names; `lines` are those that it cites, as `12-30, 41`; an optional one may stay as it is."""

    path: str
    action: FileAction
    lines: str = ""
    note: str = ""
    optional: bool = False


class PlanCommand(Struct, frozen=True):
    """One shell command that must pass once the task is done, and must fail before it if `fails_before`."""

    text: str
    fails_before: bool = False
    expected: str = ""


class PlanCode(Struct, frozen=True):
    """A code block of a plan, and the file that it is for; `is_whole` if it is all of a file to create."""

    path: str
    fence: Fence
    is_whole: bool = False


class PlanStep(Struct, frozen=True):
    """A step: its title, and the parts of its body in order, each a paragraph or a block of code."""

    title: str
    body: tuple[str | PlanCode, ...] = ()


class PlanTask(Struct, frozen=True):
    """One task. `label` is its name in the plan, unique in it; `needs` are the labels of the tasks before it.

    `dropped` says what is not carried over, with the reason; `missing` what a person must fill in.
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
        return tuple(
            part for step in self.steps for part in step.body if isinstance(part, PlanCode)
        )


class ForeignPlan(Struct, frozen=True):
    """A plan: its title, what its tasks must know (`context`), the tasks in order, and remarks on the whole."""

    title: str
    tasks: tuple[PlanTask, ...]
    context: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def left_out_section(title: str) -> str:
    """Return the remark that a section has no place in a spec."""
    return f"the section {code_span(one_line(title, longest=80))} is not carried over"


def unique_labels(labels: list[str]) -> list[str]:
    """Return the labels, a repeated one with `#2`, `#3` behind it."""
    counts: dict[str, int] = {}
    unique: list[str] = []
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
        unique.append(label if counts[label] == 1 else f"{label}#{counts[label]}")
    return unique


def split_lines(text: str) -> list[str]:
    """Return the lines that `normalise` would give, each with its own end; joined they are the text."""
    return _LINE.findall(text)


def task_lists(boxes: Sequence[tuple[str, int]]) -> frozenset[int]:
    """Return the lists that hold tasks, given the id of each box (may be empty) and the list that it is in.

    These are all, unless most boxes have ids of one form, such as `T001`: then a list without any is a checklist.
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
    """A part of a document; `level` is a heading's, or how many lists a text is in; `line` counts from 1."""

    kind: str
    text: str
    level: int = 0
    line: int = 0
    fence: Fence | None = None


def parse_nodes(text: str) -> tuple[tuple[MarkdownNode, ...], tuple[str, ...]]:
    """Return the nodes of a text in order, and a remark on each fence that nothing closes."""
    document = parse_document(normalise(text))
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
        elif token.type == "inline":
            yield _inline(token, level=level, depth=depth, starts_item=starts_item, line=line)
            starts_item = False
        elif token.type in ("fence", "code_block"):
            fence = Fence(token.info.strip(), fence_content(token), "", _line(token))
            yield MarkdownNode(FENCE, "", depth, fence.line, fence)
            starts_item = False
        elif token.type == "html_block":
            yield MarkdownNode(TEXT, token.content.strip(), depth, _line(token))


def _inline(token: Token, *, level: int, depth: int, starts_item: bool, line: int) -> MarkdownNode:
    if level:
        return MarkdownNode(HEADING, one_line(token.content), level, line)
    return MarkdownNode(ITEM if starts_item else TEXT, token.content.strip(), depth, line)


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0
