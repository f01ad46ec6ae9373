"""Turn a change into commits: the candidate with its verdict, and its merge into a tip of the target.

A candidate whose base is part of the target is merged by its own commits. A candidate that was started on a feature
branch, or on a commit that was amended, reset or rebased away since, would bring all commits below it; so only its
change is applied to the tip and committed again. The same is done for a candidate that landed before and was reverted.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import EditError
from minitask.gates.scope import starts_programs
from minitask.git import refs
from minitask.git.commits import FileWrite, NewCommit, write_commit, write_commits
from minitask.git.loose import object_id
from minitask.git.objects import TREE, Objects
from minitask.git.repository import Signature
from minitask.git.trees import MergeResult, TreeChange, merge_apart, merge_tree
from minitask.ledger.record import Attempt, FileRecord, Usage, Verdict, money
from minitask.spec.notes import is_executable
from minitask.spec.paths import prefixes

RUNS = "Minitask-Runs"
"""Trailer of a merge that changes files by which tools start programs: their paths."""
CARRIED = "Minitask-Carried"
"""Trailer of a candidate that was committed again: the original commit."""


class Candidate(Struct, frozen=True):
    """A proven candidate: its commit and tree, its attempt, and the merge if it is written.

    `base` is the commit that its change starts from; None: the candidate's first parent.
    """

    commit: str
    tree: str
    attempt: Attempt
    merge: str | None = None
    base: str | None = None


class Joint(Struct, frozen=True):
    """The merged tree and the commit to merge; without a tree, the conflicting paths or the reason for a refusal."""

    commit: str
    tree: str | None = None
    conflicts: tuple[str, ...] = ()
    refusal: str = ""
    next_step: str = ""


def file_writes(changes: Sequence[Change], objects: Objects, task: Task) -> tuple[FileWrite, ...]:
    """Return the file writes of a change; raise `EditError` if a path is a folder, or below a file."""
    executable = {ref.path for ref in task.spec.files if is_executable(ref)}
    return tuple(
        _write(change, objects, task.base, executable=change.path in executable)
        for change in changes
    )


def _write(change: Change, objects: Objects, base: str, *, executable: bool) -> FileWrite:
    entry = objects.entry(base, change.path)
    if entry is not None and entry.mode == TREE:
        raise EditError(f"{change.path} is a folder in the base", hint="name a file")
    for parent in prefixes(change.path)[:-1]:
        above = objects.entry(base, parent)
        if above is not None and above.mode != TREE:
            raise EditError(f"{change.path}: {parent} is not a folder in the base")
    source = objects.entry(base, change.mode_from) if change.mode_from else entry
    content = None if change.content is None else change.content.encode("utf-8", "surrogateescape")
    mode = source.mode if source else "100644"
    return FileWrite(change.path, content, "100755" if change.executable or executable else mode)


def write_draft(
    engine: Context,
    task: Task,
    writes: Sequence[FileWrite] = (),
    *,
    parents: tuple[str, ...] = (),
    tree: str | None = None,
    has_ref: bool = True,
) -> str:
    """Write a commit to check out and prove, without a verdict, and return its id; by default its parent is the base.

    The task's journal ref points to it, or no ref if `has_ref` is False.
    """
    commit = NewCommit(
        ref=f"{refs.LANDING}/{task.name}/draft",
        message=f"draft of {task.name}\n",
        author=engine.signature,
        committer=engine.signature,
        parents=parents or (task.base,),
        writes=tuple(writes),
        tree=tree,
    )
    if has_ref:
        return write_commits(engine.database, [commit], force=True)[0]
    return write_commit(engine.objects, commit)


def candidate_commit(
    engine: Context, task: Task, attempt: Attempt, tree: str, *, text: str = ""
) -> NewCommit:
    """Return the candidate with its verdict; the author is the model, the committer the user.

    `text` is its message; by default the spec's title.
    """
    committer = engine.signature
    return engine.signed(
        NewCommit(
            ref=refs.attempt(task.name, attempt.n),
            message=_message(task, attempt, text or task.spec.title or task.name),
            author=_author(attempt, committer),
            committer=committer,
            parents=(task.base,),
            tree=tree,
        )
    )


def merge_commit(
    engine: Context,
    task: Task,
    attempt: Attempt,
    *,
    tip: str,
    candidate: str,
    tree: str,
    round_: int = 0,
    text: str = "",
) -> NewCommit:
    """Return the merge of a proven candidate into the target's tip; in a linear history, its commit on the tip.

    `text` is the candidate's message; by default it is read from the commit.
    """
    suffix = f".{round_}" if round_ else ""
    merges = engine.settings.merges
    title = f"Merge {refs.branch(task.name).removeprefix('refs/heads/')}: {task.spec.title}"
    if not merges:
        title = text or _own_text(engine, candidate) or task.spec.title or task.name
    changes = engine.database.diffs.changes(engine.objects.tree_of(tip), tree)
    starting = [change.path for change in changes if starts_programs(change.path)]
    trailer = f"{RUNS}: {', '.join(starting)}\n" if starting else ""
    return engine.signed(
        NewCommit(
            ref=refs.landing(task.name, attempt.n) + suffix,
            message=_message(task, attempt, title, verdict=Verdict.MERGED) + trailer,
            author=engine.signature if merges else _author(attempt, engine.signature),
            committer=engine.signature,
            parents=(tip, candidate) if merges else (tip,),
            tree=tree,
        )
    )


def _message(task: Task, attempt: Attempt, title: str, *, verdict: Verdict | None = None) -> str:
    """Return a commit message: the title, its further paragraphs, the reason of a failure, trailers for scripts."""
    outcome = verdict or attempt.verdict
    title, _, paragraphs = title.partition("\n\n")
    body = f"{paragraphs.strip()}\n\n" if paragraphs.strip() else ""
    body += f"{attempt.reason}\n\n" if attempt.reason and not outcome.is_good else ""
    trailers = {
        "Minitask": task.name,
        "Minitask-Spec": f"{task.path}@{task.blob}",
        "Minitask-Model": attempt.model or "none",
        "Minitask-Tier": attempt.tier,
        "Minitask-Verdict": outcome.value,
        "Minitask-Tokens": _tokens(attempt.usage),
        "Minitask-Cost": _cost(attempt.cost_usd),
    }
    lines = "".join(f"{key}: {' '.join(value.splitlines())}\n" for key, value in trailers.items())
    return f"{' '.join(title.split())}\n\n{body}{lines}"


def _own_text(engine: Context, commit: str) -> str:
    """Return a commit's message without the trailers, or "" if there is no such commit."""
    raw = engine.objects.read(commit)
    text = raw[2].decode("utf-8", "replace").partition("\n\n")[2] if raw else ""
    return text.partition("\nMinitask: ")[0].strip()


