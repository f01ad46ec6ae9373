"""Proving one branch again, from nothing but its commits: for CI, and for whoever doubts a record."""

from __future__ import annotations

from dataclasses import dataclass

from minitask.errors import UsageError
from minitask.repo import history, refs
from minitask.run.engine import Engine
from minitask.run.proof import Proof, prove
from minitask.run.records import task_at
from minitask.run.tasks import Place


@dataclass(frozen=True, slots=True)
class Verified:
    """A commit, proven again or not."""

    task: str
    commit: str
    proof: Proof


def verify(engine: Engine, revision: str, place: Place) -> Verified:
    """Run the validation that a commit's trailers name on a fresh checkout of it, whatever is cached."""
    commit = engine.objects.commit(revision) or engine.objects.commit(refs.branch(revision))
    if commit is None:
        raise UsageError(
            f"{revision} names no commit and no task", hint="name a branch, a commit or PROJECT/ID"
        )
    git = engine.repository.git
    name = history.trailer(git, commit, "Minitask")
    source = history.trailer(git, commit, "Minitask-Spec")
    if not name or "@" not in source:
        raise UsageError(
            f"{revision} carries no Minitask-Spec trailer",
            hint="name a task's branch, or a merge of one",
        )
    return Verified(
        name, commit, prove(engine, task_at(engine, name, source, place), commit, anew=True)
    )
