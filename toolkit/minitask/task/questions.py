"""Questions to a model besides the attempts: asked, paid and recorded in one way.

An answer is data. It never names a program, a path outside the spec's files or a gate: the caller extracts only what
its phase needs.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.own_folders import AgentWorkspaces
from minitask.engine.tasks import next_number
from minitask.errors import UsageError
from minitask.executors.registry import WITH_BATCHES, make_advisor
from minitask.executors.request import Check, CompletionRequest, ExecutorFailure, FailureKind
from minitask.ledger.record import MESSAGE, Attempt, RecordedDecision, Verdict
from minitask.ledger.store import Exchange
from minitask.policy.budget import Budget, TaskMeter
from minitask.policy.estimates import token_scale
from minitask.policy.route import MODEL_TIERS, Route
from minitask.policy.tier_rules import check_executor, how_to_add, nearest_tier
from minitask.routing.requests import meet_unpriced, tariff
from minitask.routing.route_task import resolve_model, warn_exposure
from minitask.spec.model import Tier
from minitask.task import paid_calls
from minitask.task.paid_calls import BATCH_SECONDS, Answered, CallKey
from minitask.task.record_attempt import append_record, record_of_call
from minitask.task.state import Call, Outcome, answer_once, call_at_once

if TYPE_CHECKING:
    from minitask.executors.http import Post
    from minitask.task.state import TaskState

SECONDS = 600.0
FALLS_BACK = frozenset(
    {
        FailureKind.MALFORMED,
        FailureKind.CUT_OFF,
        FailureKind.REFUSED,
        FailureKind.STUCK,
        FailureKind.PROMPT_CUT,
    }
)
"""Kinds of failure that a better model may not have."""


class QuestionSubject(Struct, frozen=True):
    """The subject of a question: a task at a version of its spec, or a project (`PROJECT/@plan`, no spec).

    `n` is its attempt; None: the next free number.
    """

    task: str
    base: str
    target: str
    spec_path: str = ""
    spec_blob: str = ""
    n: int | None = None
    round: int = 0


class QuestionPrompt(Struct, frozen=True):
    """The content of a question: phase, stable instructions, prompt, and check of the answer."""

    phase: str
    system: str
    text: str
    check: Check
    max_output_tokens: int = 4_096
    repairs: int | None = None


class QuestionCall(Struct, frozen=True):
    """A question, ready to be sent to a model."""

    topic: QuestionSubject
    prompt: QuestionPrompt
    route: Route
    request: CompletionRequest
    key: CallKey
    meter: TaskMeter
    started: float
    batched: bool = False

    def perform(self, engine: Context, *, http: Post | None = None) -> Outcome:
        """Return the answer and its cost, or why there is none."""
        engine.emit(Progress(self.topic.task, self.prompt.phase, self.route.model))
        warn_exposure(engine, self.topic.task, self.route.executor)
        advisor = make_advisor(self.route.executor, engine.settings, engine.environ, http=http)

        def work() -> Answered:
            answer = advisor.advise(self.request, self.prompt.check)
            cost = self.meter.spent_usd if answer.cost_usd is None else answer.cost_usd
            return Answered(answer, cost, self.meter.pricing)

        return answer_once(engine, self.key, work)


def route_to(engine: Context, tier: str, reason: str, *, model: str | None = None) -> Route:
    """Return a question's route on the tier, or the nearest with an executor; else raise `UsageError`."""
    near = nearest_tier(engine.settings, tier)
    if near is None:
        raise UsageError("no tier has an executor", hint=how_to_add(engine.settings))
    entry = engine.settings.tiers[near]
    check_executor(engine.settings, entry.executor)
    if near != tier:
        reason += f"; {tier} has no executor, using {near}"
    return resolve_model(engine, Route(Tier(near), entry.executor, model or entry.model, reason))


def next_tier(engine: Context, route: Route) -> Route | None:
    """Return the route to the next higher tier with an executor, within the cap; None at the top."""
    settings = engine.settings
    index = MODEL_TIERS.index(route.tier.value)
    cap = MODEL_TIERS.index(settings.routing.cap)
    higher = next(
        (tier for tier in MODEL_TIERS[index + 1 : cap + 1] if tier in settings.tiers), None
    )
    if higher is None:
        return None
    with suppress(ExecutorFailure, UsageError):  # of an unreachable server
        return route_to(engine, higher, f"{route.tier.value} failed")
    return None


def make_question_call(
    engine: Context,
    topic: QuestionSubject,
    prompt: QuestionPrompt,
    route: Route,
    *,
    budget: Budget,
    batch: bool = False,
) -> QuestionCall:
    """Return the call for a question."""
    setting = engine.settings.executors.get(route.executor)
    model = engine.settings.models.get(route.model)
    batched = batch and setting is not None and setting.type in WITH_BATCHES
    subject = hashlib.sha256(
        f"{prompt.system}\0{prompt.text}".encode("utf-8", "surrogateescape")
    ).hexdigest()[:24]
    key = CallKey(
        task=topic.task,
        spec_path=topic.spec_path,
        spec_blob=topic.spec_blob,
        target=topic.target,
        base=topic.base,
        tier=route.tier.value,
        executor=route.executor,
        model=route.model,
        base_url=setting.base_url if setting else "",
        history=topic.round,
        phase=prompt.phase,
        subject=subject,
    )
    note = paid_calls.noting(engine.repository.home, key, batched=batched)
    unpriced = partial(meet_unpriced, engine, topic.task, route.model)
    meter = TaskMeter(tariff(engine, route, batch=batched), budget, note=note, unpriced=unpriced)
    limits = (prompt.max_output_tokens, model.max_output_tokens if model else None)
    request = CompletionRequest(
        name=topic.task.replace("@", "") if "@" in topic.task else f"{topic.task}.{prompt.phase}",
        phase=prompt.phase,
        system=prompt.system,
        prompt=prompt.text,
        model=route.model,
        timeout_seconds=BATCH_SECONDS if batched else SECONDS,
        max_output_tokens=min(filter(None, limits)),
        context_tokens=model.context_tokens if model else None,
        token_scale=token_scale(route.model),
        meter=meter,
        workplace=AgentWorkspaces(engine, topic.base),
        repairs=prompt.repairs,
    )
    return QuestionCall(topic, prompt, route, request, key, meter, engine.clock(), batched)


