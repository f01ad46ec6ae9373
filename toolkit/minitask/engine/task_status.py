"""Task states, read from refs, the ledger and the target's ancestry."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.refusals import find_refusal
from minitask.engine.task_summaries import TaskSummary, task_summaries
from minitask.engine.tasks import Base, Task
from minitask.git import history, refs
from minitask.git.history import Landing, all_landings, brought_by_hand
from minitask.git.trees import TreeChange


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
    """A task's state; `changed` means that the spec was committed again since its last attempt."""

    task: Task
    state: State
    attempts: int = 0
    cost_usd: Decimal | None = Decimal(0)
    branch: str | None = None
    merge: str | None = None
    reason: str = ""


def task_statuses(engine: Context, tasks: Sequence[Task], base: Base) -> tuple[TaskStatus, ...]:
    """Return the state of each task."""
    landed = landings_at(engine, base.base, [task.name for task in tasks])
    heads = refs.snapshot(engine.repository.git, refs.BRANCHES)
    summaries = task_summaries(engine, [task.name for task in tasks])
    statuses = [
        _status(
            task,
            summaries.get(task.name),
            landed.get(task.name),
            heads,
        )
        for task in tasks
    ]
    return tuple(_with_refusal(engine, status) for status in statuses)


def _with_refusal(engine: Context, status: TaskStatus) -> TaskStatus:
    """Return the status of a task that was not begun the last time, and why, while its spec is the same."""
    if status.state in (State.MERGED, State.READY):
        return status
    refusal = find_refusal(engine, status.task.name)
    if refusal is None or refusal.spec_blob != status.task.blob:
        return status
    return replace(status, state=State(refusal.verdict.value), reason=refusal.reason)


def _status(
    task: Task,
    summary: TaskSummary | None,
    landing: history.Landing | None,
    heads: dict[str, str],
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


def _state(task: Task, summary: TaskSummary | None, landing: history.Landing | None) -> State:
    source = f"{task.path}@{task.blob}"
    if landing is not None and landing.spec == source and not landing.undone:
        return State.MERGED
    if summary is None:
        return State.NEW if landing is None or not landing.undone else State.UNDONE
    if summary.spec_blob != task.blob:
        return State.CHANGED
    if landing is not None and landing.undone:
        return State.UNDONE
    return State(summary.verdict.value)


ABSENT = ("", "")


def latest_landing(engine: Context, tip: str, task: str) -> Landing | None:
    """Return a task's newest landing or undo at a tip, as it stands there."""
    landing = history.latest_landing(engine.repository.git, tip, task=task)
    return as_it_stands(engine, landing, tip=tip) if landing else landed_by_hand(engine, tip, task)


def landings_at(engine: Context, tip: str, tasks: Collection[str]) -> dict[str, Landing]:
    """Return the newest landing or undo of each of these tasks at a tip, as it stands there, whoever brought it."""
    landed = all_landings(engine.repository.git, engine.objects, tip, tasks)
    return {task: as_it_stands(engine, landing, tip=tip) for task, landing in landed.items()}


def landed_by_hand(engine: Context, tip: str, task: str) -> Landing | None:
    """Return how a person brought a task's branch to a tip; None if they did not, or took it back."""
    candidate = engine.objects.commit(refs.branch(task))
    if candidate is None:
        return None
    landing = brought_by_hand(engine.repository.git, engine.objects, tip, task, candidate)
    return as_it_stands(engine, landing, tip=tip) if landing else None


def as_it_stands(engine: Context, landing: Landing, *, tip: str) -> Landing:
    """Return the landing; marked as undone where a person reverted it, or took its content back."""
    if landing.undone or not landing.whole or not _is_reverted(engine, landing, tip):
        return landing
    return replace(landing, undone=True)


def _is_reverted(engine: Context, landing: Landing, tip: str) -> bool:
    if landing.commit == tip:
        return False
    before = engine.objects.commit(f"{landing.commit}^1")
    if before is None:
        return False
    trees = engine.objects.tree_of
    changes = engine.database.diffs.changes(trees(before), trees(landing.commit))
    present = [_side_at(engine, tip, change) for change in changes]
    if not changes or all(
        has == _side(change, new=True) for change, has in zip(changes, present, strict=True)
    ):
        return False
    git = engine.repository.git
    if all(has == _side(change, new=False) for change, has in zip(changes, present, strict=True)):
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
