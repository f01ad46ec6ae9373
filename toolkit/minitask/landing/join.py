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
from minitask.errors import RefusedError
from minitask.gates.result import GateResult
from minitask.gates.scope import check_scope
from minitask.git import refs
from minitask.git.commits import NewCommit, write_commit, write_commits
from minitask.git.filters import filtered_paths
from minitask.git.merge_tree import MergeResult, TreeChange, merge_tree
from minitask.git.restore_checkout import TargetMove
from minitask.git.update_target import TargetUpdate
from minitask.landing.candidate_commits import Candidate, candidate_commit
from minitask.landing.merge import leads_back, merged
from minitask.landing.push import advance

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
    """Return the merge of a candidate into a tip, in which no foreign commit comes along."""
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
