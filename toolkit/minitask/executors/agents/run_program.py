"""Start an agent's program in a workspace, with the user's login and in the sandbox; find it and its version."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from minitask.errors import EditError
from minitask.executors.agents.adapter import (
    VERSION_SECONDS,
    AgentProgram,
    Invocation,
    Job,
    Output,
    version,
    without_flags,
)
from minitask.executors.agents.faults import OutageWatch, unknown_flags
from minitask.executors.agents.setups import (
    HELPER,
    KEY_FILE,
    NO_SETUP,
    Setup,
    find_setup,
    home_of,
    merged,
)
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.sandbox.toolchain import locate_program
from minitask.settings import ExecutorSetting

if TYPE_CHECKING:
    from minitask.workspace.agent_workspace import AgentWorkspace


HELPER_SECONDS = 60.0
"""Time limit for a user's command that prints a key."""
OUTPUT_BYTES = 8 << 20
"""Size limit for each output file of a program."""
LOGIN_KEYS: Mapping[str, tuple[str, ...]] = {
    ".claude.json": ("oauthAccount", "primaryApiKey"),
    ".cursor/cli-config.json": ("authInfo",),
    ".config/goose/config.yaml": (),
    ".config/mini-swe-agent/.env": (),
    ".aider/oauth-keys.env": (),
}
"""Files that hold settings beside a login, some of which start programs: the keys to copy back from a renewed one."""
_LOGIN = threading.Lock()
"""Held while a login of the user is read or renewed."""
_VERSIONS: dict[str, str] = {}
"""Version of each program by its path, as printed once per process."""


def find_program(program: AgentProgram, environ: Mapping[str, str]) -> str | None:
    """Return the program's path on PATH, or None."""
    return shutil.which(program.program, path=environ.get("PATH", ""))


def run_program(
    program: AgentProgram,
    setting: ExecutorSetting,
    job: Job,
    *,
    executable: str,
    workspace: AgentWorkspace,
    environ: Mapping[str, str],
) -> Output:
    """Run the program and return its output, including its output files; copy back a login that it renewed."""
    start = program.invocation(job)
    own_home = home_of(environ)
    lent = lend_login(own_home, workspace, program.credentials)
    setup = setup_of(setting, own_home)
    for name, text in _files(setup, start, environ).items():
        _write(workspace.home / name, text.encode("utf-8", "surrogateescape"))
    located = locate_program(executable, home=str(own_home))
    names = (*program.variables, *setting.env, *setup.names)
    variables = {name: environ[name] for name in names if name in environ}
    argv = without_flags(start.argv, setup.drops)
    while True:
        finished = workspace.run(
            (located.path, *argv[1:]),
            stdin=start.stdin,
            env={**setup.env, **variables, **start.env},
            seconds=job.seconds,
            sandboxed=setting.sandbox,
            readable=located.readable,
            patience=OutageWatch(),
        )
        if finished.exit_code <= 0 or finished.stdout:  # it worked, which is billed
            break
        unknown = unknown_flags(_text(finished.stderr), argv)
        given_up = {flag: start.optional[flag] for flag in unknown if flag in start.optional}
        if not given_up:
            break
        argv = without_flags(argv, given_up)
    if not finished.timed_out:
        take_login_back(own_home, workspace, lent)
    outputs = {name: _read_output(workspace, name) for name in start.outputs}
    return Output(
        finished.exit_code,
        _text(finished.stdout),
        _text(finished.stderr),
        {name: _text(content) for name, content in outputs.items() if content is not None},
        finished.timed_out,
    )


def setup_of(setting: ExecutorSetting, own_home: Path) -> Setup:
    """Return the user's own configuration of an agent; empty if the config names an endpoint or a key."""
    from_config = setting.base_url or setting.api_key_env
    return NO_SETUP if from_config else find_setup(setting.type, own_home)


