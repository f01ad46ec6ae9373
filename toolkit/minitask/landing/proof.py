"""Proof: a commit, checked out fresh, on which commands are run and judged."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import to_builtins

from minitask.concurrency import CpuPool
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.landing.run_commands import Proof, run_on, run_session, set_up
from minitask.ledger.record import CommandRecord
from minitask.ledger.record_json import parse_command
from minitask.spec.model import Command
from minitask.workspace.incremental import IncrementalCheckout

__all__ = [
    "Proof",
    "is_proven",
    "prove",
    "prove_checks",
    "prove_only",
    "prove_together",
    "run_without_keeping",
]


def prove(engine: Context, task: Task, commit: str, *, anew: bool = False) -> Proof:
    """Run the task's validation and the config's checks on a commit; a green result is kept by its tree."""
    checks = _checks(engine)
    commands = (*task.spec.commands, *checks)
    cached = _recall(engine, _key(engine, task, engine.objects.tree_of(commit), commands))
    if cached is not None and not anew:
        return cached
    with engine.slots.take(commit) as slot:
        set_up(engine, slot)
        proof = run_session(engine, task, slot, task.spec.commands, commit=commit)
        if proof.passed and checks:
            checked = _in_clean(engine, task, slot, commit, checks)
            proof = Proof(checked.passed, (*proof.commands, *checked.commands), checked.sandbox)
    if proof.passed:
        _keep(engine, task, commit, proof.commands)
    return proof


def prove_only(engine: Context, task: Task, commit: str, commands: Sequence[Command]) -> Proof:
    """Run some commands on a commit; a green result is kept by its tree."""
    key = _key(engine, task, engine.objects.tree_of(commit), commands)
    cached = _recall(engine, key)
    if cached is not None:
        return cached
    proof = run_on(engine, task, commit, commands)
    if proof.passed and not (engine.settings.copy or engine.settings.share):
        engine.cache.keep(key, [to_builtins(record) for record in proof.commands])
    return proof


def run_without_keeping(
    engine: Context,
    task: Task,
    commit: str,
    commands: Sequence[Command],
    *,
    only_first: bool = False,
) -> Proof:
    """Run some commands on a commit, which proves nothing of the task; with `only_first`, until one fails."""
    return run_on(engine, task, commit, commands, only_first=only_first)


def is_proven(engine: Context, task: Task, tree: str) -> bool:
    """Return True if a green result of the task's validation and the config's checks is kept for a tree."""
    key = _key(engine, task, tree, (*task.spec.commands, *_checks(engine)))
    return _recall(engine, key) is not None


def _recall(engine: Context, key: str) -> Proof | None:
    """Return the green result that is kept under a key, if any."""
    cached = engine.cache.peek(key)
    if not isinstance(cached, list):
        return None
    records = tuple(map(parse_command, cached))
    return Proof(passed=True, commands=records, sandbox=engine.sandbox.strength.value)


def prove_together(
    engine: Context, tasks: Sequence[Task], commit: str, *, cores: CpuPool | None = None
) -> tuple[int, Proof] | None:
    """Run the validations of several tasks on one commit, and the config's checks once.

    None if all are green; else which task's was the first that is red, and how. A red one is run again on the same
    tree before it counts: a flaky command removes no task. A workspace that a validation left changed is brought back.
    One workspace will do; where `cores` are free, others take part.
    """
    checks = _checks(engine)
    jobs = [*((task, task.spec.commands) for task in tasks)]
    jobs += [(tasks[-1], checks)] if checks else []
    proofs: dict[int, Proof] = {}
    remaining = iter(range(len(jobs)))

    def work() -> None:
        with engine.slots.take(commit) as slot:
            set_up(engine, slot)
            for index in remaining:
                task, commands = jobs[index]
                proofs[index] = _steady(engine, task, slot, commit, commands)
                if not proofs[index].passed:
                    for _ in remaining:  # nobody begins another
                        pass

    if cores is None:
        work()
    else:
        cores.share(work, at_most=len(jobs) - 1)
    red = min((index for index, proof in proofs.items() if not proof.passed), default=None)
    if red is not None:
        return min(red, len(tasks) - 1), proofs[red]
    check_records = proofs[len(tasks)].commands if checks else ()
    for index, task in enumerate(tasks):
        _keep(engine, task, commit, (*proofs[index].commands, *check_records))
    return None


def _steady(
    engine: Context, task: Task, slot: IncrementalCheckout, commit: str, commands: Sequence[Command]
) -> Proof:
    """Return the proof by some commands on a clean workspace; by a second run where the first is red."""
    for _ in range(2):
        proof = _in_clean(engine, task, slot, commit, commands)
        if proof.passed:
            break
    return proof


def _in_clean(
    engine: Context, task: Task, slot: IncrementalCheckout, commit: str, commands: Sequence[Command]
) -> Proof:
    """Run commands in one shell, in a workspace that is brought back first where anything was left in it."""
    if slot.is_changed():
        slot.checkout(commit)
        set_up(engine, slot)
    return run_session(engine, task, slot, commands, commit=commit)


def _keep(engine: Context, task: Task, commit: str, records: Sequence[CommandRecord]) -> None:
    """Keep a green result by its tree; not where files come into the workspace that git does not know."""
    if not (engine.settings.copy or engine.settings.share):
        key = _key(
            engine, task, engine.objects.tree_of(commit), (*task.spec.commands, *_checks(engine))
        )
        engine.cache.keep(key, [to_builtins(record) for record in records])


def prove_checks(engine: Context, task: Task, commit: str) -> Proof | None:
    """Run the config's checks alone on a commit; None if there are none."""
    checks = _checks(engine)
    return run_on(engine, task, commit, checks) if checks else None


def _checks(engine: Context) -> tuple[Command, ...]:
    return tuple(Command(text) for text in engine.settings.checks)


def _key(engine: Context, task: Task, tree: str, commands: Sequence[Command]) -> str:
    """Return what a result depends on: the tree, the commands with their expectations, and where they run."""
    settings = engine.settings
    network = engine.network(task.spec.options)
    where = (engine.sandbox.strength.value, engine.environ.get("PATH", ""), network, settings.setup)
    where = (*where, *settings.values["workspace"]["read"], *settings.build_cache)
    return f"proof\0{tree}\0{commands!r}\0{where!r}\0{settings.limits!r}"
