"""A plan of another tool as values: what every importer gives, and what `spec_text` writes a spec from."""

from __future__ import annotations

from msgspec import Struct

from minitask.spec.markdown import code_span
from minitask.spec.model import Fence, FileAction
from minitask.words import one_line

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
