"""Feedback to an executor on its failed change: the gate, the command and its output."""

from __future__ import annotations

from collections.abc import Sequence

from minitask.edits.grammar import render_script
from minitask.edits.script_model import Change, EditScript, WholeFile
from minitask.ledger.record import Attempt, CommandRecord

TAIL_CHARACTERS = 1_500


def as_reply(changes: Sequence[Change]) -> str:
    """Return a change as a chat model would have replied it: the files as a whole."""
    edits = (WholeFile(each.path, each.content) for each in changes if each.content is not None)
    return render_script(EditScript(tuple(edits)))


def describe_failure(attempt: Attempt) -> str:
    """Return the reason, and the first failing command with the end of its output."""
    if attempt.gate not in ("lint", "validate"):
        return attempt.reason
    failed = next((command for command in attempt.commands if not command.passed), None)
    return attempt.reason if failed is None else _describe(failed, attempt.gate)


def _describe(command: CommandRecord, gate: str) -> str:
    how = command.reason or f"exit code {command.exit_code}"
    said = command.output_tail.strip()[-TAIL_CHARACTERS:]
    what = "the validation" if gate == "validate" else "a check of the code"
    return f"{what} failed ({how}):\n$ {command.command}\n{said}".rstrip()
