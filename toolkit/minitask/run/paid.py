"""Answers that were paid for and not yet recorded: kept on disk until they are, so that a kill does not lose them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from minitask.edits.model import Change
from minitask.executors.model import Work
from minitask.ledger.usage import Usage
from minitask.policy.route import Route
from minitask.run.engine import Engine
from minitask.run.tasks import Task


def answer(engine: Engine, task: Task, route: Route, ask: Callable[[], Work]) -> Work:
    """The work that was paid for and never recorded, if there is some for this very order; else what `ask` gives."""
    path = _path(engine, task, route)
    kept = _read(path)
    if kept is not None:
        return kept
    work = ask()
    if work.usage.requests != 0:
        _write(path, work)
    return work


def settle(engine: Engine, task: Task, route: Route) -> None:
    """Forget the answer: a record holds it now."""
    _path(engine, task, route).unlink(missing_ok=True)


def _path(engine: Engine, task: Task, route: Route) -> Path:
    """The file for one order: the spec's blob, the base, and who was asked."""
    key = f"{task.name}\0{task.blob}\0{task.base}\0{route.executor}\0{route.model}"
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    return engine.repository.home / "paid" / f"{digest[:32]}.json"


def _read(path: Path) -> Work | None:
    try:
        held = json.loads(path.read_text("utf-8", "surrogateescape"))
        return Work(
            changes=tuple(Change(**item) for item in held["changes"]),
            usage=Usage(**held["usage"]),
            model=held["model"],
            reply=held["reply"],
            cost_usd=None if held["cost_usd"] is None else Decimal(held["cost_usd"]),
            served=held["served"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, work: Work) -> None:
    held: dict[str, Any] = asdict(work)
    held["cost_usd"] = None if work.cost_usd is None else str(work.cost_usd)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8", errors="surrogateescape") as stream:
        json.dump(held, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
