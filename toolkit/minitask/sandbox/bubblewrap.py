"""The strong sandbox: bubblewrap, with namespaces of its own for files, processes, network and
users.

Inside there are the system's programs, the toolchains, the borrowed objects and the workspace; no
home, no `/run`, no `/tmp` of the machine, no network but an empty loopback, and no other process to
look at. When its first process is killed the kernel ends all others with it, daemons included.
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
"""Files of `/etc` that only root can read, and that root's commands are not to."""


class Variant(StrEnum):
    """The features of the installed bubblewrap: `FULL` from 0.8 on; `PLAIN` neither caps `/tmp` nor forbids
    user namespaces.
    """

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
    """Return the command line up to and without the command itself, which comes after a `--`.

    Raises `MachineError` where the workspace's `.git` is a link, which could be mounted over
    anything.
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
    """Return what comes before the command inside, where a proxy is to listen; else nothing."""
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
    """Programs and libraries; a folder that is a mere link, as `/bin` often is, stays one."""
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
        ("/var/tmp", TEMPORARY_BYTES),  # workspaces may lie in it
        ("/dev/shm", SHARED_MEMORY_BYTES),
    ):
        yield from ("--perms", "1777")
        if variant is Variant.FULL:
            yield from ("--size", str(size))
        yield from ("--tmpfs", folder)
    yield from ("--dir", "/run", "--dir", "/var", "--dir", HOME)


def _network(room: SandboxPolicy) -> Iterator[str]:
    """Names resolve only where the file that says how can be read; it often lies in `/run`.

    Where a proxy is to listen, there is what makes its sockets.
    """
    if room.listeners is not None:
        yield from ("--ro-bind", str(LAUNCHER), LAUNCHER_INSIDE)
        yield from _binds("--ro-bind", [path for path in _python() if not lies_in(path, SYSTEM)])
    resolver = os.path.realpath("/etc/resolv.conf")
    if room.network and not lies_in(resolver, SYSTEM):
        yield from ("--ro-bind-try", resolver, resolver)


def _python() -> Iterator[str]:
    """The program that runs this one, with its own library: what it is installed in may be the user's home."""
    yield os.path.realpath(sys.executable)
    yield str(Path(os.__file__).parent)
    yield from map(str, Path(sys.base_prefix, "lib").glob("libpython*"))


def _granted(room: SandboxPolicy, tools: Toolchain) -> Iterator[str]:
    """Toolchains and borrowed paths, then the workspace over them, then what is read-only within
    it.
    """
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
    """Links at the checkout's place into the workspace, for programs there that name files of the repository.

    A virtual environment names the folder of what is installed in place. What is granted stays itself.
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
