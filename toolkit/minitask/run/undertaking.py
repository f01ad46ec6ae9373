"""A task under way, and how it was wished for."""

from __future__ import annotations

from collections.abc import Callable

from minitask.executors.model import Order
from minitask.ledger.record import Attempt
from minitask.policy.purse import Purse
from minitask.policy.route import Demand
from minitask.run.draft import Draft
from minitask.run.known import Known
from minitask.run.landing import Candidate, Landed
from minitask.run.meter import TaskMeter
from minitask.run.paid import Errand
from minitask.run.tasks import Task
from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a task is to be run: where it is to go, whether it lands, whether it runs though it is proven or landed.

    `known` is what a run has asked git for all of its tasks. `land` lands what is proven, in place of landing it alone.
    With `fail_fast`, nothing more begins after a failure. With `batch`, model calls go into a provider's batches, where
    it has them. `purse` is what all tasks of the command may cost; a spec's own limit can only be lower.
    """

    demand: Demand
    merge: bool = True
    again: bool = False
    batch: bool = False
    fail_fast: bool = False
    purse: Purse | None = None
    land: Callable[[Task, Candidate], Landed] | None = None
    known: Known | None = None

    @property
    def takes_what_is_there(self) -> bool:
        """Whether an earlier attempt will do."""
        return not self.again and self.demand == Demand()


@dataclass(slots=True)
class Undertaking:
    """A task under way: its present attempt, the order for it, and the attempts before it in this run.

    `batched`: its calls go into a provider's batches.
    """

    task: Task
    wishes: Wishes
    started: float
    draft: Draft
    order: Order
    meter: TaskMeter
    errand: Errand
    batched: bool = False
    earlier: tuple[Attempt, ...] = ()

    @property
    def rounds(self) -> int:
        """How often a change came back so far."""
        return len(self.order.history)
