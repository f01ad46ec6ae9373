"""Suggest what to do after an attempt: by whose fault it ended, so that nobody fixes a spec for a provider's
failure.
"""

from __future__ import annotations

from minitask.executors.request import FailureKind
from minitask.ledger.record import Attempt, Verdict
from minitask.routing.model_failures import SAME_WAY

RERUN = "minitask exec {name}"
_BY_KIND = {
    FailureKind.AUTH: f"check the key: set its variable (minitask doctor names it), then {RERUN}",
    FailureKind.QUOTA: f"when the limit is over or credit is added: {RERUN}; or name another --executor",
    FailureKind.TRANSPORT: f"when the server answers again: {RERUN}",
    FailureKind.BAD_REQUEST: f"check the executor's model and settings (minitask doctor), then {RERUN}",
    FailureKind.PROMPT_CUT: f"raise the server's context or list fewer lines, then {RERUN}",
    FailureKind.MISSING: f"install the program (minitask doctor), then {RERUN}",
    FailureKind.BUDGET: f"raise the limit, then {RERUN}",
    FailureKind.STUCK: f"raise timeout_seconds or split the task, then {RERUN}",
    FailureKind.CUT_OFF: f"allow more output tokens or split the task, then {RERUN}",
    FailureKind.REFUSED: f"ask another model: {RERUN} --tier …",
}


def find_outage_step(attempt: Attempt, name: str) -> str:
    """Return what to do where no change was made or a provider failed; empty if the change itself is at fault."""
    if attempt.gate == "implement":
        for kind, text in _BY_KIND.items():
            if attempt.reason.startswith(f"{kind}:"):
                return text.format(name=name)
    if SAME_WAY in attempt.reason:
        return f"fix what fails without the change, too, then {RERUN.format(name=name)}"
    if attempt.verdict is Verdict.SKIPPED:
        return RERUN.format(name=name)
    if attempt.verdict is Verdict.ERROR:
        return f"fix what failed (minitask doctor), then {RERUN.format(name=name)}"
    return ""
