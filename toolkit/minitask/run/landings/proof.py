"""Proof: a commit, checked out fresh, on which commands are run and judged; before the work, and after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict

from minitask.errors import MachineError, RefusedError
from minitask.ledger.record import CommandRecord, parse_command
from minitask.patterns import lazy_pattern
from minitask.repo import session
from minitask.repo.mirror import Mirror
from minitask.run.engine import Engine
from minitask.run.landings.counting import TestReader
from minitask.run.tasks import Task
from minitask.run.turnstile import Cores
from minitask.spec.model import Command, ExpectationKind
from minitask.values import dataclass

NOT_FOUND = lazy_pattern(r"(?:^|: )([A-Za-z0-9_.+-]+): command not found", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Proof:
    """How the commands went on a commit's tree, and in what kind of sandbox."""

    passed: bool
    commands: tuple[CommandRecord, ...]
    sandbox: str

    @property
    def reason(self) -> str:
        """Which command failed first, and how."""
        failed = next((command for command in self.commands if not command.passed), None)
        if failed is None:
            return ""
        how = failed.reason or f"exit code {failed.exit_code}"
        return f"`{_one_line(failed.command)}` failed: {how}"


def prove(engine: Engine, task: Task, commit: str, *, anew: bool = False) -> Proof:
    """Run the task's validation and the config's checks on a commit; a green result is kept by its tree."""
    checks = _checks(engine)
    commands = (*task.spec.commands, *checks)
    kept = _recall(engine, _key(engine, task, engine.objects.tree_of(commit), commands))
    if kept is not None and not anew:
        return kept
    with engine.slots.take(commit) as slot:
        set_up(engine, slot)
        proof = _session(engine, task, slot, task.spec.commands)
        if proof.passed and checks:
            told = _in_clean(engine, task, slot, commit, checks)
            proof = Proof(told.passed, (*proof.commands, *told.commands), told.sandbox)
    if proof.passed:
        _keep(engine, task, commit, proof.commands)
    return proof


def prove_only(engine: Engine, task: Task, commit: str, commands: Sequence[Command]) -> Proof:
    """Run some commands on a commit; a green result is kept by its tree."""
    key = _key(engine, task, engine.objects.tree_of(commit), commands)
    kept = _recall(engine, key)
    if kept is not None:
        return kept
    proof = _run(engine, task, commit, commands)
    if proof.passed and not (engine.settings.copy or engine.settings.share):
        engine.cache.keep(key, [asdict(record) for record in proof.commands])
    return proof


def run_without_keeping(
    engine: Engine,
    task: Task,
    commit: str,
    commands: Sequence[Command],
    *,
    only_first: bool = False,
) -> Proof:
    """Run some commands on a commit, which proves nothing of the task; with `only_first`, until one fails."""
    return _run(engine, task, commit, commands, only_first=only_first)


def is_proven(engine: Engine, task: Task, tree: str) -> bool:
    """Whether a green result of the task's validation and the config's checks is kept for a tree."""
    key = _key(engine, task, tree, (*task.spec.commands, *_checks(engine)))
    return _recall(engine, key) is not None


def _recall(engine: Engine, key: str) -> Proof | None:
    """The green result that is kept under a key, if any."""
    kept = engine.cache.peek(key)
    if not isinstance(kept, list):
        return None
    held = tuple(map(parse_command, kept))
    return Proof(passed=True, commands=held, sandbox=engine.sandbox.strength.value)


def prove_together(
    engine: Engine, tasks: Sequence[Task], commit: str, *, cores: Cores | None = None
) -> tuple[int, Proof] | None:
    """Run the validations of several tasks on one commit, and the config's checks once.

    None where all are green; else which task's was the first that is red, and how. A red one is run again on the same
    tree before it counts: a flaky command puts nobody out. A workspace that a validation left changed is brought back.
    One workspace will do; where `cores` are free, others take part.
    """
    checks = _checks(engine)
    jobs = [*((task, task.spec.commands) for task in tasks)]
    jobs += [(tasks[-1], checks)] if checks else []
    proofs: dict[int, Proof] = {}
    left = iter(range(len(jobs)))

    def work() -> None:
        with engine.slots.take(commit) as slot:
            set_up(engine, slot)
            for place in left:
                task, commands = jobs[place]
                proofs[place] = _steady(engine, task, slot, commit, commands)
                if not proofs[place].passed:
                    for _ in left:  # nobody begins another
                        pass

    if cores is None:
        work()
    else:
        cores.share(work, at_most=len(jobs) - 1)
    red = min((place for place, proof in proofs.items() if not proof.passed), default=None)
    if red is not None:
        return min(red, len(tasks) - 1), proofs[red]
    told = proofs[len(tasks)].commands if checks else ()
    for place, task in enumerate(tasks):
        _keep(engine, task, commit, (*proofs[place].commands, *told))
    return None


def _steady(
    engine: Engine, task: Task, slot: Mirror, commit: str, commands: Sequence[Command]
) -> Proof:
    """The proof by some commands on a clean workspace; by a second run where the first is red."""
    for _ in range(2):
        proof = _in_clean(engine, task, slot, commit, commands)
        if proof.passed:
            break
    return proof


