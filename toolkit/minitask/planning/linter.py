"""Running a linter on a commit: checked out fresh, in the sandbox, without network, limited as a validation is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from minitask.engine.context import Context
from minitask.errors import MachineError, MinitaskError, UsageError
from minitask.git.repository import Repository
from minitask.landing.run_commands import set_up
from minitask.sandbox.policy import SHELL
from minitask.spec.findings import FindingReport, parse_report
from minitask.spec.sarif import decode_json
from minitask.system import process
from minitask.system.process import Finished
from minitask.words import one_line
from minitask.workspace.incremental import IncrementalCheckout

DEFAULT = "ruff check --output-format json --exit-zero ."
FOUND_NOTHING_OR_SOMETHING = (0, 1)
"""The exit codes by which linters say so."""
CANNOT_RUN = (126, 127)
"""Those by which a shell says that a program is not there, or is none."""


class Linted(Struct, frozen=True):
    """A linter's report, and what else is to be said of how it came about."""

    report: FindingReport
    note: str = ""


def run_linter(engine: Context, commit: str, command: str) -> Linted:
    """Return what a command line reports on a commit's tree.

    Raise `MachineError` if it does not run to its end, `UsageError` if it prints no report that can be read.
    """
    if not command.strip() or "\0" in command:
        raise UsageError("--linter is empty", hint=f"name a command line, such as `{DEFAULT}`")
    with engine.slots.take(commit) as slot:
        set_up(engine, slot)
        finished = _run(engine, slot, command)
        roots = (*_spellings(slot.tree), *checkouts(engine.repository))
    _check_end(engine, finished, command)
    try:
        report = parse_report(decode_json(finished.stdout), roots=roots)
    except UsageError as error:
        raise _blame(finished, command, error) from None
    return Linted(
        report, "" if finished.exit_code in FOUND_NOTHING_OR_SOMETHING else _odd_end(finished)
    )


def read_report(repository: Repository, content: bytes, *, name: str) -> Linted:
    """Return a report that somebody made already; `name` is what the user calls it."""
    try:
        return Linted(parse_report(decode_json(content), roots=checkouts(repository)))
    except UsageError as error:
        raise UsageError(error.message, where=name, hint=error.hint) from None


def checkouts(repository: Repository) -> tuple[str, ...]:
    """Return where the user's checkout is, in each spelling; nowhere for a bare repository."""
    return _spellings(repository.top) if repository.top else ()


def _spellings(folder: Path) -> tuple[str, ...]:
    return tuple(dict.fromkeys((str(folder.absolute()), os.path.realpath(folder))))


def _run(engine: Context, slot: IncrementalCheckout, command: str) -> Finished:
    limits = engine.limits(None)
    wrapped = engine.sandbox.wrap(
        (*SHELL, command),
        workspace=slot.tree,
        limits=limits,
        network=False,
        environ=engine.environ,
        readonly=slot.readonly(),
    )
    with wrapped:
        return process.run(
            wrapped.argv,
            cwd=slot.tree,
            env=wrapped.env,
            timeout_seconds=limits.seconds,
            max_output_bytes=limits.output_bytes,
        )


def _check_end(engine: Context, finished: Finished, command: str) -> None:
    """Raise `MachineError` if the report cannot be whole."""
    limits = engine.limits(None)
    subject = f"the linter `{one_line(command)}`"
    if finished.timed_out:
        raise MachineError(
            f"{subject} did not finish within {limits.seconds:g} s",
            hint="run it on fewer files, or raise `limits.seconds` in minitask.yaml",
        )
    if finished.truncated and len(finished.stdout) >= limits.output_bytes:
        raise MachineError(
            f"{subject} printed more than {limits.output_bytes >> 20} MiB",
            hint="run it on fewer files, or raise `limits.output_mb` in minitask.yaml",
        )
    if finished.exit_code in CANNOT_RUN and not finished.stdout.strip():
        raise MachineError(
            f"{subject} cannot be run: {_last_words(finished)}",
            hint="install it, or put its folder on PATH; the sandbox has no network, and only programs on PATH",
        )


def _blame(finished: Finished, command: str, error: UsageError) -> MinitaskError:
    """Return the error for a missing report: the machine's, or the user's command."""
    subject = f"the linter `{one_line(command)}`"
    printed = bool(finished.stdout.strip())
    if finished.exit_code not in FOUND_NOTHING_OR_SOMETHING or (finished.exit_code and not printed):
        return MachineError(
            f"{subject} {_ended(finished.exit_code)} and no report: {_last_words(finished)}",
            hint="run it by hand in the checkout; in the sandbox it has no network and no home",
        )
    if not printed:
        return UsageError(f"{subject} printed nothing", hint=_form_hint(error))
    return UsageError(f"{subject}: {error.message}", hint=_form_hint(error))


def _form_hint(error: UsageError) -> str:
    return f"{error.hint}; only its standard output is read"


def _odd_end(finished: Finished) -> str:
    return f"the linter {_ended(finished.exit_code)}; its report is complete and was used"


def _ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _last_words(finished: Finished) -> str:
    lines: Sequence[str] = finished.stderr.decode("utf-8", "replace").strip().splitlines()
    return one_line(lines[-1], longest=300) if lines else "nothing on stderr"
