"""The strong sandbox: bubblewrap, with private namespaces for files, processes, network and users.

Visible are the system's programs, the toolchains, the borrowed objects and the workspace; not the home, the machine's
`/run` and `/tmp`, other processes, or any network but an empty loopback. When its first process is killed, the kernel
ends all others, daemons included.
"""

# Strings for a command line; `/tmp` is the sandbox's own.
# ruff: noqa: PTH112, PTH114, PTH115, PTH208, S108

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from minitask.errors import MachineError
from minitask.sandbox.policy import SYSTEM, SandboxPolicy, lies_in, spellings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minitask.sandbox.toolchain import Toolchain

HOME = "/tmp/home"
TEMPORARY = "/tmp"
TEMPORARY_BYTES = 512 * 1024**2
SHARED_MEMORY_BYTES = 64 * 1024**2
LAUNCHER = Path(__file__).with_name("landlock.py")
LAUNCHER_INSIDE = "/run/launcher.py"
CREDENTIALS = ("shadow", "shadow-", "gshadow", "gshadow-", "krb5.keytab", "sudoers")
"""Files of `/etc` that only root can read, hidden from root's commands."""


class Variant(StrEnum):
    """Features of the installed bubblewrap: `FULL` since 0.8; `PLAIN` cannot cap `/tmp` or forbid user namespaces."""

    FULL = "full"
    PLAIN = "plain"


def command(
    program: str,
    room: SandboxPolicy,
    *,
    variant: Variant,
    tools: Toolchain,
    checkout: Path | None = None,
) -> tuple[str, ...]:
    """Return the command line up to the `--` before the command itself.

    Raise `MachineError` if the workspace's `.git` is a symbolic link, which could be mounted over anything.
    """
    return (
        *(program, *_isolation(room, variant)),
        *_system(),
        *_own_folders(variant),
        *_network(room),
        *_granted(room, tools),
        *_standing_for(checkout, room, tools),
        *("--remount-ro", "/", "--chdir", spellings(room.workspace)[0], "--"),
    )


def listening(room: SandboxPolicy) -> tuple[str, ...]:
    """Return the launcher's command line if a proxy must listen inside; else nothing."""
    if room.listeners is None:
        return ()
    python = os.path.realpath(sys.executable)
    return (python, "-I", "-S", LAUNCHER_INSIDE, *room.listeners.words, "--")


def _isolation(room: SandboxPolicy, variant: Variant) -> Iterator[str]:
    yield from ("--unshare-user", "--unshare-all", "--die-with-parent", "--new-session")
    yield from ("--cap-drop", "ALL", "--hostname", "minitask")
    if variant is Variant.FULL:
        yield "--disable-userns"
    if room.network:
        yield "--share-net"


def _system() -> Iterator[str]:
    """Yield mounts of programs and libraries; a symbolic link, as `/bin` often is, remains one."""
    for folder in SYSTEM:
        if os.path.islink(folder):
            yield from ("--symlink", os.readlink(folder), folder)
        elif os.path.isdir(folder):
            yield from ("--ro-bind", folder, folder)
    for name in CREDENTIALS:
        if os.access(f"/etc/{name}", os.R_OK):
            yield from ("--ro-bind", "/dev/null", f"/etc/{name}")


def _own_folders(variant: Variant) -> Iterator[str]:
    """Yield private `/dev`, `/proc`, `/tmp` and home; binds below them must come later."""
    yield from ("--dev", "/dev", "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys")
    for folder, size in (
        (TEMPORARY, TEMPORARY_BYTES),
        ("/var/tmp", TEMPORARY_BYTES),  # workspaces may be in it
        ("/dev/shm", SHARED_MEMORY_BYTES),
    ):
        yield from ("--perms", "1777")
        if variant is Variant.FULL:
            yield from ("--size", str(size))
        yield from ("--tmpfs", folder)
    yield from ("--dir", "/run", "--dir", "/var", "--dir", HOME)


def _network(room: SandboxPolicy) -> Iterator[str]:
    """Yield mounts of the resolver's configuration, often in `/run`, and of the proxy's launcher, if needed."""
    if room.listeners is not None:
        yield from ("--ro-bind", str(LAUNCHER), LAUNCHER_INSIDE)
        yield from _binds("--ro-bind", [path for path in _python() if not lies_in(path, SYSTEM)])
    resolver = os.path.realpath("/etc/resolv.conf")
    if room.network and not lies_in(resolver, SYSTEM):
        yield from ("--ro-bind-try", resolver, resolver)


def _python() -> Iterator[str]:
    """Yield the running interpreter and its library, which may be installed in the user's home."""
    yield os.path.realpath(sys.executable)
    yield str(Path(os.__file__).parent)
    yield from map(str, Path(sys.base_prefix, "lib").glob("libpython*"))


def _granted(room: SandboxPolicy, tools: Toolchain) -> Iterator[str]:
    """Yield mounts of toolchains and borrowed paths, then of the workspace, then of its read-only paths."""
    workspace = spellings(room.workspace)
    readonly = [path for root in room.readonly for path in spellings(root)]
    inside = [path for path in readonly if lies_in(path, workspace)]
    yield from _binds("--ro-bind-try", tools.roots)
    yield from _binds("--ro-bind-try", [path for path in readonly if path not in inside])
    yield from _binds("--bind", workspace)
    yield from _binds("--ro-bind", [folder + "/.git" for folder in workspace if _has_git(folder)])
    yield from _binds("--ro-bind-try", inside)
    yield from _binds("--bind", [path for root in room.writable for path in spellings(root)])


def _standing_for(checkout: Path | None, room: SandboxPolicy, tools: Toolchain) -> Iterator[str]:
    """Yield links from the checkout's path into the workspace, for tools that name files of the repository.

    A virtual environment, for example, names the folder of an editable install. Granted paths are not replaced.
    """
    top = str(checkout or "")
    allowed = [*tools.roots, *(path for entry in room.readonly for path in spellings(entry))]
    workspace = spellings(room.workspace)
    if not top or lies_in(top, workspace):
        return
    for name in sorted(os.listdir(workspace[0])):
        target = f"{top}/{name}"
        if (
            name != ".git"
            and not _any_in((*allowed, *workspace), target)
            and not lies_in(target, allowed)
        ):
            yield from ("--symlink", f"{workspace[0]}/{name}", target)


def _any_in(paths: Sequence[str], folder: str) -> bool:
    return any(lies_in(path, [folder]) for path in paths)


def _binds(option: str, paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        yield from (option, path, path)


def _has_git(folder: str) -> bool:
    git = Path(folder, ".git")
    if git.is_symlink():
        raise MachineError(
            f"the workspace's {git} is a symbolic link",
            hint="remove it: it must be a folder or a file",
        )
    return git.exists()
