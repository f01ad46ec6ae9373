"""Prove commits: run and judge commands on a fresh checkout; on the base they must fail, before any call."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct, to_builtins

from minitask.concurrency import CpuPool
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import RefusedError
from minitask.git.objects import SUBMODULE
from minitask.git.remotes import fill_command
from minitask.landing.missing_on_base import CHECK, NOT_FOUND, Lack, Red, Scene, find_lack
from minitask.landing.run_commands import (
    Proof,
    find_missing_program,
    first_line,
    run_on,
    run_session,
    set_up,
)
from minitask.ledger.record import CommandRecord
from minitask.ledger.record_json import parse_command
from minitask.sandbox.choose_sandbox import how_to_strengthen
from minitask.sandbox.policy import AllowList, lies_in
from minitask.spec.model import Command, ExpectationKind, FileAction, Options, Spec
from minitask.spec.notes import is_executable
from minitask.spec.paths import check_path, prefixes
from minitask.workspace.incremental import IncrementalCheckout
from minitask.workspace.submodules import empty_submodules

PACKAGES = ("node_modules", ".venv", "venv", "vendor")
"""Folders in which package managers install packages in a checkout."""


def prove(engine: Context, task: Task, commit: str, *, anew: bool = False) -> Proof:
    """Run the task's validation and the config's checks on a commit; a green result is cached by its tree."""
    checks = _checks(engine)
    key = _key(engine, task, engine.objects.tree_of(commit), (*task.spec.commands, *checks))
    cached = None if anew else _recall(engine, key)
    if cached is not None:
        return cached
    with engine.slots.take(commit) as slot:
        set_up(engine, slot)
        proof = run_session(engine, task, slot, task.spec.commands, commit=commit)
        if proof.passed and checks:
            checked = _in_clean(engine, task, slot, commit, checks)
            proof = Proof(checked.passed, (*proof.commands, *checked.commands), checked.sandbox)
    if proof.passed:
        _keep(engine, key, proof.commands)
    return proof


def prove_only(engine: Context, task: Task, commit: str, commands: Sequence[Command]) -> Proof:
    """Run some commands on a commit; a green result is cached by its tree."""
    key = _key(engine, task, engine.objects.tree_of(commit), commands)
    cached = _recall(engine, key)
    if cached is not None:
        return cached
    proof = run_on(engine, task, commit, commands)
    if proof.passed:
        _keep(engine, key, proof.commands)
    return proof


def prove_checks(engine: Context, task: Task, commit: str) -> Proof | None:
    """Run only the config's checks on a commit; return None if there are none."""
    checks = _checks(engine)
    return run_on(engine, task, commit, checks) if checks else None


def is_proven(engine: Context, task: Task, tree: str) -> bool:
    """Return True if a green result of the task's validation and the config's checks is cached for a tree."""
    return _recall(engine, _whole_key(engine, task, tree)) is not None


