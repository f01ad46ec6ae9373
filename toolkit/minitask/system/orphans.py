"""Processes that outlived their call: found through `/proc`, and killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from msgspec import Struct

from minitask.system.files import real_path
from minitask.system.pipes import exit_watch

FEW = 100
"""Up to this number of ids are checked directly, instead of listing all processes."""
COUNTING_SECONDS = 1.0
"""Time in which process ids only increase: too short for them to wrap around."""


class Moment(Struct, frozen=True):
    """A time, of `time.monotonic`, and the last process id assigned by then."""

    last_pid: int
    at: float

    def newer(self) -> range | None:
        """Return the possible ids of processes started since; None if ids may have wrapped around."""
        last = _last_pid()
        if last < self.last_pid or time.monotonic() - self.at > COUNTING_SECONDS:
            return None
        return range(self.last_pid + 1, last + 1)


def now() -> Moment | None:
    """Return this moment; None without `/proc`."""
    last = _last_pid()
    return Moment(last, time.monotonic()) if last else None


def end_marked(mark: bytes, *, since: Moment | None = None, passes: int = 20) -> None:
    """Kill every process of the user whose initial environment contains `mark`, in any process group.

    `since`: all of them started later. It works only if `/proc` shows environments (Linux). Repeat until a pass finds
    none, because of forks meanwhile.
    """
    for _ in range(passes):
        newer = since.newer() if since else None
        process_ids = newer if newer is not None and len(newer) < FEW else _process_ids()
        if not [pid for pid in process_ids if _kill_if_marked(pid, mark)]:
            return
        time.sleep(0.001)


def works_in(program: str, folder: Path) -> bool:
    """Return True if a process of that name works in or below a folder; False without `/proc`."""
    return any(_works_in(pid, program, real_path(folder)) for pid in _process_ids())


def _works_in(pid: int, program: str, folder: Path) -> bool:
    proc = Path(f"/proc/{pid}")
    try:
        has_name = (proc / "comm").read_text().rstrip("\n") == program
        return has_name and (proc / "cwd").readlink().is_relative_to(folder)
    except (OSError, ValueError):
        return False


def _last_pid() -> int:
    """Return the id last assigned to a process or thread; 0 if unknown."""
    try:
        with open("/proc/loadavg", "rb", buffering=0) as file:  # noqa: PTH123 - before and after every session
            return int((file.read() or b"").split()[-1])
    except (OSError, ValueError, IndexError):
        return 0


def _process_ids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return []


def _kill_if_marked(pid: int, mark: bytes) -> bool:
    """Kill the process if its environment contains the mark.

    Check again with a handle on it, since its id may have been reused.
    """
    if pid == os.getpid() or not _is_marked(pid, mark):
        return False
    with exit_watch(pid) as watch:
        if watch is None or not _is_marked(pid, mark):
            return False
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(watch, signal.SIGKILL)
    return True


def _is_marked(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123 - hundreds of them
            return mark in (file.read() or b"")
    except OSError:
        return False
