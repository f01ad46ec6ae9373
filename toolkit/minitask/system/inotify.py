"""Changes below a folder as reported by the kernel: the only module that uses inotify(7).

A watch on a folder reports each file in it that is written, renamed, created, removed, or changed in its attributes by
that name; a watch on a file reports all of that by any name, and every new or removed hard link. Without inotify, or
with no watches left, there is no watch, and callers must examine the files.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
DONT_FOLLOW = 0x2000000
TOUCHED = (
    MODIFY
    | ATTRIB
    | CLOSE_WRITE
    | MOVED_FROM
    | MOVED_TO
    | CREATE
    | DELETE
    | DELETE_SELF
    | MOVE_SELF
    | DONT_FOLLOW
)
"""The events of changes, from <sys/inotify.h>; reading a file is not one."""
HEADER = struct.Struct("iIII")
READ_BYTES = 1 << 16


class Watch:
    """Watches on files and folders; they end with the process, or by `close`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._paths: dict[int, bytes] = {}

    def add(self, paths: Iterable[bytes]) -> bool:
        """Watch more files and folders; return True if all are watched."""
        add = _library().inotify_add_watch
        for path in paths:
            number = add(self._fd, path, TOUCHED)
            if number < 0:
                return False
            self._paths[number] = path
        return True

    def is_touched(self) -> bool:
        """Return True if anything was touched since the last call."""
        return bool(self.touched())

    def touched(self) -> list[tuple[bytes, int]]:
        """Return path and event of each change since the last call; an empty path if it was lost."""
        events: list[tuple[bytes, int]] = []
        while True:
            try:
                events += self._parse(os.read(self._fd, READ_BYTES))
            except BlockingIOError:
                return events

    def sees(self, path: bytes) -> bool:
        """Return True if the watch works, which depends on the file system; it sets the time of the file at `path`."""
        os.utime(path)
        return self.is_touched()

    def _parse(self, data: bytes) -> Iterator[tuple[bytes, int]]:
        at = 0
        while at < len(data):
            number, event, _, length = HEADER.unpack_from(data, at)
            name = data[at + HEADER.size : at + HEADER.size + length].rstrip(b"\0")
            path = self._paths.get(number, b"")
            yield (path.rstrip(b"/") + b"/" + name if name else path), event
            at += HEADER.size + length

    def close(self) -> None:
        """End all watches."""
        os.close(self._fd)


def open_watch() -> Watch | None:
    """Return a watch on nothing yet; None if the kernel has none available."""
    library = _library()
    if library is None:
        return None
    fd = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    return Watch(fd) if fd >= 0 else None


@cache
def _library() -> Any:
    """Return the C library if it has inotify."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    try:
        library = ctypes.CDLL(None)
        library.inotify_init1.argtypes = (ctypes.c_int,)
        library.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
    except (OSError, AttributeError):
        return None
    return library
