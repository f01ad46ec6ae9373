"""Prove merged tasks again, from git alone; and undo one, by a commit that reverts its merge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from minitask.engine.context import Context, Progress
from minitask.engine.find_tasks import FORMS, full_name, spec_paths
from minitask.engine.task_records import task_at
from minitask.engine.tasks import PROJECTS, Base, Task, landings_at, latest_landing, load_file
from minitask.errors import MachineError, MinitaskError, RefusedError, UsageError
from minitask.gates.scope import check_scope
from minitask.git import history, refs
from minitask.git.commits import NewCommit, write_commits
from minitask.git.history import LandedTask
from minitask.git.restore_checkout import TargetMove
from minitask.git.trees import merge_tree, tree_changes
from minitask.landing.land import advance
from minitask.landing.proof import prove, prove_checks
from minitask.landing.run_commands import Proof
from minitask.ledger.record import Verdict
from minitask.spec.dependency_graph import Graph
from minitask.system.files import force_remove
from minitask.workspace import places
from minitask.workspace.pool import FOLDER

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://minitask.dev/attestation/validation/v1"


class BranchVerification(Struct, frozen=True):
    """A commit and its new proof."""

    task: str
    commit: str
    proof: Proof


def verify(engine: Context, revision: str, base: Base) -> BranchVerification:
    """Run the validation in a commit's trailers on a fresh checkout of it, ignoring the cache."""
    commit = engine.objects.commit(revision)
    if commit is None:
        try:
            name = full_name(engine, revision, base)
        except UsageError as error:
            if error.hint != FORMS:
                raise
            message = f"no branch, commit or task {revision}"
            raise UsageError(message, hint="name a branch, a commit or PROJECT/ID") from None
        revision = refs.branch(name)
        commit = engine.objects.commit(revision)
        if commit is None:
            hint = f"minitask exec {name}, or name a commit"
            raise UsageError(f"{name} has no branch", hint=hint)
    git = engine.repository.git
    # A task's branch may have a person's commits on top of the candidate.
    name = revision.removeprefix("refs/heads/").removeprefix("minitask/")
    is_branch = engine.objects.commit(refs.branch(name)) == commit
    carrier = (history.latest_with_spec(git, commit) if is_branch else None) or commit
    task_name = history.trailer(git, carrier, "Minitask")
    source = history.trailer(git, carrier, "Minitask-Spec")
    if not task_name or "@" not in source:
        raise UsageError(
            f"{revision} has no Minitask-Spec trailer",
            hint="name a task's branch, or a merge of one",
        )
    task = task_at(engine, task_name, source, base)
    _check_carrier(engine, task, carrier)
    return BranchVerification(task_name, commit, prove(engine, task, commit, anew=True))


def _check_carrier(engine: Context, task: Task, carrier: str) -> None:
    """Refuse a commit whose spec was not committed before it, or that changes files that its spec does not list."""
    base = engine.objects.commit(f"{carrier}^1")
    entry = engine.objects.entry(base, task.path) if base else None
    if base is None or entry is None or entry.oid != task.blob:
        raise RefusedError(
            f"{carrier[:12]} names the spec {task.path} at {task.blob[:12]}, which its parent does not hold",
            hint="verify a commit whose spec was committed before it",
        )
    protected = (*engine.settings.protected, *task.spec.options.protected)
    changes = tree_changes(engine.repository.git, base, carrier)
    ruling = check_scope(task.spec, changes, protected=protected)
    if not ruling.passed:
        raise RefusedError(f"{carrier[:12]} is out of scope: {ruling.reason}")


class AuditedMerge(Struct, frozen=True):
    """A merge with its new proof; without one, `problem` says why."""

    landed: LandedTask
    tree: str
    proof: Proof | None
    problem: str = ""

    @property
    def is_proven(self) -> bool:
        """Return True if every command passed again."""
        return self.proof is not None and self.proof.passed

    @property
    def reason(self) -> str:
        """Return why it is not proven, or ""."""
        return self.problem or (self.proof.reason if self.proof else "")


def audit(engine: Context, merges: Iterable[LandedTask], base: Base) -> Iterator[AuditedMerge]:
    """Yield each merge after running its task's validation and the config's checks on a fresh checkout of it."""
    for landed in merges:
        engine.emit(Progress(landed.task, "verify", landed.commit[:12]))
        tree = engine.objects.tree_of(landed.commit)
        try:
            proof = verify(engine, landed.commit, base).proof
        except MinitaskError as error:
            yield AuditedMerge(landed, tree, None, error.message)
        else:
            yield AuditedMerge(landed, tree, proof)


