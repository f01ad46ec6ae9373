"""The repository as it would be with a change: its folders and files, as far as a commit can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from posixpath import dirname
from typing import Protocol

from msgspec import Struct, field

from minitask.git.objects import FILE_MODES, TREE, Entry, Objects


class EntryKind(Enum):
    """The kind of a path; `UNKNOWN` is a link, a submodule, or anything below one."""

    FILE = "file"
    FOLDER = "folder"
    UNKNOWN = "unknown"


class FilesAfter(Protocol):
    """The base with all of a change applied, what it deletes being gone. Safe to share between threads."""

    def names(self, folder: str) -> Mapping[str, EntryKind]:
        """Return a folder's entries; "" is the root, and a missing folder has none."""
        ...

    def read(self, path: str) -> str | None:
        """A file's text, or None where there is no such file."""
        ...


class CommitFiles(Struct, frozen=True, eq=False):
    """The candidate that was written as a commit; what was read of it is kept."""

    objects: Objects
    commit: str
    _names: dict[str, Mapping[str, EntryKind]] = field(default_factory=dict)
    _texts: dict[str, str | None] = field(default_factory=dict)

    def names(self, folder: str) -> Mapping[str, EntryKind]:
        """Return the entries of a folder of the commit."""
        if folder not in self._names:
            root = Entry(TREE, self.objects.tree_of(self.commit))
            entry = self.objects.entry(self.commit, folder) if folder else root
            entries = self.objects.entries(entry.oid) if entry and entry.mode == TREE else {}
            self._names[folder] = {name: _kind(child) for name, child in entries.items()}
        return self._names[folder]

    def read(self, path: str) -> str | None:
        """A file's text at the commit."""
        if path not in self._texts:
            self._texts[path] = self.objects.file(self.commit, path)
        return self._texts[path]


def find_kind(candidate: FilesAfter, path: str) -> EntryKind | None:
    """Return the kind of a path, "" being the root; None if nothing is there."""
    folder = ""
    kind = EntryKind.FOLDER
    for part in path.split("/") if path else ():
        if kind is not EntryKind.FOLDER:
            return None
        part_kind = candidate.names(folder).get(part)
        if part_kind is None or part_kind is EntryKind.UNKNOWN:
            return part_kind
        kind = part_kind
        folder = join(folder, part)
    return kind


def holds(candidate: FilesAfter, path: str) -> bool:
    """Return True if there is a plain file at a path."""
    return find_kind(candidate, path) is EntryKind.FILE


def join(folder: str, name: str) -> str:
    """The path of a name in a folder, "" being the root."""
    return f"{folder}/{name}" if folder and name else folder or name


def above(path: str) -> Iterator[str]:
    """The folders that a path is in, from the innermost to the root."""
    while path:
        path = dirname(path)
        yield path


def _kind(entry: Entry) -> EntryKind:
    if entry.mode == TREE:
        return EntryKind.FOLDER
    return EntryKind.FILE if entry.mode in FILE_MODES else EntryKind.UNKNOWN
