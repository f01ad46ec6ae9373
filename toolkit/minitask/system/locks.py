"""Locks that a dead process never holds: `flock` on a file under the repository's own folder.

The file names its holder while the lock is held; a name that is found in a free lock is that of one that was killed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator


class Held(Struct, frozen=True):
    """A lock that is held: its descriptor, for children to inherit; `abandoned` where the last holder was killed."""

    fd: int
    abandoned: bool

    def claim(self, purpose: str) -> None:
        """Name this process as the holder, once what the last one left is fixed."""
        name = f"{os.getpid()} {purpose}\n".encode()
        os.pwrite(self.fd, name, 0)
        os.ftruncate(self.fd, len(name))


@contextmanager
def hold(path: Path, *, on_wait: Callable[[str], None]) -> Iterator[Held]:
    """Hold the lock, waiting for it if need be.

    A child that inherits it keeps the lock while it lives, so that nobody fixes what it is still writing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _acquire(fd, on_wait)
        lock = Held(fd, abandoned=os.fstat(fd).st_size > 0)
        try:
            yield lock
        finally:
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _acquire(fd: int, on_wait: Callable[[str], None]) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait(os.pread(fd, 200, 0).decode("utf-8", "replace").strip() or "another process")
        fcntl.flock(fd, fcntl.LOCK_EX)