def _files(setup: Setup, start: Invocation, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the files for the program's home; raise `ExecutorFailure` if the helper prints no key."""
    files = dict(setup.files)
    for name, text in start.files.items():
        files[name] = merged(files[name], text) if name in files else text
    if setup.helper:
        files[KEY_FILE] = _printed_key(setup.helper, environ)
    return files


def _printed_key(helper: str, environ: Mapping[str, str]) -> str:
    """Return the key that the user's own command prints, run as the agent would in the user's terminal."""
    from minitask.system import process

    asked = process.run(
        ("sh", "-c", helper),
        cwd=Path(environ.get("HOME", "/")),
        env=environ,
        timeout_seconds=HELPER_SECONDS,
    )
    key = _text(asked.stdout).strip()
    if not asked.ok or not key:
        raise ExecutorFailure(
            FailureKind.AUTH,
            f"{HELPER} of ~/.claude/settings.json printed no key (exit code {asked.exit_code})",
            hint=f"run it yourself: {helper}",
        )
    return key


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def program_version(flag: str, executable: str, workspace: AgentWorkspace) -> str:
    """Return the version that a program prints, run in the workspace once per process; raise `MachineError`."""
    if executable not in _VERSIONS:
        located = locate_program(executable, home=workspace.environ.get("HOME", ""))
        finished = workspace.run(
            (located.path, flag),
            stdin=b"",
            env={},
            seconds=VERSION_SECONDS,
            readable=located.readable,
        )
        _VERSIONS[executable] = version(finished.stdout)
    return _VERSIONS[executable]


def lend_login(own_home: Path, workspace: AgentWorkspace, names: Iterable[str]) -> dict[str, bytes]:
    """Copy the user's login files into the program's home; return their contents by name."""
    lent = {}
    for name in names:
        if (own_home / name).is_file():
            with _LOGIN:
                lent[name] = (own_home / name).read_bytes()
            _write(workspace.home / name, lent[name])
    return lent


def take_login_back(own_home: Path, workspace: AgentWorkspace, lent: Mapping[str, bytes]) -> None:
    """Copy back a login that the program renewed, because the old one may be invalid now.

    The user's file is left alone if it changed in the meantime, or if the program's copy is incomplete.
    """
    for name, before in lent.items():
        renewed = _read_output(workspace, name)
        login = _renewed_login(name, before, renewed) if renewed else before
        if login != before:
            with _LOGIN, suppress(OSError):
                _renew(own_home / name, before, login)


def _read_output(workspace: AgentWorkspace, name: str) -> bytes | None:
    """Return the content of a file in the program's home, or None if it is missing or unsafe to read."""
    from minitask.system.files import read_regular_file

    try:
        return read_regular_file(workspace.home, name, limit=OUTPUT_BYTES)
    except EditError:
        return None


def _renewed_login(name: str, before: bytes, renewed: bytes) -> bytes:
    """Return the login to store: the renewed one if it is complete; in a file with settings, only its login keys."""
    keys = LOGIN_KEYS.get(name)
    if keys is None and not name.endswith(".json"):
        return renewed
    if keys == ():
        return before
    try:
        new = json.loads(renewed)
        old = json.loads(before) if keys else {}
    except ValueError:
        return before
    if keys is None:
        return renewed
    if not (isinstance(new, dict) and isinstance(old, dict)):
        return before
    changed = {key: new[key] for key in keys if key in new and new[key] != old.get(key)}
    return json.dumps({**old, **changed}, indent=2).encode() if changed else before


def _renew(login_path: Path, before: bytes, renewed: bytes) -> None:
    """Replace the user's login, unless it changed in the meantime."""
    if login_path.read_bytes() != before:
        return
    draft = login_path.with_name(f"{login_path.name}.{os.urandom(4).hex()}.minitask")
    _write(draft, renewed)
    draft.chmod(login_path.stat().st_mode & 0o777)
    draft.replace(login_path)
