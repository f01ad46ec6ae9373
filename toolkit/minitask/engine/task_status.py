"""States of tasks, from refs, the ledger and the target's history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct, convert, to_builtins
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.task_records import find_refusal
from minitask.engine.tasks import Base, Task, landings_at
from minitask.git import refs
from minitask.git.history import Landing
from minitask.git.objects import TREE
from minitask.ledger.record import REVIEW, Record, Verdict, whole
from minitask.ledger.store import read_ledger

SUMMARIES = "summaries of tasks"


class State(StrEnum):
    """The state of a task."""

    NEW = "new"
    MERGED = "merged"
    UNDONE = "undone"
    READY = "ready"
    FAILED = "failed"
    REFUSED = "refused"
    CONFLICT = "conflict"
    ERROR = "error"
    SKIPPED = "skipped"
    CHANGED = "changed"


class TaskStatus(Struct, frozen=True):
    """A task's state; `changed`: the spec was committed again after its last attempt."""

    task: Task
    state: State
    attempts: int = 0
    cost_usd: Decimal | None = Decimal(0)
    branch: str | None = None
    merge: str | None = None
    reason: str = ""


def task_statuses(engine: Context, tasks: Sequence[Task], base: Base) -> tuple[TaskStatus, ...]:
    """Return the state of each task."""
    names = [task.name for task in tasks]
    landed = landings_at(engine, base.base, names)
    heads = refs.snapshot(engine.repository.git, refs.BRANCHES)
    summaries = _summaries(engine, names)
    statuses = (
        _status(task, summaries.get(task.name), landed.get(task.name), heads) for task in tasks
    )
    return tuple(
        _with_refusal(engine, status, summaries.get(status.task.name)) for status in statuses
    )


def _status(
    task: Task, summary: TaskSummary | None, landing: Landing | None, heads: Mapping[str, str]
) -> TaskStatus:
    name = refs.branch(task.name)
    return TaskStatus(
        task,
        _state(task, summary, landing),
        attempts=summary.attempts if summary else 0,
        cost_usd=summary.cost_usd if summary else Decimal(0),
        branch=name.removeprefix("refs/heads/") if name in heads else None,
        merge=landing.commit if landing and not landing.undone else None,
        reason=summary.reason if summary else "",
    )


def _state(task: Task, summary: TaskSummary | None, landing: Landing | None) -> State:
    is_undone = landing is not None and landing.undone
    if landing is not None and landing.spec == f"{task.path}@{task.blob}" and not is_undone:
        return State.MERGED
    if summary is not None and summary.spec_blob != task.blob:
        return State.CHANGED
    if is_undone and not (summary and summary.is_anew):
        return State.UNDONE
    return State.NEW if summary is None else State(summary.verdict.value)


def _with_refusal(engine: Context, status: TaskStatus, summary: TaskSummary | None) -> TaskStatus:
    """Return the status with the reason why the task was last not started, unless it was since or its spec changed."""
    if status.state in (State.MERGED, State.READY):
        return status
    refusal = find_refusal(engine, status.task.name)
    if refusal is None or refusal.spec_blob != status.task.blob:
        return status
    refused_at = datetime.fromtimestamp(refusal.time, UTC).isoformat(timespec="milliseconds")
    if (
        summary and refused_at < summary.started_at
    ):  # the later run did not get to delete the reason
        return status
    return replace(status, state=State(refusal.verdict.value), reason=refusal.reason)


class TaskSummary(Struct, frozen=True):
    """Summary of a task's records: their number, their cost (None: one is unknown), and the latest result.

    `is_anew`: an earlier attempt was merged, the latest was not.
    """

    attempts: int
    cost_usd: Decimal | None
    spec_blob: str
    verdict: Verdict
    reason: str
    started_at: str = ""
    is_anew: bool = False


def _summaries(engine: Context, tasks: Sequence[str]) -> Mapping[str, TaskSummary]:
    """Return the summary of each task with records, cached until the tree of its records changes."""
    head = engine.ledger_head()
    if head is None:
        return {}
    entries = {task: engine.objects.entry(head, task) for task in tasks}
    trees = {task: entry.oid for task, entry in entries.items() if entry and entry.mode == TREE}
    peeked = engine.cache.peek(SUMMARIES)
    cached: dict[str, Any] = peeked if isinstance(peeked, dict) else {}
    stale = [task for task, tree in trees.items() if cached.get(task, (None,))[0] != tree]
    for task in stale:
        summary = _summary(read_ledger(engine.objects, head, below=task).records)
        cached[task] = [trees[task], to_builtins(summary)]
    if stale:
        engine.cache.keep(SUMMARIES, cached)
    return {task: convert(cached[task][1], TaskSummary) for task in trees if cached[task][1]}


def _summary(records: Sequence[Record]) -> TaskSummary | None:
    """Return the summary of a task's records, oldest first, or None if there are no attempts."""
    attempts = [record for record in records if not (record.is_call or record.is_merged)]
    if not attempts:
        return None
    latest = attempts[-1]
    merged = {record.attempt.n for record in records if record.merge}
    return TaskSummary(
        attempts=sum(record.kind != REVIEW for record in attempts),
        cost_usd=whole(record.attempt.cost_usd for record in records),
        spec_blob=latest.spec_blob,
        verdict=latest.attempt.verdict,
        reason=latest.attempt.reason,
        started_at=latest.started_at,
        is_anew=bool(merged) and latest.attempt.n not in merged,
    )
