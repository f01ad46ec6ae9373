"""Git's index file, read and written here: what a workspace holds, as the git in it sees it.

The format is version 2 of gitformat-index(5): a header, an entry a path in the order of their bytes, extensions, and a
hash of it all. Extensions only speed git up, so none is written.
"""

from __future__ import annotations

import hashlib
import os
import struct
from bisect import insort
from dataclasses import field
from itertools import islice

from minitask.values import dataclass

HEADER = struct.Struct(">4sII")
STAT = struct.Struct(">10I")
SIGNATURE, VERSION = b"DIRC", 2
FLAGS_BYTES = 2
NAME_MAX = 0xFFF
WORD = 0xFFFFFFFF
MODE = 6
"""Where the mode is among the fields of `STAT`."""


@dataclass(slots=True)
class Index:
    """The entries by path, as bytes, with all that git has of each."""

    object_format: str
    _entries: dict[bytes, bytes] = field(default_factory=dict)
    _names: list[bytes] = field(default_factory=list)

    @property
    def names(self) -> list[bytes]:
        """The paths, in order."""
        return self._names

    def has(self, path: bytes) -> bool:
        """Whether there is an entry for a path."""
        return path in self._entries

    def entry(self, path: bytes) -> bytes:
        """The entry of a path, as it stands in the file."""
        return self._entries[path]

    def mode(self, path: bytes) -> int:
        """The mode of a path's entry."""
        mode: int = STAT.unpack_from(self._entries[path])[MODE]
        return mode

    def put(self, path: bytes, *, mode: str, oid: str, found: os.stat_result) -> None:
        """Have a path, with what the file system says of its file."""
        if path not in self._entries:
            insort(self._names, path)
        flags = min(len(path), NAME_MAX).to_bytes(FLAGS_BYTES)
        packed = _packed_stat(found, int(mode, 8)) + bytes.fromhex(oid) + flags + path
        self._entries[path] = packed + b"\0" * (8 - len(packed) % 8)

    def drop(self, path: bytes) -> None:
        """Have a path no more."""
        if self._entries.pop(path, None) is not None:
            self._names.remove(path)

    def render(self) -> bytes:
        """The whole file."""
        header = HEADER.pack(SIGNATURE, VERSION, len(self._names))
        body = header + b"".join([self._entries[name] for name in self._names])
        return body + hashlib.new(self.object_format, body, usedforsecurity=False).digest()


def parse_index(content: bytes, object_format: str) -> Index:
    """The index in a file that git wrote; `ValueError` where it is of another version."""
    signature, version, count = HEADER.unpack_from(content)
    if (signature, version) != (SIGNATURE, VERSION):
        raise ValueError(f"an index of version {version}")
    before_name = STAT.size + hashlib.new(object_format).digest_size + FLAGS_BYTES
    entries: dict[bytes, bytes] = {}
    at = HEADER.size
    for _ in range(count):
        end = content.index(b"\0", at + before_name)
        following = at + ((end - at + 8) & ~7)
        entries[content[at + before_name : end]] = content[at:following]
        at = following
    if len(entries) != count:
        raise ValueError("an index with conflicts")
    return Index(object_format, entries, list(islice(entries, count)))


def _packed_stat(found: os.stat_result, mode: int) -> bytes:
    """What tells git that a file is unchanged: times, device, inode, owner and size, each cut to 32 bits."""
    changed, changed_ns = divmod(found.st_ctime_ns, 10**9)
    modified, modified_ns = divmod(found.st_mtime_ns, 10**9)
    fields = (changed, changed_ns, modified, modified_ns, found.st_dev, found.st_ino, mode)
    owner = (found.st_uid, found.st_gid, found.st_size)
    return STAT.pack(*(value & WORD for value in (*fields, *owner)))
