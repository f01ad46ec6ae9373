"""Landing: the target moves to a merge whose exact tree was validated, or it does not move."""

from __future__ import annotations

from typing import Protocol

from minitask.ledger.record import Attempt, Verdict
from minitask.repo.advance import Step, advance
from minitask.repo.commits import write_commits
from minitask.run.engine import Engine, Progress
from minitask.run.landings.building import draft, merge_commit
from minitask.run.landings.merges import merged
from minitask.run.landings.proof import Proof, prove
from minitask.run.tasks import Task
from minitask.values import dataclass

ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proven candidate: its commit and tree, the attempt that it came of, and the merge if one is written."""

    commit: str
    tree: str
    attempt: Attempt
    merge: str | None = None


@dataclass(frozen=True, slots=True)
class Landed:
    """What came of the landing. `proof` is that of the merge, where it had to be run."""

    verdict: Verdict
    merge: str | None = None
    reason: str = ""
    proof: Proof | None = None
    next_step: str = ""


class Lander(Protocol):
    """Lands candidates for many tasks at once."""

    def land(self, task: Task, candidate: Candidate) -> Landed:
        """What became of a proven candidate."""

    def expect(self, task: Task, commit: str) -> None:
        """A candidate is about to be proven, and will land if it is."""

    def forget(self, name: str) -> None:
        """A task's candidate will not land after all."""


def land_alone(engine: Engine, task: Task, candidate: Candidate) -> Landed:
    """Merge one candidate into the target, prove the merge, move the target; again while the target moves.

    Only the merge that was written with the candidate, onto the very base that it was proven on, needs no further
    proof. For any other, a result that is kept for the same tree and commands will do.
    """
    proof = None
    for round_ in range(ROUNDS):
        tip = engine.tip(task.target)
        merge = candidate.merge if tip == task.base else None
        if merge is None:
            made = _proven_merge(engine, task, candidate, tip=tip, round_=round_ + 1)
            if isinstance(made, Landed):
                return made
            merge, proof = made
        moved = advance(engine.repository, Step(task.target, tip, merge))
        if moved.done:
            return Landed(Verdict.MERGED, merge=merge, proof=proof)
        if not moved.moved_meanwhile:
            return in_the_way(task, moved.reason)
    return Landed(
        Verdict.READY, reason="the target keeps moving", next_step=f"minitask merge {task.name}"
    )


def _proven_merge(
    engine: Engine, task: Task, candidate: Candidate, *, tip: str, round_: int
) -> Landed | tuple[str, Proof]:
    """The merge of the candidate into a tip, with its proof; or why it cannot land."""
    engine.emit(Progress(task.name, "merge", f"the merge into {tip[:12]} is proven"))
    found = merged(engine, candidate.commit, tip=tip)
    if found.tree is None:
        return conflict(task, found.conflicts)
    merge_draft = draft(engine, task, parents=(tip, candidate.commit), tree=found.tree)
    proof = prove(engine, task, write_commits(engine.database, [merge_draft], force=True)[0])
    if not proof.passed:
        reason = f"proven alone, but not together with what landed since: {proof.reason}"
        return Landed(Verdict.FAILED, reason=reason, proof=proof)
    commit = merge_commit(
        engine,
        task,
        candidate.attempt,
        tip=tip,
        candidate=candidate.commit,
        tree=found.tree,
        round_=round_,
    )
    merge = write_commits(engine.database, [commit], force=True)[0]
    engine.built_on[merge] = tip
    return merge, proof


def conflict(task: Task, paths: tuple[str, ...]) -> Landed:
    """What becomes of a candidate that cannot be merged."""
    branch = task.target.removeprefix("refs/heads/")
    return Landed(
        Verdict.CONFLICT,
        reason=f"it conflicts with {branch} in {', '.join(paths)}",
        next_step=f"minitask exec {task.name} --again",
    )


def in_the_way(task: Task, reason: str) -> Landed:
    """What becomes of a candidate whose checkout refuses it."""
    return Landed(
        Verdict.READY,
        reason=f"proven, but the checkout is in the way: {reason}",
        next_step=f"minitask merge {task.name}",
    )
