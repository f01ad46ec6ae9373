"""Calls in background threads, and a limit on how many go on at once, the most urgent first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Result = TypeVar("Result")


class BackgroundCall(Generic[Result]):
    """A call in a background thread; `result` raises what the call raised."""

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self._done: list[Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> Result:
        """Wait for the call's result."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._done[0]

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the call ends, at most so many seconds; return True if it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def thread(self) -> int:
        """Return the thread that the call is made in, as `threading.get_ident` gives it."""
        return self._thread.ident or 0

    @property
    def succeeded(self) -> bool:
        """Return True if the call is over and gave a result."""
        return bool(self._done)

    def _run(self) -> None:
        try:
            self._done.append(self._call())
        except BaseException as error:  # noqa: BLE001 - the worker's edge: raised again in `result`
            self._error = error


class PrioritySemaphore:
    """A semaphore for `width` threads; of those that wait, the most urgent is next, then the first."""

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
        """Return a permit: each `with` block waits for a place and keeps it to its end."""
        return Permit(self, urgency)

    def enter(self, urgency: int) -> None:
        """Wait for a place, to be left by `leave`."""
        mine = threading.Event()
        with self._lock:
            heappush(self._waiting, (-urgency, next(self._numbers), mine))
            self._admit()
        mine.wait()

    def enter_if_free(self) -> bool:
        """Take a free place if no thread waits for one; `leave` gives it back."""
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
        """Admit waiting threads while there are places; call it under the lock."""
        while self._waiting and self._inside < self.allowed:
            self._inside += 1
            heappop(self._waiting)[2].set()


class CpuPool(PrioritySemaphore):
    """The cores that validations run on."""

    def share(self, work: Callable[[], None], *, at_most: int) -> None:
        """Do some work here and, on each of at most so many cores that are free, beside it, until all of it is over.

        Raise what any of it raises.
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
