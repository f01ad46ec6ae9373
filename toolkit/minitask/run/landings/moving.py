"""Move the target to its merges: the one place where it moves, and only if each merge keeps to its spec."""

from __future__ import annotations

from collections.abc import Sequence

from minitask.errors import RefusedError
from minitask.gates.ruling import Ruling
from minitask.gates.scope import check_scope
from minitask.repo.advance import Advanced, Step, advance
from minitask.repo.filters import filtered_paths
from minitask.repo.merging import TreeChange
from minitask.run.engine import Engine
from minitask.run.tasks import Task


def move_target(
    engine: Engine, target: str, *, tip: str, merges: Sequence[tuple[Task, str]]
) -> Advanced:
    """Move the target from a tip to the last of a chain of merges; `RefusedError` where one is out of scope."""
    at = tip
    for task, merge in merges:
        ruling = check_merge(engine, task, tip=at, merge=merge)
        if not ruling.passed:
            raise RefusedError(ruling.reason)
        at = merge
    return advance(engine.repository, Step(target, tip, at))


def check_merge(engine: Engine, task: Task, *, tip: str, merge: str) -> Ruling:
    """Judge what a merge changes on the tip by the task's spec; a merge that changes nothing may land."""
    trees = engine.objects.tree_of
    changes = engine.database.diffs.changes(trees(tip), trees(merge))
    protected = (*engine.settings.protected, *task.spec.options.protected)
    if not changes:
        return Ruling("scope", passed=True)
    ruling = check_scope(task.spec, changes, protected=protected)
    return _check_filters(engine, changes, tip) if ruling.passed else ruling


def _check_filters(engine: Engine, changes: Sequence[TreeChange], tip: str) -> Ruling:
    """Refuse to write a file that the user's git would have stored in another form."""
    paths = [change.path for change in changes if change.status != "D"]
    found = filtered_paths(engine.repository, engine.objects, tip, paths)
    for path, name in found.items():
        reason = f"it writes {path}, which goes through the git filter {name}"
        return Ruling("scope", passed=False, reason=reason, refused=True)
    return Ruling("scope", passed=True)
