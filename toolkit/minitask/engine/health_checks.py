"""Find out what a machine can do by trying it: the sandbox by attacks that must fail inside it and succeed outside."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from minitask.errors import MachineError
from minitask.executors.address import DEFAULTS, find_base_url
from minitask.executors.agents.adapter import VERSION_SECONDS
from minitask.executors.agents.logins import has_login
from minitask.executors.agents.programs import PROGRAMS
from minitask.executors.agents.reading import version
from minitask.executors.ollama import OllamaExecutor
from minitask.executors.request import ExecutorFailure
from minitask.sandbox import shell_session
from minitask.sandbox.sandbox import Limits, Sandbox, Strength
from minitask.settings import Settings
from minitask.spec.model import Command
from minitask.system import process


class HealthCheck(Struct, frozen=True):
    """The result of an attack on the sandbox: whether the sandbox stopped it, and whether it works without one."""

    attack: str
    stopped: bool
    works_outside: bool


def try_sandbox(sandbox: Sandbox, environ: Mapping[str, str]) -> tuple[HealthCheck, ...]:
    """Try to write and read outside the workspace, and to reach the network, in the sandbox and without one."""
    with _stage() as (folder, attacks):
        inside = _outcomes(sandbox, folder, attacks, environ)
        control = _outcomes(Sandbox(Strength.NONE, scratch=folder), folder, attacks, environ)
    return tuple(
        HealthCheck(attack, stopped=not inside[attack], works_outside=control[attack])
        for attack in attacks
    )


@contextmanager
def _stage() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with something to steal beside a workspace, and a server to reach; the attacks by name."""
    with tempfile.TemporaryDirectory(prefix="minitask-doctor-") as name, socket.socket() as server:
        folder = Path(name)
        (folder / "workspace").mkdir()
        (folder / "secret").write_text("secret\n", "utf-8")
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        yield (
            folder,
            {
                "write outside the workspace": f"echo x > {folder}/written",
                "read a file of yours in the temporary folder": f"cat {folder}/secret",
                "open a network connection": f"exec 3<>/dev/tcp/127.0.0.1/{port}",
            },
        )


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
        # A write counts where it arrives: a sandbox may give the command a folder of its own to write to.
        worked[attack] = written.exists() if str(written) in text else result.results[0].passed
    return worked


class ServedModels(Struct, frozen=True):
    """A model server: where it is, the executor that uses it (empty: none), its models; None: it does not answer."""

    url: str
    executor: str
    models: tuple[str, ...] | None
    problem: str = ""


class InstalledAgent(Struct, frozen=True):
    """An agent program: the type that the config calls it by, its path, its version, and whether it is logged in."""

    type: str
    path: str
    version: str
    has_login: bool


def ollama_servers(
    settings: Settings | None, environ: Mapping[str, str]
) -> tuple[ServedModels, ...]:
    """Return what each Ollama of the config serves; where the config names none, the one that the environment means."""
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
    """Return the agent programs on PATH."""
    agents = []
    for kind, program in PROGRAMS.items():
        path = shutil.which(program.program, path=environ.get("PATH", ""))
        if path is not None:
            argv = (path, *program.version_argv[1:])
            text = _version(argv, environ, folder)
            agents.append(InstalledAgent(kind, path, text, has_login(program, environ)))
    return tuple(agents)


def _ask(url: str, executor: str) -> ServedModels:
    try:
        models = OllamaExecutor(url, name=executor or "ollama").models()
    except ExecutorFailure as failure:
        return ServedModels(url, executor, None, failure.message)
    return ServedModels(url, executor, models)


def _version(argv: tuple[str, ...], environ: Mapping[str, str], folder: Path) -> str:
    try:
        result = process.run(argv, cwd=folder, env=environ, timeout_seconds=VERSION_SECONDS)
    except MachineError:
        return ""
    return version(result.stdout)
