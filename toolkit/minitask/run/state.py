"""Where tasks stand, read from refs, the ledger and the target's ancestry; nothing is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from minitask.ledger.record import Record, Verdict
from minitask.repo import history, refs
from minitask.run.engine import Engine
from minitask.run.records import records_of
from minitask.run.tasks import Place, Task
from minitask.values import dataclass


class State(StrEnum):
    """What a task is waiting for."""

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


@dataclass(frozen=True, slots=True)
class Standing:
    """A task's state; `changed` means that the spec was committed anew since its last attempt."""

    task: Task
    state: State
    attempts: int = 0
    cost_usd: Decimal | None = Decimal(0)
    branch: str | None = None
    merge: str | None = None
    reason: str = ""


def standings(engine: Engine, tasks: Sequence[Task], place: Place) -> tuple[Standing, ...]:
    """The state of each task."""
    landed = history.landings(engine.repository.git, place.base)
    heads = refs.snapshot(engine.repository.git, refs.BRANCHES)
    return tuple(
        _standing(task, records_of(engine, task.name), landed.get(task.name), heads)
        for task in tasks
    )


def _standing(
    task: Task,
    records: Sequence[Record],
    landing: history.Landing | None,
    heads: dict[str, str],
) -> Standing:
    name = refs.branch(task.name)
    costs = [record.attempt.cost_usd for record in records]
    known = [cost for cost in costs if cost is not None]
    return Standing(
        task,
        _state(task, records, landing),
        attempts=len(records),
        cost_usd=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        branch=name.removeprefix("refs/heads/") if name in heads else None,
        merge=landing.commit if landing and not landing.undone else None,
        reason=records[-1].attempt.reason if records else "",
    )


def _state(task: Task, records: Sequence[Record], landing: history.Landing | None) -> State:
    source = f"{task.path}@{task.blob}"
    if landing is not None and landing.spec == source:
        return State.MERGED
    if not records:
        return State.NEW if landing is None or not landing.undone else State.UNDONE
    if records[-1].spec_blob != task.blob:
        return State.CHANGED
    if landing is not None and landing.undone:
        return State.UNDONE
    verdict = records[-1].attempt.verdict
    return State.READY if verdict is Verdict.READY else State(verdict.value)
