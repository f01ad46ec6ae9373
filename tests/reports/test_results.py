"""The text of a task's result."""

from __future__ import annotations

from minitask.ledger.record import TaskResult, Verdict
from minitask.reports.results import render_result


def test_each_fault_of_a_reason_stands_below_the_first() -> None:
    reason = "a.py:1: it is broken; correct it\na.py:9: it is lost; keep it\n  fix: run it again"
    text = render_result(
        TaskResult("p/01-a", "mini-projects/p/01-a.md", None, Verdict.FAILED, reason)
    )
    first, *more = text.split("\n")
    assert first == "✗ p/01-a: failed: a.py:1: it is broken; correct it"
    assert more[:2] == ["  a.py:9: it is lost; keep it", "  fix: run it again"]
