"""Locks that a dead process never holds: `flock` on a file under the repository's own folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold(path: Path, *, purpose: str, on_wait: Callable[[str], None]) -> Iterator[int]:
    """Hold the lock, waiting for it if need be; gives its descriptor, for children to inherit.

    A child that inherits it keeps the lock while it lives, so that nobody mends what it is still writing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(fd, on_wait)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()} {purpose}\n".encode(), 0)
        yield fd
    finally:
        os.close(fd)


def _acquire(fd: int, on_wait: Callable[[str], None]) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait(os.pread(fd, 200, 0).decode("utf-8", "replace").strip() or "another process")
        fcntl.flock(fd, fcntl.LOCK_EX)
