"""Who asks executors: as many at once as the config allows calls."""

from __future__ import annotations

import threading
from typing import Protocol

from minitask.errors import StoppedError
from minitask.executors import http
from minitask.executors.model import ExecutorFailure
from minitask.repo import process
from minitask.run.attempt import Outcome, ask
from minitask.run.engine import Engine
from minitask.run.tasks import Task
from minitask.run.undertaking import Undertaking


class Askers(Protocol):
    """Asks executors for many threads at once."""

    @property
    def width(self) -> int:
        """How many executors may be at work at once."""
        ...

    def ask(self, under: Undertaking) -> Outcome:
        """What comes of asking the executor of a task."""
        ...

    def enter(self) -> None:
        """Somebody comes who may ask at any time, until he leaves."""
        ...

    def leave(self) -> None:
        """One of those who came asks no more."""
        ...

    def base_of(self, task: Task) -> str | None:
        """The commit that a task must start from, where it was asked about before; None: the target's tip."""
        ...

    def stop(self, why: str) -> None:
        """Ask nobody from here on."""
        ...

    def cancel(self) -> None:
        """Cut off what is under way."""
        ...


class Pool:
    """At most `width` executors at work at once."""

    def __init__(self, engine: Engine, *, width: int) -> None:
        self.width = width
        self._engine = engine
        self._free = threading.Semaphore(width)
        self._stopped_by = ""

    def ask(self, under: Undertaking) -> Outcome:
        """Ask, as soon as there is room; an answer after which all others would fail alike stops the asking."""
        with self._free:
            if self._stopped_by:
                return StoppedError(f"the run was stopped: {self._stopped_by}")
            outcome = ask(self._engine, under)
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
        """Nothing is remembered from one run to the next."""
        return None

    def cancel(self) -> None:
        """Cut off calls, and end programs that agents run as."""
        http.SHARED.cancel()
        process.end_optional()
