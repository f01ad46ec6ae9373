"""The whole validation on the base, before anything is spent: it must fail there, and for the task's own sake."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import RefusedError
from minitask.git.objects import SUBMODULE
from minitask.git.remotes import fill_command
from minitask.landing.missing_on_base import CHECK, Lack, Red, Scene, find_lack
from minitask.landing.run_commands import Proof, first_line, run_on
from minitask.ledger.record import CommandRecord
from minitask.sandbox.allow_list import AllowList
from minitask.sandbox.choose_sandbox import how_to_strengthen
from minitask.sandbox.policy import lies_in
from minitask.spec.model import Command, ExpectationKind, FileAction, Options, Spec
from minitask.spec.notes import is_executable
from minitask.spec.paths import check_path

PACKAGES = ("node_modules", ".venv", "venv", "vendor")
"""Folders in which package managers install packages in a checkout."""


def check_fails_before(engine: Context, task: Task) -> tuple[CommandRecord, ...]:
    """Run the validation on the base; refused where it is green already, for then it proves nothing."""
    if task.spec.options.proof == "none":
        return ()
    must_fail = [command for command in task.spec.commands if _must_fail_before(command)]
    proof = run_on(engine, task, task.base, task.spec.commands, on_base=True)
    _refuse_broken_environment(engine, task, proof)
    if proof.passed:
        raise RefusedError(
            f"task {task.name}: its validation passes without the change, so it proves nothing",
            where=f"{task.path}:{task.spec.line_of('validation')}",
            hint=f"add a command that fails now and passes when the task is done{_example(task.spec)}",
        )
    passed = {(record.line, record.command) for record in proof.commands if record.passed}
    for command in must_fail:
        if (command.line, command.text) in passed:
            raise RefusedError(
                f"task {task.name}: `{first_line(command.text)}` should fail without the change, but passes",
                where=f"{task.path}:{command.line}",
                hint="fix the command, or remove its `# expect: fails before`",
            )
    return proof.commands


def _example(spec: Spec) -> str:
    """Return how a new test serves as such a command: a run of all tests passes without it."""
    from minitask.gates.test_files import is_test_path

    maybe_new = (FileAction.CREATE, FileAction.WRITE)
    created = (ref.path for ref in spec.files if ref.action in maybe_new)
    test = next(filter(is_test_path, created), "")
    return f", for example one that runs {test} by itself" if test else ""


class CheckTrial(Struct, frozen=True):
    """How a command ended on a commit as it is, and what it surely lacks in a workspace, if anything."""

    command: CommandRecord
    lack: Lack | None


def try_check(engine: Context, text: str, commit: str, *, seconds: int) -> CheckTrial:
    """Run one of the repository's own checks in a workspace on a commit, for so long at most."""
    spec = Spec("", "", text, options=Options(timeout_seconds=seconds))
    task = Task("", spec, "", "", commit, "")
    record = run_on(engine, task, commit, [Command(text)], on_base=True).commands[0]
    if record.passed or record.exit_code is None:
        return CheckTrial(record, None)
    red = Red(
        record.command, record.exit_code, record.output_tail, refused_hosts=record.refused_hosts
    )
    return CheckTrial(record, find_lack(red, _scene(engine, task)))


def _must_fail_before(command: Command) -> bool:
    return any(
        expectation.kind is ExpectationKind.FAILS_BEFORE for expectation in command.expectations
    )


def _refuse_broken_environment(engine: Context, task: Task, proof: Proof) -> None:
    """Refuse a task whose validation lacks something that no change brings, before anything is spent."""
    if all(command.passed for command in proof.commands):
        return
    scene = _scene(engine, task)
    earlier: list[str] = []
    after_checks = True
    for command in proof.commands:
        if command.exit_code is not None and not command.passed:
            red = Red(
                command.command,
                command.exit_code,
                command.output_tail,
                earlier=tuple(earlier),
                after_checks=after_checks,
                refused_hosts=command.refused_hosts,
            )
            lack = find_lack(red, scene)
            if lack is not None:
                raise RefusedError(
                    f"task {task.name}: `{first_line(command.command)}` {lack.problem}",
                    where=f"{task.path}:{command.line}",
                    hint=lack.hint,
                )
            after_checks = after_checks and CHECK.match(command.command) is not None
        earlier.append(command.command)


