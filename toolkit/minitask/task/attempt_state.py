"""An attempt under way: what is known of it so far, as a frozen value."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.anchors import Anchor
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.executors.request import ExecutorResult
from minitask.gates.result import GateResult
from minitask.ledger.decision import CORRECT, FIRST, RecordedDecision, WeighedFact
from minitask.ledger.evidence import Grade
from minitask.ledger.record import Attempt, CommandRecord, FileRecord, Pricing, Verdict
from minitask.ledger.usage import NO_USAGE, Usage
from minitask.policy.route import Route


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
        known = self.ruling
        ruling = replace(known, gate=gate, passed=False, reason=reason, refused=False)
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
