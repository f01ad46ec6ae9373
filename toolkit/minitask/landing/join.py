"""Join a candidate to a tip of the target: by its own commits where they come alone, else by its change alone.

A candidate that was begun on a feature branch, or on a commit that was amended, reset or rebased away since, would
bring everything below it to the target. So where its base is not part of the target, its change is applied to the tip
and committed there again. The same is done for a candidate that landed before and was reverted.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.git import refs
from minitask.git.commits import NewCommit, write_commit, write_commits
from minitask.git.merge_tree import MergeResult, merge_tree
from minitask.landing.candidate_commits import candidate_commit
from minitask.landing.candidates import Candidate
from minitask.landing.merge import leads_back, merged

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
    own = _own_commits(engine, candidate.commit, tip=tip)
    has_merges = any(len(parents) > 1 for parents in own.values())
    if own and base not in own:
        found = merged(engine, candidate.commit, tip=tip)
        if not has_merges:
            return _joint(candidate.commit, found)
    else:
        found = _merged_on(engine, candidate.commit, base=base, tip=tip)
    lacking = _lacking_spec(engine, task, base=base, tip=tip)
    if lacking is not None:
        return lacking
    if found.tree is None:
        return _joint(candidate.commit, found)
    return Joint(_carry(engine, task, candidate, tip=tip, tree=found.tree), found.tree)


def _joint(commit: str, found: MergeResult) -> Joint:
    return Joint(commit, found.tree, found.conflicts)


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
    made_for, held = (engine.objects.entry(commit, task.path) for commit in (base, tip))
    if made_for is None or made_for.oid != task.blob or (held and held.oid == task.blob):
        return None
    branch = task.target.removeprefix("refs/heads/")
    origin = f"it was made on {base[:12]}, which is not part of {branch}"
    if held is None:
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
    return write_commits(engine.database, [anew], force=True)[0]
