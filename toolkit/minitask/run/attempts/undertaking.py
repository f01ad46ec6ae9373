"""A task under way, and how it was wished for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.executors.model import Order
from minitask.ledger.record import Attempt
from minitask.policy.purse import Purse
from minitask.policy.route import Demand, Route
from minitask.run.attempts.draft import Draft
from minitask.run.attempts.meter import TaskMeter
from minitask.run.attempts.paid import Errand
from minitask.run.known import Known
from minitask.run.landings.landing import Lander
from minitask.run.tasks import Task
from minitask.spec.model import Spec
from minitask.values import dataclass

if TYPE_CHECKING:
    from minitask.gates.review import Review
    from minitask.run.attempts.consulting import Consult


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a task is to be run: where it is to go, whether it lands, whether it runs though it is proven or landed.

    `known` is what a run has asked git for all of its tasks. `lander` lands what is proven, together with others.
    With `fail_fast`, nothing more begins after a failure. With `batch`, model calls go into a provider's batches, where
    it has them. `purse` is what all tasks of the command may cost; a spec's own limit can only be lower.
    """

    demand: Demand
    merge: bool = True
    again: bool = False
    batch: bool = False
    fail_fast: bool = False
    purse: Purse | None = None
    lander: Lander | None = None
    known: Known | None = None

    @property
    def takes_what_is_there(self) -> bool:
        """Whether an earlier attempt will do."""
        return not self.again and self.demand == Demand()


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an order is made with besides the spec itself: the spec as it is routed, the steps that a model thought out
    for it, and what was wrong with an earlier attempt.
    """

    spec: Spec
    plan: str = ""
    feedback: str = ""


@dataclass(slots=True)
class Undertaking:
    """A task under way: its present attempt, the order for it, and the attempts before it in this run.

    `purse` is the task's own. `batched`: its calls go into a provider's batches. `consult` is a question that is to be
    asked before it goes on, `pending` are gates that have one before the work, `calls` are those that were asked, with
    their phase. `maker` is the route of whoever made the change that others correct. `review` is what the present
    change was found to be. `reviews`, `corrections`, `applies` and `climbs` count how often a change was reviewed, got
    the reviewer's own edits, went to whoever applies them, and went a rung up. The higher its `urgency`, the sooner
    somebody is asked.
    """

    task: Task
    wishes: Wishes
    started: float
    draft: Draft
    order: Order
    meter: TaskMeter
    errand: Errand
    purse: Purse
    prepared: Prepared
    batched: bool = False
    maker: Route | None = None
    earlier: tuple[Attempt, ...] = ()
    pending: tuple[str, ...] = ()
    consult: Consult | None = None
    calls: tuple[tuple[str, Attempt], ...] = ()
    review: Review | None = None
    reviews: int = 0
    corrections: int = 0
    applies: int = 0
    climbs: int = 0
    urgency: int = 0

    @property
    def asked(self) -> str:
        """The executor that is asked next."""
        return self.consult.route.executor if self.consult else self.draft.route.executor

    @property
    def rounds(self) -> int:
        """How often a change came back so far."""
        return len(self.order.history)
