"""States of tasks, from refs, the ledger and the target's history; and the reasons why tasks were not started."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, convert, to_builtins
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import Base, Task
from minitask.errors import MinitaskError
from minitask.git import history, refs
from minitask.git.history import Landing, all_landings, brought_by_hand
from minitask.git.objects import TREE
from minitask.git.trees import TreeChange
from minitask.ledger.record import REVIEW, Record, TaskResult, Verdict, whole
from minitask.ledger.store import read_ledger
from minitask.system.files import write_json

ABSENT = ("", "")
REFUSALS = "refusals"
"""Folder of the reasons why tasks were not started; the ledger holds only attempts."""
NOT_BEGUN = frozenset({Verdict.REFUSED, Verdict.SKIPPED, Verdict.ERROR})
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


def latest_landing(engine: Context, tip: str, task: str) -> Landing | None:
    """Return a task's newest landing or undo at a tip, by the toolkit or by hand."""
    landing = history.latest_landing(engine.repository.git, tip, task=task)
    return as_it_stands(engine, landing, tip=tip) if landing else landed_by_hand(engine, tip, task)


def landings_at(engine: Context, tip: str, tasks: Collection[str]) -> dict[str, Landing]:
    """Return the newest landing or undo of each of these tasks at a tip, by the toolkit or by hand."""
    landed = all_landings(engine.repository.git, engine.objects, tip, tasks)
    return {task: as_it_stands(engine, landing, tip=tip) for task, landing in landed.items()}


def landed_by_hand(engine: Context, tip: str, task: str) -> Landing | None:
    """Return the landing of a task's branch by hand at a tip, undone or not, or None."""
    candidate = engine.objects.commit(refs.branch(task))
    if candidate is None:
        return None
    landing = brought_by_hand(engine.repository.git, engine.objects, tip, task, candidate)
    return as_it_stands(engine, landing, tip=tip) if landing else None


def as_it_stands(engine: Context, landing: Landing, *, tip: str) -> Landing:
    """Return the landing, marked as undone if a person reverted it or removed its content."""
    if landing.undone or not landing.whole or not _is_reverted(engine, landing, tip):
        return landing
    return replace(landing, undone=True)


def _is_reverted(engine: Context, landing: Landing, tip: str) -> bool:
    before = None if landing.commit == tip else engine.objects.commit(f"{landing.commit}^1")
    if before is None:
        return False
    trees = engine.objects.tree_of
    changes = engine.database.diffs.changes(trees(before), trees(landing.commit))
    present = [_side_at(engine, tip, change) for change in changes]
    if present == [_side(change, new=True) for change in changes]:
        return False
    git = engine.repository.git
    if present == [_side(change, new=False) for change in changes]:
        paths = [change.path for change in changes]
        return not history.was_changed_by_task(git, landing.commit, tip, paths)
    candidate = engine.objects.commit(f"{landing.commit}^2")
    reverted = history.reverted_since(git, landing.commit, tip)
    return landing.commit in reverted or candidate in reverted


def _side_at(engine: Context, commit: str, change: TreeChange) -> tuple[str, str]:
    entry = engine.objects.entry(commit, change.path)
    return (entry.mode, entry.oid) if entry else ABSENT


def _side(change: TreeChange, *, new: bool) -> tuple[str, str]:
    """Return the mode and id of a file on one side of a change."""
    if change.status == ("D" if new else "A"):
        return ABSENT
    return (change.new_mode, change.new_oid) if new else (change.old_mode, change.old_oid)


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
    head = engine.objects.commit(refs.LEDGER)
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


class Refusal(Struct, frozen=True):
    """Why a task was not started: its spec's blob at that time, the verdict, the reason, and the Unix time."""

    spec_blob: str
    verdict: Verdict
    reason: str
    time: float


def remember(
    engine: Context, results: Sequence[TaskResult], *, is_interrupted: bool = False
) -> None:
    """Store the reasons why tasks were not started; delete those of tasks that were, or that an interrupt skipped."""
    lasting = NOT_BEGUN - {Verdict.SKIPPED} if is_interrupted else NOT_BEGUN
    for result in results:
        if result.verdict in lasting and not result.attempts:
            refusal = (result.spec_blob or "", result.verdict, result.reason)
            _keep(engine, result.task, Refusal(*refusal, engine.clock()))
        else:
            _path(engine, result.task).unlink(missing_ok=True)


def remember_error(engine: Context, task: Task, error: MinitaskError) -> None:
    """Store the error in a task's spec as the reason why it was not started."""
    _keep(engine, task.name, Refusal(task.blob, Verdict.REFUSED, str(error), engine.clock()))


def find_refusal(engine: Context, name: str) -> Refusal | None:
    """Return why a task was last not started, or None if it was, or was never tried."""
    try:
        return msgspec.json.decode(_path(engine, name).read_bytes(), type=Refusal)
    except (OSError, msgspec.DecodeError):
        return None


def _keep(engine: Context, name: str, refusal: Refusal) -> None:
    with suppress(OSError):  # a full disk must not hide the refusal itself
        write_json(_path(engine, name), to_builtins(refusal))


def _path(engine: Context, name: str) -> Path:
    return engine.repository.home / REFUSALS / f"{name}.json"
