"""Run commands in a workspace and judge them; tracked files that a command changes are restored after it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.errors import MachineError
from minitask.gates.source.prefilters import may_run_tests
from minitask.ledger.record import CommandRecord, SuiteCounts
from minitask.patterns import lazy_pattern
from minitask.sandbox import shell_session
from minitask.sandbox.commands import CommandResult
from minitask.spec.model import Command
from minitask.system import process
from minitask.workspace.incremental import IncrementalCheckout

_LOCK_FILES = """
bun.lock bun.lockb Cargo.lock composer.lock deno.lock flake.lock Gemfile.lock go.sum npm-shrinkwrap.json
package-lock.json packages.lock.json Pipfile.lock pnpm-lock.yaml poetry.lock uv.lock yarn.lock
"""
LOCK_FILES = frozenset(_LOCK_FILES.split())
"""Files that package managers write as they install; such a command still tests the commit's own code."""
TEXT_BYTES = 8_000
NAMED = 3
"""Limit of changed files that a reason names."""


class Proof(Struct, frozen=True):
    """The results of commands on a commit's tree, and the strength of the sandbox.

    `setting` is the config's key of commands that are not the spec's.
    """

    passed: bool
    commands: tuple[CommandRecord, ...]
    sandbox: str
    setting: str = "checks"

    @property
    def reason(self) -> str:
        """Return the first command that failed, and how, or ""."""
        failed = next((command for command in self.commands if not command.passed), None)
        if failed is None:
            return ""
        how = failed.reason or f"exit code {failed.exit_code}"
        whose = "" if failed.line else f" of the config's `{self.setting}`"
        return f"`{first_line(failed.command)}`{whose} failed: {how}"


PROGRAM = lazy_pattern(r"\s*(?:[A-Za-z_]\w*=\S*\s+)*([A-Za-z0-9_][\w.+-]*)(?=\s|$)")
"""The first word of a command, behind variables that are set for it."""
TYPES = 'for word; do type -t -- "$word" >/dev/null || echo "$word"; done'


def find_missing_program(engine: Context) -> tuple[str, str, str] | None:
    """Return a setting, the first of its commands whose program certainly does not exist, and the program."""
    settings = engine.settings
    texts = {**dict.fromkeys(settings.lint, "lint"), **dict.fromkeys(settings.checks, "checks")}
    if not texts or any("PATH=" in text or "()" in text or "alias " in text for text in texts):
        return None
    programs = {match[1]: text for text in texts if (match := PROGRAM.match(text))}
    environ = {"PATH": engine.environ.get("PATH", "")}
    argv = ("bash", "--norc", "-c", TYPES, "bash", *programs)  # bash knows what it has itself
    asked = process.run(argv, cwd=engine.repository.home, env=environ, timeout_seconds=20)
    missing = asked.stdout.decode("utf-8", "replace").split()
    if not asked.ok or not missing:
        return None
    command = programs[missing[0]]
    return texts[command], command, missing[0]


def set_up(engine: Context, slot: IncrementalCheckout) -> None:
    """Run `workspace.setup`, without network; raise `MachineError` if it fails. Tracked files are restored."""
    if not engine.settings.setup:
        return
    with engine.slots.session(slot, engine.sandbox) as session:
        outcome = shell_session.run_commands(
            [Command(engine.settings.setup)],
            sandbox=session.sandbox,
            workspace=slot.tree,
            limits=engine.limits(None),
            network=False,
            readonly=slot.readonly(),
            env=engine.environ,
            put_back=slot.put_back,
        )
        session.whole = outcome.passed
    if not outcome.passed:
        raise MachineError(
            f"workspace.setup failed: {outcome.results[0].output_tail.strip()[-400:]}",
            hint="fix `workspace.setup` in minitask.yaml; it runs in the sandbox, without network",
        )


def run_on(
    engine: Context,
    task: Task,
    commit: str,
    commands: Sequence[Command],
    *,
    on_base: bool = False,
    only_first: bool = False,
) -> Proof:
    """Run commands in one shell, in a workspace with exactly a commit's files; with `only_first`, until one fails."""
    with engine.slots.take(commit, is_base=on_base) as slot:
        set_up(engine, slot)
        if not on_base:
            return run_session(engine, task, slot, commands, commit=commit, only_first=only_first)
        proof = _run_once(engine, task, slot, commands)
        changed = sorted({path for record in proof.commands for path in record.changed})
        if changed:
            engine.cache.keep(_changes_key(engine, task, commands), changed)
        return proof


def run_session(
    engine: Context,
    task: Task,
    slot: IncrementalCheckout,
    commands: Sequence[Command],
    *,
    commit: str,
    only_first: bool = False,
) -> Proof:
    """Run commands in one shell, in a workspace as it is; restore tracked files after each.

    A command that passed and changed tracked files may have judged its own change. So all are run once more, with the
    files also restored before each part of a command: a command that is red then was not green because of the commit.
    """
    proof = _run_once(engine, task, slot, commands, only_first=only_first)
    changed = _in_question(engine, task, commands, proof)
    if not changed:
        return proof
    slot.checkout(commit)
    set_up(engine, slot)
    again = _run_once(engine, task, slot, commands, only_first=only_first, stepwise=True)
    if not again.passed:
        return replace(again, commands=_with_reason(again.commands, changed))
    message = f"its validation changed {_listed(changed)}: restored, not part of the change"
    engine.emit(Progress(task.name, "note", message))
    return proof


