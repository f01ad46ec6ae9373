"""The recorded decision on where an attempt was made: the route, its reason, and what was expected of it, on record."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

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
            {"tier": each.tier, "use": each.use, "reason": each.reason} for each in decision.ladder
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
            WeighedFact(each["tier"], each["use"], each["reason"]) for each in document["ladder"]
        ),
        input_tokens=estimate["input_tokens"],
        output_tokens=estimate["output_tokens"],
        cost_usd=None if cost is None else Decimal(cost),
        after_failure=bool(document["after_failure"]),
        settles=bool(document["settles"]),
        step=document.get("step") or FIRST,
        stated_cost_usd=None if stated is None else Decimal(stated),
    )
