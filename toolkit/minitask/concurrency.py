"""So many at once, the most urgent first: for calls, and for the cores that validations run on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from minitask.background import BackgroundCall


class PrioritySemaphore:
    """Lets `width` in at once; of those who wait, the most urgent is next, and of several the first."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._inside = 0
        self._waiting: list[tuple[int, int, threading.Event]] = []
        self._numbers = count()
        self._lock = threading.Lock()

    @property
    def allowed(self) -> int:
        """Return how many may be inside now."""
        return self._width

    def place(self, urgency: int = 0) -> Permit:
        """Return a place for a `with` block, or several: waited for, and kept for as long as the block lasts."""
        return Permit(self, urgency)

    def enter(self, urgency: int) -> None:
        """Wait for a place, to be left by `leave`."""
        mine = threading.Event()
        with self._lock:
            heappush(self._waiting, (-urgency, next(self._numbers), mine))
            self._admit()
        mine.wait()

    def enter_if_free(self) -> bool:
        """Take a place that nobody waits for, if there is one, to be left by `leave`."""
        with self._lock:
            if self._waiting or self._inside >= self.allowed:
                return False
            self._inside += 1
            return True

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self._inside -= 1
            self._admit()

    def _admit(self) -> None:
        """Let in who is next, as long as there are places; call it under the lock."""
        while self._waiting and self._inside < self.allowed:
            self._inside += 1
            heappop(self._waiting)[2].set()


class CpuPool(PrioritySemaphore):
    """The cores that validations run on."""

    def share(self, work: Callable[[], None], *, at_most: int) -> None:
        """Do some work here and, on each of at most so many cores that are free, beside it, until all of it is over.

        Whatever any of it raises is raised.
        """
        helpers: list[BackgroundCall[None]] = []
        while len(helpers) < at_most and self.enter_if_free():
            helpers.append(BackgroundCall(lambda: self._help(work)))
        try:
            work()
        finally:
            for helper in helpers:
                helper.wait()
        for helper in helpers:
            helper.result()

    def _help(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self.leave()


class Permit:
    """A place for one task, taken again in every `with` block."""

    def __init__(self, turnstile: PrioritySemaphore, urgency: int) -> None:
        self._turnstile = turnstile
        self._urgency = urgency

    def __enter__(self) -> None:
        """Wait for a place."""
        self._turnstile.enter(self._urgency)

    def __exit__(self, *_error: object) -> None:
        """Give it back."""
        self._turnstile.leave()