def prove_together(
    engine: Context, tasks: Sequence[Task], commit: str, *, cores: CpuPool | None = None
) -> Proof | None:
    """Run the validations of several tasks on one commit, and the config's checks once.

    Return None if all are green, else the first red proof. A red validation is repeated on the same tree before it
    counts, so that a flaky command removes no task. One workspace is enough; free `cores` use others in parallel.
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
                    for _ in remaining:  # no other job starts
                        pass

    if cores is None:
        work()
    else:
        cores.share(work, at_most=len(jobs) - 1)
    red = min((index for index, proof in proofs.items() if not proof.passed), default=None)
    if red is not None:
        return proofs[red]
    check_records = proofs[len(tasks)].commands if checks else ()
    tree = engine.objects.tree_of(commit)
    for index, task in enumerate(tasks):
        records = (*proofs[index].commands, *check_records)
        _keep(engine, _whole_key(engine, task, tree), records)
    return None


def _steady(
    engine: Context, task: Task, slot: IncrementalCheckout, commit: str, commands: Sequence[Command]
) -> Proof:
    """Return the proof by some commands in a clean workspace; repeat a red one once."""
    proof = _in_clean(engine, task, slot, commit, commands)
    return proof if proof.passed else _in_clean(engine, task, slot, commit, commands)


def _in_clean(
    engine: Context, task: Task, slot: IncrementalCheckout, commit: str, commands: Sequence[Command]
) -> Proof:
    """Run commands in one shell, in a workspace that is restored first if it was changed."""
    if slot.is_changed():
        slot.checkout(commit)
        set_up(engine, slot)
    return run_session(engine, task, slot, commands, commit=commit)


def _recall(engine: Context, key: str) -> Proof | None:
    """Return the green result cached under a key, if any."""
    cached = engine.cache.peek(key)
    if not isinstance(cached, list):
        return None
    records = tuple(map(parse_command, cached))
    return Proof(passed=True, commands=records, sandbox=engine.sandbox.strength.value)


def _keep(engine: Context, key: str, records: Sequence[CommandRecord]) -> None:
    """Cache a green result, unless untracked files are brought into the workspace."""
    if not (engine.settings.copy or engine.settings.share):
        engine.cache.keep(key, [to_builtins(record) for record in records])


def _checks(engine: Context) -> tuple[Command, ...]:
    return tuple(Command(text) for text in engine.settings.checks)


def _whole_key(engine: Context, task: Task, tree: str) -> str:
    return _key(engine, task, tree, (*task.spec.commands, *_checks(engine)))


def _key(engine: Context, task: Task, tree: str, commands: Sequence[Command]) -> str:
    """Return the cache key of a result: the tree, the commands with their expectations, and their environment."""
    settings = engine.settings
    network = engine.network(task.spec.options)
    where = (engine.sandbox.strength.value, engine.environ.get("PATH", ""), network, settings.setup)
    where = (*where, *settings.values["workspace"]["read"], *settings.build_cache)
    return f"proof\0{tree}\0{commands!r}\0{where!r}\0{settings.limits!r}"


def check_fails_before(engine: Context, task: Task) -> tuple[CommandRecord, ...]:
    """Run the validation on the base; refuse one that passes already, because it proves nothing."""
    _refuse_missing_program(engine, task)
    if task.spec.options.proof == "none":
        return ()
    proof = run_on(engine, task, task.base, task.spec.commands, on_base=True)
    _refuse_broken_environment(engine, task, proof)
    if proof.passed:
        raise RefusedError(
            f"task {task.name}: its validation passes without the change, so it proves nothing",
            where=f"{task.path}:{task.spec.line_of('validation')}",
            hint=f"add a command that fails now and passes when the task is done{_example(task.spec)}",
        )
    passed = {(record.line, record.command) for record in proof.commands if record.passed}
    for command in task.spec.commands:
        kinds = {expectation.kind for expectation in command.expectations}
        if ExpectationKind.FAILS_BEFORE in kinds and (command.line, command.text) in passed:
            raise RefusedError(
                f"task {task.name}: `{first_line(command.text)}` should fail without the change, but passes",
                where=f"{task.path}:{command.line}",
                hint="fix the command, or remove its `# expect: fails before`",
            )
    return proof.commands


def _example(spec: Spec) -> str:
    """Return an example with the spec's new test, because a run of all tests passes without it."""
    from minitask.gates.validation.test_files import is_test_path

    maybe_new = (FileAction.CREATE, FileAction.WRITE)
    created = (ref.path for ref in spec.files if ref.action in maybe_new)
    test = next(filter(is_test_path, created), "")
    return f", for example one that runs {test} by itself" if test else ""


class CheckTrial(Struct, frozen=True):
    """The run of a command on a commit, and what the command certainly lacks in a workspace, if anything."""

    command: CommandRecord
    lack: Lack | None


def try_check(engine: Context, text: str, commit: str, *, seconds: int) -> CheckTrial:
    """Run one of the repository's own checks in a workspace on a commit, with a time limit."""
    spec = Spec("", "", text, options=Options(timeout_seconds=seconds))
    task = Task("", spec, "", "", commit, "")
    record = run_on(engine, task, commit, [Command(text)], on_base=True).commands[0]
    if record.passed or record.exit_code is None:
        return CheckTrial(record, None)
    return CheckTrial(record, find_lack(_red(record), _scene(engine, task)))


def _red(record: CommandRecord, earlier: Sequence[str] = (), *, after_checks: bool = True) -> Red:
    return Red(
        record.command,
        record.exit_code,
        record.output_tail,
        earlier=tuple(earlier),
        after_checks=after_checks,
        refused_hosts=record.refused_hosts,
    )


def _refuse_broken_environment(engine: Context, task: Task, proof: Proof) -> None:
    """Refuse a task whose validation lacks something that no change provides."""
    if proof.passed:
        return
    scene = _scene(engine, task)
    earlier: list[str] = []
    after_checks = True
    for command in proof.commands:
        if command.exit_code is not None and not command.passed:
            lack = find_lack(_red(command, earlier, after_checks=after_checks), scene)
            if lack is not None:
                raise RefusedError(
                    f"task {task.name}: `{first_line(command.command)}` {lack.problem}",
                    where=f"{task.path}:{command.line}",
                    hint=lack.hint,
                )
            after_checks = after_checks and CHECK.match(command.command) is not None
        earlier.append(command.command)


