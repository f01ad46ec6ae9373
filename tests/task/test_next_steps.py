"""What may follow an attempt, as a table: no git, no model."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from minitask.ledger.record import Verdict
from minitask.task.next_attempt import Facts, Step, next_steps

RED = Facts(Verdict.FAILED, "validate", is_for_another=True, most_escalations=2)
REVIEWED = replace(RED, gate="review", was_reviewed=True)
EDITS = replace(REVIEWED, has_edits=True)

TABLE = {
    "a good attempt ends the task": (replace(RED, verdict=Verdict.READY), ()),
    "a red validation goes back first": (RED, (Step.REPAIR,)),
    "after its repairs it is escalated": (replace(RED, repairs=1), (Step.ESCALATE,)),
    "no repairs are allowed": (replace(RED, most_repairs=0), (Step.ESCALATE,)),
    "repairs and escalations are used up": (replace(RED, repairs=1, escalations=2), ()),
    "a lint error goes back": (replace(RED, gate="lint"), (Step.REPAIR,)),
    "a change out of scope never goes back": (replace(RED, verdict=Verdict.REFUSED, gate="scope"), (Step.ESCALATE,)),
    "a refusal that is no fault of the model ends the task": (
        replace(RED, verdict=Verdict.REFUSED, gate="scope", is_for_another=False),
        (),
    ),
    "no change came, so nothing goes back": (replace(RED, gate="implement", has_change=False), (Step.ESCALATE,)),
    "an outage ends the task": (
        replace(
            RED, verdict=Verdict.ERROR, gate="implement", has_change=False, is_for_another=False
        ),
        (),
    ),
    "an outage of the free tier goes up, whatever the limit": (
        replace(
            RED,
            verdict=Verdict.ERROR,
            gate="implement",
            has_change=False,
            is_for_another=False,
            unreachable=True,
            most_escalations=0,
        ),
        (Step.ESCALATE,),
    ),
    "an edit script has no second try": (replace(RED, is_script=True), ()),
    "a review without edits goes back": (REVIEWED, (Step.REPAIR,)),
    "a reviewer's edits cost nothing, so they come first": (EDITS, (Step.CORRECT, Step.APPLY, Step.ESCALATE)),
    "a reviewer corrects an edit script, too": (replace(EDITS, is_script=True), (Step.CORRECT,)),
    "a reviewer corrects once": (replace(EDITS, corrections=1), (Step.APPLY, Step.ESCALATE)),
    "edits are applied once": (replace(EDITS, corrections=1, applies=1), (Step.ESCALATE,)),
    "a correction that is red is applied by a model": (
        replace(RED, is_correction=True, has_edits=True),
        (Step.APPLY, Step.ESCALATE),
    ),
    "a review that nobody gave corrects nothing": (
        replace(EDITS, was_reviewed=False, verdict=Verdict.SKIPPED, is_for_another=False),
        (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_what_follows_an_attempt(case: str) -> None:
    facts, steps = TABLE[case]
    assert next_steps(facts) == steps
