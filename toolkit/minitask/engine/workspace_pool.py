"""A pool of workspaces for validations: one for each parallel validation, reused by later ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from minitask.concurrency import BackgroundCall
from minitask.workspace.build_cache import BuildCache, CachingSession
from minitask.workspace.incremental import IncrementalCheckout

if TYPE_CHECKING:
    from minitask.sandbox.sandbox import Sandbox


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
