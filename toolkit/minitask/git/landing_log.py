"""The tasks that landed on a branch, from the trailers of its first-parent line."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from minitask.git.history import landing_rows, trailer_field
from minitask.git.run_git import Git

KEYS = ("Minitask", "Minitask-Undo", "Minitask-Tier", "Minitask-Model", "Minitask-Cost")


class LandedTask(Struct, frozen=True):
    """A merge of a task, or the commit that took one back (`undone`); `date` is the committer's, in ISO 8601."""

    task: str
    commit: str
    date: str
    subject: str
    tier: str
    model: str
    cost: str
    undone: bool


def landed_tasks(git: Git, tip: str) -> Iterator[LandedTask]:
    """Yield the tasks that landed or were undone on the first-parent line, newest first."""
    fields = ("%H", "%cI", "%s", *map(trailer_field, KEYS))
    for commit, date, subject, task, undone, tier, model, cost in landing_rows(git, tip, fields):
        yield LandedTask(
            task or undone, commit, date, subject, tier, model, cost, undone=bool(undone)
        )


def commits_of(git: Git, landed: LandedTask) -> tuple[tuple[str, str], ...]:
    """Return the commits that a merge brought in, newest first, as `(id, subject)`; none for an undo."""
    if landed.undone:
        return ()
    rows = git.line("log", "--format=%H%x00%s", f"{landed.commit}^1..{landed.commit}").splitlines()
    pairs = (row.partition("\0") for row in rows)
    return tuple((oid, subject) for oid, _, subject in pairs if oid != landed.commit)
