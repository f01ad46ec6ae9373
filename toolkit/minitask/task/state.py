"""State of a running task: its options, the calls that it makes, and the frozen value passed from step to step.

A task's life receives a `Call`, one blocking function. `exec` passes one that calls at once, a run one that waits for
its turn, a run with `--batch` one that waits for the provider's batch. Each returns the result, or why there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.engine.anchors import Anchor
from minitask.engine.context import Context, Progress
from minitask.engine.tasks import RefSnapshot, Task
from minitask.errors import (
    BudgetError,
    EditError,
    MachineError,
    RefusedError,
    StoppedError,
    UsageError,
)
from minitask.executors.registry import make_executor
from minitask.executors.request import ExecutorFailure, ExecutorRequest, ExecutorResult, FailureKind
from minitask.gates.result import GateResult
from minitask.landing.land import Landings
from minitask.ledger.record import (
    CORRECT,
    FIRST,
    NO_USAGE,
    Attempt,
    CommandRecord,
    FileRecord,
    Grade,
    Pricing,
    RecordedDecision,
    Usage,
    Verdict,
    WeighedFact,
)
from minitask.policy.budget import Budget, TaskMeter
from minitask.policy.route import SCRIPT, Route, RouteOverrides
from minitask.routing.requests import ReadLines
from minitask.spec.model import Spec
from minitask.task import paid_calls
from minitask.task.paid_calls import Answered, CallKey, metered

if TYPE_CHECKING:
    from minitask.executors.http import Post
    from minitask.gates.review import Review

UNASKED = (RefusedError, StoppedError, MachineError, EditError, BudgetError, OSError)
"""Errors before any call: the budget is spent, the run was stopped, the machine failed."""
Unasked = RefusedError | StoppedError | MachineError | EditError | BudgetError | OSError
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

    @property
    def reply_format(self) -> str:
        """Return the requested reply format; empty for a script, or an agent that edits files."""
        is_asked = self.route.executor != SCRIPT and not self.order.expected.requests
        return self.order.reply_format.value if is_asked else ""

    def perform(self, engine: Context, *, http: Post | None = None) -> Outcome:
        """Return the executor's change and its cost, or why there is none."""
        from minitask.routing.route_task import warn_exposure

        engine.emit(Progress(self.key.task, "implement", self.route.model))
        warn_exposure(engine, self.key.task, self.route.executor)
        executor = make_executor(self.route.executor, engine.settings, engine.environ, http=http)

        def work() -> Answered:
            result = executor.work(metered(self.order, self.meter, waits=True))
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
        answered = paid_calls.answer(engine.repository.home, key, ask_within_limits)
    except UNASKED as error:
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


class RunOptions(Struct, frozen=True):
    """Options of a task's run: routing overrides, landing, and whether to repeat proven or landed work.

    `known`: git data read once for all tasks of a run. `lander` lands proven tasks together. `waits`: wait for the end
    of an executor's limit. `fail_fast`: begin nothing after a failure. `batch`: use providers' batches where supported.
    `budget`: limit for all tasks of the command; a spec can only lower it. `shared_reads`: lines read by several tasks
    of the run. `before`: results of the validation on the base, if the caller ran it there.
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
    before: tuple[CommandRecord, ...] = ()

    def may_reuse(self, name: str) -> bool:
        """Return True if an earlier run may have left a usable change of the task, by the snapshot of its refs."""
        is_new = self.known is not None and not self.known.refs_of(name)
        return not (self.again or is_new) and self.demand.is_empty


def needs_approval(engine: Context, task: Task) -> bool:
    """Return True if the spec or the config requires a person's approval before landing."""
    return "required" in (task.spec.options.review, engine.settings.review)


class PromptInputs(Struct, frozen=True):
    """Inputs of a prompt: the spec as routed, a model's outline, and what was wrong with an earlier attempt."""

    spec: Spec
    plan: str = ""
    feedback: str = ""


class Rounds(Struct, frozen=True):
    """Counters of the current route's change: reviews, corrections by the reviewer's edits, applications by a model.

    `escalations` counts the task's moves to a higher tier.
    """

    reviews: int = 0
    corrections: int = 0
    applies: int = 0
    escalations: int = 0


class TaskState(Struct, frozen=True):
    """A running task: its current attempt, that attempt's call, and what preceded it in this run.

    `calls` are the questions asked, by phase. `maker` is the route that made the change which others correct. `review`
    judges the current change. `failure` is the latest call's. `over_budget`: a review could not be paid for; `limited`
    names the reviewer at its limit.
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
        """Return the order of the current attempt."""
        return self.call.order

    @property
    def repairs(self) -> int:
        """Return how often the change was sent back to its executor."""
        return len(self.order.history)


class NotAskedError(Exception):
    """The call was not made, so the task stops; `state` is its last state, `error` the reason."""

    def __init__(self, state: TaskState, error: Exception) -> None:
        """Store the state and the error."""
        super().__init__(str(error))
        self.state = state
        self.error = error


class UnservedError(UsageError):
    """The settings cannot serve this task; others of the same run continue."""


class AttemptState(Struct, frozen=True):
    """An attempt: its number, start and context, then its result; each step returns a new value.

    `heads` are the task's refs at the start; `commit` and `tree` are set with the candidate. `after`: another tier
    failed at the same spec before. `settles` (set at the end): the result shows what its tier can do. `message`: commit
    message by a gate. `transport`: no executor could be reached. `step`: the step that led to the attempt. `doubts`:
    why a person must check it before it lands. `reply`: the last reply if no change resulted.
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
        """Return True if it is the reviewer's own correction."""
        return self.step == CORRECT

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return the changes of its work; none without it."""
        return self.work.changes if self.work else ()

    @property
    def judgement(self) -> tuple[Route, Verdict, str, str]:
        """Return what the rules on a model's ability judge: route, verdict, gate and reason."""
        return self.route, self.verdict, self.ruling.gate, self.ruling.reason

    def failed(self, verdict: Verdict, gate: str, reason: str) -> AttemptState:
        """Return the attempt as failed at a gate, with its earlier findings."""
        ruling = self.ruling
        ruling = replace(ruling, gate=gate, passed=False, reason=reason, refused=False)
        return replace(self, verdict=verdict, ruling=ruling)

    def attempt(self, engine: Context) -> Attempt:
        """Return the attempt in its current state, for the record."""
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
