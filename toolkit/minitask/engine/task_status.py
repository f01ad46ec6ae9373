"""Task states, read from refs, the ledger and the target's ancestry."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.refusals import find_refusal
from minitask.engine.reverts import as_it_stands, brought_by_hand
from minitask.engine.task_summaries import TaskSummary, task_summaries
from minitask.engine.tasks import Base, Task
from minitask.git import history, refs


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


def task_statuses(engine: Context, tasks: Sequence[Task], place: Base) -> tuple[TaskStatus, ...]:
    """Return the state of each task."""
    landed = history.landings(engine.repository.git, place.base)
    heads = refs.snapshot(engine.repository.git, refs.BRANCHES)
    known = task_summaries(engine, [task.name for task in tasks])
    found = [
        _standing(
            task,
            known.get(task.name),
            as_it_stands(engine, landed.get(task.name), tip=place.base)
            or brought_by_hand(engine, place.base, task.name),
            heads,
        )
        for task in tasks
    ]
    return tuple(_with_refusal(engine, standing) for standing in found)


def _with_refusal(engine: Context, standing: TaskStatus) -> TaskStatus:
    """Return the standing of a task that was not begun the last time, and why, while its spec is the same."""
    if standing.state in (State.MERGED, State.READY):
        return standing
    refusal = find_refusal(engine, standing.task.name)
    if refusal is None or refusal.spec_blob != standing.task.blob:
        return standing
    return replace(standing, state=State(refusal.verdict.value), reason=refusal.reason)


def _standing(
    task: Task,
    digest: TaskSummary | None,
    landing: history.Landing | None,
    heads: dict[str, str],
) -> TaskStatus:
    name = refs.branch(task.name)
    return TaskStatus(
        task,
        _state(task, digest, landing),
        attempts=digest.attempts if digest else 0,
        cost_usd=digest.cost_usd if digest else Decimal(0),
        branch=name.removeprefix("refs/heads/") if name in heads else None,
        merge=landing.commit if landing and not landing.undone else None,
        reason=digest.reason if digest else "",
    )


def _state(task: Task, digest: TaskSummary | None, landing: history.Landing | None) -> State:
    source = f"{task.path}@{task.blob}"
    if landing is not None and landing.spec == source and not landing.undone:
        return State.MERGED
    if digest is None:
        return State.NEW if landing is None or not landing.undone else State.UNDONE
    if digest.spec_blob != task.blob:
        return State.CHANGED
    if landing is not None and landing.undone:
        return State.UNDONE
    return State(digest.verdict.value)
