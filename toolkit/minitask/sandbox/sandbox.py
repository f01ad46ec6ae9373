"""Which sandbox this machine has, found by running it, and a command wrapped in it.

Commands come out of specs and run code that a model wrote. The strong sandbox is bubblewrap; where
that does not start (not installed, forbidden by AppArmor or by a container), Landlock is the
partial one; else there is none, and commands run as the user. What a probe found is kept for as
long as what it depends on stays the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from minitask.errors import MachineError, UsageError
from minitask.sandbox import bubblewrap, installed_in_place
from minitask.sandbox.overlay import overlaid
from minitask.sandbox.policy import (
    DEFAULT_PATH,
    SYSTEM,
    Limits,
    SandboxPolicy,
    Strength,
    limited,
    spellings,
    tasks_of_user,
)
from minitask.sandbox.shared_layers import Layer
from minitask.sandbox.toolchain import Toolchain, find_toolchain
from minitask.system import orphans, process
from minitask.system.force_remove import force_remove

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

__all__ = ["Limits", "Sandbox", "SandboxPolicy", "Strength", "Wrapped", "choose_sandbox", "probe"]

LAUNCHER = Path(__file__).with_name("landlock.py")
PROBE_SECONDS = 20
SWITCHES = (
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/user/max_user_namespaces",
)
"""Settings of the kernel that turn bubblewrap on and off while the machine runs."""

PRIVATE = ("home", "tmp")
PASSING = ("scratch", "layers", "checkout")
"""What of a sandbox is no outcome of a probe."""
PSEUDO = ("/proc", "/sys", "/dev")
DEVICES = (
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/pts",
    "/dev/ptmx",
)


class Wrapped(Struct, frozen=True):
    """A command ready for `process.run` or `process.spawn`, with the whole environment that it may
    have.

    Use it in a `with` block around the run: leaving that ends what escaped from the process group,
    and removes the session's private directory, where it has one.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    private: Path | None = None
    made_at: orphans.Moment | None = None

    def __enter__(self) -> Wrapped:
        """Return the same."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tidy up; a private directory's name is in the environment of all that ran, so it finds
        them.
        """
        if self.private is not None:
            orphans.end_marked(os.fsencode(f"HOME={self.private}/"), since=self.made_at)
            _remove(self.private)


class Sandbox(Struct, frozen=True):
    """One kind of sandbox, as this machine has it.

    `program` and `variant` are bubblewrap's, `landlock` is the kernel's version of it (0: none);
    `tried` says in a line each what was found on the way. Private directories are made in
    `scratch`. `layers` are mounted by the strong one; `checkout` is what the workspace stands for,
    so that paths into it lead into the workspace.
    """

    strength: Strength
    program: str = ""
    variant: str = ""
    landlock: int = 0
    tried: tuple[str, ...] = ()
    scratch: Path = Path("/tmp")  # noqa: S108 - where none is given
    layers: tuple[Layer, ...] = ()
    checkout: Path | None = None

    def describe(self) -> str:
        """One line: what holds a command back, and what does not."""
        if self.strength is Strength.STRONG:
            return (
                "bubblewrap: private files, processes and network; only the workspace is writable"
            )
        if self.strength is Strength.NONE:
            return "NO SANDBOX: commands can read, change and send everything you can"
        tcp = "" if self.landlock >= 4 else "TCP, "
        others = "" if self.landlock >= 6 else "signals to your processes, "
        return (
            f"Landlock (version {self.landlock}): only the workspace and a private "
            "directory are writable, your home is hidden; not blocked: "
            f"{tcp}UDP, Unix sockets, {others}reading /proc, writes to the workspace's .git"
        )

    def wrap(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        limits: Limits,
        network: bool,
        environ: Mapping[str, str],
        readonly: Sequence[Path] = (),
        extra_writable: Sequence[Path] = (),
        extra_env: Mapping[str, str] | None = None,
    ) -> Wrapped:
        """Return the command inside this sandbox; see `SandboxPolicy` for what the arguments mean."""
        room = SandboxPolicy(
            workspace=workspace,
            environ=environ,
            limits=limits,
            network=network,
            readonly=tuple(readonly),
            writable=tuple(extra_writable),
            extra_env=dict(extra_env or {}),
        )
        return self.enclose(argv, room)

    def enclose(self, argv: Sequence[str], room: SandboxPolicy) -> Wrapped:
        """Return the same as `wrap`, for a room that was put together before."""
        tools = find_toolchain(room.path, home=room.home)
        if self.strength is Strength.STRONG:
            return self._in_bubblewrap(argv, room, tools=tools)
        private = _private_directory(self.scratch)
        env = room.environment(
            home=str(private / "home"), temporary=str(private / "tmp"), tools=tools.env
        )
        env |= installed_in_place.variables(
            room.path, checkout=self.checkout, workspace=room.workspace
        )
        inner = limited(argv, room.limits, running=tasks_of_user())
        if self.strength is Strength.PARTIAL:
            inner = (*_launch(*_rules(room, tools, private=private)), *inner)
        return Wrapped(inner, env, private, orphans.now())

    def _in_bubblewrap(
        self, argv: Sequence[str], room: SandboxPolicy, *, tools: Toolchain
    ) -> Wrapped:
        variant = bubblewrap.Variant(self.variant)
        before = bubblewrap.command(
            self.program,
            room,
            variant=variant,
            tools=tools,
            checkout=self.checkout,
            shares=bool(self.layers),
        )
        running = 0 if bubblewrap.counts_processes_apart() else tasks_of_user()
        env = room.environment(
            home=bubblewrap.HOME, temporary=bubblewrap.TEMPORARY, tools=tools.env
        )
        inside = (*before, *limited(argv, room.limits, running=running))
        return Wrapped((*overlaid(self.layers), *inside), env)


