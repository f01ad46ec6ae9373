"""Commands, run in a workspace and judged: what a command makes of tracked files counts for nothing that follows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import MachineError
from minitask.landing.count_tests import TestReader
from minitask.ledger.evidence import SuiteCounts
from minitask.ledger.record import CommandRecord
from minitask.sandbox import shell_session
from minitask.spec.model import Command
from minitask.values import dataclass
from minitask.workspace.incremental import IncrementalCheckout

LOCK_FILES = frozenset(
    {
        "bun.lock",
        "bun.lockb",
        "Cargo.lock",
        "composer.lock",
        "deno.lock",
        "flake.lock",
        "Gemfile.lock",
        "go.sum",
        "npm-shrinkwrap.json",
        "package-lock.json",
        "packages.lock.json",
        "Pipfile.lock",
        "pnpm-lock.yaml",
        "poetry.lock",
        "uv.lock",
        "yarn.lock",
    }
)
"""Package managers write these as they install; a command that does so tests the commit's own code anyway."""
TEXT_BYTES = 8_000
NAMED = 3
"""So many changed files are named in a reason."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The results of commands on a commit's tree, and in what kind of sandbox."""

    passed: bool
    commands: tuple[CommandRecord, ...]
    sandbox: str

    @property
    def reason(self) -> str:
        """Return which command failed first, and how."""
        failed = next((command for command in self.commands if not command.passed), None)
        if failed is None:
            return ""
        how = failed.reason or f"exit code {failed.exit_code}"
        return f"`{one_line(failed.command)}` failed: {how}"


def set_up(engine: Context, slot: IncrementalCheckout) -> None:
    """Run `workspace.setup`, without network; raise `MachineError` if it fails. Tracked files stay the commit's."""
    if not engine.settings.setup:
        return
    done = shell_session.run_commands(
        [Command(engine.settings.setup)],
        sandbox=slot.within(engine.sandbox),
        workspace=slot.tree,
        limits=engine.limits(None),
        network=False,
        readonly=slot.readonly(),
        env=engine.environ,
        put_back=slot.put_back,
    )
    if not done.passed:
        raise MachineError(
            f"workspace.setup failed: {done.results[0].output_tail.strip()[-400:]}",
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
    """Run commands in one shell, in a workspace of their own that holds exactly a commit."""
    with engine.slots.take(commit) as slot:
        set_up(engine, slot)
        return run_session(engine, task, slot, commands, on_base=on_base, only_first=only_first)


def run_session(
    engine: Context,
    task: Task,
    slot: IncrementalCheckout,
    commands: Sequence[Command],
    *,
    on_base: bool = False,
    only_first: bool = False,
) -> Proof:
    """Run commands in one shell, in a workspace as it is; tracked files are put back after each.

    A command that passed, but left a file changed that the task writes, has not judged what would land: it fails. So
    it does for any other file, unless it changes that one on the task's base, too.
    """
    options = task.spec.options
    written = tuple(ref.path for ref in task.spec.writes())
    counts = TestReader(commands)
    done = shell_session.run_commands(
        list(commands),
        sandbox=slot.within(engine.sandbox),
        workspace=slot.tree,
        limits=engine.limits(options.timeout_seconds),
        network=options.network and engine.settings.network,
        readonly=slot.readonly(),
        env=engine.environ,
        stop_at_first_failure=only_first,
        on_output=counts.read,
        put_back=partial(slot.put_back, absent=written),
    )
    records = [
        _record(item, tests=counts.found.get(place)) for place, item in enumerate(done.results)
    ]
    if on_base:
        _keep_changes(engine, task, commands, records)
    if any(record.changed for record in records):
        allowed = None if on_base else partial(_changes_before, engine, task, commands)
        records = _judge_changes(engine, task, records, written=written, allowed=allowed)
    passed = all(record.passed for record in records)
    return Proof(passed, tuple(records), engine.sandbox.strength.value)


def one_line(text: str) -> str:
    """Return the first line of a text, with a sign that there is more."""
    first, _, rest = text.partition("\n")
    return f"{first} …" if rest else first


def _record(item: shell_session.CommandResult, *, tests: SuiteCounts | None) -> CommandRecord:
    return CommandRecord(
        line=item.line,
        command=item.command,
        exit_code=item.exit_code,
        passed=item.passed,
        seconds=item.seconds,
        output_tail=item.output_tail,
        reason=item.reason,
        tests=tests,
        changed=item.changed,
    )


def _judge_changes(
    engine: Context,
    task: Task,
    records: Sequence[CommandRecord],
    *,
    written: Collection[str],
    allowed: Callable[[], Collection[str]] | None,
) -> list[CommandRecord]:
    """Return the records with the verdicts that follow from what the commands changed.

    `allowed` gives the paths that may be changed besides; None allows all that the task does not write.
    """
    judged: list[CommandRecord] = []
    earlier: list[str] = []
    for record in records:
        wrong = [path for path in record.changed if path in written]
        if record.passed and record.changed and not wrong and allowed is not None:
            others = [path for path in record.changed if not _may_change(engine, task, path)]
            wrong = [path for path in others if path not in allowed()] if others else []
        judged.append(_with_changes(record, wrong=wrong, earlier=earlier))
        earlier += record.changed
    return judged


def _with_changes(
    record: CommandRecord, *, wrong: Sequence[str], earlier: Sequence[str]
) -> CommandRecord:
    if record.passed and wrong:
        reason = (
            f"it changed {_listed(wrong)}, so it did not test the commit; "
            "make it check without writing, or commit what it writes"
        )
        return replace(record, passed=False, reason=reason)
    if not record.passed and earlier and record.exit_code is not None:
        told = f"{record.reason} (an earlier command changed {_listed(earlier)}; it was restored)"
        return replace(record, reason=told)
    return record


def _may_change(engine: Context, task: Task, path: str) -> bool:
    """Return True if a command may change a file that the task does not write: a lock file, or one that is no
    text.
    """
    if path.rpartition("/")[2] in LOCK_FILES:
        return True
    entry = engine.objects.entry(task.base, path)
    return entry is not None and b"\0" in engine.objects.blob(entry.oid)[:TEXT_BYTES]


def _changes_before(engine: Context, task: Task, commands: Sequence[Command]) -> Collection[str]:
    """Return the tracked files that the commands change on the task's base; they are run there where that is not
    known.
    """
    kept = engine.cache.peek(_changes_key(engine, task, commands))
    if not isinstance(kept, list):
        run_on(engine, task, task.base, commands, on_base=True)
        kept = engine.cache.peek(_changes_key(engine, task, commands)) or []
    return frozenset(map(str, kept))


def _keep_changes(
    engine: Context, task: Task, commands: Sequence[Command], records: Sequence[CommandRecord]
) -> None:
    """Keep what the commands changed on the base, for the judgement of what they change later."""
    changed = sorted({path for record in records for path in record.changed})
    if changed:
        engine.cache.keep(_changes_key(engine, task, commands), changed)


def _changes_key(engine: Context, task: Task, commands: Sequence[Command]) -> str:
    return f"changes\0{engine.objects.tree_of(task.base)}\0{commands!r}"


def _listed(paths: Sequence[str]) -> str:
    unique = list(dict.fromkeys(paths))
    more = f" and {len(unique) - NAMED} more" if len(unique) > NAMED else ""
    return ", ".join(unique[:NAMED]) + more
