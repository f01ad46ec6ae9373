"""Try a repository's own test commands on HEAD, sandboxed, as they would run before a merge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from minitask.cli.session import Session
from minitask.landing.proof import try_check
from minitask.ledger.record import CommandRecord
from minitask.sandbox.sandbox import Strength
from minitask.words import one_line


class TriedCheck(Struct, frozen=True):
    """A command, whether it tested HEAD successfully, the outcome in words, and a hint or the last line of output."""

    command: str
    passes: bool
    outcome: str
    hint: str = ""


def try_checks(session: Session, commands: Sequence[str], *, seconds: int) -> Iterator[TriedCheck]:
    """Yield the outcome of each command on HEAD, run with a time limit; nothing if there is no commit.

    Without a sandbox nothing is run, because nobody has asked for it yet.
    """
    with session.engine("try checks", quiet=True, looks_only=True) as engine:
        if engine.sandbox.strength is Strength.NONE:
            for command in commands:
                yield TriedCheck(command, False, "was not tried: there is no sandbox")
            return
        commit = engine.objects.commit("HEAD")
        if commit is None:
            return
        for command in commands:
            trial = try_check(engine, command, commit, seconds=seconds)
            if trial.lack is None:
                yield _judged(trial.command)
            else:
                yield TriedCheck(command, False, trial.lack.problem, trial.lack.hint)


def _judged(record: CommandRecord) -> TriedCheck:
    tests = record.tests
    if record.passed and tests is not None and not tests.collected:
        return TriedCheck(record.command, False, "runs no test on HEAD")
    if record.passed:
        return TriedCheck(record.command, True, f"passes on HEAD, in {record.seconds:.1f} s")
    last = one_line(record.output_tail.strip().rpartition("\n")[2], longest=100)
    why = record.reason or f"exit code {record.exit_code}"
    return TriedCheck(record.command, False, f"fails on HEAD: {why}", last)