def choose_sandbox(
    policy: str,
    *,
    environ: Mapping[str, str],
    cache: Path | None = None,
    scratch: Path | None = None,
) -> Sandbox:
    """Return the sandbox that the policy asks for: `auto` the best there is, `required` a strong one,
    `none` none.

    Raises `MachineError` where a strong one is required and the machine has none.
    """
    if policy == "none":
        return Sandbox(Strength.NONE, tried=("turned off",), scratch=_scratch(environ, scratch))
    if policy not in {"auto", "required"}:
        raise UsageError(f"unknown sandbox policy {policy!r}", hint="use auto, required or none")
    found = probe(environ=environ, cache=cache, scratch=scratch)
    if policy == "required" and found.strength is not Strength.STRONG:
        raise MachineError(
            f"a strong sandbox is required, but not available here: {'; '.join(found.tried)}",
            hint="install bubblewrap (apt, dnf or apk add bubblewrap) and allow user namespaces, "
            "or set `sandbox: auto` to allow a weaker one",
        )
    return found


def probe(
    *, environ: Mapping[str, str], cache: Path | None = None, scratch: Path | None = None
) -> Sandbox:
    """Return the best sandbox that works here; with a warm `cache`, without starting a program."""
    place = _scratch(environ, scratch)
    program = _find_program("bwrap", environ.get("PATH", DEFAULT_PATH))
    key = _key(program)
    known = _recall(cache, key, scratch=place)
    if known is not None:
        return known
    found = _try_all(program, environ, scratch=place)
    if cache is not None:
        _remember(cache, key, found)
    return found


def _try_all(program: str, environ: Mapping[str, str], *, scratch: Path) -> Sandbox:
    """Start one kind after another, strongest first, until one runs a command."""
    tried: list[str] = []
    for variant in bubblewrap.Variant if program else ():
        candidate = Sandbox(
            Strength.STRONG, program=program, variant=variant.value, scratch=scratch
        )
        reason = _failure_of(candidate, environ)
        if not reason:
            return candidate
        tried.append(f"{program} ({variant.value}) failed: {reason}")
    if not program:
        tried.append("bwrap is not on PATH")
    version, reason = _landlock_version()
    if version:
        return Sandbox(
            Strength.PARTIAL, landlock=version, tried=(*tried, "Landlock works"), scratch=scratch
        )
    return Sandbox(Strength.NONE, tried=(*tried, f"Landlock failed: {reason}"), scratch=scratch)


def _failure_of(candidate: Sandbox, environ: Mapping[str, str]) -> str:
    """Return why the sandbox does not run a command; empty if it does."""
    workspace = _private_directory(candidate.scratch)
    try:
        with candidate.wrap(
            ("bash", "-c", "echo inside"),
            workspace=workspace,
            limits=Limits(),
            network=False,
            environ=environ,
        ) as wrapped:
            done = process.run(
                wrapped.argv, cwd=workspace, env=wrapped.env, timeout_seconds=PROBE_SECONDS
            )
    except MachineError as error:
        return error.message
    finally:
        _remove(workspace)
    return "" if done.ok and done.stdout == b"inside\n" else _last_words(done)


