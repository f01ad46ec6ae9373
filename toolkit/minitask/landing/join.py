"""Join a candidate to a tip of the target: by its own commits where they come alone, else by its change alone.

A candidate that was begun on a feature branch, or on a commit that was amended, reset or rebased away since, would
bring everything below it to the target. So where its base is not part of the target, its change is applied to the tip
and committed there again. The same is done for a candidate that landed before and was reverted.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import MinitaskError, RefusedError
from minitask.gates.result import GateResult
from minitask.gates.scope import check_scope
from minitask.git import refs
from minitask.git.commits import NewCommit, write_commit, write_commits
from minitask.git.filters import filtered_paths
from minitask.git.remotes import Pushed, choose_remote, is_changed, push
from minitask.git.restore_checkout import TargetMove
from minitask.git.trees import MergeResult, TreeChange, merge_apart, merge_tree
from minitask.git.update_target import TargetUpdate, update_target
from minitask.landing.candidate_commits import Candidate, Landed, candidate_commit
from minitask.landing.merged_text import faults_of_merge
from minitask.ledger.record import Verdict

CARRIED = "Minitask-Carried"
"""The trailer of a candidate that was made again: the commit whose change it carries."""


class Joint(Struct, frozen=True):
    """The merged tree and the commit to merge; without a tree, the paths in conflict or why it may not land."""

    commit: str
    tree: str | None = None
    conflicts: tuple[str, ...] = ()
    refusal: str = ""
    next_step: str = ""


def join(engine: Context, task: Task, candidate: Candidate, *, tip: str) -> Joint:
    """Return the merge of a candidate into a tip, in which no foreign commit comes along, and which can run as text."""
    joint = _join(engine, task, candidate, tip=tip)
    if joint.tree is None:
        return joint
    faults = faults_of_merge(engine, candidate=candidate.commit, tip=tip, tree=joint.tree)
    return replace(joint, tree=None, conflicts=faults) if faults else joint


def _join(engine: Context, task: Task, candidate: Candidate, *, tip: str) -> Joint:
    base = candidate.base or engine.objects.commit(f"{candidate.commit}^1")
    if base is None or leads_back(engine, tip, base):
        return _joint(candidate.commit, merged(engine, candidate.commit, tip=tip))
    own_commits = _own_commits(engine, candidate.commit, tip=tip)
    has_merges = any(len(parents) > 1 for parents in own_commits.values())
    if own_commits and base not in own_commits:
        merge = merged(engine, candidate.commit, tip=tip)
        if not has_merges:
            return _joint(candidate.commit, merge)
    else:
        merge = _merged_on(engine, candidate.commit, base=base, tip=tip)
    lacking = _lacking_spec(engine, task, base=base, tip=tip)
    if lacking is not None:
        return lacking
    if merge.tree is None:
        return _joint(candidate.commit, merge)
    return Joint(_carry(engine, task, candidate, tip=tip, tree=merge.tree), merge.tree)


def _joint(commit: str, merge: MergeResult) -> Joint:
    return Joint(commit, merge.tree, merge.conflicts)


def _own_commits(engine: Context, candidate: str, *, tip: str) -> dict[str, list[str]]:
    """Return the commits that a merge of the candidate would bring to the tip, with their parents."""
    lines = engine.repository.git.line("rev-list", "--parents", candidate, f"^{tip}").splitlines()
    return {commit: parents for commit, *parents in (line.split() for line in lines)}


def _merged_on(engine: Context, candidate: str, *, base: str, tip: str) -> MergeResult:
    """Apply the difference between a base and the candidate to the tip's files, whatever history the tip has."""
    who = engine.signature
    tree = engine.objects.tree_of(tip)
    ours = NewCommit("", "files of the target\n", who, who, parents=(base,), tree=tree)
    oid = write_commit(engine.objects, ours)
    return merge_tree(engine.repository.git, ours=oid, theirs=candidate)


