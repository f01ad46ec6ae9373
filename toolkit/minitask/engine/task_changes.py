"""What a task changed: the latest attempt with what people made of its branch, or one attempt alone."""

from __future__ import annotations

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.task_records import attempt_record, records_of
from minitask.errors import UsageError
from minitask.git import refs
from minitask.git.merge_tree import TreeChange, is_ancestor, patch, tree_changes


class TaskChanges(Struct, frozen=True):
    """The change from one commit to another, as files and as a unified diff, and the attempt that it is of."""

    attempt: int
    base: str
    commit: str
    files: tuple[TreeChange, ...]
    patch: str


def changes_of(engine: Context, name: str, number: int | None) -> TaskChanges:
    """Return the change of an attempt, the latest that made one for None; raise `UsageError` if there is none."""
    git = engine.repository.git
    record = attempt_record(engine, name, number)
    if number is None and record.candidate is None:
        made = [past for past in records_of(engine, name) if past.candidate is not None]
        record = made[-1] if made else record
    commit = record.candidate
    if commit is None:
        raise UsageError(
            f"attempt {record.attempt.n} of {name} made no commit: {record.attempt.reason}",
            hint=f"`minitask show {name}` has its report",
        )
    tip = engine.objects.commit(refs.branch(name)) if number is None else None
    if tip is not None and is_ancestor(git, ancestor=commit, of=tip):
        commit = tip
    return TaskChanges(
        record.attempt.n,
        record.base,
        commit,
        tree_changes(git, record.base, commit),
        patch(git, record.base, commit),
    )
