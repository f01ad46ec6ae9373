"""A second link to each object that is written here, out of the reach of `git prune` and `git gc`.

They remove an object that no ref led to when they began, even if one does by the time that they come to it. So what is
written is linked from a folder of the toolkit's, too; git that is started here reads both. What is lost from the
repository is linked again: now and then while refs move, at the end of a command, and at the start of the next.
After ten minutes a link is removed, if the object is safe: whatever began before has come to its end.
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
"""The time from one look to the next: how many times as long as a look takes; and seconds, at least."""
PAUSE_SECONDS = 0.1
LAST_LOOKS = 5


class KeptObjects:
    """The objects that were written lately. Safe to share between threads."""

    def __init__(self, git: Git, store: LooseStore, folder: Path) -> None:
        """`git` reads the repository; `folder` has a second link to what is in the store."""
        self._git = replace(git, store=None)
        self._store = store
        self._folder = folder
        self._packed: set[str] = set()
        self._is_pruned = False
        self._lock = threading.Lock()
        self._next = 0.0

    def look(self) -> None:
        """Look whether something is lost, unless that was done a moment ago."""
        if time.monotonic() > self._next and self._lock.acquire(blocking=False):
            try:
                self._restore()
            finally:
                self._lock.release()

    def restore(self) -> None:
        """Link again what is lost, also in the next moments if anything was, and forget what has been safe for long."""
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
                    os.unlink(path_of(self._folder, oid))  # noqa: PTH108 - thousands of times
                    os.rmdir(f"{self._folder}/{oid[:2]}")  # noqa: PTH106 - once it is empty
        now = time.monotonic()
        self._next = now + max(PAUSE_SECONDS, PAUSE * (now - began))

    def _found(self) -> tuple[list[str], list[str]]:
        """Return the objects whose file in the store is gone, and those that were written long ago."""
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
        """Return the objects that are in no pack either; all of them where git would try to fetch them."""
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
    """Git whose new objects are kept, once the block ends; until then they lie aside."""
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
    """Yield the files of objects in a store, each with its id; none where the store was cleaned away."""
    for below in os.scandir(folder) if folder.is_dir() else ():
        if len(below.name) == 2 and below.is_dir():
            for entry in os.scandir(below):
                if not entry.name.startswith(DRAFT):
                    yield below.name + entry.name, entry
