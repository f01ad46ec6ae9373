"""Write the differences of two trees to a workspace's files, and update its index."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence

from msgspec import Struct

from minitask.git.index import Index
from minitask.git.objects import Objects, missing_object
from minitask.git.trees import Difference
from minitask.workspace.tracked_files import create_file


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
