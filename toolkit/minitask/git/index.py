"""Git's index file, read and written here for the git of a workspace.

The format is version 2 of gitformat-index(5): a header, the entries in byte order of their paths, extensions, and a
hash. Extensions only make git faster, so none is written.
"""

from __future__ import annotations

import hashlib
import os
import struct
from bisect import bisect_left, insort

from msgspec import Struct, field

HEADER = struct.Struct(">4sII")
STAT = struct.Struct(">10I")
SIGNATURE, VERSION = b"DIRC", 2
FLAGS_BYTES = 2
NAME_MAX = 0xFFF
WORD = 0xFFFFFFFF
KIND_AT = 26
FILE, LINK, GITLINK = 0o100644 >> 8, 0o120000 >> 8, 0o160000 >> 8
"""File types, as the third byte of an entry's mode."""


class Index(Struct):
    """The index entries as raw bytes, by path."""

    object_format: str
    _entries: dict[bytes, bytes] = field(default_factory=dict)
    _names: list[bytes] = field(default_factory=list)
    _others: dict[bytes, int] = field(default_factory=dict)

    @property
    def names(self) -> list[bytes]:
        """Return the paths, sorted."""
        return self._names

    @property
    def links(self) -> list[bytes]:
        """Return the paths of symbolic links."""
        return [name for name, kind in self._others.items() if kind == LINK]

    @property
    def gitlinks(self) -> list[bytes]:
        """Return the paths of submodules."""
        return [name for name, kind in self._others.items() if kind == GITLINK]

    def has(self, path: bytes) -> bool:
        """Return True if the path has an entry."""
        return path in self._entries

    def has_below(self, folder: bytes) -> bool:
        """Return True if there are entries below a folder; an empty path is the root."""
        above = folder + b"/" if folder else b""
        index = bisect_left(self._names, above)
        return index < len(self._names) and self._names[index].startswith(above)

    def entry(self, path: bytes) -> bytes:
        """Return the raw entry of a path."""
        return self._entries[path]

    def put(self, path: bytes, *, mode: str, oid: str, file_stat: os.stat_result) -> None:
        """Add or replace the entry of a path, with the stat data of its file."""
        if path not in self._entries:
            insort(self._names, path)
        self._others.pop(path, None)
        if int(mode, 8) >> 8 != FILE:
            self._others[path] = int(mode, 8) >> 8
        flags = min(len(path), NAME_MAX).to_bytes(FLAGS_BYTES)
        packed = _packed_stat(file_stat, int(mode, 8)) + bytes.fromhex(oid) + flags + path
        self._entries[path] = packed + b"\0" * (8 - len(packed) % 8)

    def drop(self, path: bytes) -> None:
        """Remove the entry of a path, if any."""
        if self._entries.pop(path, None) is not None:
            del self._names[bisect_left(self._names, path)]
            self._others.pop(path, None)

    def render(self) -> bytes:
        """Return the content of the index file."""
        header = HEADER.pack(SIGNATURE, VERSION, len(self._names))
        body = header + b"".join([self._entries[name] for name in self._names])
        return body + hashlib.new(self.object_format, body, usedforsecurity=False).digest()


def parse_index(content: bytes, object_format: str) -> Index:
    """Parse an index file of git; raise `ValueError` if it has another version or conflicts."""
    signature, version, count = HEADER.unpack_from(content)
    if (signature, version) != (SIGNATURE, VERSION):
        raise ValueError(f"an index of version {version}")
    before_name = STAT.size + hashlib.new(object_format).digest_size + FLAGS_BYTES
    entries: dict[bytes, bytes] = {}
    others: dict[bytes, int] = {}
    at, find = HEADER.size, content.index
    for _ in range(count):
        start = at + before_name
        end = find(b"\0", start)
        following = at + ((end - at + 8) & ~7)
        name = content[start:end]
        entries[name] = content[at:following]
        if content[at + KIND_AT] != FILE:
            others[name] = content[at + KIND_AT]
        at = following
    if len(entries) != count:
        raise ValueError("an index with conflicts")
    return Index(object_format, entries, list(entries), others)


def _packed_stat(file_stat: os.stat_result, mode: int) -> bytes:
    """Return the stat data by which git sees that a file is unchanged, each field cut to 32 bits."""
    changed, changed_ns = divmod(file_stat.st_ctime_ns, 10**9)
    modified, modified_ns = divmod(file_stat.st_mtime_ns, 10**9)
    fields = (changed, changed_ns, modified, modified_ns, file_stat.st_dev, file_stat.st_ino, mode)
    owner = (file_stat.st_uid, file_stat.st_gid, file_stat.st_size)
    return STAT.pack(*(value & WORD for value in (*fields, *owner)))
