"""A summary of each task's records: kept beside it, so that only tasks with new records are read again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from minitask.engine.context import Context
from minitask.git import refs
from minitask.git.objects import TREE
from minitask.ledger.record import CALLS, LANDING, PERSON, REVIEW, Verdict, whole
from minitask.ledger.record_json import parse_money
from minitask.ledger.store import UNREADABLE, is_sum, read_documents

KEY = "digests of tasks"


class TaskSummary(Struct, frozen=True):
    """A task's records in short: how many, their cost (None: one is unknown), and how the latest ended."""

    attempts: int
    cost_usd: Decimal | None
    spec_blob: str
    verdict: Verdict
    reason: str


def task_summaries(engine: Context, tasks: Sequence[str]) -> Mapping[str, TaskSummary]:
    """Return the summary of each task that the ledger has records of."""
    head = engine.objects.commit(refs.LEDGER)
    if head is None:
        return {}
    trees = {}
    for task in tasks:
        entry = engine.objects.entry(head, task)
        if entry is not None and entry.mode == TREE:
            trees[task] = entry.oid
    cached = _cached(engine)
    stale = [task for task, tree in trees.items() if cached.get(task, (None,))[0] != tree]
    for task in stale:
        summary = _summary(read_documents(engine.objects, head, below=task))
        cached[task] = [trees[task], _document(summary) if summary else None]
    if stale:
        engine.cache.keep(KEY, cached)
    return {task: _parse(cached[task][1]) for task in trees if cached[task][1]}


class AttemptSummary(Struct, frozen=True):
    """The few fields of a record that a summary is made of."""

    n: int
    started_at: str
    kind: str
    blob: str
    verdict: Verdict
    reason: str
    cost_usd: Decimal | None
    by_person: bool

    @property
    def is_call(self) -> bool:
        """Return True if it is of a call beside the attempts."""
        return self.kind in CALLS and not self.by_person

    @property
    def is_merged(self) -> bool:
        """Return True if it names the merge by which an attempt landed."""
        return self.kind == LANDING and self.verdict is Verdict.MERGED


def _summary(documents: Iterable[dict[str, Any]]) -> TaskSummary | None:
    """Return the summary of a task's records; None if none of them is of an attempt."""
    records = sorted(
        filter(None, map(_brief, documents)), key=lambda record: (record.n, record.started_at)
    )
    attempts = [record for record in records if not record.is_call and not record.is_merged]
    if not attempts:
        return None
    latest = attempts[-1]
    return TaskSummary(
        attempts=sum(record.kind != REVIEW for record in attempts),
        cost_usd=whole(record.cost_usd for record in records),
        spec_blob=latest.blob,
        verdict=latest.verdict,
        reason=latest.reason,
    )


def _brief(document: dict[str, Any]) -> AttemptSummary | None:
    """Return what a record says; None if it is damaged."""
    try:
        attempt = document["attempt"]
        cost = parse_money(attempt["cost_usd"])
        if cost is not None and not is_sum(cost):
            return None
        return AttemptSummary(
            int(attempt["n"]),
            str(document["started_at"]),
            str(document["kind"]),
            str(document["spec"]["blob"] or ""),
            Verdict(attempt["verdict"]),
            str(attempt["reason"]),
            cost,
            attempt["executor"] == PERSON,
        )
    except UNREADABLE:
        return None


def _cached(engine: Context) -> dict[str, Any]:
    """Task → the tree that its records were in, and their summary."""
    cached = engine.cache.peek(KEY)
    return cached if isinstance(cached, dict) else {}


def _document(summary: TaskSummary) -> list[Any]:
    cost = None if summary.cost_usd is None else str(summary.cost_usd)
    return [summary.attempts, cost, summary.spec_blob, summary.verdict.value, summary.reason]


def _parse(row: list[Any]) -> TaskSummary:
    attempts, cost, blob, verdict, reason = row
    return TaskSummary(
        attempts, None if cost is None else Decimal(cost), blob, Verdict(verdict), reason
    )
