"""Calls to models and agents for a task: the work and questions about it, by one blocking function.

A task's life receives a `Call`. `exec` passes one that calls at once, a run one that waits for its turn, a run with
`--batch` one that waits for the provider's batch. Each returns the result, or why there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from minitask.engine.context import Context, Progress
from minitask.errors import BudgetError, EditError, MachineError, RefusedError, StoppedError
from minitask.executors.registry import make_executor
from minitask.executors.request import ExecutorFailure, ExecutorRequest, FailureKind
from minitask.policy.route import SCRIPT, Route
from minitask.task import call_journal
from minitask.task.call_journal import Answered, CallKey
from minitask.task.meter import TaskMeter

if TYPE_CHECKING:
    from minitask.executors.http import Post

Unasked = RefusedError | StoppedError | MachineError | EditError | BudgetError | OSError
"""Errors before any call: the budget is spent, the run was stopped, the machine failed."""
Outcome = Answered | ExecutorFailure | Unasked
"""The result of a call."""


class ModelCall(Protocol):
    """A call that is ready to be made, from any thread."""

    @property
    def key(self) -> CallKey:
        """Return its key: executor and model, phase, version of the spec."""
        ...

    @property
    def batched(self) -> bool:
        """Return True if it may be sent in a provider's batch."""
        ...

    def perform(self, engine: Context, *, http: Post | None = None) -> Outcome:
        """Make the call; `http` sends its requests, if any."""
        ...


Call = Callable[[ModelCall], Outcome]


class WorkCall(Struct, frozen=True):
    """The call of the executor that implements the task."""

    route: Route
    order: ExecutorRequest
    meter: TaskMeter
    key: CallKey
    batched: bool = False

    def perform(self, engine: Context, *, http: Post | None = None) -> Outcome:
        """Return the executor's change and its cost, or why there is none."""
        engine.emit(Progress(self.key.task, "implement", self.route.model or "edit script"))
        if self.route.executor != SCRIPT:
            from minitask.routing.route_task import warn_exposure

            warn_exposure(engine, self.key.task, self.route.executor)
        executor = make_executor(self.route.executor, engine.settings, engine.environ, http=http)

        def work() -> Answered:
            result = executor.work(self.order)
            is_known = result.cost_usd is not None and not self.meter.is_subscribed
            cost = result.cost_usd if is_known else self.meter.spent_usd
            return Answered(result, cost, self.meter.pricing)

        return answer_once(engine, self.key, work)


def answer_once(engine: Context, key: CallKey, ask: Callable[[], Answered]) -> Outcome:
    """Return a paid but unrecorded reply, else the result of `ask` or its error."""

    def ask_within_limits() -> Answered:
        engine.reached.check(key.executor, engine.clock())
        return ask()

    try:
        answered = call_journal.answer(engine.repository.home, key, ask_within_limits)
    except (RefusedError, StoppedError, MachineError, EditError, BudgetError, OSError) as error:
        return error
    except ExecutorFailure as error:
        if error.kind is FailureKind.QUOTA:
            engine.reached.note(key.executor, str(error), engine.clock())
        return error
    if answered.work.broke_off_by(FailureKind.QUOTA):
        engine.reached.note(key.executor, answered.work.outage, engine.clock())
    return answered


def call_at_once(engine: Context) -> Call:
    """Return the `Call` of a single task: made at once in the caller's thread."""
    return lambda call: call.perform(engine)
