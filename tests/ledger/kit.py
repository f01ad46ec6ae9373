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
    "p/01-x", "mini-projects/p/01-x.md", OID, "refs/heads/main", OID, None, OID, None, OID,
    "2026-01-01T00:00:00.000+00:00", Decimal("0.5"), ATTEMPT,
)  # fmt: skip


def record_of(attempt: Attempt, *, task: str = RECORD.task, **fields: Any) -> Record:
    path = f"mini-projects/{task}.md"
    return replace(RECORD, task=task, spec_path=path, attempt=attempt, **fields)
