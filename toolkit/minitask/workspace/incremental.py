"""A workspace that tracks its content: if it is untouched, only the difference between two commits is written.

Git's checkout and clean each examine every file. Here the kernel reports whether anything was touched since the files
were those of a known commit. If so, if the kernel cannot tell, or if content alone does not determine a file
(attributes, submodules), git does a full checkout; then each path is verified, since git does not detect everything
that a command can leave behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from minitask.errors import MachineError
from minitask.git.objects import FILE_MODES, SYMLINK, Objects
from minitask.git.trees import Difference, differences
from minitask.sandbox.policy import Strength
from minitask.spec.paths import check_path
from minitask.system.files import replace_file
from minitask.system.inotify import CLOSE_WRITE, Watch, open_watch
from minitask.workspace.checkout import Workspace
from minitask.workspace.index import Index, TreeWriter, parse_index, path_bytes
from minitask.workspace.tracked_files import (
    ExpectedFiles,
    Tracked,
    expected_files,
    find_deviation,
    is_unchanged,
)

if TYPE_CHECKING:
    from minitask.sandbox.sandbox import Sandbox

NONE = Strength.NONE
WATCHES_MAX = 20_000
"""Above this number files are not watched singly: other programs of the user need watches too."""
MOST = 2_000
"""With more differences git does the checkout."""
WRITABLE = (*FILE_MODES, SYMLINK)
ATTRIBUTES = b".gitattributes"


class IncrementalCheckout:
    """A slot, moved from commit to commit; used by one thread at a time.

    `strength` is the sandbox of the commands. If they can reach a file of the slot by a link from elsewhere, each file
    is watched, not only its folder. With too many files, nothing is watched under Landlock; without a sandbox only
    folders are, since nothing is restricted there anyway.
    """

    def __init__(
        self, slot: Workspace, objects: Objects, *, strength: Callable[[], Strength] = lambda: NONE
    ) -> None:
        self._slot = slot
        self._objects = objects
        self._strength = strength
        self._at: str | None = None
        self._watch: Watch | None = None
        self._index: Index | None = None
        self._is_plain = False
        self._tracked: Tracked | None = None
        self._is_touched, self._is_blind, self._watches_files = False, False, True
        self._written: set[bytes] = set()
        self._seen: tuple[object, ...] = ()
        self._top = os.fsencode(slot.tree) + b"/"
        brought = (*slot.bring.share, *slot.bring.copy)
        self._named = tuple(path_bytes(name.strip("/")) for name in brought)
        self._looked_at = tuple(
            f"{slot.git_dir}/{name}" for name in ("index", "HEAD", "config", "info", "hooks")
        )
        self._kept = tuple(f"{slot.git_dir}/{name}" for name in ("index", "HEAD"))

    @property
    def at(self) -> str | None:
        """Return the commit that it held at the last check, if known."""
        return self._at

    @property
    def tree(self) -> Path:
        """Return the folder with the files, where commands run."""
        return self._slot.tree

    @property
    def folder(self) -> Path:
        """Return the folder of the slot."""
        return self._slot.folder

    def within(self, sandbox: Sandbox) -> Sandbox:
        """Return the sandbox with the slot's layers and checkout."""
        return self._slot.within(sandbox)

    def readonly(self) -> tuple[Path, ...]:
        """Return the paths outside `tree` that its commands must be able to read."""
        return self._slot.readonly()

    def is_ready(self) -> bool:
        """Return True if it exists already."""
        return self._slot.is_ready()

    def checkout(self, commit: str) -> Path:
        """Check out exactly the commit's files and return `tree`."""
        if self._is_intact() and not self._slot.is_layer_written() and self._go(commit):
            self._slot.bring_refs()
        else:
            self._forget()
            if self._is_converted_otherwise(commit):
                self._slot.rebuild()
            self._slot.checkout(commit)
            if not self._learn(commit):
                self._slot.rebuild()
                self._slot.checkout(commit)
                self._learn(commit)
        return self.tree

    def freshen(self) -> bool:
        """Set the time of tracked files to now; return False if they are unknown. Call it before any command."""
        if self._tracked is not None:
            self._tracked.freshen()
            self._settle(self._tracked.commit, self._tracked.index)
        if self._watch is not None:
            self._watch.touched()
        return self._tracked is not None

    def put_back(self, *, absent: Collection[str] = ()) -> tuple[str, ...]:
        """Restore tracked files changed since the last call; return their paths.

        Files created at `absent` paths, which the commit does not have, are removed. Other untracked files stay.
        """
        if self._tracked is None:
            return ()
        suspects = self._suspects(self._tracked.index)
        if suspects is None:
            return ()
        names = self._slot.brought()
        brought = [path_bytes(name) for name in (*names.share, *names.copy)]
        missing = [
            path for path in map(path_bytes, absent) if not any(_overlap(path, b) for b in brought)
        ]
        changed = self._tracked.changed(suspects, absent=missing)
        if changed:
            self._is_blind = True  # events during the restoration cannot be told apart
            self._tracked.put_back(changed)
        return tuple(path.decode("utf-8", "surrogateescape") for path in changed)

    def _suspects(self, index: Index) -> list[bytes] | None:
        """Return the tracked files that may have changed since the last call; None if nothing was touched."""
        if self._watch is None or self._is_blind:
            return list(index.names)
        touched = [event for event in self._watch.touched() if not self._is_own(*event)]
        if not touched:
            return None
        self._is_touched = True
        paths = {path.removeprefix(self._top) for path, _ in touched}
        is_new = not self._watches_files and not all(map(index.has, paths))  # maybe a hard link
        if is_new or any(map(index.has_below, paths)):
            self._is_blind = True  # a folder was touched: its content may no longer be watched
            return list(index.names)
        return [path for path in paths if index.has(path)]

    def is_changed(self) -> bool:
        """Return True if anything in `tree` may differ from its commit, ignored files included."""
        slot = self._slot
        if slot.is_layer_written() or slot.brought().copy or slot.filled():
            return True
        if self._watch is not None:
            return not self._is_intact()
        if not all(copy.is_intact() for copy in slot.copied()):
            return True
        try:
            index = self._read_index()
            return self._deviates(index, self._expected(index))
        except (OSError, ValueError):
            return True

    def _is_intact(self) -> bool:
        """Return True if it certainly still holds its commit; else forget the commit."""
        if self._at is None or self._watch is None:
            return False
        if (self._is_touched or self._look() != self._seen) or not all(
            self._is_own(path, event) for path, event in self._watch.touched()
        ):
            self._forget()
            return False
        return True

    def _is_own(self, path: bytes, event: int) -> bool:
        """Return True for the close event of a file that only the toolkit wrote.

        It may come late: a process started by another thread inherits the open file for a moment.
        """
        name = path.removeprefix(self._top)
        if event != CLOSE_WRITE or self._index is None or name not in self._written:
            return False
        try:
            return is_unchanged(os.lstat(path), self._index, name)
        except OSError:
            return False

    def close(self) -> None:
        """Stop watching; the files stay."""
        self._forget()

    def _forget(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self._at = self._watch = self._index = None
        self._is_touched = self._is_blind = False

    def _is_converted_otherwise(self, commit: str) -> bool:
        """Return True if attributes differ from the last commit's: git would skip files with the same object."""
        try:
            last = self._objects.commit(Path(self._kept[1]).read_text("utf-8", "replace").strip())
        except OSError:
            return False
        if last is None:
            return True
        old, new = self._objects.tree_of(last), self._objects.tree_of(commit)
        changes = differences(self._objects, old, new)
        return any(path_bytes(change.path).endswith(ATTRIBUTES) for change in changes)

    def _learn(self, commit: str) -> bool:
        """Return True if the files are as git wrote them for the commit; from then on, watch them."""
        try:
            index = self._read_index()
        except ValueError:  # the index has another format
            return False
        expected = self._expected(index)
        self._track(commit, index)
        watch = self._open_watch(index, expected)
        try:
            is_right = not self._deviates(index, expected)
            if is_right and watch is not None and not watch.is_touched():
                self._at, self._watch, self._index = commit, watch, index
                self._seen, watch = self._look(), None
        finally:
            if watch is not None:
                watch.close()
        return is_right

    def _expected(self, index: Index) -> ExpectedFiles:
        copies = [path_bytes(name) for name in self._slot.brought().copy]
        copies += [os.fsencode(copy.target)[len(self._top) :] for copy in self._slot.copied()]
        copies += map(path_bytes, self._slot.filled())
        layers = [os.fsencode(layer.target)[len(self._top) :] for layer in self._slot.layers()]
        return expected_files(index, folders=layers, others=copies)

    def _brings_copies(self) -> bool:
        """Return True if the tree contains copies of files that change elsewhere."""
        return bool(self._slot.brought().copy or self._slot.copied() or self._slot.filled())

    def _deviates(self, index: Index, expected: ExpectedFiles) -> bool:
        """Return True if the files deviate from the index. With too many files, only names are compared."""
        thorough = len(index.names) <= WATCHES_MAX or self._strength() is Strength.PARTIAL
        like = self._slot.folder
        return find_deviation(self._top, index, expected, like=like, thorough=thorough) is not None

    def _open_watch(self, index: Index, expected: ExpectedFiles) -> Watch | None:
        """Return a working watch on the whole tree; None if there is none, or files change elsewhere."""
        strength, is_large = self._strength(), len(index.names) > WATCHES_MAX
        if self._brings_copies() or (is_large and strength is Strength.PARTIAL):
            return None
        self._watches_files = not is_large and strength is not Strength.STRONG
        names = index.names if self._watches_files else []
        paths = [self._top, *(self._top + path for path in (*expected.folders, *names))]
        watch = open_watch()
        if watch is not None and not (watch.add(paths) and watch.sees(self._top + b".git")):
            watch.close()
            return None
        return watch

    def _go(self, commit: str) -> bool:
        """Write the differences; return False if git must do the checkout, since the state is unknown."""
        if commit == self._at:
            return True
        try:
            changes = self._differences(commit)
            index = self._index or self._read_index()
            if changes is None or not self._is_plain or not all(map(_is_plain, changes)):
                return False
            paths = [path_bytes(change.path) for change in changes]
            if any(_overlap(path, name) for path in paths for name in self._named):
                return False
            self._written = set()
            writer = TreeWriter(
                self._top,
                self._objects,
                on_folder=self._watch_too,
                on_file=self._watch_too if self._watches_files else None,
                written=self._written,
            )
            writer.apply(changes, index)
            self._settle(commit, index)
        except (OSError, ValueError, MachineError):
            return False
        return not changes or (self._watch is not None and self._watch.is_touched())

    def _differences(self, commit: str) -> list[Difference] | None:
        """Return the differences between the current commit and another; None if they are too many."""
        assert self._at is not None  # noqa: S101 - it is intact
        old, new = self._objects.tree_of(self._at), self._objects.tree_of(commit)
        changes = list(islice(differences(self._objects, old, new), MOST + 1))
        return changes if len(changes) <= MOST else None

    def _read_index(self) -> Index:
        content = Path(self._kept[0]).read_bytes()
        index = parse_index(content, self._slot.repository.object_format)
        self._is_plain = not any(name.endswith(ATTRIBUTES) for name in index.names)
        return index

    def _watch_too(self, path: bytes) -> None:
        if self._watch is None or not self._watch.add([path]):
            raise MachineError("the kernel has no room for another watch")

    def _settle(self, commit: str, index: Index) -> None:
        """Write the commit and index to the slot's git."""
        for path, content in zip(self._kept, (index.render(), f"{commit}\n".encode()), strict=True):
            replace_file(Path(path), content)
        self._index, self._at, self._seen = index, commit, self._look()
        self._track(commit, index)

    def _track(self, commit: str, index: Index) -> None:
        self._tracked = Tracked(self._slot, self._objects, commit, index, self._is_plain)

    def _look(self) -> tuple[object, ...]:
        """Return a state that changes when another process writes the slot's git files."""
        try:
            statuses = [os.stat(path) for path in self._looked_at]  # noqa: PTH116 - several times per task
        except OSError:
            return ()
        return tuple((status.st_ino, status.st_size, status.st_ctime_ns) for status in statuses)


def _is_plain(change: Difference) -> bool:
    """Return True if content alone determines the file, at a path that git would write."""
    if any(entry and entry.mode not in WRITABLE for entry in (change.old, change.new)):
        return False
    return not check_path(change.path) and not path_bytes(change.path).endswith(ATTRIBUTES)


def _overlap(path: bytes, other_path: bytes) -> bool:
    """Return True if the paths are the same, or one is below the other."""
    return (path + b"/").startswith(other_path + b"/") or other_path.startswith(path + b"/")
