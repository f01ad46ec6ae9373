"""Move the target to its merges: the one place where it moves, and only if each merge keeps to its spec.

Each merge is noted in a small file before, until a record names it: a kill in between leaves the note.
"""

from __future__ import annotations

from collections.abc import Sequence

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import RefusedError
from minitask.gates.result import GateResult
from minitask.gates.scope import check_scope
from minitask.git.filters import filtered_paths
from minitask.git.merge_tree import TreeChange
from minitask.git.restore_checkout import TargetMove
from minitask.git.update_target import TargetUpdate, update_target

UNRECORDED = "unrecorded"
"""The folder of the notes: each has the name of a merge, and holds the target that it was made for."""


def move_target(
    engine: Context, target: str, *, tip: str, merges: Sequence[tuple[Task, str]]
) -> TargetUpdate:
    """Move the target from a tip to the last of a chain of merges; raise `RefusedError` if one is out of scope."""
    at = tip
    for task, merge in merges:
        ruling = check_merge(engine, task, tip=at, merge=merge)
        if not ruling.passed:
            raise RefusedError(ruling.reason)
        at = merge
    _note_unrecorded(engine, target, [merge for _, merge in merges])
    moved = update_target(engine.repository, TargetMove(target, tip, at))
    if not moved.done:
        for _, merge in merges:
            note_recorded(engine, merge)
    return moved


def _note_unrecorded(engine: Context, target: str, merges: Sequence[str]) -> None:
    folder = engine.repository.home / UNRECORDED
    folder.mkdir(parents=True, exist_ok=True)
    for merge in merges:
        (folder / merge).write_text(target, "utf-8", "surrogateescape")


def note_recorded(engine: Context, merge: str) -> None:
    """Note that a record names a merge, or that it is not on the target."""
    (engine.repository.home / UNRECORDED / merge).unlink(missing_ok=True)


def check_merge(engine: Context, task: Task, *, tip: str, merge: str) -> GateResult:
    """Judge what a merge changes on the tip by the task's spec; a merge that changes nothing may land."""
    trees = engine.objects.tree_of
    changes = engine.database.diffs.changes(trees(tip), trees(merge))
    protected = (*engine.settings.protected, *task.spec.options.protected)
    if not changes:
        return GateResult("scope", passed=True)
    ruling = check_scope(task.spec, changes, protected=protected)
    return _check_filters(engine, changes, tip) if ruling.passed else ruling


def _check_filters(engine: Context, changes: Sequence[TreeChange], tip: str) -> GateResult:
    """Refuse to write a file that the user's git would have stored in another form."""
    paths = [change.path for change in changes if change.status != "D"]
    found = filtered_paths(engine.repository, engine.objects, tip, paths)
    for path, name in found.items():
        reason = f"it writes {path}, which has the git filter {name}"
        return GateResult("scope", passed=False, reason=reason, refused=True)
    return GateResult("scope", passed=True)
