"""Pools of parallel calls to executors, limited by the config and by the providers' rate limits."""

from __future__ import annotations

from typing import Protocol

from minitask.concurrency import PrioritySemaphore
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import StoppedError
from minitask.executors import http
from minitask.executors.request import ExecutorFailure
from minitask.policy.budget import Budget
from minitask.system import process
from minitask.task.paid_calls import Answered
from minitask.task.state import ModelCall, Outcome

BUSY_TRIES = 3
"""Number of retries of a call whose requests were all rate-limited, which costs nothing."""


class CallPool(Protocol):
    """A pool through which threads call executors."""

    @property
    def width(self) -> int:
        """Return the number of parallel calls."""
        ...

    def ask(self, call: ModelCall, *, urgency: int = 0) -> Outcome:
        """Make a call when its turn comes, by urgency."""
        ...

    def enter(self) -> None:
        """Add a participant, which may call at any time until it leaves."""
        ...

    def leave(self) -> None:
        """Remove a participant."""
        ...

    def base_of(self, task: Task) -> str | None:
        """Return the base that a task's earlier calls require, or None for the target's tip."""
        ...

    def stop(self, why: str) -> None:
        """Make no further calls."""
        ...

    def cancel(self) -> None:
        """Cancel calls in progress."""
        ...


class ThreadCallPool:
    """A pool of at most `width` parallel calls, and fewer for an executor that reports rate limits."""

    def __init__(self, engine: Context, *, width: int, budget: Budget | None = None) -> None:
        self.width = width
        self._budget = budget or Budget()
        self._engine = engine
        self._free = PrioritySemaphore(width)
        self._throttles: dict[str, AdaptiveLimit] = {}
        self._stopped_by = ""

    def ask(self, call: ModelCall, *, urgency: int = 0) -> Outcome:
        """Make a call as soon as possible; a failure that all others would repeat stops the pool."""
        throttle = self._throttles.setdefault(call.key.executor, AdaptiveLimit(self.width))
        for _ in range(BUSY_TRIES):
            outcome = self._ask(call, throttle, urgency)
            if not _is_busy(outcome):
                return outcome
        return self._ask(call, throttle, urgency)

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
        """Make no further calls, also none that wait for the budget."""
        self._stopped_by = self._stopped_by or why
        self._budget.close(why)

    def enter(self) -> None:
        """Do nothing, because calls do not wait for each other."""

    leave = enter

    def base_of(self, task: Task) -> str | None:  # noqa: ARG002
        """Return None, because calls of earlier runs do not matter."""
        return None

    def cancel(self) -> None:
        """Cancel calls, and kill agent programs."""
        http.SHARED.stop()
        process.end_optional()


def _is_busy(outcome: Outcome) -> bool:
    """Return True if all requests of a call were rate-limited."""
    return isinstance(outcome, ExecutorFailure) and 0 < outcome.throttled == outcome.usage.requests


def _throttled(outcome: Outcome) -> bool:
    """Return True if a request was rate-limited."""
    if isinstance(outcome, Answered):
        return outcome.work.throttled > 0
    return isinstance(outcome, ExecutorFailure) and outcome.throttled > 0


SHRINK = 0.5


class AdaptiveLimit(PrioritySemaphore):
    """A semaphore for at most `width` callers, and fewer while the provider is busy; at least one."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self._allowed = float(width)

    @property
    def allowed(self) -> int:
        """Return the current limit."""
        return max(1, int(self._allowed))

    def note(self, *, throttled: bool) -> None:
        """Adapt the limit after a call: halve it after a rate limit, else raise it by a fraction of one."""
        with self._lock:
            if throttled:
                self._allowed = max(1.0, min(self._allowed, self._inside) * SHRINK)
            else:
                self._allowed = min(float(self._width), self._allowed + 1 / self.allowed)
            self._admit()
