"""The sandbox of this machine, and commands wrapped in it.

Commands come from specs and run code that a model wrote. The strong sandbox is bubblewrap; if it does not start
(missing, or forbidden by AppArmor or a container), Landlock is the partial one, `sandbox-exec` on macOS; else commands
run as the user. A probe's result is cached until one of its inputs changes.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from minitask.errors import MachineError
from minitask.sandbox import bubblewrap, seatbelt, shared_layers
from minitask.sandbox.policy import (
    SYSTEM,
    Limits,
    Listeners,
    SandboxPolicy,
    Strength,
    counts_processes_apart,
    lies_in,
    limited,
    spellings,
    tasks_of_user,
)
from minitask.sandbox.shared_layers import Layer
from minitask.sandbox.toolchain import Toolchain, find_toolchain
from minitask.sandbox.user_folders import UserFolders, user_folders
from minitask.system import pipes
from minitask.system.files import force_remove

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from minitask.sandbox.policy import Grant

__all__ = ["Limits", "Sandbox", "SandboxPolicy", "Strength", "Wrapped"]

PROBE_SECONDS = 20
SEATBELT = "seatbelt"
"""Variant of the partial sandbox on macOS."""
SWITCHES = (
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/user/max_user_namespaces",
)
"""Kernel settings that enable or disable bubblewrap at run time."""

PRIVATE = ("home", "tmp")
PASSING = ("scratch", "layers", "checkout", "readable", "caches")
"""Fields of a sandbox that are not results of a probe."""
PSEUDO = ("/proc", "/sys", "/dev")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
PRIVATE_DEVICES = ("/dev/ptmx", "/dev/pts", "/dev/shm")  # noqa: S108 - a private one
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - private ones
HIDDEN = ("/run", "/dev/shm", *TEMPORARY)  # noqa: S108 - as above


class Wrapped(Struct, frozen=True):
    """A command ready for `process.run` or `process.spawn`, with its whole environment.

    Run it inside a `with` block: leaving the block ends processes that left the process group, and removes the
    session's private directory, if any.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    private: Path | None = None
    made_at: pipes.Moment | None = None
    pass_fds: tuple[int, ...] = ()

    def __enter__(self) -> Wrapped:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Clean up; processes are found by the private directory's name in their environment."""
        if self.private is not None:
            pipes.end_marked(os.fsencode(f"HOME={self.private}/"), since=self.made_at)
            remove_folder(self.private)


