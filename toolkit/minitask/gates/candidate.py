"""What the repository would hold with a change: its folders and files, as far as a commit can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from posixpath import dirname
from typing import Protocol

from msgspec import Struct, field

from minitask.git.objects import FILE_MODES, TREE, Entry, Objects


class EntryKind(Enum):
    """What stands at a path; `UNKNOWN` is a link, a submodule, or whatever lies beyond one."""

    FILE = "file"
    FOLDER = "folder"
    UNKNOWN = "unknown"


class FilesAfter(Protocol):
    """The base with all of a change applied, what it deletes being gone. Safe to share between threads."""

    def names(self, folder: str) -> Mapping[str, EntryKind]:
        """What a folder holds; "" is the root, and a folder that is not there holds nothing."""
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
        """What a folder of the commit holds."""
        if folder not in self._names:
            root = Entry(TREE, self.objects.tree_of(self.commit))
            entry = self.objects.entry(self.commit, folder) if folder else root
            held = self.objects.entries(entry.oid) if entry and entry.mode == TREE else {}
            self._names[folder] = {name: _kind(found) for name, found in held.items()}
        return self._names[folder]

    def read(self, path: str) -> str | None:
        """A file's text at the commit."""
        if path not in self._texts:
            self._texts[path] = self.objects.file(self.commit, path)
        return self._texts[path]


def find_kind(candidate: FilesAfter, path: str) -> EntryKind | None:
    """What stands at a path, "" being the root; None where nothing does."""
    folder = ""
    kind = EntryKind.FOLDER
    for part in path.split("/") if path else ():
        if kind is not EntryKind.FOLDER:
            return None
        found = candidate.names(folder).get(part)
        if found is None or found is EntryKind.UNKNOWN:
            return found
        kind = found
        folder = join(folder, part)
    return kind


def holds(candidate: FilesAfter, path: str) -> bool:
    """Whether there is a plain file at a path."""
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
