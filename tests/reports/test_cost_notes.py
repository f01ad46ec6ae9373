"""A spec's estimated cost is set against what an attempt cost."""

from __future__ import annotations

from decimal import Decimal

from minitask.task.record_attempt import cost_notes


def test_the_estimated_cost_is_compared_with_the_actual_one() -> None:
    wanted = ["cost $0.003, estimated $0.002 (150%)"]
    assert cost_notes(Decimal("0.002"), Decimal("0.003")) == wanted
    assert cost_notes(None, Decimal(1)) == []
    assert cost_notes(Decimal(1), None) == []
    assert cost_notes(Decimal(0), Decimal(1)) == []
