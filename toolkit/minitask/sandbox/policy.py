"""The surroundings of a sandboxed command: files, limits, hosts, and an environment without the user's variables."""

from __future__ import annotations

import os
import platform
import time
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct, field

from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address
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
"""Folders that every machine shares with all users: programs, libraries and their settings."""

FIXED = {"TERM": "dumb", "CI": "1", "GIT_OPTIONAL_LOCKS": "0", "PYTHONDONTWRITEBYTECODE": "1"}
"""Python writes no bytecode: it would dirty the workspace, and stale files hide an edit within the same second."""


class Strength(StrEnum):
    """The strength of a sandbox; `Sandbox.describe` says what `PARTIAL` and `NONE` let through."""

    STRONG = "strong"
    PARTIAL = "partial"
    NONE = "none"


class Limits(Struct, frozen=True):
    """Limits of a session: total seconds and output bytes, bytes of memory and of a file each.

    Memory is per process, and only writable data (RLIMIT_DATA): address space that a run-time merely reserves, as node
    and Go do, is free. `processes` does not limit root.
    """

    seconds: float = 300
    memory_bytes: int = 4 * GIB
    processes: int = 400
    file_bytes: int = GIB
    output_bytes: int = 16 * 1024**2


class Listeners(Struct, frozen=True):
    """Loopback addresses `HOST:PORT` where a proxy must listen, the only ones that commands may reach.

    With a private network, the launcher opens the sockets and sends them through the single channel. `env` directs
    programs to the proxy.
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
    """The policy of a session: what its commands see and may access.

    `environ` is the caller's environment, of which only harmless variables are passed on; `extra_env` is passed on
    unchanged. The `workspace` is writable, except for its `.git`. `writable` paths may be anywhere.
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
        """Return the descriptors that the launcher needs."""
        return self.listeners.channels if self.listeners else ()

    @property
    def path(self) -> str:
        """Return the caller's `PATH` without relative entries."""
        entries = self.environ.get("PATH", "").split(os.pathsep)
        return os.pathsep.join(entry for entry in entries if entry.startswith("/")) or DEFAULT_PATH

    @property
    def home(self) -> str:
        """Return the caller's home directory, which commands cannot access; empty if unknown."""
        return self.environ.get("HOME", "").rstrip("/")

    def environment(self, *, home: str, temporary: str, tools: Mapping[str, str]) -> dict[str, str]:
        """Return the commands' variables: fixed ones, locale, `PATH`, and explicitly passed ones."""
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
    """Return a path as given and, if links make it different, its real path."""
    written, real = os.path.abspath(path), os.path.realpath(path)  # noqa: PTH100 - links kept
    return (written,) if written == real else (written, real)


def lies_in(path: str, folders: Sequence[str]) -> bool:
    """Return True if the path is one of the folders or below one."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def limited(argv: Sequence[str], limits: Limits, *, running: int | None) -> tuple[str, ...]:
    """Return the command with its limits set by bash first; lower limits of the machine remain.

    `running` is the number of tasks that already count against `processes`; None sets no limit on them.
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
    if argv[:-1] == SHELL:  # the shell sets them itself
        return (*SHELL, f"{set_all} {argv[-1]}")
    return (*SHELL, f'{set_all} exec "$@"', "minitask", *argv)


def counts_processes_apart() -> bool:
    """Return True if the kernel counts a user namespace's processes separately (since Linux 5.14)."""
    numbers = platform.release().split(".")[:2]
    try:
        return tuple(int(number) for number in numbers) >= (5, 14)
    except ValueError:
        return False


def tasks_of_user() -> int | None:
    """Return the user's number of processes and threads, cached for `COUNTED_SECONDS`; None without `/proc`."""
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


NAME = lazy_pattern(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
PORT = lazy_pattern(r"[0-9]{1,5}")
PORTS = 65536


class AllowList(Struct, frozen=True):
    """Lists of `HOST`, `HOST:PORT` and `*.DOMAIN`; a destination must be in each. The first is the user's.

    Entries are compared as by `plain_host`. A host without a port stands for all its ports.
    """

    lists: tuple[tuple[str, ...], ...]

    @property
    def services(self) -> tuple[tuple[str, int], ...]:
        """Return the listed loopback addresses of this machine, with their ports."""
        addresses = map(split_port, self.lists[0])
        plain = {(plain_host(host), port): None for host, port in addresses if port is not None}
        return tuple(
            (host, port) for host, port in plain if is_loopback(host) and self.permits(host, port)
        )

    def describe(self) -> str:
        """Return the reachable hosts in one line."""
        return "network only to " + ", and of these ".join(
            ", ".join(entries) for entries in self.lists
        )

    def permits(self, host: str, port: int) -> bool:
        """Return True if every list contains the host and port."""
        return all(any(_holds(entry, host, port) for entry in entries) for entries in self.lists)

    def permits_address(self, address: str, port: int) -> bool:
        """Return True if a name may resolve to the address: a public one, or one that the user lists."""
        plain = plain_host(address)
        return is_public(plain) or any(_holds(entry, plain, port) for entry in self.lists[0])


Grant = bool | AllowList
"""Reachable destinations: all (True), none (False), or the listed ones."""


def granted(spec: bool | tuple[str, ...] | None, allowed: bool | tuple[str, ...]) -> Grant:
    """Return the destinations of a spec's commands: a spec can only narrow the settings.

    `True` in the settings applies to specs that request it; a list applies to all specs that do not refuse it.
    """
    if not allowed or spec is False:
        return False
    lists = tuple(entries for entries in (allowed, spec) if isinstance(entries, tuple))
    return AllowList(lists) if lists and all(lists) else bool(spec) and not lists


def split_port(text: str) -> tuple[str, int | None]:
    """Return host (without IPv6 brackets) and port; host `""` if the port is invalid."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.endswith("]")):
        host, port = text, ""
    elif not PORT.fullmatch(port) or not 0 < int(port) < PORTS:
        return "", None
    return host.removeprefix("[").removesuffix("]"), int(port) if port else None


def plain_host(text: str) -> str:
    """Return a host in canonical form: lower case, no final dot, shortest address; empty if invalid.

    An address with a zone is invalid: it has a meaning on one machine only.
    """
    host = text.lower().removesuffix(".")
    address = _address(host)
    if address is not None and "%" not in host:
        return str(getattr(address, "ipv4_mapped", None) or address)
    return "127.0.0.1" if host == "localhost" else host if NAME.fullmatch(host) else ""


def is_loopback(host: str) -> bool:
    """Return True for a loopback address."""
    return (address := _address(host)) is not None and address.is_loopback


def is_public(host: str) -> bool:
    """Return True for a public address; a translated one (NAT64, RFC 6052) is judged by its IPv4 address."""
    address = _address(host)
    if address is None or not address.is_global or address.is_multicast:
        return False
    if host.startswith("64:ff9b:"):
        return is_public(str(_address(int(address) % 2**32)))
    return not host.startswith("2002:")


def _holds(entry: str, host: str, port: int) -> bool:
    listed, listed_port = split_port(entry)
    if listed_port not in (None, port):
        return False
    if listed.startswith("*."):
        return _address(host) is None and host.endswith(listed[1:].lower().removesuffix("."))
    return bool(host) and plain_host(listed) == host


@lru_cache(maxsize=256)
def _address(host: str | int) -> IPv4Address | IPv6Address | None:
    import ipaddress

    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
