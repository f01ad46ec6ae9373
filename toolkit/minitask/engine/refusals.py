"""Tasks that were not begun, and why: kept beside the ledger, which has attempts alone, until they are.

`status` and `show` tell it for as long as the spec is the one that was refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import MinitaskError, RefusedError
from minitask.git import refs
from minitask.git.objects import Objects
from minitask.ledger.record import TaskResult, Verdict

FOLDER = "refusals"
NOT_BEGUN = frozenset({Verdict.REFUSED, Verdict.SKIPPED, Verdict.ERROR})


class Refusal(Struct, frozen=True):
    """The reason why a task was not started: its spec's blob then, the verdict, the reason, and when, in seconds
    since 1970.
    """

    spec_blob: str
    verdict: Verdict
    reason: str
    time: float


def remember(engine: Context, results: Sequence[TaskResult]) -> None:
    """Keep why tasks were not begun, and forget it of those that were."""
    for result in results:
        if result.verdict in NOT_BEGUN and not result.attempts:
            _keep(engine, result.task, result.spec_blob or "", result.verdict, result.reason)
        else:
            _path(engine, result.task).unlink(missing_ok=True)


def remember_error(engine: Context, task: Task, error: MinitaskError) -> None:
    """Keep what is wrong with a task's spec."""
    _keep(engine, task.name, task.blob, Verdict.REFUSED, str(error))


def find_refusal(engine: Context, name: str) -> Refusal | None:
    """Return why a task was not begun the last time; None if it was, or nobody tried."""
    try:
        raw = json.loads(_path(engine, name).read_bytes())
        return Refusal(raw["spec_blob"], Verdict(raw["verdict"]), raw["reason"], raw["time"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(engine: Context, name: str, blob: str, verdict: Verdict, reason: str) -> None:
    path = _path(engine, name)
    document = {
        "spec_blob": blob,
        "verdict": verdict.value,
        "reason": reason,
        "time": engine.clock(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(document), "utf-8", "surrogateescape")
        draft.replace(path)
    except OSError:
        return  # a full disk must not hide the refusal itself


def _path(engine: Context, name: str) -> Path:
    return engine.repository.home / FOLDER / f"{name}.json"


def check_branch(task: Task, objects: Objects, heads: Mapping[str, str]) -> None:
    """Refuse a task whose branch cannot be made or moved. `heads` are the refs of the task.

    Another branch may have a part of its name, or a person may have added commits to it.
    """
    branch = refs.branch(task.name)
    parts = branch.split("/")
    above = ["/".join(parts[:count]) for count in range(3, len(parts))]
    below = [name for name in heads if name.startswith(f"{branch}/")]
    conflicting = next(
        (name for name in (*above, *below) if objects.commit(name) is not None), None
    )
    if conflicting is not None:
        name = conflicting.removeprefix("refs/heads/")
        raise RefusedError(
            f"the branch {name} conflicts with {branch.removeprefix('refs/heads/')}",
            hint=f"rename it: git branch -m {name} OTHER",
        )
    attempts = {oid for name, oid in heads.items() if name.startswith(refs.ATTEMPTS)}
    if branch in heads and heads[branch] not in attempts:
        name = branch.removeprefix("refs/heads/")
        raise RefusedError(
            f"{name} has commits that minitask did not make; a new attempt would drop them",
            hint=f"merge them: minitask merge {task.name}; or keep them aside:  git branch -m {name} OTHER",
        )
