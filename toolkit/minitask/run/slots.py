"""The workspaces that validations run in: as many as validations at once, each kept for the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from minitask.repo.workspace import Slot
from minitask.run.aside import Aside


class SlotPool:
    """Workspaces by number, the lowest free one first. Safe to share between threads."""

    def __init__(self, make: Callable[[int], Slot]) -> None:
        self._make = make
        self._free: list[int] = []
        self._made = 0
        self._ahead: tuple[str, Aside[Path]] | None = None
        self._lock = threading.Lock()

    def begin(self, commit: str) -> None:
        """Begin to bring the first workspace to a commit, beside whatever comes first.

        One that is not there yet is left for when it is needed: making it may take long.
        """
        slot = self._make(0)
        if slot.is_ready():
            self._ahead = (commit, Aside(partial(slot.checkout, commit)))

    @contextmanager
    def take(self, commit: str) -> Iterator[Slot]:
        """A workspace of one's own that holds exactly a commit's files."""
        number = self._number()
        try:
            slot = self._make(number)
            if not (number == 0 and self._was_begun(commit)):
                slot.checkout(commit)
            yield slot
        finally:
            with self._lock:
                self._free.append(number)
                self._free.sort()

    def end(self) -> None:
        """Wait for what was begun and never asked for."""
        if self._ahead is not None:
            self._ahead[1].wait()

    def _number(self) -> int:
        with self._lock:
            if self._free:
                return self._free.pop(0)
            self._made += 1
            return self._made - 1

    def _was_begun(self, commit: str) -> bool:
        """Whether the first workspace is at the commit already."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return False
        ahead[1].wait()
        return ahead[0] == commit and ahead[1].succeeded