def statement(audited: Iterable[AuditedMerge], object_format: str) -> dict[str, Any]:
    """Return the proven merges as an in-toto statement, version 1: the commits, and the evidence for each.

    The format is that of github.com/in-toto/attestation, whose name for a commit's digest is `gitCommit`.
    """
    subjects, evidence = [], []
    for merge in audited:
        if merge.proof is None or not merge.proof.passed:
            continue
        task, commit = merge.landed.task, merge.landed.commit
        subjects.append({"name": task, "digest": {"gitCommit": commit}})
        commands = [
            {"command": command.command, "exitCode": command.exit_code}
            for command in merge.proof.commands
        ]
        evidence.append(
            {
                "task": task,
                "gitCommit": commit,
                "gitTree": merge.tree,
                "sandbox": merge.proof.sandbox,
                "commands": commands,
            }
        )
    return {
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {"objectFormat": object_format, "merges": evidence},
    }


class Undone(Struct, frozen=True):
    """The outcome of an undo.

    `merged`: the revert is on the target; `ready`: a checkout blocks it; else `failed` or `conflict`. `undone` is the
    merge that was reverted, `dependents` the merged tasks that depend on it.
    """

    task: str
    verdict: Verdict
    commit: str | None = None
    reason: str = ""
    undone: str = ""
    dependents: tuple[str, ...] = ()


def undo_task(engine: Context, name: str, base: Base) -> Undone:
    """Revert the merge of a task, but keep its branch and records; raise `UsageError` if it has not landed."""
    tip = engine.tip(base.target)
    landing = latest_landing(engine, tip, name)
    if landing is None or landing.undone:
        target = base.target.removeprefix("refs/heads/")
        raise UsageError(
            f"{name} has not merged into {target}", hint="`minitask status` lists merged tasks"
        )
    nothing_left = (
        f"nothing of its merge {landing.commit[:12]} is left to take back: its change came another way, or is gone; "
        "`git revert` takes back the commit that brought it"
    )
    if not landing.whole:
        return Undone(name, Verdict.FAILED, reason=nothing_left)
    reverse = _reverse(engine, name, landing.commit)
    merged = merge_tree(engine.repository.git, ours=tip, theirs=reverse)
    if merged.tree is None:
        reason = f"later changes depend on it, in {', '.join(merged.conflicts)}"
        return Undone(name, Verdict.CONFLICT, reason=reason)
    if merged.tree == engine.objects.tree_of(tip):
        return Undone(name, Verdict.FAILED, reason=nothing_left)
    text = f"Undo {name}\n\nThis takes back the merge {landing.commit}.\n\nMinitask-Undo: {name}\n"
    commit = _commit(engine, f"{name}/undo", text, parent=tip, tree=merged.tree)
    proof = prove_checks(engine, task_at(engine, name, landing.spec, base), commit)
    if proof is not None and not proof.passed:
        return Undone(name, Verdict.FAILED, reason=f"without it, {proof.reason}")
    # Later tasks must not find its code in the build cache.
    force_remove(places.work_folder(engine.repository) / FOLDER)
    moved = advance(engine, TargetMove(base.target, tip, commit))
    if moved.done:
        dependents = _merged_dependents(engine, name, base)
        return Undone(name, Verdict.MERGED, commit, undone=landing.commit, dependents=dependents)
    moved_on = "the target branch moved meanwhile"
    reason = f"reverting it {moved.obstacle}" if moved.reason else moved_on
    return Undone(name, Verdict.READY, reason=reason)


def _merged_dependents(engine: Context, name: str, base: Base) -> tuple[str, ...]:
    """Return the merged tasks whose specs depend on this one, directly or indirectly."""
    files = (load_file(engine, path, base) for path in spec_paths(engine, base.base, PROJECTS))
    graph = Graph(tuple(task.spec for file in files for task in file.tasks))
    at = {index for index, task in enumerate(graph.names) if task == name}
    names = [graph.names[index] for index, needs in enumerate(graph.reach) if needs & at]
    landed = landings_at(engine, base.base, names) if names else {}
    return tuple(name for name in names if name in landed and not landed[name].undone)


def _reverse(engine: Context, name: str, landing: str) -> str:
    """Return a commit on top of the landing with the tree before it: merging it reverts the landing."""
    before = engine.objects.commit(f"{landing}^1")
    if before is None:
        raise MachineError(f"the parent of {landing[:12]} is missing", hint="use a full clone")
    tree = engine.objects.tree_of(before)
    return _commit(engine, f"{name}/draft", f"before {name}\n", parent=landing, tree=tree)


def _commit(engine: Context, ref: str, text: str, *, parent: str, tree: str) -> str:
    who = engine.signature
    commit = NewCommit(f"{refs.LANDING}/{ref}", text, who, who, (parent,), tree=tree)
    return write_commits(engine.database, [engine.signed(commit)], force=True)[0]
