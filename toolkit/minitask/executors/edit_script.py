"""Tier `none`: the spec's own edit script, applied with no model, at no cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from minitask.edits.apply_script import apply_script
from minitask.edits.grammar import covers, parse_script
from minitask.errors import EditError
from minitask.executors.request import (
    Description,
    ExecutorRequest,
    ExecutorResult,
)
from minitask.ledger.usage import NO_USAGE

if TYPE_CHECKING:
    from minitask.spec.model import Spec


def has_script(spec: Spec) -> bool:
    """Return True if the spec's edit script covers every file that the spec must write.

    A script that cannot be parsed covers nothing; checking the spec is what reports it.
    """
    needed = tuple(ref.path for ref in spec.writes() if not ref.optional)
    try:
        script = parse_script(spec.snippets, source=spec.path)
    except EditError:
        return False
    return bool(script.edits) and covers(script, needed)


class ScriptExecutor:
    """Applies the edit script of the spec."""

    def __init__(self, name: str = "script") -> None:
        self.name = name

    def work(self, order: ExecutorRequest) -> ExecutorResult:
        """Return the script's change.

        Raises `EditError`, not `ExecutorFailure`, where the script does not apply: the spec is at
        fault, and no other executor would fix it.
        """
        spec = order.spec
        script = parse_script(spec.snippets, source=spec.path)
        changes = apply_script(script, read=order.read, locate=order.locate, source=spec.path)
        return ExecutorResult(
            changes=changes, usage=NO_USAGE, model="", reply="", cost_usd=Decimal(0)
        )

    def describe(self, order: ExecutorRequest) -> Description:  # noqa: ARG002 - nothing of it is sent
        """Nothing is sent to anyone."""
        return Description(executor=self.name)