def _in_clean(
    engine: Engine, task: Task, slot: Mirror, commit: str, commands: Sequence[Command]
) -> Proof:
    """Run commands in one shell, in a workspace that is brought back first where anything was left in it."""
    if slot.is_changed():
        slot.checkout(commit)
        set_up(engine, slot)
    return _session(engine, task, slot, commands)


def _keep(engine: Engine, task: Task, commit: str, records: Sequence[CommandRecord]) -> None:
    """Keep a green result by its tree; not where files come into the workspace that git does not know."""
    if not (engine.settings.copy or engine.settings.share):
        key = _key(
            engine, task, engine.objects.tree_of(commit), (*task.spec.commands, *_checks(engine))
        )
        engine.cache.keep(key, [asdict(record) for record in records])


def prove_checks(engine: Engine, task: Task, commit: str) -> Proof | None:
    """Run the config's checks alone on a commit; None where there are none."""
    checks = _checks(engine)
    return _run(engine, task, commit, checks) if checks else None


def check_fails_before(engine: Engine, task: Task) -> tuple[CommandRecord, ...]:
    """Run the validation on the base; refused where it is green already, for then it proves nothing."""
    if task.spec.options.proof == "none":
        return ()
    named = [command for command in task.spec.commands if _must_fail_before(command)]
    proof = _run(engine, task, task.base, task.spec.commands, only_first=not named)
    _refuse_broken_environment(task, proof)
    if proof.passed:
        raise RefusedError(
            f"task {task.name}: its validation passes before any work, so it can prove nothing",
            where=f"{task.path}:{task.spec.line_of('validation')}",
            hint="add a command that fails now and passes when the task is done",
        )
    passed = {(item.line, item.command) for item in proof.commands if item.passed}
    for command in named:
        if (command.line, command.text) in passed:
            raise RefusedError(
                f"task {task.name}: `{_one_line(command.text)}` should fail before the work, and passes",
                where=f"{task.path}:{command.line}",
                hint="mend the command, or take its `# expect: fails before` out",
            )
    return proof.commands


def _checks(engine: Engine) -> tuple[Command, ...]:
    return tuple(Command(text) for text in engine.settings.checks)


def _run(
    engine: Engine,
    task: Task,
    commit: str,
    commands: Sequence[Command],
    *,
    only_first: bool = False,
) -> Proof:
    with engine.slots.take(commit) as slot:
        set_up(engine, slot)
        return _session(engine, task, slot, commands, only_first=only_first)


def set_up(engine: Engine, slot: Mirror) -> None:
    """Run `workspace.setup`, without network; `MachineError` where it fails."""
    if not engine.settings.setup:
        return
    done = session.run_commands(
        [Command(engine.settings.setup)],
        sandbox=engine.sandbox,
        workspace=slot.tree,
        limits=engine.limits(None),
        network=False,
        readonly=slot.readonly(),
        env=engine.environ,
    )
    if not done.passed:
        raise MachineError(
            f"workspace.setup failed: {done.results[0].output_tail.strip()[-400:]}",
            hint="mend `workspace.setup` in minitask.yaml; it runs in the sandbox, without network",
        )


def _session(
    engine: Engine,
    task: Task,
    slot: Mirror,
    commands: Sequence[Command],
    *,
    only_first: bool = False,
) -> Proof:
    """Run commands in one shell, in a workspace as it is."""
    options = task.spec.options
    counts = TestReader(commands)
    done = session.run_commands(
        list(commands),
        sandbox=engine.sandbox,
        workspace=slot.tree,
        limits=engine.limits(options.timeout_seconds),
        network=options.network and engine.settings.network,
        readonly=slot.readonly(),
        env=engine.environ,
        stop_at_first_failure=only_first,
        on_output=counts.read,
    )
    records = tuple(
        CommandRecord(
            line=item.line,
            command=item.command,
            exit_code=item.exit_code,
            passed=item.passed,
            seconds=item.seconds,
            output_tail=item.output_tail,
            reason=item.reason,
            tests=counts.found.get(place),
        )
        for place, item in enumerate(done.results)
    )
    return Proof(done.passed, records, engine.sandbox.strength.value)


def _key(engine: Engine, task: Task, tree: str, commands: Sequence[Command]) -> str:
    """What a result depends on: the tree, the commands with their expectations, and where they run."""
    settings = engine.settings
    network = task.spec.options.network and settings.network
    where = (engine.sandbox.strength.value, engine.environ.get("PATH", ""), network, settings.setup)
    return f"proof\0{tree}\0{commands!r}\0{where!r}\0{settings.limits!r}"


def _must_fail_before(command: Command) -> bool:
    return any(item.kind is ExpectationKind.FAILS_BEFORE for item in command.expectations)


def _refuse_broken_environment(task: Task, proof: Proof) -> None:
    """A program that is not there will not be there after the work either: stop before anything is spent."""
    for command in proof.commands:
        if command.exit_code == 127 and not command.passed:
            missing = NOT_FOUND.search(command.output_tail)
            if missing:
                raise RefusedError(
                    f"task {task.name}: its validation needs `{missing[1]}`, which is not there",
                    where=f"{task.path}:{command.line}",
                    hint="install it, or put its folder on PATH; the sandbox sees what PATH names",
                )


def _one_line(text: str) -> str:
    first, _, rest = text.partition("\n")
    return f"{first} …" if rest else first
