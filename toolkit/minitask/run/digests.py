"""What the ledger says of each task, in short: kept beside it, so that only tasks with new records are read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from minitask.ledger.record import REVIEW, Record, Verdict
from minitask.ledger.store import read_ledger
from minitask.repo import refs
from minitask.repo.objects import TREE
from minitask.run.engine import Engine
from minitask.values import dataclass

KEY = "digests of tasks"


@dataclass(frozen=True, slots=True)
class Digest:
    """A task's records in short: how many, their cost (None: one is unknown), and how the latest ended."""

    attempts: int
    cost_usd: Decimal | None
    spec_blob: str
    verdict: Verdict
    reason: str


def digests(engine: Engine, tasks: Sequence[str]) -> Mapping[str, Digest]:
    """The digest of each task that the ledger has records of."""
    head = engine.objects.commit(refs.LEDGER)
    if head is None:
        return {}
    trees = {}
    for task in tasks:
        entry = engine.objects.entry(head, task)
        if entry is not None and entry.mode == TREE:
            trees[task] = entry.oid
    kept = _kept(engine)
    stale = [task for task, tree in trees.items() if kept.get(task, (None,))[0] != tree]
    for task in stale:
        records = read_ledger(engine.objects, head, below=task).records
        kept[task] = [trees[task], _document(_digest(records)) if _has_attempts(records) else None]
    if stale:
        engine.cache.keep(KEY, kept)
    return {task: _parse(kept[task][1]) for task in trees if kept[task][1]}


def _digest(records: Sequence[Record]) -> Digest:
    latest = [record for record in records if not record.is_call][-1]
    costs = [record.attempt.cost_usd for record in records]
    known = [cost for cost in costs if cost is not None]
    return Digest(
        attempts=sum(record.kind != REVIEW and not record.is_call for record in records),
        cost_usd=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        spec_blob=latest.spec_blob,
        verdict=latest.attempt.verdict,
        reason=latest.attempt.reason,
    )


def _has_attempts(records: Sequence[Record]) -> bool:
    return any(not record.is_call for record in records)


def _kept(engine: Engine) -> dict[str, Any]:
    """Task → the tree that its records were in, and their digest."""
    kept = engine.cache.peek(KEY)
    return kept if isinstance(kept, dict) else {}


def _document(digest: Digest) -> list[Any]:
    cost = None if digest.cost_usd is None else str(digest.cost_usd)
    return [digest.attempts, cost, digest.spec_blob, digest.verdict.value, digest.reason]


def _parse(held: list[Any]) -> Digest:
    attempts, cost, blob, verdict, reason = held
    return Digest(attempts, None if cost is None else Decimal(cost), blob, Verdict(verdict), reason)
