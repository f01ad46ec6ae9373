"""Check whether a task stands on the target: a person may have merged or reverted it by hand, which no trailer says."""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.git import history, refs
from minitask.git.history import Landing
from minitask.git.merge_tree import TreeChange

ABSENT = ("", "")


def latest_landing(engine: Context, tip: str, task: str) -> Landing | None:
    """Return a task's newest landing or undo at a tip, as it stands there."""
    found = history.latest_landing(engine.repository.git, tip, task=task)
    return as_it_stands(engine, found, tip=tip) or brought_by_hand(engine, tip, task)


def brought_by_hand(engine: Context, tip: str, task: str) -> Landing | None:
    """Return how a person brought a task's branch to a tip: by a merge, or all of its change by other commits."""
    candidate = engine.objects.commit(refs.branch(task))
    base = engine.objects.commit(f"{candidate}^1") if candidate else None
    if candidate is None or base is None:
        return None
    git = engine.repository.git
    made = history.latest_with_spec(git, candidate)
    if made is None or history.trailer(git, made, "Minitask") != task:
        return None
    spec = history.trailer(git, made, "Minitask-Spec")
    merge = history.merge_of(git, candidate, tip)
    if merge is not None:
        is_own = bool(history.trailer(git, merge, "Minitask"))
        found = Landing(merge, spec, undone=False)
        return None if is_own else as_it_stands(engine, found, tip=tip)
    paths = _paths_there(engine, tip, base=base, candidate=candidate)
    commit = history.introduced_by(git, tip, paths[0]) if paths else None
    return Landing(commit, spec, undone=False, whole=False) if commit else None


def _paths_there(engine: Context, tip: str, *, base: str, candidate: str) -> list[str]:
    """Return the paths of a candidate's change if a tip holds all of it, and came to hold it after the base."""
    trees = engine.objects.tree_of
    changes = engine.database.diffs.changes(trees(base), trees(candidate))
    if not all(_held(engine, tip, change) == _side(change, new=True) for change in changes):
        return []
    return [change.path for change in changes]


def as_it_stands(engine: Context, landing: Landing | None, *, tip: str) -> Landing | None:
    """Return the landing; marked as undone where a person reverted it, or took its content back."""
    if (
        landing is None
        or landing.undone
        or not landing.whole
        or not _is_reverted(engine, landing, tip)
    ):
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
