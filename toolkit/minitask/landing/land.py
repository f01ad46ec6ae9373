"""Land candidates: the target moves only to a merge whose exact tree was validated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.errors import MinitaskError, NoBranchError, RefusedError
from minitask.gates.lint import find_merge_faults
from minitask.gates.result import CommitFiles, GateResult
from minitask.gates.scope import check_scope
from minitask.gates.source.grammars import JUDGED, suffix_of
from minitask.gates.source.prefilters import IMPORTING
from minitask.git import refs
from minitask.git.filters import filtered_paths
from minitask.git.remotes import Pushed, choose_remote, is_changed, push
from minitask.git.restore_checkout import TargetMove
from minitask.git.update_target import TargetUpdate, update_target
from minitask.landing.candidate_commits import (
    Candidate,
    Joint,
    join_commits,
    write_draft,
    write_merge,
)
from minitask.landing.proof import is_proven, prove
from minitask.landing.run_commands import Proof
from minitask.ledger.record import Verdict
from minitask.spec.model import Spec

ROUNDS = 8
MOST_FILES = 200
"""Limit of files of a merge whose text is checked."""
UNRECORDED = "unrecorded"
"""Folder of notes; each is named after a merge, and holds the merge's target."""


class Landed(Struct, frozen=True):
    """The outcome of a landing. `proof` is the merge's, if a validation was needed."""

    verdict: Verdict
    merge: str | None = None
    reason: str = ""
    proof: Proof | None = None
    next_step: str = ""


class Landings(Protocol):
    """Lands candidates for many tasks at once."""

    def land(self, task: Task, candidate: Candidate) -> Landed:
        """Land a proven candidate, and return the outcome."""

    def expect(self, task: Task, commit: str) -> None:
        """Expect a candidate that is about to be proven, and will land if it is."""

    def forget(self, name: str) -> None:
        """Stop expecting a task's candidate."""


def land(engine: Context, task: Task, candidate: Candidate, lander: Landings | None) -> Landed:
    """Land a proven candidate, by the lander if there is one; it stays ready if its target has disappeared."""
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
"""Function that returns how a merge into a tip breaks earlier landings, or None."""


