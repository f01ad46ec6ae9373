"""Proving again what landed, from nothing but git: the spec, the change and the scope are those of the commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from minitask.engine.context import Context, Progress
from minitask.engine.find_tasks import full_name
from minitask.engine.task_records import task_at
from minitask.engine.tasks import Base, Task
from minitask.errors import MinitaskError, RefusedError, UsageError
from minitask.gates.scope import check_scope
from minitask.git import history, refs
from minitask.git.history import LandedTask
from minitask.git.trees import tree_changes
from minitask.landing.proof import Proof, prove


class BranchVerification(Struct, frozen=True):
    """A commit, proven again or not."""

    task: str
    commit: str
    proof: Proof


def verify(engine: Context, revision: str, base: Base) -> BranchVerification:
    """Run the validation that a commit's trailers name on a fresh checkout of it, whatever is cached."""
    commit = engine.objects.commit(revision)
    if commit is None:
        revision = refs.branch(full_name(engine, revision, base))
        commit = engine.objects.commit(revision)
    if commit is None:
        raise UsageError(
            f"{revision} is not a commit or a task", hint="name a branch, a commit or PROJECT/ID"
        )
    git = engine.repository.git
    # A task's branch may hold a person's commits on top of the candidate.
    is_branch = engine.objects.commit(refs.branch(_task_part(revision))) == commit
    carrier = (history.latest_with_spec(git, commit) if is_branch else None) or commit
    name = history.trailer(git, carrier, "Minitask")
    source = history.trailer(git, carrier, "Minitask-Spec")
    if not name or "@" not in source:
        raise UsageError(
            f"{revision} has no Minitask-Spec trailer",
            hint="name a task's branch, or a merge of one",
        )
    task = task_at(engine, name, source, base)
    _check_claim(engine, task, carrier)
    return BranchVerification(name, commit, prove(engine, task, commit, anew=True))


def _check_claim(engine: Context, task: Task, carrier: str) -> None:
    """Refuse a commit whose spec was not there when it was made, or that does what its spec does not list."""
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


def _task_part(revision: str) -> str:
    """`PROJECT/ID` of a branch's name, in any of the ways to write it."""
    return revision.removeprefix("refs/heads/").removeprefix("minitask/")


STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://minitask.dev/attestation/validation/v1"


class AuditedMerge(Struct, frozen=True):
    """A merge with its new proof; without one, `problem` says why it could not be made."""

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
        """Return why it is not proven; "" if it is."""
        return self.problem or (self.proof.reason if self.proof else "")


def audit(engine: Context, merges: Iterable[LandedTask], base: Base) -> Iterator[AuditedMerge]:
    """Yield each merge, its task's validation and the config's checks run again on a fresh checkout of it."""
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

    The format is that of github.com/in-toto/attestation; a commit's digest is named `gitCommit`, as its table has it.
    """
    proven = [merge for merge in audited if merge.is_proven]
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": merge.landed.task, "digest": {"gitCommit": merge.landed.commit}}
            for merge in proven
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "objectFormat": object_format,
            "merges": [_evidence(merge) for merge in proven],
        },
    }


def _evidence(merge: AuditedMerge) -> Mapping[str, Any]:
    assert merge.proof is not None  # noqa: S101 - it is proven
    return {
        "task": merge.landed.task,
        "gitCommit": merge.landed.commit,
        "gitTree": merge.tree,
        "sandbox": merge.proof.sandbox,
        "commands": [
            {"command": command.command, "exitCode": command.exit_code}
            for command in merge.proof.commands
        ],
    }
