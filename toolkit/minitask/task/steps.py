"""Choose the steps that may follow an attempt: a pure function of facts, so that it can be tested as a table.

First the reviewer's own edits, which cost nothing; then the executor, or the one that applies the reviewer's edits,
gets the change back with its failure; then the next tier. Only failures that reflect a model's ability escalate, not an
outage, a broken spec or a spent budget.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from minitask.ledger.record import APPLY, CLIMB, CORRECT, REPAIR, REVIEW, Verdict

FED_BACK = frozenset({"scope", "lint", "validate", REVIEW})
"""Gates whose rejection is sent back to the executor."""


class Step(StrEnum):
    """A step after an attempt, by its name in the record."""

    CORRECT = CORRECT
    REPAIR = REPAIR
    APPLY = APPLY
    ESCALATE = CLIMB


class Facts(Struct, frozen=True):
    """Facts about a finished attempt, and counts of earlier steps.

    `is_for_another`: the model could or would not do the task. `unreachable`: the free tier did not answer.
    `was_reviewed` and `has_edits` refer to the current change's review; `is_correction`: the attempt was the reviewer's
    own edits. Limits are from the settings.
    """

    verdict: Verdict
    gate: str
    is_script: bool = False
    has_change: bool = True
    is_correction: bool = False
    was_reviewed: bool = False
    has_edits: bool = False
    is_for_another: bool = False
    unreachable: bool = False
    repairs: int = 0
    corrections: int = 0
    applies: int = 0
    escalations: int = 0
    most_repairs: int = 1
    most_review_rounds: int = 1
    most_escalations: int = 0


def next_steps(facts: Facts) -> tuple[Step, ...]:
    """Return the possible next steps, best first; the first feasible one is taken. Empty: the task ends."""
    if facts.verdict.is_good:
        return ()
    steps = []
    if _may_correct(facts):
        steps.append(Step.CORRECT)
    if facts.is_script:
        return tuple(steps)
    if _may_repair(facts):
        return (*steps, Step.REPAIR)
    if _may_apply(facts):
        steps.append(Step.APPLY)
    if _may_escalate(facts):
        steps.append(Step.ESCALATE)
    return tuple(steps)


def _may_correct(facts: Facts) -> bool:
    reviewed = facts.gate == REVIEW and facts.was_reviewed and facts.has_edits
    return reviewed and facts.corrections < facts.most_review_rounds


def _may_repair(facts: Facts) -> bool:
    if not facts.has_change or facts.verdict is not Verdict.FAILED or facts.is_correction:
        return False
    if facts.gate not in FED_BACK or facts.repairs >= facts.most_repairs:
        return False
    return facts.gate != REVIEW or not facts.has_edits


def _may_apply(facts: Facts) -> bool:
    failed = facts.verdict is Verdict.FAILED and facts.has_change
    has_review_edits = (facts.gate == REVIEW or facts.is_correction) and facts.has_edits
    return failed and has_review_edits and facts.applies < facts.most_review_rounds


def _may_escalate(facts: Facts) -> bool:
    if facts.unreachable:
        return True
    return facts.is_for_another and facts.escalations < facts.most_escalations
