"""What is known of how well a proof proves: the tests that ran, and the planted faults that were noticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class SuiteCounts:
    """How many tests a test runner says it collected, and what became of them."""

    collected: int
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def counts_document(counts: SuiteCounts) -> dict[str, int]:
    """Return the counts as JSON."""
    return asdict(counts)


def parse_counts(document: Mapping[str, int] | None) -> SuiteCounts | None:
    """Return the counts that `counts_document` wrote."""
    return SuiteCounts(**document) if document else None
