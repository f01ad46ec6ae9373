"""Proving again what landed, from nothing but git: the spec, the change and the scope are those of the commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Base
from minitask.errors import MinitaskError
from minitask.git.landing_log import LandedTask
from minitask.landing.proof import Proof
from minitask.landing.verify import verify

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
