"""Judge a model by an outcome: whether it could do the task, as far as that was its own work."""

from __future__ import annotations

from minitask.ledger.record import Verdict
from minitask.policy.route import SCRIPT, Route

CAPABILITY = frozenset({"scope", "lint", "validate", "review"})
"""The gates whose no tells something of who made the change."""
SAME_WAY = "fails the same way without the change"
"""What the reason says where nothing that is red became so, or stayed so, by the change."""
UNABLE = ("malformed", "stuck", "out of scope")
"""How the reason begins of a failure to make any change that is the model's own."""
UNWILLING = "refused"
"""How the reason begins where the model declined, or its provider filtered the reply: another may do it."""


def counts_against_model(route: Route, verdict: Verdict, gate: str, reason: str) -> bool:
    """Return True if an outcome tells what a model can do: it passed, or failed by its own work."""
    if route.executor == SCRIPT:
        return False
    if verdict.is_good:
        return True
    if verdict not in (Verdict.FAILED, Verdict.REFUSED) or SAME_WAY in reason:
        return False
    return gate in CAPABILITY or (gate == "implement" and reason.startswith(UNABLE))


def may_be_for_another(route: Route, verdict: Verdict, gate: str, reason: str) -> bool:
    """Return True if another model may do what this one could not, or would not; a refusal teaches nothing."""
    if counts_against_model(route, verdict, gate, reason):
        return True
    return route.executor != SCRIPT and has_declined(verdict, gate, reason)


def has_declined(verdict: Verdict, gate: str, reason: str) -> bool:
    """Return True if a model would not do a task, or its provider filtered the reply."""
    declined = gate == "implement" and reason.startswith(f"{UNWILLING}:")
    return declined and verdict is Verdict.FAILED