def _lacking_spec(engine: Context, task: Task, *, base: str, tip: str) -> Joint | None:
    """Return why the change may not be carried over: the target does not hold the spec that it was made for."""
    made_for, present = (engine.objects.entry(commit, task.path) for commit in (base, tip))
    if made_for is None or made_for.oid != task.blob or (present and present.oid == task.blob):
        return None
    branch = task.target.removeprefix("refs/heads/")
    origin = f"it was made on {base[:12]}, which is not part of {branch}"
    if present is None:
        add = f"git checkout {base[:12]} -- {task.path} && git commit -m 'Add {task.path}'"
        return Joint(
            "", refusal=f"{origin}, and {branch} lacks its spec {task.path}", next_step=add
        )
    return Joint(
        "",
        refusal=f"{origin}, and {task.path} differs there",
        next_step=f"minitask exec {task.name} --again",
    )


def _carry(engine: Context, task: Task, candidate: Candidate, *, tip: str, tree: str) -> str:
    """Commit the change again on the tip; it names the commit that it carries over."""
    commit = candidate_commit(engine, task, candidate.attempt, tree)
    raw = engine.objects.read(candidate.commit)
    text = raw[2].decode("utf-8", "surrogateescape").partition("\n\n")[2] if raw else ""
    if f"\nMinitask: {task.name}\n" not in text:
        text = commit.message
    anew = replace(
        commit,
        ref=f"{refs.landing(task.name, candidate.attempt.n)}.carried",
        message=f"{text.rstrip()}\n{CARRIED}: {candidate.commit}\n",
        parents=(tip,),
    )
    return write_commits(engine.database, [engine.signed(anew)], force=True)[0]


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
    moved = advance(engine, TargetMove(target, tip, at))
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
    filters = filtered_paths(engine.repository, engine.objects, tip, paths)
    for path, name in filters.items():
        reason = f"it writes {path}, which has the git filter {name}"
        return GateResult("scope", passed=False, reason=reason, refused=True)
    return GateResult("scope", passed=True)


def merged(engine: Context, candidate: str, *, tip: str) -> MergeResult:
    """Return the tree of the merge of a candidate, which has one parent, into a tip; or the paths that conflict."""
    tree = None
    base = engine.objects.commit(f"{candidate}^1")
    if base is not None and leads_back(engine, tip, base):
        base, ours, theirs = map(engine.objects.tree_of, (base, tip, candidate))
        tree = merge_apart(engine.objects, base=base, ours=ours, theirs=theirs)
    if tree is not None:
        return MergeResult(tree)
    return merge_tree(engine.repository.git, ours=tip, theirs=candidate)


def leads_back(engine: Context, tip: str, base: str) -> bool:
    """Return True if merges made by this very process alone lead from a base to a tip.

    Then the base is the merge base of the tip and of whatever was made on the base since.
    """
    at: str | None = tip
    while at is not None and at != base:
        at = engine.built_on.get(at)
    return at is not None


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


def left_on_branch(engine: Context, task: Task, commit: str, moved: TargetUpdate) -> Landed:
    """Return the outcome of a proven candidate whose target the remote declined: its branch is pushed."""
    remote, target, branch = (
        engine.settings.push,
        task.target.removeprefix("refs/heads/"),
        refs.branch(task.name).removeprefix("refs/heads/"),
    )
    again = f"minitask merge {task.name}"
    why = f"passed, but {remote} does not take {target}: {moved.reason}"
    if moved.is_behind:
        return Landed(Verdict.READY, reason=why, next_step=f"git pull {remote} {target} && {again}")
    pushed = push_commit(engine, remote, refs.branch(task.name), commit)
    refusal = pushed.refused.get(refs.branch(task.name))
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
    """Return the remote's answer; a remote that cannot be reached refuses, too."""
    try:
        chosen = choose_remote(engine.repository, remote)
        moves = {ref: commit}
        return push(engine.repository, chosen, moves, runs_hook=runs_hook, replaced=replaced)
    except MinitaskError as error:
        return Pushed({ref: error.message})
