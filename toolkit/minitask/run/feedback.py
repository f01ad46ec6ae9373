"""What an executor is told of a change of its that failed: which gate, which command, and what that printed."""

from __future__ import annotations

from minitask.ledger.record import Attempt, CommandRecord

TAIL_CHARACTERS = 1_500


def describe_failure(attempt: Attempt) -> str:
    """The reason, and the first failing command with the end of its output."""
    if attempt.gate not in ("lint", "validate"):
        return attempt.reason
    failed = next((command for command in attempt.commands if not command.passed), None)
    return attempt.reason if failed is None else _describe(failed, attempt.gate)


def _describe(command: CommandRecord, gate: str) -> str:
    how = command.reason or f"exit code {command.exit_code}"
    said = command.output_tail.strip()[-TAIL_CHARACTERS:]
    what = "the validation" if gate == "validate" else "a check of the code"
    return f"{what} failed ({how}):\n$ {command.command}\n{said}".rstrip()