def land_alone(
    engine: Context, task: Task, candidate: Candidate, *, check: Check = lambda _tip, _merge: None
) -> Landed:
    """Merge a candidate into the target, prove the merge, and move the target; repeat while the target moves.

    Only the merge that was written with the candidate, onto the base that it was proven on, needs no further proof. For
    any other, a cached result for the same tree and commands is enough.
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
    return keeps_moving(task)


def _proven_merge(
    engine: Context, task: Task, candidate: Candidate, *, tip: str, round_: int
) -> Landed | tuple[str, Proof]:
    """Return the merge of the candidate into a tip, with its proof; or why it cannot land."""
    joint = join(engine, task, candidate, tip=tip)
    if joint.tree is None:
        return not_joined(task, joint)
    if not is_proven(engine, task, joint.tree):
        engine.emit(Progress(task.name, "merge", f"validating the merge into {tip[:12]}"))
    draft = write_draft(engine, task, parents=(tip, joint.commit), tree=joint.tree)
    proof = prove(engine, task, draft)
    if not proof.passed:
        return together_red(proof)
    return write_merge(engine, task, candidate, joint, tip=tip, round_=round_), proof


def together_red(proof: Proof) -> Landed:
    """Return the outcome of a candidate whose merge fails validation."""
    reason = f"it passes alone, but fails with what merged since: {proof.reason}"
    return Landed(Verdict.FAILED, reason=reason, proof=proof)


def not_joined(task: Task, joint: Joint) -> Landed:
    """Return the outcome of a candidate that cannot be merged: a conflict, or a refusal."""
    if joint.refusal:
        return Landed(Verdict.REFUSED, reason=joint.refusal, next_step=joint.next_step)
    branch = task.target.removeprefix("refs/heads/")
    return Landed(
        Verdict.CONFLICT,
        reason=f"it conflicts with {branch} in {', '.join(joint.conflicts)}",
        next_step=f"minitask exec {task.name} --again",
    )


def out_of_scope(task: Task, reason: str) -> Landed:
    """Return the outcome of a candidate whose merge would change files that its spec does not list."""
    return Landed(
        Verdict.REFUSED,
        reason=f"the merge is out of scope: {reason}",
        next_step=f"minitask exec {task.name} --again",
    )


def not_moved(engine: Context, task: Task, candidate: Candidate, moved: TargetUpdate) -> Landed:
    """Return the outcome of a candidate that a checkout or the remote refuses."""
    if moved.declined:
        return _left_on_branch(engine, task, candidate.commit, moved)
    return Landed(
        Verdict.READY,
        reason=f"passed, but merging {moved.obstacle}",
        next_step=f"minitask merge {task.name}",
    )


def keeps_moving(task: Task) -> Landed:
    """Return the outcome of a candidate whose target moved in every round."""
    return Landed(
        Verdict.READY,
        reason="the target branch keeps moving",
        next_step=f"minitask merge {task.name}",
    )


def join(engine: Context, task: Task, candidate: Candidate, *, tip: str) -> Joint:
    """Return the merge of a candidate into a tip; a fault in the merged text counts as a conflict."""
    joint = join_commits(engine, task, candidate, tip=tip)
    if joint.tree is None:
        return joint
    faults = _faults_of_merge(engine, candidate=candidate.commit, tip=tip, tree=joint.tree)
    return replace(joint, tree=None, conflicts=faults) if faults else joint


def _faults_of_merge(engine: Context, *, candidate: str, tip: str, tree: str) -> tuple[str, ...]:
    """Return the faults of a line-by-line merge that neither of its sides has, each with its location.

    One side may rename what the other uses, delete a module that it imports, or add the same definition or key.
    """
    objects = engine.objects
    base, made = objects.commit(f"{candidate}^1"), objects.tree_of(candidate)
    if base is None or tree == made:
        return ()
    old, moved = objects.tree_of(base), objects.tree_of(tip)
    faults = {
        fault: place
        for side in (old, moved)
        for place, fault in _text_faults(engine, old=side, new=tree)
    }
    sides = (made, moved) if faults else ()
    had = {fault for side in sides for _, fault in _text_faults(engine, old=old, new=side)}
    return tuple(place for fault, place in faults.items() if fault not in had)


def _text_faults(engine: Context, *, old: str, new: str) -> list[tuple[str, str]]:
    """Return the faults of the change between two trees, each as text for the user, and without its line."""
    objects = engine.objects
    entries = [
        entry
        for entry in engine.database.diffs.changes(old, new)
        if suffix_of(entry.path) in JUDGED | IMPORTING
    ]
    if not entries or len(entries) > MOST_FILES:
        return []
    faults = find_merge_faults(
        [Change(entry.path, objects.file(new, entry.path)) for entry in entries],
        read=lambda path: objects.file(old, path),
        spec=Spec("", "", ""),  # a spec excuses faults of both sides alike
        candidate=CommitFiles(objects, engine.repository.git, new),
    )
    return [
        (f"{fault.path}:{fault.line} ({fault.message})", f"{fault.path}: {fault.message}")
        for fault in faults
    ]


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
    folder = engine.repository.home / UNRECORDED
    folder.mkdir(parents=True, exist_ok=True)
    for _, merge in merges:
        (folder / merge).write_text(target, "utf-8", "surrogateescape")
    moved = advance(engine, TargetMove(target, tip, at))
    if not moved.done:
        for _, merge in merges:
            note_recorded(engine, merge)
    return moved


def note_recorded(engine: Context, merge: str) -> None:
    """Remove the note on a merge that a record names, or that is not on the target."""
    (engine.repository.home / UNRECORDED / merge).unlink(missing_ok=True)


def check_merge(engine: Context, task: Task, *, tip: str, merge: str) -> GateResult:
    """Check the changes of a merge against the task's spec and git's filters; without changes, it may land."""
    trees = engine.objects.tree_of
    changes = engine.database.diffs.changes(trees(tip), trees(merge))
    if not changes:
        return GateResult("scope", passed=True)
    protected = (*engine.settings.protected, *task.spec.options.protected)
    ruling = check_scope(task.spec, changes, protected=protected)
    if not ruling.passed:
        return ruling
    paths = [change.path for change in changes if change.status != "D"]
    filters = filtered_paths(engine.repository, engine.objects, tip, paths)
    for path, name in filters.items():
        reason = f"it writes {path}, which has the git filter {name}"
        return GateResult("scope", passed=False, reason=reason, refused=True)
    return ruling


def advance(engine: Context, step: TargetMove) -> TargetUpdate:
    """Move the target, on the remote first if it is to be pushed."""
    remote = engine.settings.push
    if not remote:
        return update_target(engine.repository, step)
    answer = push_commit(engine, remote, step.target, step.new, runs_hook=True)
    reason = answer.refused.get(step.target)
    if reason is not None:
        return TargetUpdate(done=False, reason=reason, declined=True, is_behind=is_changed(reason))
    moved = update_target(engine.repository, step)
    if moved.done or moved.moved_meanwhile:
        return moved
    return replace(moved, reason=f"{moved.reason} (it is on {remote} already)")


def _left_on_branch(engine: Context, task: Task, commit: str, moved: TargetUpdate) -> Landed:
    """Return the outcome of a proven candidate whose target the remote declined: its branch is pushed."""
    remote, ref = engine.settings.push, refs.branch(task.name)
    target, branch = task.target.removeprefix("refs/heads/"), ref.removeprefix("refs/heads/")
    again = f"minitask merge {task.name}"
    why = f"passed, but {remote} does not take {target}: {moved.reason}"
    if moved.is_behind:
        return Landed(Verdict.READY, reason=why, next_step=f"git pull {remote} {target} && {again}")
    pushed = push_commit(engine, remote, ref, commit)
    refusal = pushed.refused.get(ref)
    if refusal is None:
        step = pushed.link or f"git request-pull {target} {remote} {branch}"
        return Landed(Verdict.READY, reason=f"{why}; {branch} is pushed there", next_step=step)
    step = f"git push --force-with-lease {remote} {branch}" if is_changed(refusal) else again
    reason = f"{why}; {branch} could not be pushed: {refusal}"
    return Landed(Verdict.READY, reason=reason, next_step=step)


def push_commit(
    engine: Context,
    remote: str,
    ref: str,
    commit: str,
    *,
    runs_hook: bool = False,
    replaced: str = "",
) -> Pushed:
    """Push a commit to a ref, and return the remote's answer; an unreachable remote counts as a refusal."""
    try:
        chosen = choose_remote(engine.repository, remote)
        moves = {ref: commit}
        return push(engine.repository, chosen, moves, runs_hook=runs_hook, replaced=replaced)
    except MinitaskError as error:
        return Pushed({ref: error.message})
