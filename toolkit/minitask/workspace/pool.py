"""A pool of workspaces for validations, one for each parallel validation; and the build cache that they see.

The cache holds files that tools reuse in later runs, protected from candidates. Only a run on a base adds to it, when
no other run uses it. Writes of any other run go to a private layer and are dropped. A run sees the cache only if its
commit contains the last writer's. Before each run tracked files get a time later than all in the cache, so that a tool
that compares times treats every file as changed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from minitask.concurrency import BackgroundCall
from minitask.git.run_git import Git
from minitask.sandbox.shared_layers import Copied, Layer
from minitask.system.files import force_remove
from minitask.workspace.incremental import IncrementalCheckout

if TYPE_CHECKING:
    from minitask.sandbox.sandbox import Sandbox
    from minitask.workspace.incremental import IncrementalCheckout


class WorkspacePool:
    """Workspaces by number. Thread-safe."""

    def __init__(
        self,
        make: Callable[[int], IncrementalCheckout],
        build_cache: Callable[[], BuildCache | None] = lambda: None,
    ) -> None:
        self._make = make
        self._build_cache = build_cache
        self._mirrors: list[IncrementalCheckout] = []
        self._free: list[int] = []
        self._ahead: tuple[str, BackgroundCall[Path]] | None = None
        self._lock = threading.Lock()

    def begin(self, commit: str) -> None:
        """Start to check out a commit in the first workspace, in the background.

        A workspace that does not exist yet is created at its first use, because that may take long.
        """
        first = self._make(0)
        self._mirrors, self._free = [first], [0]
        if first.is_ready():
            self._ahead = (commit, BackgroundCall(partial(first.checkout, commit)))

    @contextmanager
    def take(self, commit: str, *, is_base: bool = False) -> Iterator[IncrementalCheckout]:
        """Yield a free workspace with exactly a commit's files; with `is_base`, the run adds to the build cache."""
        number = self._number(commit)
        try:
            mirror = self._mirrors[number]
            if not (number == 0 and self._was_begun(commit)):
                mirror.checkout(commit)
            cache = self._build_cache()
            with cache.use(mirror, commit, adds=is_base) if cache else nullcontext():
                yield mirror
        finally:
            with self._lock:
                self._free.append(number)
                self._free.sort()

    @contextmanager
    def session(self, mirror: IncrementalCheckout, sandbox: Sandbox) -> Iterator[CachingSession]:
        """Yield the sandbox for one session in a taken workspace."""
        cache, adapted = self._build_cache(), mirror.within(sandbox)
        if cache is None:
            yield CachingSession(adapted)
        else:
            with cache.session(mirror, adapted) as session:
                yield session

    def end(self) -> None:
        """Wait for the background checkout, and close the workspaces."""
        if self._ahead is not None:
            self._ahead[1].wait()
        for mirror in self._mirrors:
            mirror.close()

    def _number(self, commit: str) -> int:
        """Return a free workspace, preferably one that is at the commit already."""
        with self._lock:
            if not self._free:
                self._mirrors.append(self._make(len(self._mirrors)))
                return len(self._mirrors) - 1
            matching = (number for number in self._free if self._mirrors[number].at == commit)
            number = next(matching, self._free[0])
            self._free.remove(number)
            return number

    def _was_begun(self, commit: str) -> bool:
        """Return True if the first workspace was checked out at the commit in the background."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return False
        ahead[1].wait()
        return ahead[0] == commit and ahead[1].succeeded


FOLDER = "build-cache"
LIMIT_BYTES = 2 << 30
GO, MYPY = "GOCACHE", "MYPY_CACHE_DIR"
UNSEEN = {
    GO: (r'^\s*(import\s+)?"C"|^#include ".*/', "*.go", "*.s"),
    MYPY: (r"^\s*plugins\s*=", "*.ini", "*.cfg", "*.toml"),
}
"""Patterns of a commit's files with which a tool misses changes: Go does not track C, nor mypy a plugin's imports."""
GO_EXPIRY = "testexpire.txt"
"""Go's file in its cache: older test results do not count, since Go does not track programs that tests start."""
WAIT_SECONDS = 2
OPAQUE = "user.overlay.opaque"