def commit_id(commit: NewCommit, object_format: str) -> str:
    """Return the id that a commit with a given tree will have."""
    assert commit.tree is not None  # noqa: S101 - it is given
    return object_id("commit", commit.content(commit.tree), object_format)


def file_records(changes: Sequence[TreeChange]) -> tuple[FileRecord, ...]:
    """Return the changed files for the record."""
    return tuple(
        FileRecord(change.path, change.status, change.added, change.removed) for change in changes
    )


def _author(attempt: Attempt, committer: Signature) -> Signature:
    name = attempt.model or "edit script"
    address = "".join(char if char.isalnum() or char in "._-" else "-" for char in name.lower())
    shown = "".join(char for char in name if char.isprintable() and char not in "<>")
    return Signature(f"{shown} (minitask)", f"{address}@minitask.invalid", committer.stamp)


def _tokens(usage: Usage) -> str:
    counts = (usage.input_tokens, usage.output_tokens)
    read, written = ("unknown" if count is None else count for count in counts)
    return f"{read} in, {written} out"


def _cost(amount: Decimal | None) -> str:
    text = money(amount)
    return "unknown" if text is None else f"{text} USD"


def write_merge(
    engine: Context, task: Task, candidate: Candidate, joint: Joint, *, tip: str, round_: int = 1
) -> str:
    """Write the merge of a candidate into a tip, and return its id."""
    assert joint.tree is not None  # noqa: S101 - it was joined
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
    return merge


