"""Decide whether to delegate work, by a tree of six questions, some of which specs answer.

`decide` follows the tree to a verdict, or to the first question without an answer.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TypeAlias

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.spec.model import Diagnostic, Spec

MANY_EDITS = 10
"""Number of similar edits from which a pattern is worthwhile."""
MANY_TASKS = 5
"""Number of atomic tasks from which planning is worthwhile."""
ALIKE = 0.8
"""Two tasks with this share of common words are the same edit at different places."""
VAGUE, READS_MANY = "W403", "W405"
_BESIDE = lazy_pattern(r"^ {0,3}(`{3,}|~{3,}).*?^ {0,3}\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_WORD = lazy_pattern(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class DelegationVerdict(StrEnum):
    """The verdict on who should do the work."""

    DELEGATE = "delegate"
    CURRENT = "current model"
    BIG = "big model"
    ASK = "ask the user"


class Question(Struct, frozen=True):
    """A question, and the command-line options that answer it; `assumed` is the answer if no user can be asked."""

    text: str
    yes_option: str
    no_option: str
    assumed: bool | None = None


class DelegationAnswer(Struct, frozen=True):
    """Yes or no, and the source of the answer."""

    yes: bool
    source: str


class Leaf(Struct, frozen=True):
    """A leaf of the tree."""

    verdict: DelegationVerdict
    reason: str


class Fork(Struct, frozen=True):
    """A question, and the nodes for its answers."""

    question: Question
    yes: Node
    no: Node


Node: TypeAlias = Fork | Leaf


class DelegationDecision(Struct, frozen=True):
    """The verdict, the reason, and the questions on the path with their answers."""

    verdict: DelegationVerdict
    reason: str
    path: tuple[tuple[Question, DelegationAnswer], ...]


WELL_DEFINED = Question(
    "is it well defined (is it known exactly what to change)?",
    "--well-defined",
    "--not-well-defined",
)
EXPLORATION = Question(
    "does the code have to be explored first?", "--exploration", "--no-exploration"
)
JUDGEMENT = Question(
    "does it need a user's judgement, or a decision on architecture?",
    "--judgement",
    "--no-judgement",
    assumed=False,
)
REPETITIVE = Question(
    f"is it repetitive ({MANY_EDITS} or more similar edits)?", "--repetitive", "--not-repetitive"
)
LARGE = Question("is it a large project (several files)?", "--large", "--small")
ATOMIC = Question(
    f"can it be split into {MANY_TASKS} or more atomic tasks?",
    "--atomic-tasks N",
    "--atomic-tasks 0",
)

_DELEGATE, _BIG = DelegationVerdict.DELEGATE, DelegationVerdict.BIG
_EXPLORE = Leaf(_BIG, "exploring needs a model that can reason about unfamiliar code")
_ASK_USER = Leaf(
    DelegationVerdict.ASK, "what to change is undecided: ask the user, then decide again"
)
_DECIDE = Leaf(_BIG, "a cheap model has neither the context nor the authority to decide this")
_PATTERN = Leaf(_DELEGATE, "the edits follow one pattern, which a cheap model can apply")
_MANY = Leaf(_DELEGATE, "enough small tasks to repay the planning: plan once, run cheaply")
_FEW = Leaf(_BIG, f"it is large and splits into fewer than {MANY_TASKS} independent tasks")
_QUICK = Leaf(
    DelegationVerdict.CURRENT, "a quick change: writing specs would take longer than making it"
)
_SIZE = Fork(LARGE, yes=Fork(ATOMIC, yes=_MANY, no=_FEW), no=_QUICK)
_DEFINED = Fork(JUDGEMENT, yes=_DECIDE, no=Fork(REPETITIVE, yes=_PATTERN, no=_SIZE))
TREE = Fork(WELL_DEFINED, yes=_DEFINED, no=Fork(EXPLORATION, yes=_EXPLORE, no=_ASK_USER))


def decide(answers: Mapping[Question, DelegationAnswer]) -> DelegationDecision | Question:
    """Return the decision for the answers, or the first unanswered question on the path."""
    node: Node = TREE
    path: list[tuple[Question, DelegationAnswer]] = []
    while isinstance(node, Fork):
        answer = answers.get(node.question)
        if answer is None:
            return node.question
        path.append((node.question, answer))
        node = node.yes if answer.yes else node.no
    return DelegationDecision(node.verdict, node.reason, tuple(path))


def answer_atomic(count: int, source: str) -> DelegationAnswer:
    """Return the answer to `ATOMIC` for a number of tasks."""
    return DelegationAnswer(count >= MANY_TASKS, source)


class Survey(Struct, frozen=True):
    """Counts of the specs for the work.

    Of the `tasks`, `validated` have a validation, `sound` have no error, `vague` leave decisions open, `wide` read too
    many files, `atomic` are sound, not vague and not wide; `alike` is the size of the largest group of similar tasks.
    `written` counts the distinct files that they write, `strays` the errors in files without a task.
    """

    tasks: int
    validated: int
    sound: int
    vague: int
    wide: int
    atomic: int
    alike: int
    written: int
    strays: int = 0


def survey(specs: Sequence[Spec], diagnostics: Sequence[Diagnostic]) -> Survey:
    """Return the counts of specs; `diagnostics` are those of `validate`."""
    by_kind: defaultdict[str, set[int]] = defaultdict(set)
    strays = 0
    for diagnostic in diagnostics:
        owners = _owners(specs, diagnostic)
        kind = "error" if diagnostic.is_error else diagnostic.code
        by_kind[kind].update(owners)
        strays += not owners and kind == "error"
    flawed = by_kind["error"] | by_kind[VAGUE] | by_kind[READS_MANY]
    return Survey(
        tasks=len(specs),
        validated=sum(bool(spec.commands) for spec in specs),
        sound=len(specs) - len(by_kind["error"]),
        vague=len(by_kind[VAGUE]),
        wide=len(by_kind[READS_MANY]),
        atomic=len(specs) - len(flawed),
        alike=most_alike(specs),
        written=len({ref.path for spec in specs for ref in spec.writes()}),
        strays=strays,
    )


def survey_answers(counts: Survey) -> dict[Question, DelegationAnswer]:
    """Return the answers that the specs give; only a user can say whether judgement is needed."""
    count = counts.tasks
    sound = f"{counts.sound} of {count} pass `minitask validate`"
    stray = f", {counts.strays} more errors in files without a task" if counts.strays else ""
    similar = f"{counts.alike} of {count} are similar" if counts.alike > 1 else "none alike"
    open_ = f"{counts.vague} vague, {counts.wide} reading many files"
    return {
        WELL_DEFINED: DelegationAnswer(
            counts.sound == count and not counts.strays,
            f"specs: {sound}, {counts.validated} have a validation{stray}",
        ),
        EXPLORATION: DelegationAnswer(bool(counts.vague or counts.wide), f"specs: {open_}"),
        REPETITIVE: DelegationAnswer(counts.alike >= MANY_EDITS, f"specs: {similar}"),
        LARGE: DelegationAnswer(counts.written > 1, f"specs: files written: {counts.written}"),
        ATOMIC: answer_atomic(
            counts.atomic, f"specs: {counts.atomic} of {count} are atomic, {open_}"
        ),
    }


def most_alike(specs: Sequence[Spec]) -> int:
    """Return the size of the largest group of specs that make the same edit at different places."""
    shapes = Counter(map(_shape, specs))
    groups = (
        sum(count for other, count in shapes.items() if _are_alike(shape, other))
        for shape in shapes
    )
    return max(groups, default=0)


Shape: TypeAlias = tuple[frozenset[tuple[str, str]], frozenset[str]]


def _shape(spec: Spec) -> Shape:
    """Return the actions with their files' suffixes, and the words of the task without code and numbers."""
    kinds = frozenset((ref.action.value, PurePosixPath(ref.path).suffix) for ref in spec.writes())
    plain = _BESIDE.sub(" ", f"{spec.title}\n{spec.task}")
    tokens = (part.strip(".,;:!?()[]\"'*").casefold() for part in plain.split())
    return kinds, frozenset(word for word in tokens if _WORD.fullmatch(word))


def _are_alike(first: Shape, second: Shape) -> bool:
    (kinds, terms), (other_kinds, others) = first, second
    return kinds == other_kinds and len(terms & others) >= ALIKE * len(terms | others)


def _owners(specs: Sequence[Spec], diagnostic: Diagnostic) -> set[int]:
    """Return the indices of the specs that a diagnostic concerns: all specs of its file if it has no line."""
    indices = [index for index, spec in enumerate(specs) if spec.path == diagnostic.path]
    if len(indices) < 2 or not diagnostic.line:
        return set(indices)
    above = [index for index in indices if specs[index].line_of("title") <= diagnostic.line]
    return {above[-1] if above else indices[0]}
