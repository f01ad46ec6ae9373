"""Start an agent's program on a workspace: found on PATH, with the user's login, in the sandbox; and its version."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from minitask.executors.agents.adapter import (
    VERSION_SECONDS,
    AgentProgram,
    Invocation,
    Job,
    Output,
    without_flags,
)
from minitask.executors.agents.faults import OutageWatch, unknown_flags
from minitask.executors.agents.programs import lend_login, read_output, take_login_back
from minitask.executors.agents.reading import version
from minitask.executors.agents.setups import (
    HELPER,
    KEY_FILE,
    NO_SETUP,
    Setup,
    find_setup,
    merged,
)
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.sandbox.toolchain import locate_program
from minitask.settings import ExecutorSetting

if TYPE_CHECKING:
    from minitask.system.process import Finished
    from minitask.workspace.agent_workspace import AgentWorkspace


HELPER_SECONDS = 60.0
"""Time that a user's command may take to print a key."""


class JobMaker(Protocol):
    """Makes a job for a place to work in."""

    def __call__(self, *, workspace: Path, home: Path, sandboxed: bool = False) -> Job:
        """Return the job."""
        ...


def find_program(program: AgentProgram, environ: Mapping[str, str]) -> str | None:
    """Return where PATH has the program; None if it is not there."""
    return shutil.which(program.program, path=environ.get("PATH", ""))


def run_program(
    program: AgentProgram,
    setting: ExecutorSetting,
    make_job: JobMaker,
    *,
    executable: str,
    workspace: AgentWorkspace,
    environ: Mapping[str, str],
) -> Output:
    """Return what the program printed, and the files that it left for us; a login that it renewed is kept."""
    sandboxed = setting.sandbox and workspace.is_sandboxed
    job = make_job(workspace=workspace.folder, home=workspace.home, sandboxed=sandboxed)
    start = program.invocation(job)
    own_home = Path(environ.get("HOME", "/nonexistent"))
    lent = lend_login(own_home, workspace, program.credentials)
    setup = setup_of(setting, own_home)
    _write_files(workspace, setup, start)
    if setup.helper:
        _write_key(workspace, setup.helper, environ)
    place = locate_program(executable, home=str(own_home))
    names = (*program.variables, *setting.env, *setup.names)
    variables = {name: environ[name] for name in names if name in environ}
    argv = without_flags(start.argv, setup.drops)
    while True:
        finished = workspace.run(
            (place.path, *argv[1:]),
            stdin=start.stdin,
            env={**setup.env, **variables, **start.env},
            seconds=job.seconds,
            sandboxed=setting.sandbox,
            readable=place.readable,
            patience=OutageWatch(),
        )
        if finished.exit_code <= 0 or finished.stdout:  # it was at work, so what it took is billed
            break
        unknown = unknown_flags(finished.stderr.decode("utf-8", "replace"), argv)
        given_up = {flag: start.optional[flag] for flag in unknown if flag in start.optional}
        if not given_up:
            break
        argv = without_flags(argv, given_up)
    if not finished.timed_out:
        take_login_back(own_home, workspace, lent)
    return _output(finished, {name: _text(workspace, name) for name in start.outputs})


def setup_of(setting: ExecutorSetting, own_home: Path) -> Setup:
    """Return what the user has set up for an agent; nothing where the config names an endpoint or a key of its own."""
    is_own = setting.base_url or setting.api_key_env
    return NO_SETUP if is_own else find_setup(setting.type, own_home)


def _write_files(workspace: AgentWorkspace, setup: Setup, start: Invocation) -> None:
    files = dict(setup.files)
    for name, text in start.files.items():
        files[name] = merged(files[name], text) if name in files else text
    for name, text in files.items():
        path = workspace.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text, "utf-8", "surrogateescape")


def _write_key(workspace: AgentWorkspace, helper: str, environ: Mapping[str, str]) -> None:
    """Ask the user's own command for a key, as the agent would in the user's terminal; raise `ExecutorFailure`."""
    from minitask.system import process

    asked = process.run(
        ("sh", "-c", helper),
        cwd=Path(environ.get("HOME", "/")),
        env=environ,
        timeout_seconds=HELPER_SECONDS,
    )
    key = asked.stdout.decode("utf-8", "replace").strip()
    if not asked.ok or not key:
        raise ExecutorFailure(
            FailureKind.AUTH,
            f"{HELPER} of ~/.claude/settings.json printed no key (exit code {asked.exit_code})",
            hint=f"run it yourself: {helper}",
        )
    path = workspace.home / KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(key, "utf-8")


_VERSIONS: dict[str, str] = {}
"""The version of each program, by its path; each is asked once a process."""


def program_version(argv: tuple[str, ...], executable: str, workspace: AgentWorkspace) -> str:
    """Return what a program says of its version, asked in the workspace; raises `MachineError`."""
    if executable not in _VERSIONS:
        place = locate_program(executable, home=workspace.environ.get("HOME", ""))
        finished = workspace.run(
            (place.path, *argv[1:]),
            stdin=b"",
            env={},
            seconds=VERSION_SECONDS,
            readable=place.readable,
        )
        _VERSIONS[executable] = version(finished.stdout)
    return _VERSIONS[executable]


def _output(finished: Finished, files: Mapping[str, str | None]) -> Output:
    return Output(
        exit_code=finished.exit_code,
        stdout=finished.stdout.decode("utf-8", "replace"),
        stderr=finished.stderr.decode("utf-8", "replace"),
        files={name: text for name, text in files.items() if text is not None},
        timed_out=finished.timed_out,
    )


def _text(workspace: AgentWorkspace, name: str) -> str | None:
    content = read_output(workspace, name)
    return None if content is None else content.decode("utf-8", "replace")
