"""Records for tests: the attempt of a cheap model that is proven, and its record, but for what is said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from minitask.ledger.record import Attempt, Record, Usage, Verdict

OID = "a" * 40
ATTEMPT = Attempt(
    1, "cheap", "hosted", "tiny", Verdict.READY, "", "", Usage(1, 100, 0, 20, 0, 0, 0),
    Decimal("0.01"), 1.5, "strong",
)  # fmt: skip
RECORD = Record(
    task="p/01-x",
    spec_path="mini-projects/p/01-x.md",
    spec_blob=OID,
    target="refs/heads/main",
    base=OID,
    candidate=OID,
    tree=OID,
    started_at="2026-01-01T00:00:00.000+00:00",
    baseline_cost_usd=Decimal("0.5"),
    attempt=ATTEMPT,
)


def record_of(attempt: Attempt, *, task: str = RECORD.task, **fields: Any) -> Record:
    path = f"mini-projects/{task}.md"
    return replace(RECORD, task=task, spec_path=path, attempt=attempt, **fields)
