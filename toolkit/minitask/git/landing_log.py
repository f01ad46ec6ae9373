"""The tasks that landed on a branch, from the trailers of its first-parent line."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from minitask.git.run_git import Git

KEYS = ("Minitask", "Minitask-Undo", "Minitask-Tier", "Minitask-Model", "Minitask-Cost")
_FORM = "%x01%H%x00%cI%x00%s" + "".join(f"%x00%(trailers:key={key},valueonly)" for key in KEYS)


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
    args = ("log", "--first-parent", "--basic-regexp", r"--grep=^Minitask\(-Undo\)\?: ")
    text = git.output(*args, f"--format={_FORM}", tip).decode("utf-8", "replace")
    for item in text.split("\1")[1:]:
        commit, date, subject, *values = (part.strip() for part in item.split("\0"))
        task, undone, tier, model, cost = values
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