def _refuse_missing_program(engine: Context, task: Task) -> None:
    """Refuse a task that a command of the config will fail for lack of its program, whatever the change."""
    missing = find_missing_program(engine)
    if missing is None:
        return
    setting, command, program = missing
    output = f"bash: {program}: command not found"
    red = Red(command, NOT_FOUND, output, earlier=(engine.settings.setup,))
    lack = find_lack(red, _scene(engine, task))
    if lack is not None:
        message = f"task {task.name}: `{first_line(command)}` of `{setting}` {lack.problem}"
        raise RefusedError(message, where=engine.settings.sources[setting], hint=lack.hint)


def _scene(engine: Context, task: Task) -> Scene:
    return Scene(
        written=tuple(ref.path for ref in task.spec.writes()),
        network=_how_to_reach(engine, task),
        names=partial(_names, engine, task),
        left_out=partial(_left_out, engine, task),
        tools=_tools(engine, task),
        empty=partial(_empty_submodule, engine, task),
        fill=partial(fill_command, engine.repository),
        reaches=lambda count: engine.objects.commit(f"{task.base}~{count}") is not None,
        executable=tuple(ref.path for ref in task.spec.writes() if is_executable(ref)),
    )


def _how_to_reach(engine: Context, task: Task) -> str:
    """Return how to reach a host that was not found, or "" if nothing prevents it."""
    network = engine.network(task.spec.options)
    if not isinstance(network, AllowList):
        hint = "make it work offline; or list the hosts under `network` in your settings"
        return "" if network else hint
    if not engine.sandbox.can_list_hosts:
        return f"make it work offline; or have a sandbox that lets listed hosts through: {how_to_strengthen()}"
    return "the hosts of `network` are reached through the proxy that HTTPS_PROXY names: have the program use it"


def _empty_submodule(engine: Context, task: Task, text: str) -> tuple[str, str]:
    """Return the first of the base's `empty_submodules` that a text names, or two empty texts."""
    if engine.objects.entry(task.base, ".gitmodules") is None:
        return "", ""
    return next(empty_submodules(engine.repository, task.base, text), ("", ""))


def _names(engine: Context, task: Task) -> Collection[str]:
    """Return the names of all files and folders of the base, and the paths of the files."""
    paths = engine.repository.git.fields("ls-tree", "-r", "-z", "--name-only", task.base)
    return {part for path in paths for part in (*path.split("/"), path)}


def _left_out(engine: Context, task: Task, paths: Iterable[str]) -> dict[str, bool]:
    """Return the paths that only the checkout has, not the base or the workspace, with whether git ignores them."""
    top = engine.repository.top
    if top is None:
        return {}
    settings_paths = (*engine.settings.share, *engine.settings.copy)
    brought = [
        name for name in settings_paths if engine.objects.entry(task.base, name.strip("/")) is None
    ]
    left_out: dict[str, bool] = {}
    for path in paths:
        if check_path(path) or not os.path.lexists(top / path) or lies_in(path, brought):
            continue
        real = _behind_links(top, path)
        entries = [engine.objects.entry(task.base, part) for part in prefixes(real)]
        is_there = entries[-1] or any(entry and entry.mode == SUBMODULE for entry in entries)
        if not lies_in(real, brought) and not is_there:
            ignored = _ignored_part(engine, real)
            left_out[ignored or real] = bool(ignored)
    return left_out


def _behind_links(top: Path, path: str) -> str:
    """Return a path with links in its folders resolved, or the path itself if that is outside the checkout."""
    folder, _, name = path.rpartition("/")
    real = os.path.relpath(os.path.realpath(top / folder), os.path.realpath(top))
    return path if real.startswith("..") else posixpath.normpath(posixpath.join(real, name))


def _ignored_part(engine: Context, path: str) -> str:
    """Return the topmost folder above a path, or the path itself, that git ignores in the checkout."""
    git = engine.repository.git.with_user_config(engine.repository.top)
    return next(
        (head for head in prefixes(path) if git.succeeds("check-ignore", "-q", "--", head)), ""
    )


def _tools(engine: Context, task: Task) -> tuple[str, ...]:
    """Return the package folders that the checkout has and the workspace lacks."""
    top = engine.repository.top
    present = (name for name in PACKAGES if top is not None and (top / name).is_dir())
    unshared = (name for name in present if name not in engine.settings.share)
    return tuple(name for name in unshared if engine.objects.entry(task.base, name) is None)