class Sandbox(Struct, frozen=True):
    """A kind of sandbox, as available on this machine.

    `program` and `variant` are bubblewrap's; `landlock` is the kernel's version (0: none). `namespaces`: the partial
    sandbox has its own for mounts and network. `tried` has a line per probe. Private directories are in `scratch`.
    `layers` are overlays to mount; `checkout` is the path that the workspace replaces, `readable` lists further
    readable paths, and `caches` writable folders by the variables that name them.
    """

    strength: Strength
    program: str = ""
    variant: str = ""
    landlock: int = 0
    namespaces: bool = False
    tried: tuple[str, ...] = ()
    scratch: Path = Path("/tmp")  # noqa: S108 - the default
    layers: tuple[Layer, ...] = ()
    checkout: Path | None = None
    readable: tuple[Path, ...] = ()
    caches: Mapping[str, Path] = field(default_factory=dict)

    @property
    def has_private_mounts(self) -> bool:
        """Return True if its commands can see other files at a path than the machine has."""
        return self.strength is Strength.STRONG or self.namespaces

    @property
    def can_list_hosts(self) -> bool:
        """Return True if it can restrict commands to a proxy."""
        return self.has_private_mounts or self.variant == SEATBELT

    def cannot_list(self, network: Grant) -> str:
        """Return the effect of a host list that the sandbox cannot enforce; else empty."""
        if isinstance(network, bool) or self.can_list_hosts:
            return ""
        if self.strength is Strength.NONE:
            return "`network` lists hosts, but without a sandbox commands reach everything"
        return "`network` lists hosts, but this sandbox cannot let single hosts through: it counts as false"

    def describe(self) -> str:
        """Return in one line what a command can and cannot access."""
        if self.strength is Strength.STRONG:
            return (
                "bubblewrap: private files, processes and network; only the workspace is writable"
            )
        if self.strength is Strength.NONE:
            return "NO SANDBOX: commands can read, change and send everything you can"
        if self.variant == SEATBELT:
            return (
                "sandbox-exec: only the workspace and a private directory are writable; your files, other processes "
                "and the network are blocked, localhost too; not blocked: most services of macOS, and a memory limit "
                "is not held"
            )
        if self.namespaces:
            return (
                f"Landlock (version {self.landlock}) and namespaces: only the workspace and private directories are "
                "writable; your home, /run, /tmp and network are hidden; not blocked: reading /proc"
            )
        tcp = "" if self.landlock >= 4 else "TCP, "
        others = "" if self.landlock >= 6 else "signals to your processes, "
        return (
            f"Landlock (version {self.landlock}): only the workspace and a private directory are writable, your home "
            "is hidden; there is no /tmp (use $TMPDIR), no shared memory, terminal or server on localhost; not "
            f"blocked: {tcp}UDP, Unix sockets, {others}reading /proc, writes to the workspace's .git"
        )

    def wrap(  # noqa: PLR0913 - all that decides what a command may do
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        limits: Limits,
        network: bool,
        environ: Mapping[str, str],
        listeners: Listeners | None = None,
        readonly: Sequence[Path] = (),
        extra_writable: Sequence[Path] = (),
        extra_env: Mapping[str, str] | None = None,
    ) -> Wrapped:
        """Return the command inside this sandbox; see `SandboxPolicy` for the arguments."""
        room = SandboxPolicy(
            workspace=workspace,
            environ=environ,
            limits=limits,
            network=network,
            listeners=listeners,
            readonly=tuple(readonly),
            writable=(*extra_writable, *self.caches.values()),
            extra_env={
                **{name: str(path) for name, path in self.caches.items()},
                **(extra_env or {}),
            },
        )
        return self.enclose(argv, room)

    def enclose(self, argv: Sequence[str], room: SandboxPolicy) -> Wrapped:
        """Return the command inside this sandbox, under a prepared policy."""
        folders = user_folders(room, self.checkout)
        bases = (*folders.environments.values(), *filter(None, [folders.env.get("PYTHONUSERBASE")]))
        programs = (f"{folder}/bin" for folder in bases)
        path = os.pathsep.join((room.path, *programs))
        tools = self._tools(room, path, folders)
        if self.strength is Strength.STRONG:
            return self._in_bubblewrap(argv, room, path, tools=tools)
        private = private_directory(self.scratch)
        temporary = TEMPORARY[0] if self.namespaces else str(private / "tmp")
        env = room.environment(home=str(private / "home"), temporary=temporary, tools=tools.env)
        env |= self._import_path(room, path)
        running = 0 if self.namespaces and counts_processes_apart() else tasks_of_user()
        inner = limited(argv, room.limits, running=running)
        if self.variant == SEATBELT:
            before = seatbelt.command(self.program, room, roots=tools.roots, private=private)
            inner = (*before, *inner)
        elif self.strength is Strength.PARTIAL:
            inner = (*launch(*self._rules(room, tools, private=private)), *inner)
        return Wrapped(inner, env, private, pipes.now(), room.pass_fds)

    def _tools(self, room: SandboxPolicy, path: str, folders: UserFolders) -> Toolchain:
        """Return the toolchain of a `PATH`, with other readable paths."""
        tools = find_toolchain(path, home=room.home)
        roots = [*tools.roots, *folders.roots, *map(str, self.readable)]
        env = {**folders.env, **folders.environments}
        return Toolchain(room.home, roots=list(dict.fromkeys(roots)), env=env)

    def _replaced_checkout(self) -> Path | None:
        """Return the checkout if the workspace appears at its path; None if it is in a system folder."""
        is_replaced = self.has_private_mounts and not lies_in(str(self.checkout), SYSTEM)
        return self.checkout if is_replaced else None

    def _import_path(self, room: SandboxPolicy, path: str) -> dict[str, str]:
        """Return variables that redirect imports from the checkout to the workspace."""
        if self._replaced_checkout():
            return {}
        return shared_layers.variables(path, checkout=self.checkout, workspace=room.workspace)

    def _rules(self, room: SandboxPolicy, tools: Toolchain, *, private: Path) -> list[str]:
        """Return the launcher's arguments, with those for namespaces."""
        rules = _rules(room, tools, private=private)
        if not self.namespaces:
            return rules
        hidden = [f"hide={folder}" for folder in (*HIDDEN, room.home) if folder]
        rules += [f"w={path}" for path in (*PRIVATE_DEVICES, *TEMPORARY)]
        rules.append(f"r={room.workspace}/.git")
        rules += _layers(self.layers)
        if checkout := self._replaced_checkout():
            rules.append(f"checkout={checkout}")
        rules += room.listeners.words if room.listeners else ()
        return ["private", *hidden, *rules]

    def _in_bubblewrap(
        self, argv: Sequence[str], room: SandboxPolicy, path: str, *, tools: Toolchain
    ) -> Wrapped:
        variant = bubblewrap.Variant(self.variant)
        before = bubblewrap.command(
            self.program, room, variant=variant, tools=tools, checkout=self._replaced_checkout()
        )
        running = 0 if counts_processes_apart() else tasks_of_user()
        env = room.environment(
            home=bubblewrap.HOME, temporary=bubblewrap.TEMPORARY, tools=tools.env
        )
        env |= self._import_path(room, path)
        inner = limited(argv, room.limits, running=running)
        inside = (*before, *bubblewrap.listening(room), *inner)
        layers = launch(*_layers(self.layers)) if self.layers else ()
        return Wrapped((*layers, *inside), env, pass_fds=room.pass_fds)