class View(Struct, frozen=True):
    """A run's view of the cache: the variables, and whether it is `empty`. `adds`: the run is on a base."""

    names: tuple[str, ...]
    commit: str
    empty: bool
    adds: bool


class CachingSession(Struct):
    """A sandbox with the cache. In a run on a base, its writes are added to the cache if its commands are `whole`."""

    sandbox: Sandbox
    whole: bool = False


class BuildCache(Struct):
    """Cache folders named by variables, below `folder`; each command sees a private layer or copy.

    Used by one process at a time, by many threads. Above `limit_bytes` it is emptied, and refilled by the next base.
    """

    folder: Path
    variables: tuple[str, ...]
    layered: bool
    git: Git
    limit_bytes: int = LIMIT_BYTES
    _users: int = 0
    _views: dict[Path, View] = field(default_factory=dict)
    _waiting: list[tuple[View, dict[str, Path]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def use(self, slot: IncrementalCheckout, commit: str, *, adds: bool) -> Iterator[None]:
        """Let a workspace at a commit see the cache; nothing is added to it meanwhile."""
        with self._lock:
            self._users += 1
            view = self._view(commit, adds=adds)
        try:
            if view is not None and slot.freshen():
                self._views[slot.folder] = view
            yield
        finally:
            with self._lock:
                self._views.pop(slot.folder, None)
                self._users -= 1
                while self._waiting and not self._users:
                    try:
                        self._add(*self._waiting.pop(0))
                    except OSError:  # start with an empty cache
                        force_remove(self.folder / "kept")

    @contextmanager
    def session(self, slot: IncrementalCheckout, sandbox: Sandbox) -> Iterator[CachingSession]:
        """Yield the sandbox for a session in a workspace, without traces of other sessions."""
        view = self._views.get(slot.folder)
        if view is None:
            yield CachingSession(sandbox)
            return
        shown = {name: self._show(view, name, slot.folder / FOLDER / name) for name in view.names}
        layers = [layer for layer in shown.values() if isinstance(layer, Layer)]
        folders = {name: layer.target for name, layer in shown.items()}
        session = CachingSession(
            replace(sandbox, layers=(*sandbox.layers, *layers), caches=folders)
        )
        yield session
        if view.adds and session.whole:
            with self._lock:
                self._waiting.append((view, {n: self._aside(of) for n, of in shown.items()}))

    def _view(self, commit: str, *, adds: bool) -> View | None:
        """Return a run's view, or None; wait until its files can be newer than the cache."""
        writer, _, ended = self._note().partition(" ")
        fits = bool(ended) and self._contains(commit, writer)
        names = tuple(name for name in self.variables if fits or adds)
        names = tuple(name for name in names if not self._misses_changes(name, commit))
        if fits:
            waited_until = time.monotonic() + WAIT_SECONDS
            while time.time() < int(ended) + 1 and time.monotonic() < waited_until:
                time.sleep(0.02)
            fits = time.time() >= int(ended) + 1  # else the clock was set back
        return View(names, commit, not fits, adds) if names and (fits or adds) else None

    def _misses_changes(self, name: str, commit: str) -> bool:
        """Return True unless git certainly finds nothing in the commit that the tool does not track."""
        pattern, *paths = UNSEEN.get(name, ("",))
        found_nothing = 1
        if not pattern:
            return False
        finished = self.git.run("grep", "-qE", pattern, commit, "--", *paths)
        return finished.exit_code != found_nothing

    def _show(self, view: View, name: str, private_folder: Path) -> Layer | Copied:
        """Return the folder of a variable for a session, after preparing it."""
        source = self.folder / ("empty" if view.empty else "kept") / name
        source.mkdir(parents=True, exist_ok=True)
        target = private_folder / "seen"
        if self.layered:
            layer = Layer(source, target, private_folder / "upper", private_folder / "work")
            layer.reset()
            return layer
        # Without bubblewrap, an escaped process may still write to an earlier run's folder.
        if view.adds:
            force_remove(target)
        copy = Copied(source, target, private_folder / "note", target, target)
        copy.ensure()
        return copy

    def _aside(self, shown: Layer | Copied) -> Path:
        """Move the session's folder or its writes out of the workspace; return the new path."""
        new_home = self.folder / "waiting" / os.urandom(8).hex()
        new_home.parent.mkdir(exist_ok=True)
        return (shown.upper if isinstance(shown, Layer) else shown.target).rename(new_home)

    def _add(self, view: View, written: dict[str, Path]) -> None:
        """Add the writes of a base's run; first drop a cache whose writer its commit does not contain."""
        kept_folder, note = self.folder / "kept", self.folder / "note"
        writer = self._note().partition(" ")[0]
        note.unlink(missing_ok=True)
        if not writer or not self._contains(view.commit, writer):
            force_remove(kept_folder)
        for name, source in written.items():
            (kept_folder / name).mkdir(parents=True, exist_ok=True)
            _move_into(source, kept_folder / name)
            force_remove(source)
        if GO in written:
            (kept_folder / GO / GO_EXPIRY).write_text(f"{time.time_ns()}\n")
        if self._has_room():
            note.write_text(f"{view.commit} {int(time.time())}")

    def _contains(self, commit: str, writer: str) -> bool:
        return self.git.succeeds("merge-base", "--is-ancestor", writer, commit)

    def _has_room(self) -> bool:
        """Remove caches while their total exceeds the limit, other programs' first, oldest first.

        Return True if this one remains.
        """
        others = [path for path in self.folder.parent.iterdir() if path != self.folder]
        others.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        while _size(self.folder.parent) > self.limit_bytes:
            if not others:
                force_remove(self.folder / "kept")
                return False
            force_remove(others.pop())
        return True

    def _note(self) -> str:
        """Return the last writer's commit and the time in seconds when it was added; empty if there is none."""
        with suppress(OSError):
            return (self.folder / "note").read_text("ascii")
        return ""


def open_build_cache(
    folder: Path, variables: Sequence[str], *, where: object, layered: bool, git: Git
) -> BuildCache:
    """Return the cache for commands that run with the programs identified by `where`."""
    key = hashlib.sha256(repr(where).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    cache_folder = folder / FOLDER / key
    force_remove(cache_folder / "waiting")
    cache_folder.mkdir(parents=True, exist_ok=True)
    return BuildCache(cache_folder, tuple(variables), layered, git)


def _move_into(source: Path, target: Path) -> None:
    """Merge an overlay's upper folder into the lower one, as the kernel would show them; follow no links."""
    for entry in os.scandir(source):
        path, status = target / entry.name, entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            if path.is_symlink() or not path.is_dir() or _is_opaque(entry.path):
                force_remove(path)
                path.mkdir()
            _move_into(Path(entry.path), path)
            continue
        if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
            if path.is_dir() and not path.is_symlink():
                force_remove(path)
            Path(entry.path).replace(path)
        else:  # a device marks a removed name; sockets and the like are not worth keeping
            force_remove(path)


def _is_opaque(folder: str) -> bool:
    try:
        return os.getxattr(folder, OPAQUE) == b"y"
    except OSError:
        return False


def _size(folder: Path) -> int:
    """Return the disk usage of the files below a folder, in bytes."""
    blocks = 0
    for above, _, names in os.walk(folder):
        blocks += sum(os.lstat(f"{above}/{name}").st_blocks for name in names)
    return blocks * 512
