"""A task under way: how it is to be run, and the frozen state that its life hands from step to step."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.anchors import Anchor
from minitask.engine.context import Context
from minitask.engine.tasks import RefSnapshot, Task
from minitask.errors import UsageError
from minitask.executors.request import ExecutorFailure, ExecutorRequest, ExecutorResult
from minitask.gates.result import GateResult
from minitask.landing.land import Landings
from minitask.ledger.record import (
    CORRECT,
    FIRST,
    Attempt,
    CommandRecord,
    FileRecord,
    Grade,
    Pricing,
    RecordedDecision,
    Verdict,
    WeighedFact,
)
from minitask.ledger.usage import NO_USAGE, Usage
from minitask.policy.prices import Budget
from minitask.policy.route import Route, RouteOverrides
from minitask.routing.requests import ReadLines
from minitask.spec.model import Spec
from minitask.task.calls import WorkCall

if TYPE_CHECKING:
    from minitask.gates.review import Review


class RunOptions(Struct, frozen=True):
    """Options of a task's run: where it is to go, whether it lands, whether it runs though it is proven or landed.

    `known` is what a run has asked git for all of its tasks. `lander` lands what is proven, together with others.
    With `waits`, a task waits for the end of its executor's limit. With `fail_fast`, nothing more begins after a
    failure. With `batch`, model calls go into a provider's batches, where it has them. `budget` is what all tasks of
    the command may cost; a spec's own limit can only be lower.
    `shared_reads` are the lines that several tasks of the run read.
    """

    demand: RouteOverrides
    merge: bool = True
    again: bool = False
    batch: bool = False
    waits: bool = False
    fail_fast: bool = False
    budget: Budget | None = None
    lander: Landings | None = None
    known: RefSnapshot | None = None
    shared_reads: frozenset[ReadLines] = frozenset()

    @property
    def takes_what_is_there(self) -> bool:
        """Return True if an earlier attempt will do."""
        return not self.again and self.demand.is_empty


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
    `over_budget` says that a review could not be paid for, `limited` names the reviewer whose limit is reached.
    """

    task: Task
    options: RunOptions
    draft: AttemptState
    call: WorkCall
    budget: Budget
    prepared: PromptInputs
    maker: Route | None = None
    earlier: tuple[Attempt, ...] = ()
    calls: tuple[tuple[str, Attempt], ...] = ()
    review: Review | None = None
    rounds: Rounds = Rounds()
    failure: ExecutorFailure | None = None
    over_budget: bool = False
    limited: str = ""

    @property
    def order(self) -> ExecutorRequest:
        """Return the order for the present attempt."""
        return self.call.order

    @property
    def repairs(self) -> int:
        """Return how often the change came back to its executor so far."""
        return len(self.order.history)


class NotAskedError(Exception):
    """The call was not made, so the task stops: `state` is how far it came, `error` says why."""

    def __init__(self, state: TaskState, error: Exception) -> None:
        """Keep what was done and the reason."""
        super().__init__(str(error))
        self.state = state
        self.error = error


class UnservedError(UsageError):
    """The settings cannot serve this one task; others of the same run go on."""


class AttemptState(Struct, frozen=True):
    """The attempt's number, start and surroundings, then its result; each step returns a new one.

    `heads` are the task's refs, as they were at the start; `commit` and `tree` are set once there is a candidate.
    `after`: another tier failed at the very spec before. `settles` is set as it ends: whether it tells what its tier
    can do. `message` is the candidate's, where a gate made one; `transport`: no executor could be reached; `step` is
    what the attempt follows from. `doubts` say why a person is to look at it before it lands.
    `reply` is the last one, where no change resulted.
    """

    task: Task
    route: Route
    n: int
    started: float
    heads: dict[str, str]
    anchor: Anchor
    before: tuple[CommandRecord, ...] = ()
    work: ExecutorResult | None = None
    usage: Usage = NO_USAGE
    cost_usd: Decimal | None = Decimal(0)
    pricing: Pricing | None = None
    malformed: int = 0
    reply_format: str = ""
    estimate: Usage | None = None
    baseline_usd: Decimal | None = None
    commit: str | None = None
    tree: str | None = None
    files: tuple[FileRecord, ...] = ()
    ruling: GateResult = GateResult("", passed=False)
    verdict: Verdict = Verdict.FAILED
    after: bool = False
    settles: bool = False
    needs_no_review: bool = False
    transport: bool = False
    step: str = FIRST
    message: str = ""
    doubts: tuple[str, ...] = ()
    grade: Grade | None = None
    unknown_imports: tuple[str, ...] = ()
    reply: str = ""

    @property
    def corrects(self) -> bool:
        """Return True if it is a reviewer's own correction."""
        return self.step == CORRECT

    def failed(self, verdict: Verdict, gate: str, reason: str) -> AttemptState:
        """Return it with what stopped it, besides what was found out before."""
        ruling = self.ruling
        ruling = replace(ruling, gate=gate, passed=False, reason=reason, refused=False)
        return replace(self, verdict=verdict, ruling=ruling)

    def attempt(self, engine: Context) -> Attempt:
        """Return the attempt as it stands."""
        return Attempt(
            n=self.n,
            tier=self.route.tier.value,
            executor=self.route.executor,
            model=self.route.model,
            verdict=self.verdict,
            gate="" if self.ruling.passed else self.ruling.gate,
            reason=self.ruling.reason,
            usage=self.usage,
            cost_usd=self.cost_usd,
            seconds=engine.clock() - self.started,
            sandbox=self.ruling.sandbox or engine.sandbox.strength.value,
            commands=self.ruling.commands,
            before=self.before,
            files=self.files,
            served=self.work.served if self.work else "",
            version=self.work.version if self.work else "",
            malformed=self.malformed,
            reply_format=self.reply_format,
            pricing=self.pricing,
            decision=self._decision(),
            doubts=self.doubts,
            grade=self.grade,
            unknown_imports=self.unknown_imports,
        )

    def _decision(self) -> RecordedDecision:
        route = self.route
        estimate = route.estimate
        return RecordedDecision(
            reason=route.reason,
            task_class=route.task_class,
            review=route.review,
            review_reason=route.review_reason,
            ladder=tuple(WeighedFact(step.tier, step.use, step.reason) for step in route.ladder),
            input_tokens=estimate.input_tokens if estimate else None,
            output_tokens=estimate.output_tokens if estimate else None,
            cost_usd=estimate.cost_usd if estimate else None,
            after_failure=self.after,
            settles=self.settles,
            step=self.step,
            stated_cost_usd=self.task.spec.estimate.cost_usd,
        )
