"""Git's index file of a workspace, and the writing of two trees' differences to its files.

The format is version 2 of gitformat-index(5): a header, the entries in byte order of their paths, extensions, and a
hash. Extensions only make git faster, so none is written.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence

from msgspec import Struct, field

from minitask.git.objects import SYMLINK, Entry, Objects, missing_object
from minitask.git.trees import Difference

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


class TreeWriter(Struct):
    """A writer of differences below `top`, which ends with a slash.

    `on_folder` and `on_file` are called for each new folder and file; `written` collects the files' paths.
    """

    top: bytes
    objects: Objects
    on_folder: Callable[[bytes], None]
    on_file: Callable[[bytes], None] | None
    written: set[bytes]

    def apply(self, changes: Sequence[Difference], index: Index) -> None:
        """Remove old files, then write new ones."""
        self._remove(changes, index)
        self._write([change for change in changes if change.new], index)

    def _remove(self, changes: Sequence[Difference], index: Index) -> None:
        """Remove files, and folders that become empty."""
        emptied = set()
        for change in changes:
            if change.old is not None:
                os.unlink(self._below(change.path))  # noqa: PTH108 - paths are bytes
                index.drop(path_bytes(change.path))
                emptied.add(change.path.rpartition("/")[0])
        for folder in sorted(emptied, reverse=True):
            self._prune(folder)

    def _prune(self, folder: str) -> None:
        """Remove a folder and its parents while they are empty."""
        while folder:
            try:
                os.rmdir(self._below(folder))  # noqa: PTH106
            except OSError:
                return
            folder = folder.rpartition("/")[0]

    def _write(self, changes: Sequence[Difference], index: Index) -> None:
        entries = [change.new for change in changes if change.new is not None]
        contents = self.objects.read_many([entry.oid for entry in entries])
        for change, entry, content in zip(changes, entries, contents, strict=True):
            if content is None:
                raise missing_object(entry.oid)
            self._make_folders(change.path.rpartition("/")[0])
            path = self._below(change.path)
            status = create_file(path, entry, content)
            self.written.add(path_bytes(change.path))
            if self.on_file is not None:
                self.on_file(path)
            index.put(path_bytes(change.path), mode=entry.mode, oid=entry.oid, file_stat=status)

    def _make_folders(self, folder: str) -> None:
        """Make a folder and its missing parents."""
        if not folder or _is_folder(self._below(folder)):
            return
        self._make_folders(folder.rpartition("/")[0])
        os.mkdir(self._below(folder))  # noqa: PTH102
        self.on_folder(self._below(folder))

    def _below(self, path: str) -> bytes:
        return self.top + path_bytes(path)


def _is_folder(path: bytes) -> bool:
    """Return True for a folder, not for a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def path_bytes(path: str) -> bytes:
    """Return the path as file system bytes."""
    return path.encode("utf-8", "surrogateescape")


def create_file(path: bytes, entry: Entry, content: bytes) -> os.stat_result:
    """Create a file or link at a free path, with git's permissions; return its stat data."""
    if entry.mode == SYMLINK:
        os.symlink(content, path)  # noqa: PTH211
        return os.lstat(path)
    rights = 0o777 if entry.mode == "100755" else 0o666
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, rights)
    with os.fdopen(fd, "wb") as stream:
        stream.write(content)
        stream.flush()
        return os.fstat(fd)
