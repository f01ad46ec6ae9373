"""Landing: the target moves to a merge whose exact tree was validated, or it does not move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.errors import NoBranchError, RefusedError
from minitask.git.commits import write_commits
from minitask.git.update_target import TargetUpdate
from minitask.landing.candidate_commits import Candidate, Landed, merge_commit, write_draft_commit
from minitask.landing.join import Joint, join, left_on_branch, move_target
from minitask.landing.proof import Proof, is_proven, prove
from minitask.ledger.record import Verdict

ROUNDS = 8


class Landings(Protocol):
    """Lands candidates for many tasks at once."""

    def land(self, task: Task, candidate: Candidate) -> Landed:
        """Return what became of a proven candidate."""

    def expect(self, task: Task, commit: str) -> None:
        """A candidate is about to be proven, and will land if it is."""

    def forget(self, name: str) -> None:
        """A task's candidate will not land after all."""


def land(engine: Context, task: Task, candidate: Candidate, lander: Landings | None) -> Landed:
    """Land a proven candidate, by the lander if there is one; it stays ready where its target is gone meanwhile."""
    try:
        if lander is not None:
            return lander.land(task, candidate)
        with engine.landing:
            return land_alone(engine, task, candidate)
    except NoBranchError as error:
        return Landed(
            Verdict.READY,
            reason=f"passed, but {error.message} any more",
            next_step=f"minitask merge {task.name} --into BRANCH",
        )


Check = Callable[[str, str], Proof | None]
"""A check that returns how a merge into a tip breaks what landed before it; None if it does not."""


def land_alone(
    engine: Context, task: Task, candidate: Candidate, *, check: Check = lambda _tip, _merge: None
) -> Landed:
    """Merge one candidate into the target, prove the merge, move the target; again while the target moves.

    Only the merge that was written with the candidate, onto the very base that it was proven on, needs no further
    proof. For any other, a result that is kept for the same tree and commands will do.
    """
    proof = None
    for round_ in range(ROUNDS):
        tip = engine.tip(task.target)
        merge = candidate.merge
        if merge is None or engine.objects.commit(f"{merge}^1") != tip:
            proven = _proven_merge(engine, task, candidate, tip=tip, round_=round_ + 1)
            if isinstance(proven, Landed):
                return proven
            merge, proof = proven
        red = check(tip, merge)
        if red is not None:
            return together_red(red)
        try:
            moved = move_target(engine, task.target, tip=tip, merges=[(task, merge)])
        except RefusedError as error:
            return out_of_scope(task, str(error))
        if moved.done:
            return Landed(Verdict.MERGED, merge=merge, proof=proof)
        if not moved.moved_meanwhile:
            return not_moved(engine, task, candidate, moved)
    return Landed(
        Verdict.READY,
        reason="the target branch keeps moving",
        next_step=f"minitask merge {task.name}",
    )


def _proven_merge(
    engine: Context, task: Task, candidate: Candidate, *, tip: str, round_: int
) -> Landed | tuple[str, Proof]:
    """Return the merge of the candidate into a tip, with its proof; or why it cannot land."""
    joint = join(engine, task, candidate, tip=tip)
    if joint.tree is None:
        return not_joined(task, joint)
    if not is_proven(engine, task, joint.tree):
        engine.emit(Progress(task.name, "merge", f"validating the merge into {tip[:12]}"))
    merge_draft = write_draft_commit(engine, task, parents=(tip, joint.commit), tree=joint.tree)
    proof = prove(engine, task, write_commits(engine.database, [merge_draft], force=True)[0])
    if not proof.passed:
        return together_red(proof)
    commit = merge_commit(
        engine,
        task,
        candidate.attempt,
        tip=tip,
        candidate=joint.commit,
        tree=joint.tree,
        round_=round_,
    )
    merge = write_commits(engine.database, [commit], force=True)[0]
    engine.built_on[merge] = tip
    return merge, proof


def together_red(proof: Proof) -> Landed:
    """Return the outcome of a candidate whose merge is red."""
    reason = f"it passes alone, but fails with what merged since: {proof.reason}"
    return Landed(Verdict.FAILED, reason=reason, proof=proof)


def not_joined(task: Task, joint: Joint) -> Landed:
    """Return the outcome of a candidate that cannot be merged: a conflict, or a refusal."""
    branch = task.target.removeprefix("refs/heads/")
    if joint.refusal:
        return Landed(Verdict.REFUSED, reason=joint.refusal, next_step=joint.next_step)
    return Landed(
        Verdict.CONFLICT,
        reason=f"it conflicts with {branch} in {', '.join(joint.conflicts)}",
        next_step=f"minitask exec {task.name} --again",
    )


def out_of_scope(task: Task, reason: str) -> Landed:
    """Return the outcome of a candidate whose merge would change what its spec does not list."""
    return Landed(
        Verdict.REFUSED,
        reason=f"the merge is out of scope: {reason}",
        next_step=f"minitask exec {task.name} --again",
    )


def not_moved(engine: Context, task: Task, candidate: Candidate, moved: TargetUpdate) -> Landed:
    """Return what becomes of a candidate whose checkout, or remote, refuses it."""
    if moved.declined:
        return left_on_branch(engine, task, candidate.commit, moved)
    return Landed(
        Verdict.READY,
        reason=f"passed, but merging would overwrite your edits: {moved.reason}",
        next_step=f"minitask merge {task.name}",
    )
