"""The trees that specs are checked against: a commit's, or the files of the checkout."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from minitask.git.objects import FILE_MODES, SUBMODULE, SYMLINK, TREE, Entry, Objects
from minitask.spec.file_tree import Kind


class CommittedFiles(Struct):
    """A commit's files; what was looked at is kept, since a commit never changes."""

    objects: Objects
    commit: str
    _counts: dict[str, int | None] = field(default_factory=dict)
    _entries: dict[str, Entry | None] = field(default_factory=dict)
    _tree: str | None = None

    def kind(self, path: str) -> Kind | None:
        """Return what stands at a path."""
        entry = self.entry(path)
        if entry is None:
            return None
        if entry.mode in FILE_MODES:
            return "file"
        return {SYMLINK: "symlink", SUBMODULE: "submodule"}.get(entry.mode, "dir")  # type: ignore[return-value]

    def line_count(self, path: str) -> int | None:
        """Return how many lines a file has."""
        if path not in self._counts:
            entry = self.entry(path)
            blob = self.objects.blob(entry.oid) if entry and entry.mode in FILE_MODES else None
            self._counts[path] = None if blob is None else count_lines(blob)
        return self._counts[path]

    def entry(self, path: str) -> Entry | None:
        """Return the mode and object at a path."""
        if path not in self._entries:
            folder, _, name = path.rpartition("/")
            self._entries[path] = self._names(folder).get(name)
        return self._entries[path]

    def text(self, path: str) -> str | None:
        """Return a file's content; None if there is no such file."""
        entry = self.entry(path)
        if entry is None or entry.mode not in FILE_MODES:
            return None
        return self.objects.blob(entry.oid).decode("utf-8", "surrogateescape")

    def names(self, folder: str) -> Iterable[str]:
        """What a folder holds."""
        return self._names(folder)

    def _names(self, folder: str) -> dict[str, Entry]:
        """Return the names in a folder; none where it is no folder."""
        if not folder:
            return self.objects.entries(self._root())
        entry = self.entry(folder)
        return self.objects.entries(entry.oid) if entry and entry.mode == TREE else {}

    def _root(self) -> str:
        if self._tree is None:
            self._tree = self.objects.tree_of(self.commit)
        return self._tree


class CheckoutFiles(Struct):
    """The files of a checkout; what was looked at is noted, so that a later look can tell a change."""

    top: Path
    _seen: dict[str, list[Any]] = field(default_factory=dict)

    def kind(self, path: str) -> Kind | None:
        """Return what stands at a path."""
        return self._look(path)[0]  # type: ignore[no-any-return]

    def line_count(self, path: str) -> int | None:
        """Return how many lines a file has."""
        if self._look(path)[0] != "file":
            return None
        try:
            return count_lines((self.top / path).read_bytes())
        except OSError:
            return None

    def text(self, path: str) -> str | None:
        """Return a file's content; None if there is no such file."""
        if self._look(path)[0] != "file":
            return None
        try:
            return (self.top / path).read_bytes().decode("utf-8", "surrogateescape")
        except OSError:
            return None

    def names(self, folder: str) -> Iterable[str]:
        """What a folder holds."""
        if self._look(f"{folder}/")[0] != "names":
            return ()
        return [path.name for path in (self.top / folder).iterdir() if path.name != ".git"]

    def seen(self) -> list[Any]:
        """Every path that was asked about: `[path, kind, size, mtime_ns]`; of a folder's names, with a `/`."""
        return [[path, *facts] for path, facts in self._seen.items()]

    def holds(self, seen: list[Any]) -> bool:
        """Return True if all of that is still so."""
        return all(self._look(path) == facts for path, *facts in seen)

    def _look(self, path: str) -> list[Any]:
        if path not in self._seen:
            self._seen[path] = self._stat(path)
        return self._seen[path]

    def _stat(self, path: str) -> list[Any]:
        try:
            found = (self.top / path.rstrip("/")).lstat()
        except (OSError, ValueError):
            return [None, 0, 0]
        if stat.S_ISLNK(found.st_mode):
            return ["symlink", 0, 0]
        if path.endswith("/"):
            is_folder = stat.S_ISDIR(found.st_mode)
            return ["names", 0, found.st_mtime_ns] if is_folder else [None, 0, 0]
        if stat.S_ISDIR(found.st_mode):
            inside = (self.top / path / ".git").exists()
            return ["submodule" if inside and path else "dir", 0, 0]
        return (
            ["file", found.st_size, found.st_mtime_ns]
            if stat.S_ISREG(found.st_mode)
            else ["dir", 0, 0]
        )


def count_lines(content: bytes) -> int | None:
    """Lines of a text, the last one with or without a newline; None if it is not text."""
    if b"\0" in content[:8000]:
        return None
    return content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
