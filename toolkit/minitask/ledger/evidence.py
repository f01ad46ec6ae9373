"""Evidence on the quality of a proof: the tests that ran, and the planted faults that were noticed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct, to_builtins

from minitask.words import counted


class SuiteCounts(Struct, frozen=True):
    """Counts of the tests that a runner collected, and of their results."""

    collected: int
    passed: int = 0
    failed: int = 0
    skipped: int = 0


class Missed(Struct, frozen=True):
    """A planted fault that no command noticed: where, and what it was."""

    path: str
    line: int
    mutant: str


class Grade(Struct, frozen=True):
    """The number of planted faults that a change's own validation noticed; `note` says why there are none or few."""

    planted: int
    noticed: int
    missed: tuple[Missed, ...] = ()
    note: str = ""

    @property
    def percent(self) -> float:
        """Return the share that was noticed; 100 where nothing was planted."""
        return 100 * self.noticed / self.planted if self.planted else 100.0

    def __str__(self) -> str:
        """One line."""
        if not self.planted:
            return f"not graded: {self.note}"
        return f"its checks notice {self.noticed} of {counted(self.planted, 'fault')} planted in it"


NOTHING_PLANTED = Grade(
    0, 0, note="documents, tests, and lines that were moved or copied get no faults"
)


def grade_document(grade: Grade) -> dict[str, Any]:
    """Return a grade as JSON."""
    missed = [to_builtins(mutant) for mutant in grade.missed]
    document = {"planted": grade.planted, "noticed": grade.noticed, "missed": missed}
    return document | ({"note": grade.note} if grade.note else {})


def grade_total(grades: Iterable[Grade | None]) -> Grade:
    """Return the sum of some grades, without what each of them missed."""
    known_grades = [grade for grade in grades if grade is not None]
    return Grade(
        sum(each.planted for each in known_grades), sum(each.noticed for each in known_grades)
    )


def parse_grade(document: Mapping[str, Any] | None) -> Grade | None:
    """Return the grade that `grade_document` wrote."""
    if not document:
        return None
    missed = tuple(Missed(**mutant) for mutant in document["missed"])
    return Grade(document["planted"], document["noticed"], missed, document.get("note", ""))


def counts_document(counts: SuiteCounts) -> dict[str, int]:
    """Return the counts as JSON."""
    document: dict[str, int] = to_builtins(counts)
    return document


def parse_counts(document: Mapping[str, int] | None) -> SuiteCounts | None:
    """Return the counts that `counts_document` wrote."""
    return SuiteCounts(**document) if document else None


def extras_document(
    tests: SuiteCounts | None, changed: tuple[str, ...], refused_hosts: tuple[str, ...]
) -> dict[str, Any]:
    """Return what a command's JSON holds only where there is something to say."""
    return {
        **({"tests": counts_document(tests)} if tests else {}),
        **({"changed": list(changed)} if changed else {}),
        **({"refused_hosts": list(refused_hosts)} if refused_hosts else {}),
    }


def parse_extras(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that `extras_document` wrote."""
    return {
        "tests": parse_counts(document.get("tests")),
        "changed": tuple(document.get("changed", ())),
        "refused_hosts": tuple(document.get("refused_hosts", ())),
    }


FIRST, REPAIR, CLIMB, CORRECT, APPLY = "first", "repair", "climb", "correct", "apply"
RESUME = "resume"
"""The first attempt of a run; the same tier again; the next tier; a reviewer's own edits; somebody who applies them; a
change on record that had no review yet."""


class WeighedFact(Struct, frozen=True):
    """One tier of the ladder: whether it was to be tried, and why."""

    tier: str
    use: bool
    reason: str


class RecordedDecision(Struct, frozen=True):
    """The route of an attempt; `step` is what it follows from.

    `task_class` is the class of tasks that the ledger learns of as one. Tokens and cost (US dollars, None: unpriced)
    are the estimate of one call; `stated_cost_usd` is the spec's own **Estimated Cost**. `after_failure`: another tier
    had failed at the same spec. `settles`: it tells what the tier can do; a change that goes back to be repaired does
    not yet, and neither does a provider's failure.
    """

    reason: str
    task_class: str = ""
    review: str = ""
    review_reason: str = ""
    ladder: tuple[WeighedFact, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    after_failure: bool = False
    settles: bool = False
    step: str = FIRST
    stated_cost_usd: Decimal | None = None


def decision_document(decision: RecordedDecision | None) -> dict[str, Any] | None:
    """Return a decision as JSON."""
    if decision is None:
        return None
    stated = decision.stated_cost_usd
    return {
        "reason": decision.reason,
        "class": decision.task_class or None,
        "review": decision.review or None,
        "review_reason": decision.review_reason or None,
        "ladder": [
            {"tier": fact.tier, "use": fact.use, "reason": fact.reason} for fact in decision.ladder
        ],
        "estimate": {
            "input_tokens": decision.input_tokens,
            "output_tokens": decision.output_tokens,
            "cost_usd": None if decision.cost_usd is None else format(decision.cost_usd, "f"),
            **({} if stated is None else {"stated_cost_usd": format(stated, "f")}),
        },
        "after_failure": decision.after_failure,
        "settles": decision.settles,
        "step": decision.step,
    }


def parse_decision(document: dict[str, Any] | None) -> RecordedDecision | None:
    """Return the decision that `decision_document` wrote; None for the records of before there were any."""
    if document is None:
        return None
    estimate = document["estimate"]
    cost, stated = estimate["cost_usd"], estimate.get("stated_cost_usd")
    return RecordedDecision(
        reason=document["reason"],
        task_class=document["class"] or "",
        review=document["review"] or "",
        review_reason=document["review_reason"] or "",
        ladder=tuple(
            WeighedFact(fact["tier"], fact["use"], fact["reason"]) for fact in document["ladder"]
        ),
        input_tokens=estimate["input_tokens"],
        output_tokens=estimate["output_tokens"],
        cost_usd=None if cost is None else Decimal(cost),
        after_failure=bool(document["after_failure"]),
        settles=bool(document["settles"]),
        step=document.get("step") or FIRST,
        stated_cost_usd=None if stated is None else Decimal(stated),
    )