def join_commits(engine: Context, task: Task, candidate: Candidate, *, tip: str) -> Joint:
    """Return the merge of a candidate into a tip, without foreign commits; the merged text may be faulty."""
    base = candidate.base or engine.objects.commit(f"{candidate.commit}^1")
    if base is None or _leads_back(engine, tip, base):
        return _joint(candidate.commit, merged(engine, candidate.commit, tip=tip))
    own_commits = _own_commits(engine, candidate.commit, tip=tip)
    if own_commits and base not in own_commits:
        merge = merged(engine, candidate.commit, tip=tip)
        if all(len(parents) <= 1 for parents in own_commits.values()):
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
    """Return the commits that a merge of the candidate would add to the tip, with their parents."""
    lines = engine.repository.git.line("rev-list", "--parents", candidate, f"^{tip}").splitlines()
    return {commit: parents for commit, *parents in (line.split() for line in lines)}


def _merged_on(engine: Context, candidate: str, *, base: str, tip: str) -> MergeResult:
    """Apply the difference between a base and the candidate to the tip's files, whatever the tip's history."""
    who = engine.signature
    tree = engine.objects.tree_of(tip)
    ours = NewCommit("", "files of the target\n", who, who, parents=(base,), tree=tree)
    oid = write_commit(engine.objects, ours)
    return merge_tree(engine.repository.git, ours=oid, theirs=candidate)


def _lacking_spec(engine: Context, task: Task, *, base: str, tip: str) -> Joint | None:
    """Return a refusal if the target lacks the spec that the change was made for, else None."""
    made_for, present = (engine.objects.entry(commit, task.path) for commit in (base, tip))
    if made_for is None or made_for.oid != task.blob or (present and present.oid == task.blob):
        return None
    branch = task.target.removeprefix("refs/heads/")
    origin = f"it was made on {base[:12]}, which is not part of {branch}"
    if present is not None:
        again = f"minitask exec {task.name} --again"
        return Joint("", refusal=f"{origin}, and {task.path} differs there", next_step=again)
    add = f"git checkout {base[:12]} -- {task.path} && git commit -m 'Add {task.path}'"
    return Joint("", refusal=f"{origin}, and {branch} lacks its spec {task.path}", next_step=add)


def _carry(engine: Context, task: Task, candidate: Candidate, *, tip: str, tree: str) -> str:
    """Commit the change again on the tip, with the original commit in a trailer."""
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


def merged(engine: Context, candidate: str, *, tip: str) -> MergeResult:
    """Return the merge of a single-parent candidate into a tip: its tree, or the paths that conflict."""
    tree = None
    base = engine.objects.commit(f"{candidate}^1")
    if base is not None and _leads_back(engine, tip, base):
        base, ours, theirs = map(engine.objects.tree_of, (base, tip, candidate))
        tree = merge_apart(engine.objects, base=base, ours=ours, theirs=theirs)
    if tree is not None:
        return MergeResult(tree)
    return merge_tree(engine.repository.git, ours=tip, theirs=candidate)


def _leads_back(engine: Context, tip: str, base: str) -> bool:
    """Return True if only merges made by this process lead from a base to a tip.

    Then the base is the merge base of the tip and of any candidate made on the base since.
    """
    at: str | None = tip
    while at is not None and at != base:
        at = engine.built_on.get(at)
    return at is not None
