"""Who waits for executors: a pool of threads, as wide as the config allows calls at once."""

from __future__ import annotations

import queue
import threading
from functools import partial
from typing import Protocol

from minitask.executors import http
from minitask.repo import process
from minitask.run.attempt import Outcome, ask
from minitask.run.engine import Engine
from minitask.run.tasks import Task
from minitask.run.undertaking import Undertaking


class Askers(Protocol):
    """Asks executors, many at once."""

    @property
    def is_full(self) -> bool:
        """Whether no more can be asked now."""
        ...

    def submit(self, under: Undertaking) -> None:
        """Ask the executor of a task."""
        ...

    def next(self) -> tuple[Undertaking, Outcome]:
        """The next outcome, as soon as there is one."""
        ...

    def base_of(self, task: Task) -> str | None:
        """The commit that a task must start from, where it was asked about before; None: the target's tip."""
        ...

    def cancel(self) -> None:
        """Cut off what is under way."""
        ...


class Pool:
    """At most `width` executors at work at once, a thread each."""

    def __init__(self, engine: Engine, *, width: int) -> None:
        self._engine = engine
        self._width = width
        self._under_way = 0
        self._done: queue.SimpleQueue[tuple[Undertaking, Outcome | BaseException]] = (
            queue.SimpleQueue()
        )

    @property
    def is_full(self) -> bool:
        """Whether every thread waits for an executor."""
        return self._under_way >= self._width

    def submit(self, under: Undertaking) -> None:
        """Ask in a thread of its own."""
        self._under_way += 1
        threading.Thread(target=partial(self._ask, under), daemon=True).start()

    def next(self) -> tuple[Undertaking, Outcome]:
        """The next outcome; what is a fault of ours is raised here."""
        under, outcome = self._done.get()
        self._under_way -= 1
        if isinstance(outcome, Outcome):
            return under, outcome
        raise outcome

    def base_of(self, task: Task) -> str | None:  # noqa: ARG002
        """Nothing is remembered from one run to the next."""
        return None

    def cancel(self) -> None:
        """Cut off calls, and end programs."""
        http.SHARED.cancel()
        process.end_others()

    def _ask(self, under: Undertaking) -> None:
        try:
            outcome: Outcome | BaseException = ask(self._engine, under)
        except BaseException as error:  # noqa: BLE001 - the worker's edge: raised again in `next`
            outcome = error
        self._done.put((under, outcome))
