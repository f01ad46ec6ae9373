"""Find out what a machine can do by trying it: the sandbox by attacks that must fail inside it and succeed outside."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from minitask.sandbox import shell_session
from minitask.sandbox.sandbox import Limits, Sandbox, Strength
from minitask.spec.model import Command


class HealthCheck(Struct, frozen=True):
    """One attack: what it tries, whether the sandbox stopped it, whether it works without a sandbox."""

    what: str
    stopped: bool
    works_outside: bool


def try_sandbox(sandbox: Sandbox, environ: Mapping[str, str]) -> tuple[HealthCheck, ...]:
    """Try to write and read outside the workspace, and to reach the network, in the sandbox and without one."""
    with _stage() as (folder, attacks):
        inside = _outcomes(sandbox, folder, attacks, environ)
        control = _outcomes(Sandbox(Strength.NONE, scratch=folder), folder, attacks, environ)
    return tuple(
        HealthCheck(what, stopped=not inside[what], works_outside=control[what]) for what in attacks
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
    done = {}
    written = folder / "written"
    for what, text in attacks.items():
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
        done[what] = written.exists() if str(written) in text else result.results[0].passed
    return done
