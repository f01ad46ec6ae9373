"""What a report proposes fits the cause."""

from __future__ import annotations

import pytest

from minitask.ledger.record import NO_USAGE, Attempt, Verdict
from minitask.policy.route import SAME_WAY
from minitask.task.feedback import find_outage_step


def attempt(gate: str, reason: str, verdict: Verdict = Verdict.ERROR) -> Attempt:
    return Attempt(1, "cheap", "x", "m", verdict, gate, reason, NO_USAGE, None, 0.0, "strong")


@pytest.mark.parametrize(
    ("gate", "reason", "words"),
    [
        ("implement", "auth: s: HTTP 401", "set its variable"),
        ("implement", "auth: s: HTTP 401\n  fix: check the key in K", "check the key in K; then: "),
        ("implement", "quota: s: usage limit reached", "when the limit is over"),
        ("implement", "transport: s: cannot be reached", "when the server answers"),
        ("implement", "interrupted: s: it had not answered yet", "minitask exec p/01-b"),
        ("implement", "missing: codex is not on PATH", "install the program"),
        ("implement", "bad request: s: HTTP 404", "model and settings"),
        ("implement", "refused: s: the reply was filtered", "ask another model"),
        ("validate", f"`make` {SAME_WAY}: exit code 2", "fails without the change, too"),
        ("validate", "no space left on device", "doctor"),
    ],
)
def test_no_spec_is_to_be_mended_for_a_providers_failure(gate, reason, words):
    step = find_outage_step(attempt(gate, reason), "p/01-b")
    assert words in step
    assert "minitask exec p/01-b" in step
    assert "fix the spec" not in step


def test_a_change_that_a_gate_turned_down_is_the_specs_or_the_models_affair():
    assert find_outage_step(attempt("validate", "exit code 1", Verdict.FAILED), "p/01-b") == ""
