"""Processes that outlived their call: found by what `/proc` shows of them, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from minitask.repo.process import exit_watch


def end_marked(mark: bytes, *, passes: int = 20) -> None:
    """Kill every process of ours whose environment at its start held `mark`, those that left the
    group included.

    Only where `/proc` shows environments (Linux). Repeats until a pass finds none, for what forks
    meanwhile.
    """
    for _ in range(passes):
        if not [pid for pid in _process_ids() if _kill_if_marked(pid, mark)]:
            return
        time.sleep(0.001)


def works_in(program: str, folder: Path) -> bool:
    """Whether a process of that name stands in a folder or below it; False where there is no `/proc` to tell."""
    return any(_works_in(pid, program, folder.resolve()) for pid in _process_ids())


def _works_in(pid: int, program: str, folder: Path) -> bool:
    proc = Path(f"/proc/{pid}")
    try:
        named = (proc / "comm").read_text().rstrip("\n") == program
        return named and (proc / "cwd").readlink().is_relative_to(folder)
    except (OSError, ValueError):
        return False


def _process_ids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return []


def _kill_if_marked(pid: int, mark: bytes) -> bool:
    """Kill the process if its environment holds the mark.

    It is looked at again once there is a handle on it, for by then its id may be another's.
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