def launch(*rules: str) -> tuple[str, ...]:
    """Return the launcher's command line, up to the command."""
    return (sys.executable, "-I", "-S", str(bubblewrap.LAUNCHER), *rules, "--")


def _layers(layers: Sequence[Layer]) -> list[str]:
    """Return the launcher's arguments for layers."""
    places = ((layer.source, layer.upper, layer.work, layer.target) for layer in layers)
    return [f"layer={path}" for four in places for path in four]


def _rules(room: SandboxPolicy, tools: Toolchain, *, private: Path) -> list[str]:
    """Return the launcher's arguments for readable and writable paths and the network."""
    readable = [*SYSTEM, *PSEUDO, *tools.roots]
    readable += [path for readable_path in room.readonly for path in spellings(readable_path)]
    writable = [*DEVICES, str(private), *(str(path) for path in (room.workspace, *room.writable))]
    if room.network:
        readable.append(os.path.realpath("/etc/resolv.conf"))
    rules = [f"r={path}" for path in readable] + [f"w={path}" for path in writable]
    return rules if room.network else ["net=off", *rules]


def scratch_folder(environ: Mapping[str, str], path: Path | None) -> Path:
    return path or Path(environ.get("TMPDIR") or "/tmp")  # noqa: S108 - as every program does


def find_program(name: str, path: str) -> str:
    """Return the path of a program, found by absolute `PATH` entries; empty if missing."""
    for entry in path.split(os.pathsep):
        candidate = f"{entry}/{name}"
        if entry.startswith("/") and os.access(candidate, os.X_OK) and Path(candidate).is_file():
            return candidate
    return ""


def private_directory(scratch: Path) -> Path:
    """Return a new directory that only the user can enter, with folders for home and temporary files."""
    private = Path(os.path.realpath(scratch)) / f"minitask-{os.urandom(8).hex()}"
    try:
        try:
            private.mkdir(mode=0o700)
        except FileNotFoundError:
            scratch.mkdir(parents=True, exist_ok=True)
            private.mkdir(mode=0o700)
        for name in PRIVATE:
            os.mkdir(f"{private}/{name}")  # noqa: PTH102 - before every session
    except OSError as error:
        raise MachineError(
            f"cannot make {private}: {error}", hint="free some disk space, or set TMPDIR"
        ) from error
    return private


def remove_folder(folder: Path) -> None:
    """Remove a directory, even if a command changed its permissions."""
    with contextlib.suppress(OSError):  # usually nothing else is left in it
        (folder / "home/.gitconfig").unlink(missing_ok=True)
        for name in PRIVATE:
            (folder / name).rmdir()
        folder.rmdir()
        return
    with contextlib.suppress(OSError):
        force_remove(folder)