def _scene(engine: Context, task: Task) -> Scene:
    return Scene(
        written=tuple(ref.path for ref in task.spec.writes()),
        network=_how_to_reach(engine, task),
        names=lambda: _names(engine, task),
        left_out=partial(_left_out, engine, task),
        tools=_tools(engine, task),
        empty=partial(_empty_submodules, engine, task),
        fill=partial(fill_command, engine.repository),
        reaches=lambda count: engine.objects.commit(f"{task.base}~{count}") is not None,
        executable=tuple(ref.path for ref in task.spec.writes() if is_executable(ref)),
    )


def _how_to_reach(engine: Context, task: Task) -> str:
    """Return what to do where a host is not found; empty where nothing is in the way."""
    network = engine.network(task.spec.options)
    if not isinstance(network, AllowList):
        hint = "make it work offline; or list the hosts under `network` in your settings"
        return "" if network else hint
    if not engine.sandbox.can_list_hosts:
        return f"make it work offline; or have a sandbox that lets listed hosts through: {how_to_strengthen()}"
    return "the hosts of `network` are reached through the proxy that HTTPS_PROXY names: have the program use it"


def _empty_submodules(engine: Context, task: Task) -> Collection[str]:
    """Return the submodules of the base that the checkout cannot fill."""
    top = engine.repository.top
    if engine.objects.entry(task.base, ".gitmodules") is None:
        return ()
    listed = engine.repository.git.fields("ls-tree", "-r", "-z", task.base)
    paths = [line.partition("\t")[2] for line in listed if line.startswith(SUBMODULE)]
    return [path for path in paths if top is None or not (top / path / ".git").exists()]


def _names(engine: Context, task: Task) -> Collection[str]:
    """Return the names of all files and folders of the base, and the paths of the files."""
    paths = engine.repository.git.fields("ls-tree", "-r", "-z", "--name-only", task.base)
    return {part for path in paths for part in (*path.split("/"), path)}


def _left_out(engine: Context, task: Task, paths: Iterable[str]) -> dict[str, bool]:
    """Return those of the paths that are in the checkout, not in the base or the workspace, with whether git
    ignores them.
    """
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
        place = _behind_links(top, path)
        if not lies_in(place, brought) and engine.objects.entry(task.base, place) is None:
            whole = _ignored_part(engine, place)
            left_out[whole or place] = bool(whole)
    return left_out


def _behind_links(top: Path, path: str) -> str:
    """Return where the links above a path lead; the path itself where that is outside the checkout."""
    folder, _, name = path.rpartition("/")
    real = os.path.relpath(os.path.realpath(top / folder), os.path.realpath(top))
    return path if real.startswith("..") else posixpath.normpath(posixpath.join(real, name))


def _ignored_part(engine: Context, path: str) -> str:
    """Return the first of the folders above a path, or the path itself, that git ignores in the checkout."""
    git = engine.repository.git.with_user_config(engine.repository.top)
    parts = path.split("/")
    heads = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return next((head for head in heads if git.succeeds("check-ignore", "-q", "--", head)), "")


def _tools(engine: Context, task: Task) -> tuple[str, ...]:
    """Return the folders of packages in the checkout that the workspace does not have."""
    top = engine.repository.top
    present = (name for name in PACKAGES if top is not None and (top / name).is_dir())
    unshared = (name for name in present if name not in engine.settings.share)
    return tuple(name for name in unshared if engine.objects.entry(task.base, name) is None)