def record_question(
    engine: Context,
    question: QuestionCall,
    outcome: Answered | ExecutorFailure,
    *,
    verdict: Verdict,
    reason: str,
    notes: tuple[str, ...] = (),
) -> Attempt:
    """Record a question with its usage and cost, and remove it from the journal."""
    call = _call(engine, question, outcome, verdict, reason)
    record = record_of_call(
        question.key, call, started=question.started, kind=question.prompt.phase, notes=notes
    )
    with engine.writing:
        reply = outcome.work.reply if isinstance(outcome, Answered) else outcome.reply
        exchange = Exchange(f"{question.prompt.system}\n\n{question.prompt.text}", reply)
        announce = partial(paid_calls.announce, engine.repository.home, question.key)
        append_record(engine, record, exchange=exchange, announce=announce)
        paid_calls.settle(engine.repository.home, question.key.name)
    return call


def _call(
    engine: Context,
    question: QuestionCall,
    outcome: Answered | ExecutorFailure,
    verdict: Verdict,
    reason: str,
) -> Attempt:
    answered = outcome if isinstance(outcome, Answered) else None
    result = outcome.work if isinstance(outcome, Answered) else outcome
    return Attempt(
        n=question.topic.n or next_number(engine, question.topic.task),
        tier=question.route.tier.value,
        executor=question.route.executor,
        model=question.route.model,
        verdict=verdict,
        gate="" if verdict.is_good else question.prompt.phase,
        reason=reason,
        usage=result.usage,
        cost_usd=answered.cost_usd if answered else question.meter.spent_usd,
        seconds=engine.clock() - question.started,
        sandbox=engine.sandbox.strength.value,
        served=answered.work.served if answered else "",
        version=answered.work.version if answered else "",
        malformed=result.malformed,
        pricing=answered.pricing if answered else question.meter.pricing,
        decision=RecordedDecision(reason=question.route.reason),
    )


def ask_until(
    engine: Context,
    first: QuestionCall,
    *,
    budget: Budget,
    call: Call | None = None,
    falls_back: bool = True,
) -> tuple[QuestionCall, Outcome, tuple[Attempt, ...]]:
    """Ask, moving up a tier if a model fails; return the last question, its outcome, and the failed calls."""
    call = call or call_at_once(engine)
    question = first
    failed: list[Attempt] = []
    while True:
        outcome = call(question)
        if not falls_back or not may_fall_back(outcome, question.route):
            return question, outcome, tuple(failed)
        higher = next_tier(engine, question.route)
        if higher is None:
            return question, outcome, tuple(failed)
        assert isinstance(outcome, ExecutorFailure)  # noqa: S101 - only failures fall back
        reason = f"{outcome.kind}: {outcome}"
        failed.append(
            record_question(engine, question, outcome, verdict=Verdict.FAILED, reason=reason)
        )
        engine.emit(
            Progress(
                question.topic.task,
                question.prompt.phase,
                f"{higher.reason}, asking {higher.tier.value}",
            )
        )
        question = make_question_call(
            engine, question.topic, question.prompt, higher, budget=budget, batch=question.batched
        )


def ask_for_task(
    engine: Context, state: TaskState, prompt: QuestionPrompt, route: Route, *, call: Call
) -> tuple[TaskState, QuestionCall, Outcome]:
    """Ask about a task's current attempt, moving up a tier if a model fails.

    Return the state with the failed calls, the last question, and its outcome.
    """
    task, draft = state.task, state.draft
    topic = QuestionSubject(
        task.name, task.base, task.target, task.path, task.blob, n=draft.n, round=state.repairs
    )
    first = make_question_call(
        engine, topic, prompt, route, budget=state.budget, batch=state.options.batch
    )
    last, outcome, failed = ask_until(
        engine, first, budget=state.budget, call=call, falls_back=prompt.phase != MESSAGE
    )
    calls = (*state.calls, *((prompt.phase, attempt) for attempt in failed))
    failure = outcome if isinstance(outcome, ExecutorFailure) else None
    return replace(state, calls=calls, failure=failure), last, outcome


def record_for_task(
    engine: Context,
    state: TaskState,
    question: QuestionCall,
    outcome: Answered | ExecutorFailure,
    *,
    verdict: Verdict,
    reason: str,
    notes: tuple[str, ...] = (),
) -> TaskState:
    """Record a question about a task; return the state with its call."""
    attempt = record_question(
        engine, question, outcome, verdict=verdict, reason=reason, notes=notes
    )
    return replace(state, calls=(*state.calls, (question.prompt.phase, attempt)))


def may_fall_back(outcome: Outcome, route: Route) -> bool:
    """Return True if a better model may succeed; an unreachable free model costs nothing."""
    if not isinstance(outcome, ExecutorFailure):
        return False
    absent = outcome.kind in (FailureKind.TRANSPORT, FailureKind.MISSING, FailureKind.BAD_REQUEST)
    return outcome.kind in FALLS_BACK or (absent and route.tier is Tier.FREE)