def _run_once(
    engine: Context,
    task: Task,
    slot: IncrementalCheckout,
    commands: Sequence[Command],
    *,
    only_first: bool = False,
    stepwise: bool = False,
) -> Proof:
    """Run commands in one shell, in a workspace as it is, and judge each by only its exit code and output."""
    options = task.spec.options
    written = tuple(ref.path for ref in task.spec.writes())
    reader = TestReader(commands)
    with engine.slots.session(slot, engine.sandbox) as session:
        outcome = shell_session.run_commands(
            list(commands),
            sandbox=session.sandbox,
            workspace=slot.tree,
            limits=engine.limits(options.timeout_seconds),
            network=engine.network(options),
            readonly=slot.readonly(),
            env=engine.environ,
            stop_at_first_failure=only_first,
            on_output=reader.read,
            put_back=partial(slot.put_back, absent=written),
            stepwise=stepwise,
        )
        session.whole = not outcome.killed_reason
    results = enumerate(outcome.results)
    records = [_record(result, tests=reader.counts.get(index)) for index, result in results]
    passed = all(record.passed for record in records)
    judged = tuple(_with_earlier_changes(records))
    return Proof(passed, judged, engine.sandbox.strength.value)


def first_line(text: str) -> str:
    """Return the first line of a text, with an ellipsis if there are more."""
    first, _, more = text.partition("\n")
    return f"{first} …" if more else first


def _record(result: CommandResult, *, tests: SuiteCounts | None) -> CommandRecord:
    return CommandRecord(
        line=result.line,
        command=result.command,
        exit_code=result.exit_code,
        passed=result.passed,
        seconds=result.seconds,
        output_tail=result.output_tail,
        reason=result.reason,
        tests=tests,
        changed=result.changed,
        refused_hosts=result.refused_hosts,
    )


def _with_earlier_changes(records: Sequence[CommandRecord]) -> Iterator[CommandRecord]:
    """Yield the records; a red one names the files that earlier commands changed."""
    earlier: list[str] = []
    for record in records:
        if record.passed or not earlier or record.exit_code is None:
            yield record
        else:
            note = f"an earlier command changed {_listed(earlier)}; it was restored"
            yield replace(record, reason=f"{record.reason} ({note})")
        earlier += record.changed


def _in_question(
    engine: Context, task: Task, commands: Sequence[Command], proof: Proof
) -> list[str]:
    """Return the changed files that may make a green command green, without those that also change on the base."""
    if not proof.passed:
        return []
    written = [ref.path for ref in task.spec.writes()]
    changed = [path for record in proof.commands for path in record.changed]
    own = [path for path in changed if path in written]
    others = [path for path in changed if path not in own and not _may_change(engine, task, path)]
    before = _changes_before(engine, task, commands) if others else ()
    return [*own, *(path for path in others if path not in before)]


def _with_reason(
    records: Sequence[CommandRecord], changed: Sequence[str]
) -> tuple[CommandRecord, ...]:
    """Return the records of commands that are red only without their changes; the first red one gets a reason."""
    reason = (
        f"it passes only because it changed {_listed(changed)}, so it did not test the commit; "
        "make it check without writing, or list what it writes among the task's files"
    )
    red = next(index for index, record in enumerate(records) if not record.passed)
    return (*records[:red], replace(records[red], reason=reason), *records[red + 1 :])


def _may_change(engine: Context, task: Task, path: str) -> bool:
    """Return True if a command may change a file that the task does not write: a lock file, or a binary file."""
    if path.rpartition("/")[2] in LOCK_FILES:
        return True
    entry = engine.objects.entry(task.base, path)
    return entry is not None and b"\0" in engine.objects.blob(entry.oid)[:TEXT_BYTES]


def _changes_before(engine: Context, task: Task, commands: Sequence[Command]) -> Collection[str]:
    """Return the tracked files that the commands change on the task's base, from the cache or by a run there."""
    key = _changes_key(engine, task, commands)
    cached = engine.cache.peek(key)
    if not isinstance(cached, list):
        run_on(engine, task, task.base, commands, on_base=True)
        cached = engine.cache.peek(key) or []
    return frozenset(map(str, cached))


def _changes_key(engine: Context, task: Task, commands: Sequence[Command]) -> str:
    return f"changes\0{engine.objects.tree_of(task.base)}\0{commands!r}"


def _listed(paths: Sequence[str]) -> str:
    unique = list(dict.fromkeys(paths))
    more = f" and {len(unique) - NAMED} more" if len(unique) > NAMED else ""
    return ", ".join(unique[:NAMED]) + more


class TestReader:
    """Reads test runners' summaries as commands end; `counts` has the results by the command's index."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self.counts: dict[int, SuiteCounts] = {}
        self._texts = {
            index: command.text
            for index, command in enumerate(commands)
            if may_run_tests(command.text)
        }

    def read(self, index: int, output: bytes) -> None:
        """Read the output of a command."""
        if index not in self._texts:
            return
        from minitask.gates.validation.test_runners import find_suites, read_counts

        suites = find_suites(self._texts[index])
        counts = read_counts(suites, output) if suites else None
        if counts is not None:
            self.counts[index] = counts
