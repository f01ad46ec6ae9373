"""Feedback to an executor on its failed change: the gate, the command and its output."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from minitask.edits.grammar import render_script
from minitask.edits.script_model import Change, EditScript, WholeFile
from minitask.errors import FIX
from minitask.executors.request import FailureKind
from minitask.landing.missing_on_base import may_be_brought, missing_modules
from minitask.ledger.record import Attempt, CommandRecord, Verdict
from minitask.patterns import lazy_pattern
from minitask.policy.route import SAME_WAY, UNLISTED

TAIL_CHARACTERS = 1_500


def as_reply(changes: Sequence[Change]) -> str:
    """Return the change as a chat model's reply, with whole files."""
    edits = (
        WholeFile(change.path, change.content) for change in changes if change.content is not None
    )
    return render_script(EditScript(tuple(edits)))


def describe_failure(attempt: Attempt) -> str:
    """Return the reason; for commands, the first failed one with the end of its output."""
    if attempt.gate not in ("lint", "validate"):
        return attempt.reason
    failed = next((command for command in attempt.commands if not command.passed), None)
    return attempt.reason if failed is None else _describe(failed, attempt.gate)


def _describe(command: CommandRecord, gate: str) -> str:
    how = command.reason or f"exit code {command.exit_code}"
    output = command.output_tail.strip()[-TAIL_CHARACTERS:]
    check = "the validation" if gate == "validate" else "a check of the code"
    return f"{check} failed ({how}):\n$ {command.command}\n{output}".rstrip()


RERUN = "minitask exec {name}"
_BY_KIND = {
    FailureKind.AUTH: f"check the key: set its variable (minitask doctor names it), then {RERUN}",
    FailureKind.QUOTA: f"when the limit is over or credit is added: {RERUN} (--wait waits); or name another --executor",
    FailureKind.INTERRUPTED: RERUN,
    FailureKind.TRANSPORT: f"when the server answers again: {RERUN}",
    FailureKind.BAD_REQUEST: f"check the executor's model and settings (minitask doctor), then {RERUN}",
    FailureKind.PROMPT_CUT: f"raise the server's context or list fewer lines, then {RERUN}",
    FailureKind.MISSING: f"install the program (minitask doctor), then {RERUN}",
    FailureKind.BUDGET: f"raise the limit, then {RERUN}",
    FailureKind.STUCK: f"split the task, or raise a timeout_seconds below 600, then {RERUN}",
    FailureKind.CUT_OFF: f"allow more output tokens or split the task, then {RERUN}",
    FailureKind.REFUSED: f"ask another model: {RERUN} --tier …",
}


def find_outage_step(attempt: Attempt, name: str) -> str:
    """Return how to proceed if there is no change or a provider failed; empty if the change itself is at fault."""
    if attempt.gate == "implement":
        fix = attempt.reason.partition(FIX)[2].partition("\n")[0]
        for kind, text in _BY_KIND.items():
            if attempt.reason.startswith(f"{kind}:"):
                step, is_better = text.format(name=name), fix and kind is not FailureKind.QUOTA
                return f"{fix}; then: {RERUN.format(name=name)}" if is_better else step
    if SAME_WAY in attempt.reason:
        return f"fix what fails without the change, too, then {RERUN.format(name=name)}"
    if UNLISTED in attempt.reason:
        return f"add it to `network` in your settings, or vendor it, then {RERUN.format(name=name)}"
    if attempt.verdict is Verdict.SKIPPED:
        return RERUN.format(name=name)
    if attempt.verdict is Verdict.ERROR:
        return f"fix what failed (minitask doctor), then {RERUN.format(name=name)}"
    return ""


PASSING = lazy_pattern(
    r"\b\d+(?:\.\d+)?\s?(?:ms|s|sec|seconds|m)\b|0x[0-9a-f]+|\b\d\d:\d\d(?::\d\d(?:\.\d+)?)?\b"
    r"|\b\d{4}-\d\d-\d\d\b|(?:/[\w.@+-]+)*/minitask[\w./@+-]*|\bpid \d+\b|\b[0-9a-f]{40}\b"
)
"""Text that differs between runs of a command: durations, addresses, dates, private folders, process ids, commits."""
SHORT = 3


def fails_without_change(
    before: Sequence[CommandRecord],
    after: Sequence[CommandRecord],
    *,
    written: Collection[str],
    spec_text: str = "",
    is_progress: bool = False,
) -> CommandRecord | None:
    """Return the first failed command if all failed commands failed on the base too, for the same reason.

    The reason is a module missing before and after, or identical output. Identical output counts only if the change
    made another command pass (or `is_progress`), and the failed command names no file that the task writes: otherwise
    the task itself may be incomplete. A missing module does not count if a path that the task writes may provide it, or
    `spec_text` names it.
    """
    earlier = {(command.line, command.command): command for command in before}
    pairs = [(command, earlier.get((command.line, command.command))) for command in after]
    fixed = any(new.passed and old is not None and not old.passed for new, old in pairs)
    red = [(new, old) for new, old in pairs if not new.passed]
    lacks = [_lack(new, old, written, spec_text) for new, old in red]
    others = [pair for pair, lack in zip(red, lacks, strict=True) if not lack]
    if not all(old and _is_same(new, old) for new, old in others):
        return None
    if any(_names(new, written) for new, _ in others):
        return None
    if red and lacks[0]:
        return replace(red[0][0], reason=f"the module {lacks[0]} is missing")
    return red[0][0] if red and (fixed or is_progress or any(lacks)) else None


def _lack(
    new: CommandRecord, old: CommandRecord | None, written: Collection[str], spec_text: str
) -> str:
    """Return the module missing before and after that the task need not provide; empty if there is none."""
    if old is None or old.passed or new.exit_code is None:
        return ""
    lacking = missing_modules(new.output_tail)
    if not lacking or not lacking <= missing_modules(old.output_tail):
        return ""
    is_own = any(
        may_be_brought(name, written)
        or re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", spec_text)
        for name in lacking
    )
    return "" if is_own else min(lacking)


def _is_same(new: CommandRecord, old: CommandRecord) -> bool:
    if old.passed or new.exit_code is None or new.exit_code != old.exit_code or new.changed:
        return False
    output = _words(new.output_tail)
    return bool(output) and output == _words(old.output_tail)


def _words(output: str) -> list[str]:
    return PASSING.sub("", output).split()


def _names(record: CommandRecord, written: Collection[str]) -> bool:
    """Return True if a command or its output names a file that the task writes, or a module of that name."""
    text = f"{record.command}\n{record.output_tail}".lower()
    for path in written:
        stem = path.rpartition("/")[2].partition(".")[0].lower()
        if path.lower() in text or re.search(rf"(?<!\w){re.escape(stem)}(?!\w)", text):
            return True
        if len(stem) >= SHORT and stem in text:
            return True
    return False
