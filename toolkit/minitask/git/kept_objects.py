"""A second hard link to each object written here, to protect it from `git prune` and `git gc`.

They remove objects that were unreachable when they began, even if a ref now points to them. So each new object is
also linked in a folder of the toolkit, which its git processes read as well. An object that the repository has lost is
linked again: at intervals while refs move, at the end of a command, and at the start of the next. After ten minutes,
when any earlier prune has ended, the second link of a safe object is removed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from minitask.git.loose import DRAFT, LooseStore, path_of
from minitask.git.run_git import Git

KEPT_SECONDS = 600.0
PAUSE = 40
"""Interval between checks: at least `PAUSE` times the duration of one, and at least `PAUSE_SECONDS`."""
PAUSE_SECONDS = 0.1
LAST_LOOKS = 5


class KeptObjects:
    """The recently written objects. Thread-safe."""

    def __init__(self, git: Git, store: LooseStore, folder: Path) -> None:
        """`git` reads the repository; `folder` holds the second links."""
        self._git = replace(git, store=None)
        self._store = store
        self._folder = folder
        self._packed: set[str] = set()
        self._is_pruned = False
        self._lock = threading.Lock()
        self._next = 0.0

    def look(self) -> None:
        """Check for lost objects, unless a check is running or was done recently."""
        if time.monotonic() > self._next and self._lock.acquire(blocking=False):
            try:
                self._restore()
            finally:
                self._lock.release()

    def restore(self) -> None:
        """Link lost objects again, with further checks after a loss, and remove the old links of safe objects."""
        with self._lock:
            for _ in range(LAST_LOOKS):
                self._restore()
                if not self._is_pruned:
                    return
                self._is_pruned = False
                time.sleep(PAUSE_SECONDS)

    def _restore(self) -> None:
        began = time.monotonic()
        alone, old = self._found()
        lost = self._missing(alone) if alone else set()
        for oid in lost:
            self._store.link(path_of(self._folder, oid), path_of(self._store.folder, oid))
        self._is_pruned = self._is_pruned or bool(lost)
        for oid in old:
            if oid not in lost:
                with suppress(OSError):
                    os.unlink(path_of(self._folder, oid))  # noqa: PTH108 - called thousands of times
                    os.rmdir(f"{self._folder}/{oid[:2]}")  # noqa: PTH106 - once it is empty
        now = time.monotonic()
        self._next = now + max(PAUSE_SECONDS, PAUSE * (now - began))

    def _found(self) -> tuple[list[str], list[str]]:
        """Return the objects whose file in the store is gone, and those older than `KEPT_SECONDS`."""
        alone, old = [], []
        before = time.time() - KEPT_SECONDS
        for oid, entry in _files(self._folder):
            status = entry.stat(follow_symlinks=False)
            if status.st_mtime < before:
                old.append(oid)
            if status.st_nlink == 1 and oid not in self._packed:
                is_copied = os.path.exists(path_of(self._store.folder, oid))  # noqa: PTH110
                alone += [] if is_copied else [oid]
        return alone, old

    def _missing(self, oids: list[str]) -> set[str]:
        """Return the objects that no pack has either; in a partial clone all of them, since git would fetch them."""
        config = self._store.folder.parent / "config"
        if "promisor" in config.read_text("utf-8", "replace"):
            return set(oids)
        request = "".join(f"{oid}\n" for oid in oids).encode("ascii")
        answer = self._git.output("cat-file", "--batch-check", stdin=request).decode("ascii")
        rows = (line.split() for line in answer.splitlines())
        missing = {row[0] for row in rows if row[1:] == ["missing"]}
        self._packed.update(set(oids) - missing)
        return missing


@contextmanager
def keeping(git: Git) -> Iterator[Git]:
    """Yield a git that writes to a temporary store, whose objects are kept when the block ends."""
    store = git.store
    if store is None or store.spare is None or git.new_objects is not None:
        yield git
        return
    with TemporaryDirectory(prefix="merge-", dir=store.spare.parent) as folder:
        yield replace(git, new_objects=Path(folder))
        for oid, entry in _files(Path(folder)):
            store.link(entry.path, path_of(store.spare, oid))
            store.link(entry.path, path_of(store.folder, oid))


def _files(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the id and file of each loose object of a store; none if the folder was removed."""
    for below in os.scandir(folder) if folder.is_dir() else ():
        if len(below.name) == 2 and below.is_dir():
            for entry in os.scandir(below):
                if not entry.name.startswith(DRAFT):
                    yield below.name + entry.name, entry
