"""Batches that are under way, on disk: who was asked what, so that a run that is killed while it waits finds them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct, to_builtins

from minitask.engine.context import Context
from minitask.engine.tasks import Base, Task
from minitask.ledger.accuracy import BatchTokens, batch_tokens
from minitask.ledger.record import TaskResult
from minitask.project.task_graph import implications
from minitask.spec.file_dependencies import wave_numbers
from minitask.system.files import write_json

FOLDER = "batches"


class JournalEntry(Struct, frozen=True):
    """One request: the task that it is for, at which version of its spec, on which base."""

    task: str
    blob: str
    base: str


class Journal(Struct, frozen=True):
    """One batch. `id` is None from before it was sent until its id was learned; `created` is Unix time."""

    name: str
    executor: str
    created: float
    entries: dict[str, JournalEntry]
    id: str | None = None


def keep(home: Path, journal: Journal) -> None:
    """Write a journal down."""
    write_json(_path(home, journal.name), to_builtins(journal))


def forget(home: Path, name: str) -> None:
    """Remove a journal: every answer of its batch has been taken."""
    _path(home, name).unlink(missing_ok=True)


def journals(home: Path) -> Iterator[Journal]:
    """Yield the batches that are under way, or whose answers were not all taken; a damaged file is passed over."""
    for path in sorted((home / FOLDER).glob("*.json")):
        try:
            document = json.loads(path.read_text("utf-8"))
            entries = {
                request_id: JournalEntry(**entry)
                for request_id, entry in document.pop("entries").items()
            }
            yield Journal(**document, entries=entries)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


def _path(home: Path, name: str) -> Path:
    return home / FOLDER / f"{name}.json"


def token_budgets(
    engine: Context, tasks: Sequence[Task], results: Sequence[TaskResult], base: Base
) -> tuple[BatchTokens, ...]:
    """Each wave that called a model; nothing for a run of a single task."""
    if len(tasks) < 2 or all(result.usage.requests == 0 for result in results):
        return ()
    links = implications(engine, tasks, base).links
    numbers = wave_numbers([task.spec for task in tasks], links)
    names = [task.name for task in tasks]
    return batch_tokens(
        results,
        waves=dict(zip(names, numbers, strict=True)),
        planned={task.name: task.spec.estimate.tokens for task in tasks},
    )
