"""A task under way: how it is to be run, and the frozen state that its life hands from step to step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.engine.task_refs import RefSnapshot
from minitask.engine.tasks import Task
from minitask.errors import UsageError
from minitask.executors.request import ExecutorFailure, ExecutorRequest
from minitask.landing.land import Landings
from minitask.ledger.record import Attempt
from minitask.policy.budget import Budget
from minitask.policy.route import Route, RouteOverrides
from minitask.spec.model import Spec
from minitask.task.attempt_state import AttemptState
from minitask.task.calls import WorkCall

if TYPE_CHECKING:
    from minitask.gates.review import Review


class RunOptions(Struct, frozen=True):
    """Options of a task's run: where it is to go, whether it lands, whether it runs though it is proven or landed.

    `known` is what a run has asked git for all of its tasks. `lander` lands what is proven, together with others.
    With `fail_fast`, nothing more begins after a failure. With `batch`, model calls go into a provider's batches, where
    it has them. `purse` is what all tasks of the command may cost; a spec's own limit can only be lower.
    """

    demand: RouteOverrides
    merge: bool = True
    again: bool = False
    batch: bool = False
    fail_fast: bool = False
    purse: Budget | None = None
    lander: Landings | None = None
    known: RefSnapshot | None = None

    @property
    def takes_what_is_there(self) -> bool:
        """Return True if an earlier attempt will do."""
        return not self.again and self.demand == RouteOverrides()


class PromptInputs(Struct, frozen=True):
    """Inputs of a prompt besides the spec itself: the spec as it is routed, the steps that a model thought out
    for it, and what was wrong with an earlier attempt.
    """

    spec: Spec
    plan: str = ""
    feedback: str = ""


class Rounds(Struct, frozen=True):
    """Counters: how often the current route's change was reviewed, corrected by a reviewer's edits, and sent to a
    model that applies them; and how often the task was escalated.
    """

    reviews: int = 0
    corrections: int = 0
    applies: int = 0
    escalations: int = 0


class TaskState(Struct, frozen=True):
    """A task under way: its present attempt, the call for it, and what came before in this run.

    `calls` are the questions that were asked, with their phases. `maker` is the route of whoever made the change that
    others correct. `review` is what the present change was found to be. `failure` is that of the latest call, and
    `over_budget` says that a review could not be paid for.
    """

    task: Task
    wishes: RunOptions
    draft: AttemptState
    call: WorkCall
    purse: Budget
    prepared: PromptInputs
    maker: Route | None = None
    earlier: tuple[Attempt, ...] = ()
    calls: tuple[tuple[str, Attempt], ...] = ()
    review: Review | None = None
    rounds: Rounds = Rounds()
    failure: ExecutorFailure | None = None
    over_budget: bool = False

    @property
    def order(self) -> ExecutorRequest:
        """Return the order for the present attempt."""
        return self.call.order

    @property
    def repairs(self) -> int:
        """Return how often the change came back to its executor so far."""
        return len(self.order.history)


class NotAskedError(Exception):
    """Nobody was asked, so the task stops where it is: `state` is what was done by then, `error` says why."""

    def __init__(self, state: TaskState, error: Exception) -> None:
        """Keep what was done and the reason."""
        super().__init__(str(error))
        self.state = state
        self.error = error


class UnservedError(UsageError):
    """The settings cannot serve this one task; others of the same run go on."""
