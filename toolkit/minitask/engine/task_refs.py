"""Facts that a run asks git once, for all tasks: which have landed, and which refs there are of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from minitask.engine.context import Context
from minitask.git import history, refs


class RefSnapshot(Struct, frozen=True):
    """Names of tasks that landed or were reverted on a target, and all refs of the toolkit's, as a run began."""

    landed: frozenset[str]
    heads: Mapping[str, Mapping[str, str]]

    def refs_of(self, task: str) -> dict[str, str]:
        """Return a task's branch, attempts and merges, by ref."""
        return dict(self.heads.get(task, {}))


def snapshot_refs(engine: Context, tip: str, tasks: Iterable[str]) -> RefSnapshot:
    """Return what is known of some tasks at a target's tip."""
    git = engine.repository.git
    names = frozenset(tasks)
    found: dict[str, dict[str, str]] = {}
    for folder in (refs.BRANCHES, refs.ATTEMPTS, refs.LANDING):
        for ref, oid in refs.snapshot(git, folder).items():
            for name in _tasks_of(ref.removeprefix(f"{folder}/"), names):
                found.setdefault(name, {})[ref] = oid
    return RefSnapshot(frozenset(history.landings(git, tip)), found)


def _tasks_of(path: str, names: frozenset[str]) -> list[str]:
    """Return the tasks whose ref, or a ref below it, has this name: `PROJECT/ID` or `PROJECT/ID/…`."""
    name = "/".join(path.split("/")[:2])
    return [name] if name in names else []
