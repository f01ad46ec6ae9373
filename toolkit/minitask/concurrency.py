"""Background calls, and a limit on concurrent calls that admits the most urgent first."""

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
        """Wait for the call and return its result."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._done[0]

    def wait(self, seconds: float | None = None) -> bool:
        """Wait at most `seconds` for the call; return True if it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def thread(self) -> int:
        """Return the identifier of the call's thread, as from `threading.get_ident`."""
        return self._thread.ident or 0

    @property
    def succeeded(self) -> bool:
        """Return True if the call returned without an exception."""
        return bool(self._done)

    def _run(self) -> None:
        try:
            self._done.append(self._call())
        except BaseException as error:  # noqa: BLE001 - a thread's top level: `result` raises it again
            self._error = error


class PrioritySemaphore:
    """A semaphore of `width` slots; waiting threads enter by urgency, then in order of arrival."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._inside = 0
        self._waiting: list[tuple[int, int, threading.Event]] = []
        self._numbers = count()
        self._lock = threading.Lock()

    @property
    def allowed(self) -> int:
        """Return the current number of slots."""
        return self._width

    def place(self, urgency: int = 0) -> Permit:
        """Return a permit: each of its `with` blocks waits for a slot and holds it."""
        return Permit(self, urgency)

    def enter(self, urgency: int) -> None:
        """Wait for a slot; `leave` frees it."""
        mine = threading.Event()
        with self._lock:
            heappush(self._waiting, (-urgency, next(self._numbers), mine))
            self._admit()
        mine.wait()

    def enter_if_free(self) -> bool:
        """Take a slot if one is free and no thread waits; `leave` frees it."""
        with self._lock:
            if self._waiting or self._inside >= self.allowed:
                return False
            self._inside += 1
            return True

    def leave(self) -> None:
        """Free a slot."""
        with self._lock:
            self._inside -= 1
            self._admit()

    def _admit(self) -> None:
        """Admit waiting threads while slots are free; the caller holds the lock."""
        while self._waiting and self._inside < self.allowed:
            self._inside += 1
            heappop(self._waiting)[2].set()


class CpuPool(PrioritySemaphore):
    """The CPU cores that validations run on."""

    def share(self, work: Callable[[], None], *, at_most: int) -> None:
        """Run `work` here and on up to `at_most` free cores at the same time; wait for all.

        Raise the first exception of any of them.
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
    """A slot for one task, acquired in each `with` block."""

    def __init__(self, turnstile: PrioritySemaphore, urgency: int) -> None:
        self._turnstile = turnstile
        self._urgency = urgency

    def __enter__(self) -> None:
        """Wait for a slot."""
        self._turnstile.enter(self._urgency)

    def __exit__(self, *_error: object) -> None:
        """Free the slot."""
        self._turnstile.leave()
