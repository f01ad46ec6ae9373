"""The pool of calls to executors: as many in parallel as the config allows."""

from __future__ import annotations

from typing import Protocol

from minitask.concurrency import PrioritySemaphore
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import StoppedError
from minitask.executors import http
from minitask.executors.request import ExecutorFailure
from minitask.system import process
from minitask.task.call_journal import Answered
from minitask.task.calls import ModelCall, Outcome

BUSY_TRIES = 3
"""Number of retries of a call whose every request was rate-limited, which cost nothing; fewer run at once by then."""


class CallPool(Protocol):
    """Asks executors for many threads at once."""

    @property
    def width(self) -> int:
        """Return how many executors may be at work at once."""
        ...

    def ask(self, call: ModelCall, *, urgency: int = 0) -> Outcome:
        """Make a call when its turn comes; of those that wait, the most urgent goes first."""
        ...

    def enter(self) -> None:
        """Somebody comes who may ask at any time, until he leaves."""
        ...

    def leave(self) -> None:
        """Count one participant out: it asks no more."""
        ...

    def base_of(self, task: Task) -> str | None:
        """Return the commit that a task must start from, where it was asked about before; None: the target's tip."""
        ...

    def stop(self, why: str) -> None:
        """Ask nobody from here on."""
        ...

    def cancel(self) -> None:
        """Cut off what is under way."""
        ...


class ThreadCallPool:
    """At most `width` executors at work at once; of one that says that it is busy, fewer."""

    def __init__(self, engine: Context, *, width: int) -> None:
        self.width = width
        self._engine = engine
        self._free = PrioritySemaphore(width)
        self._throttles: dict[str, AdaptiveLimit] = {}
        self._stopped_by = ""

    def ask(self, call: ModelCall, *, urgency: int = 0) -> Outcome:
        """Ask, as soon as there is room; an answer after which all others would fail alike stops the asking."""
        throttle = self._throttles.setdefault(call.key.executor, AdaptiveLimit(self.width))
        for retries in range(BUSY_TRIES, -1, -1):
            outcome = self._ask(call, throttle, urgency)
            if not retries or not _is_busy(outcome):
                break
        return outcome

    def _ask(self, call: ModelCall, throttle: AdaptiveLimit, urgency: int) -> Outcome:
        with throttle.place(urgency), self._free.place(urgency):
            if self._stopped_by:
                return StoppedError(f"the run was stopped: {self._stopped_by}")
            outcome = call.perform(self._engine)
            throttle.note(throttled=_throttled(outcome))
            if isinstance(outcome, ExecutorFailure) and outcome.stops_run:
                self.stop(f"{outcome.kind}: {outcome.message}")
            return outcome

    def stop(self, why: str) -> None:
        """Ask nobody from here on."""
        self._stopped_by = self._stopped_by or why

    def enter(self) -> None:
        """Nobody waits for anybody."""

    def leave(self) -> None:
        """Nobody waits for anybody."""

    def base_of(self, task: Task) -> str | None:  # noqa: ARG002
        """Return None: nothing is remembered from one run to the next."""
        return None

    def cancel(self) -> None:
        """Cut off calls, and end programs that agents run as."""
        http.SHARED.stop()
        process.end_optional()


def _is_busy(outcome: Outcome) -> bool:
    """Return True if nothing came of an order but rate limits."""
    return isinstance(outcome, ExecutorFailure) and 0 < outcome.throttled == outcome.usage.requests


def _throttled(outcome: Outcome) -> bool:
    """Return True if a rate limit was met on the way."""
    if isinstance(outcome, Answered):
        return outcome.work.throttled > 0
    return isinstance(outcome, ExecutorFailure) and outcome.throttled > 0


SHRINK = 0.5


class AdaptiveLimit(PrioritySemaphore):
    """Lets at most `width` callers in at once, or fewer while the provider is busy; at least one."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self._allowed = float(width)

    @property
    def allowed(self) -> int:
        """Return how many may be inside now."""
        return max(1, int(self._allowed))

    def note(self, *, throttled: bool) -> None:
        """Learn from how a call went: half as many after a rate limit, a share of one more after any other."""
        with self._lock:
            if throttled:
                self._allowed = max(1.0, min(self._allowed, self._inside) * SHRINK)
            else:
                self._allowed = min(float(self._width), self._allowed + 1 / self.allowed)
            self._admit()
