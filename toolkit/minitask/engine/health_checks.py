"""Test a machine: its sandbox, by attacks that must fail inside and succeed outside; model servers; agents."""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from minitask.errors import MachineError
from minitask.executors.address import DEFAULTS, find_base_url
from minitask.executors.agents.adapter import VERSION_SECONDS, version
from minitask.executors.agents.faults import reason_of
from minitask.executors.agents.programs import OLDEST_RUN, PROGRAMS
from minitask.executors.agents.setups import PROBES, has_key, has_login, tells_login
from minitask.executors.ollama import OllamaExecutor
from minitask.executors.request import ExecutorFailure
from minitask.sandbox import shell_session
from minitask.sandbox.sandbox import Limits, Sandbox, Strength
from minitask.settings import Settings
from minitask.spec.model import Command
from minitask.system import process
from minitask.system.process import Finished


class HealthCheck(Struct, frozen=True):
    """The result of an attack: whether the sandbox stopped it, and whether it works without a sandbox."""

    attack: str
    stopped: bool
    works_outside: bool


def try_sandbox(sandbox: Sandbox, environ: Mapping[str, str]) -> tuple[HealthCheck, ...]:
    """Try to write and read outside the workspace, and to reach the network, with and without the sandbox."""
    with _stage() as (folder, attacks):
        inside = _outcomes(sandbox, folder, attacks, environ)
        control = _outcomes(Sandbox(Strength.NONE, scratch=folder), folder, attacks, environ)
    return tuple(
        HealthCheck(attack, stopped=not inside[attack], works_outside=control[attack])
        for attack in attacks
    )


@contextmanager
def _stage() -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a folder with a workspace and a secret beside it, and the attacks by name; one needs the open port."""
    with tempfile.TemporaryDirectory(prefix="minitask-doctor-") as name, socket.socket() as server:
        folder = Path(name)
        (folder / "workspace").mkdir()
        (folder / "secret").write_text("secret\n", "utf-8")
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        attacks = {
            "write outside the workspace": f"echo x > {folder}/written",
            "read a file of yours in the temporary folder": f"cat {folder}/secret",
            "open a network connection": f"exec 3<>/dev/tcp/127.0.0.1/{port}",
        }
        yield folder, attacks


def _outcomes(
    sandbox: Sandbox, folder: Path, attacks: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, bool]:
    """Return whether each attack worked."""
    worked = {}
    written = folder / "written"
    for attack, text in attacks.items():
        written.unlink(missing_ok=True)
        result = shell_session.run_commands(
            [Command(f"( {text} )")],
            sandbox=sandbox,
            workspace=folder / "workspace",
            limits=Limits(seconds=20),
            network=False,
            readonly=(),
            env=environ,
        )
        # A write counts only if it arrives there: a sandbox may redirect it to a private folder.
        worked[attack] = written.exists() if str(written) in text else result.results[0].passed
    return worked


class ServedModels(Struct, frozen=True):
    """A model server: its URL, the executor that uses it ("": none), its models (None: no answer)."""

    url: str
    executor: str
    models: tuple[str, ...] | None
    problem: str = ""


class InstalledAgent(Struct, frozen=True):
    """An agent program: its type in the config, its path, its version, and whether it is logged in.

    `problem` is the error if it does not start. `is_old`: it is older than every version that was tested on a task.
    """

    type: str
    path: str
    version: str
    has_login: bool
    problem: str = ""
    is_old: bool = False


def ollama_servers(
    settings: Settings | None, environ: Mapping[str, str]
) -> tuple[ServedModels, ...]:
    """Return the models of each Ollama server in the config; if there is none, of the environment's server."""
    urls = {
        entry.name: entry.base_url or DEFAULTS["ollama"]
        for entry in (settings.executors.values() if settings else ())
        if entry.type == "ollama"
    }
    servers = tuple(_ask(url, name) for name, url in urls.items())
    if urls:
        return servers
    usual = _ask(find_base_url("ollama", environ)[0] or DEFAULTS["ollama"], "")
    return (usual,) if usual.models is not None else ()


def agents_installed(environ: Mapping[str, str], folder: Path) -> tuple[InstalledAgent, ...]:
    """Return the agent programs on PATH; start each once, and query its login if that costs nothing."""
    paths = {
        kind: path
        for kind, program in PROGRAMS.items()
        if (path := shutil.which(program.program, path=environ.get("PATH", ""))) is not None
    }
    with ThreadPoolExecutor() as threads:
        return tuple(
            threads.map(lambda kind: _installed(kind, paths[kind], environ, folder), paths)
        )


def _installed(kind: str, path: str, environ: Mapping[str, str], folder: Path) -> InstalledAgent:
    program = PROGRAMS[kind]
    started = _print(path, (program.version_flag,), environ, folder)
    text, logged_in = version(started.stdout), has_login(program, environ)
    if started.exit_code != 0:
        problem = reason_of(_text(started)) or f"exit code {started.exit_code}"
        return InstalledAgent(kind, path, text, logged_in, problem)
    is_old = _numbers(text) < _numbers(OLDEST_RUN.get(kind, ""))
    if kind in PROBES and not is_old and not has_key(program, environ):
        answer = tells_login(_text(_print(path, PROBES[kind], environ, folder)))
        logged_in = logged_in if answer is None else answer
    return InstalledAgent(kind, path, text, logged_in, is_old=is_old)


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numeric parts of a version."""
    match = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(map(int, match[0].split("."))) if match else ()


def _ask(url: str, executor: str) -> ServedModels:
    try:
        models = OllamaExecutor(url, name=executor or "ollama").models()
    except ExecutorFailure as failure:
        return ServedModels(url, executor, None, failure.message)
    return ServedModels(url, executor, models)


def _print(
    path: str, arguments: Sequence[str], environ: Mapping[str, str], folder: Path
) -> Finished:
    """Run a program; if it does not start, return a failure with the error as its output."""
    argv = (path, *arguments)
    try:
        return process.run(argv, cwd=folder, env=environ, timeout_seconds=VERSION_SECONDS)
    except MachineError as error:
        return Finished(argv, 1, b"", str(error).encode(), 0)


def _text(printed: Finished) -> str:
    return (printed.stderr + b"\n" + printed.stdout).decode("utf-8", "replace")
