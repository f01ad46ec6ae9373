"""Check whether a merge still stands on the target: a person may have reverted it by hand, which no trailer says."""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.git import history
from minitask.git.history import Landing
from minitask.git.merge_tree import TreeChange

ABSENT = ("", "")


def latest_landing(engine: Context, tip: str, task: str) -> Landing | None:
    """Return a task's newest landing or undo at a tip, as it stands there."""
    found = history.latest_landing(engine.repository.git, tip, task=task)
    return as_it_stands(engine, found, tip=tip)


def as_it_stands(engine: Context, landing: Landing | None, *, tip: str) -> Landing | None:
    """Return the landing; marked as undone where a person reverted it, or took its content back."""
    if landing is None or landing.undone or not _is_reverted(engine, landing, tip):
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
    held = [_held(engine, tip, change) for change in changes]
    if not changes or all(
        has == _side(change, new=True) for change, has in zip(changes, held, strict=True)
    ):
        return False
    git = engine.repository.git
    if all(has == _side(change, new=False) for change, has in zip(changes, held, strict=True)):
        paths = [change.path for change in changes]
        return not history.was_changed_by_task(git, landing.commit, tip, paths)
    candidate = engine.objects.commit(f"{landing.commit}^2")
    reverted = history.reverted_since(git, landing.commit, tip)
    return landing.commit in reverted or candidate in reverted


def _held(engine: Context, commit: str, change: TreeChange) -> tuple[str, str]:
    entry = engine.objects.entry(commit, change.path)
    return (entry.mode, entry.oid) if entry else ABSENT


def _side(change: TreeChange, *, new: bool) -> tuple[str, str]:
    """Return the mode and id of a file on one side of a change."""
    if change.status == ("D" if new else "A"):
        return ABSENT
    return (change.new_mode, change.new_oid) if new else (change.old_mode, change.old_oid)
