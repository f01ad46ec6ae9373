"""The surroundings of a sandboxed command: its files, its limits, and an environment with nothing of the
user's in it.
"""

from __future__ import annotations

import os
import platform
import time
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

GIB = 1024**3
OPEN_FILES = 1024
SHELL = ("bash", "--noprofile", "--norc", "-c")
COUNTED_SECONDS = 1.0
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/gnu",
)
"""What every machine shares with every user: programs, libraries and their settings."""

FIXED = {
    "TERM": "dumb",
    "CI": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""Python writes no byte code: it would dirty the workspace, and a stale one hides an edit of the
same second.
"""


class Strength(StrEnum):
    """The strength of a sandbox; `PARTIAL` and `NONE` say in `Sandbox.describe` what they
    let through.
    """

    STRONG = "strong"
    PARTIAL = "partial"
    NONE = "none"


class Limits(Struct, frozen=True):
    """Limits of a session of commands: seconds and printed bytes in all, bytes of memory and of
    a file each.

    Memory is counted for each process, and only what it can write to (RLIMIT_DATA): address space
    that a run-time merely reserves, as that of node and Go does, is free. The kernel holds no root
    process to `processes`.
    """

    seconds: float = 300
    memory_bytes: int = 4 * GIB
    processes: int = 400
    file_bytes: int = GIB
    output_bytes: int = 16 * 1024**2


class Listeners(Struct, frozen=True):
    """Addresses `HOST:PORT` of a loopback at which a proxy is to listen, and is all that commands may reach.

    In a sandbox with a network of its own, the launcher makes the sockets, and sends them through the one channel.
    `env` leads programs to the proxy.
    """

    addresses: tuple[str, ...]
    env: Mapping[str, str]
    channels: tuple[int, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Return the launcher's arguments."""
        return (
            *(f"listen={address}" for address in self.addresses),
            *(f"channel={number}" for number in self.channels),
        )


class SandboxPolicy(Struct, frozen=True):
    """Everything about one session that decides what its commands see and may touch.

    `environ` is the caller's environment, of which only the harmless part is handed on; `extra_env`
    is handed on as it is. Of `workspace`, a `.git` in it can only be read. `writable` paths are so
    wherever they lie.
    """

    workspace: Path
    environ: Mapping[str, str]
    limits: Limits = field(default_factory=Limits)
    network: bool = False
    listeners: Listeners | None = None
    readonly: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    extra_env: Mapping[str, str] = field(default_factory=dict)

    @property
    def pass_fds(self) -> tuple[int, ...]:
        """Return the descriptors that the command's launcher needs."""
        return self.listeners.channels if self.listeners else ()

    @property
    def path(self) -> str:
        """Return the caller's `PATH` without entries that depend on where one stands."""
        entries = self.environ.get("PATH", "").split(os.pathsep)
        return os.pathsep.join(entry for entry in entries if entry.startswith("/")) or DEFAULT_PATH

    @property
    def home(self) -> str:
        """Return the caller's home directory, which commands are kept out of; empty if it is
        unknown.
        """
        return self.environ.get("HOME", "").rstrip("/")

    def environment(self, *, home: str, temporary: str, tools: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that the commands see: fixed ones, the language, the path, and those
        given on purpose.
        """
        language = {k: v for k, v in self.environ.items() if k == "LANG" or k.startswith("LC_")}
        places = {"PATH": self.path, "HOME": home, "TMPDIR": temporary}
        proxy = self.listeners.env if self.listeners else {}
        return {
            "LANG": "C.UTF-8",
            **language,
            **FIXED,
            **tools,
            **places,
            **self.extra_env,
            **proxy,
        }


def spellings(path: Path) -> tuple[str, ...]:
    """Return a path as it is written and, where links make that another, as it really is."""
    written, real = os.path.abspath(path), os.path.realpath(path)  # noqa: PTH100 - links kept
    return (written,) if written == real else (written, real)


def lies_in(path: str, folders: Sequence[str]) -> bool:
    """Return True if the path is one of the folders or below one."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def limited(argv: Sequence[str], limits: Limits, *, running: int | None) -> tuple[str, ...]:
    """Return the command with its limits set by bash first; one that the machine holds lower already stays
    as it is.

    `running` is how many tasks count against `processes` from the start; `None` leaves their number
    alone.
    """
    kib = 1024
    limits_by_option = {
        "c": 0,
        "d": limits.memory_bytes // kib,
        "f": limits.file_bytes // kib,
        "n": OPEN_FILES,
    }
    if running is not None:
        limits_by_option["u"] = running + limits.processes
    commands = "".join(f"ulimit -{option} {value};" for option, value in limits_by_option.items())
    set_all = f"{{ {commands} }} 2>/dev/null;"
    if argv[:-1] == SHELL:  # it can do so itself
        return (*SHELL, f"{set_all} {argv[-1]}")
    return (*SHELL, f'{set_all} exec "$@"', "minitask", *argv)


def counts_processes_apart() -> bool:
    """Return True if the kernel counts a user namespace's processes by themselves (Linux 5.14)."""
    numbers = platform.release().split(".")[:2]
    try:
        return tuple(int(number) for number in numbers) >= (5, 14)
    except ValueError:
        return False


def tasks_of_user() -> int | None:
    """Return how many processes and threads the user has, give or take what changed in the last moments; `None`
    where `/proc` does not tell.
    """
    return _tasks_counted(int(time.monotonic() / COUNTED_SECONDS))


@lru_cache(maxsize=1)
def _tasks_counted(_at: int) -> int | None:
    user = os.getuid()
    count = 0
    try:
        with os.scandir("/proc") as entries:
            for entry in entries:
                if entry.name.isdecimal():
                    count += _threads(entry.name, user)
    except OSError:
        return None
    return count


def _threads(pid: str, user: int) -> int:
    try:
        status = os.stat(f"/proc/{pid}/task")  # noqa: PTH116 - hundreds of them
    except OSError:
        return 0
    return status.st_nlink - 2 if status.st_uid == user else 0