def _landlock_version() -> tuple[int, str]:
    """Return the version that the launcher could really use, or 0 and why not."""
    if not sys.platform.startswith("linux"):
        return 0, f"{sys.platform} has no Landlock"
    done = process.run(
        _launch("net=off", "r=/"), cwd=Path("/"), env={}, timeout_seconds=PROBE_SECONDS
    )
    if done.ok and done.stdout.strip().isdigit():
        return int(done.stdout), ""
    return 0, _last_words(done)


def _launch(*rules: str) -> tuple[str, ...]:
    """Return the launcher's command line, up to where the command goes."""
    return (sys.executable, "-I", "-S", str(LAUNCHER), *rules, "--")


def _rules(room: SandboxPolicy, tools: Toolchain, *, private: Path) -> list[str]:
    """Return the launcher's arguments for a room."""
    readable = [*SYSTEM, *PSEUDO, *tools.roots]
    readable += [path for given in room.readonly for path in spellings(given)]
    writable = [*DEVICES, str(private), *(str(path) for path in (room.workspace, *room.writable))]
    if room.network:
        readable.append(os.path.realpath("/etc/resolv.conf"))
    rules = [f"r={path}" for path in readable] + [f"w={path}" for path in writable]
    return rules if room.network else ["net=off", *rules]


def _last_words(done: process.Finished) -> str:
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return said[-1] if said else f"exit code {done.exit_code}"


def _scratch(environ: Mapping[str, str], given: Path | None) -> Path:
    return given or Path(environ.get("TMPDIR") or "/tmp")  # noqa: S108 - as every program does


def _find_program(name: str, path: str) -> str:
    """Return where a program is, by absolute entries of the path alone; empty if it is not."""
    for entry in path.split(os.pathsep):
        found = f"{entry}/{name}"
        if entry.startswith("/") and os.access(found, os.X_OK) and Path(found).is_file():
            return found
    return ""


def _private_directory(scratch: Path) -> Path:
    """Return a new directory that only the user can enter, with a home and a place for temporary files."""
    private = Path(os.path.realpath(scratch)) / f"minitask-{os.urandom(8).hex()}"
    try:
        try:
            private.mkdir(mode=0o700)
        except FileNotFoundError:
            scratch.mkdir(parents=True, exist_ok=True)
            private.mkdir(mode=0o700)
        for name in PRIVATE:
            (private / name).mkdir()
    except OSError as error:
        raise MachineError(
            f"cannot make {private}: {error}", hint="free some disk space, or set TMPDIR"
        ) from error
    return private


def _remove(folder: Path) -> None:
    """Remove a directory, whatever a command did to the permissions in it."""
    with contextlib.suppress(OSError):  # most leave nothing in it
        for name in PRIVATE:
            (folder / name).rmdir()
        folder.rmdir()
        return
    with contextlib.suppress(OSError):
        force_remove(folder)


def _key(program: str) -> list[str]:
    """Return what a probe's outcome depends on."""
    changed = str(Path(program).stat().st_mtime_ns) if program else ""
    switches = [_read_switch(path) for path in SWITCHES]
    return [program, changed, platform.release(), str(os.geteuid()), sys.executable, *switches]


def _read_switch(path: str) -> str:
    try:
        return Path(path).read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _recall(cache: Path | None, key: list[str], *, scratch: Path) -> Sandbox | None:
    """Return what an earlier probe found under the same key; a file that makes no sense is as good as
    none.
    """
    if cache is None:
        return None
    try:
        kept = json.loads(cache.read_bytes())
        if kept["key"] != key:
            return None
        return Sandbox(
            Strength(kept["strength"]),
            program=str(kept["program"]),
            variant=str(kept["variant"]),
            landlock=int(kept["landlock"]),
            tried=tuple(map(str, kept["tried"])),
            scratch=scratch,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(cache: Path, key: list[str], found: Sandbox) -> None:
    """Keep the outcome for next time; where it cannot be written, it is found again."""
    kept = {name: value for name, value in asdict(found).items() if name not in PASSING}
    draft = cache.with_name(f"{cache.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"key": key, **kept}), "utf-8")
        draft.replace(cache)
