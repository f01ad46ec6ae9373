"""The numbers of a task's attempts."""

from __future__ import annotations

from collections.abc import Mapping

from minitask.engine.context import Context
from minitask.git import refs


def task_refs(engine: Context, task: str) -> dict[str, str]:
    """Return the task's branch, attempts and merges, by ref."""
    folders = (f"{refs.ATTEMPTS}/{task}", f"{refs.LANDING}/{task}")
    return refs.snapshot(engine.repository.git, refs.branch(task), *folders)


def next_number(engine: Context, task: str, heads: Mapping[str, str] | None = None) -> int:
    """One more than any attempt that the ledger or a ref knows, be it the merge of one that was killed."""
    known = task_refs(engine, task) if heads is None else heads
    below = tuple(f"{folder}/{task}/" for folder in (refs.ATTEMPTS, refs.LANDING))
    ends = [name.rpartition("/")[2].partition(".")[0] for name in known if name.startswith(below)]
    numbers = [int(end) for end in ends if end.isdecimal()]
    ledger = engine.objects.commit(refs.LEDGER)
    entry = engine.objects.entry(ledger, task) if ledger else None
    if entry is not None:
        numbers += [int(name.split("-")[0]) for name in engine.objects.entries(entry.oid)]
    return 1 + max(numbers, default=0)
