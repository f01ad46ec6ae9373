"""The attempt after a failed one: the steps that may follow, the choice of one, and its initial state.

`next_steps` is a pure function of facts, tested as a table. First the reviewer's own edits, which cost nothing; then
the executor, or the one that applies the reviewer's edits, gets the change back with its failure; then the next tier.
Only failures that reflect a model's ability escalate, not an outage, a broken spec or a spent budget.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.engine.context import Context, Progress
from minitask.errors import UsageError
from minitask.executors.registry import MAKERS
from minitask.executors.request import ExecutorFailure, PastRound
from minitask.git import refs
from minitask.ledger.record import APPLY, CLIMB, CORRECT, REPAIR, REVIEW, Record, Verdict
from minitask.policy.choice import next_rung
from minitask.policy.route import (
    SCRIPT,
    Route,
    counts_against_model,
    is_beyond_change,
    may_be_for_another,
)
from minitask.policy.tier_rules import nearest_tier
from minitask.routing.route_task import resolve_model, routing_context
from minitask.spec.model import Tier
from minitask.task.feedback import as_reply, describe_failure
from minitask.task.model_review import corrected, describe_review, reviewers_work
from minitask.task.prepare import renewed_call, with_work_call
from minitask.task.state import AttemptState, Rounds, TaskState

FED_BACK = frozenset({"scope", "lint", "validate", REVIEW})
"""Gates whose rejection is sent back to the executor."""


class Step(StrEnum):
    """A step after an attempt, by its name in the record."""

    CORRECT = CORRECT
    REPAIR = REPAIR
    APPLY = APPLY
    ESCALATE = CLIMB


class Facts(Struct, frozen=True):
    """Facts about a finished attempt, and counts of earlier steps.

    `is_for_another`: the model could or would not do the task. `unreachable`: the free tier did not answer.
    `was_reviewed` and `has_edits` refer to the current change's review; `is_correction`: the attempt was the reviewer's
    own edits. Limits are from the settings.
    """

    verdict: Verdict
    gate: str
    is_script: bool = False
    has_change: bool = True
    is_correction: bool = False
    was_reviewed: bool = False
    has_edits: bool = False
    is_for_another: bool = False
    unreachable: bool = False
    repairs: int = 0
    corrections: int = 0
    applies: int = 0
    escalations: int = 0
    most_repairs: int = 1
    most_review_rounds: int = 1
    most_escalations: int = 0


def next_steps(facts: Facts) -> tuple[Step, ...]:
    """Return the possible next steps, best first; the first feasible one is taken. Empty: the task ends."""
    if facts.verdict.is_good:
        return ()
    steps = []
    if _may_correct(facts):
        steps.append(Step.CORRECT)
    if facts.is_script:
        return tuple(steps)
    if _may_repair(facts):
        return (*steps, Step.REPAIR)
    if _may_apply(facts):
        steps.append(Step.APPLY)
    if _may_escalate(facts):
        steps.append(Step.ESCALATE)
    return tuple(steps)


def _may_correct(facts: Facts) -> bool:
    reviewed = facts.gate == REVIEW and facts.was_reviewed and facts.has_edits
    return reviewed and facts.corrections < facts.most_review_rounds


def _may_repair(facts: Facts) -> bool:
    if not facts.has_change or facts.verdict is not Verdict.FAILED or facts.is_correction:
        return False
    if facts.gate not in FED_BACK or facts.repairs >= facts.most_repairs:
        return False
    return facts.gate != REVIEW or not facts.has_edits


def _may_apply(facts: Facts) -> bool:
    failed = facts.verdict is Verdict.FAILED and facts.has_change
    has_review_edits = (facts.gate == REVIEW or facts.is_correction) and facts.has_edits
    return failed and has_review_edits and facts.applies < facts.most_review_rounds


def _may_escalate(facts: Facts) -> bool:
    if facts.unreachable:
        return True
    return facts.is_for_another and facts.escalations < facts.most_escalations


class NextStep(Struct, frozen=True):
    """The next step after an attempt: its route, and the changes of a correction."""

    step: Step
    route: Route
    changes: tuple[Change, ...] = ()

    @property
    def goes_on(self) -> bool:
        """Return True if the same change is continued, so that it does not count for its tier yet."""
        return self.step is not Step.ESCALATE

    def begin(self, engine: Context, state: TaskState, record: Record) -> TaskState:
        """Return the initial state of the next attempt; the current one is recorded."""
        begin = {
            Step.CORRECT: _correct,
            Step.REPAIR: _repair,
            Step.APPLY: _apply,
            Step.ESCALATE: _escalate,
        }
        return begin[self.step](engine, state, self, record)


def choose_step(engine: Context, state: TaskState) -> NextStep | None:
    """Return the best possible step after a judged attempt; None if the task ends."""
    chosen = (_possible(engine, state, step) for step in next_steps(facts_of(engine, state)))
    return next(filter(None, chosen), None)


def facts_of(engine: Context, state: TaskState) -> Facts:
    """Return the facts that decide the next step."""
    draft, rounds, routing = state.draft, state.rounds, engine.settings.routing
    return Facts(
        verdict=draft.verdict,
        gate=draft.ruling.gate,
        is_script=draft.route.executor == SCRIPT,
        has_change=draft.work is not None,
        is_correction=draft.corrects,
        was_reviewed=draft.needs_no_review and state.review is not None,
        has_edits=state.review is not None and state.review.has_edits,
        is_for_another=may_be_for_another(*draft.judgement),
        unreachable=draft.transport and draft.route.tier is Tier.FREE,
        repairs=state.repairs,
        corrections=rounds.corrections,
        applies=rounds.applies,
        escalations=rounds.escalations,
        most_repairs=0 if is_beyond_change(draft.ruling.reason) else engine.settings.repairs,
        most_review_rounds=routing.review_rounds,
        most_escalations=routing.max_escalations,
    )


def _possible(engine: Context, state: TaskState, step: Step) -> NextStep | None:
    """Return the step with its route and changes, or None if it is not possible."""
    match step:
        case Step.CORRECT:
            changes = corrected(state, state.review)
            return None if changes is None else NextStep(step, _reviewers_route(state), changes)
        case Step.REPAIR:
            return NextStep(step, state.draft.route)
        case Step.APPLY:
            route = _apply_route(engine)
        case Step.ESCALATE:
            route = _next_route(engine, state)
    return None if route is None else NextStep(step, route)


def _reviewers_route(state: TaskState) -> Route:
    """Return the route to the model that made the latest review."""
    assert state.review is not None  # noqa: S101 - it has edits
    phase, call = state.calls[-1]
    assert phase == REVIEW  # noqa: S101 - it came last
    return replace(
        state.draft.route,
        tier=Tier(call.tier),
        executor=call.executor,
        model=call.model,
        reason=f"the reviewer's own edits: {state.review.reason}",
    )


def _apply_route(engine: Context) -> Route | None:
    start = engine.settings.routing.entry["apply"]
    tier = None if start == Tier.NONE.value else nearest_tier(engine.settings, start)
    if tier is None:
        return None
    entry = engine.settings.tiers[tier]
    why = f"reviewer's edits are applied at tier {tier}"
    return _served(engine, Route(Tier(tier), entry.executor, entry.model, why))


def _next_route(engine: Context, state: TaskState) -> Route | None:
    """Return the route to the next tier; None at the top, or if no executor serves it."""
    draft, spec = state.draft, state.prepared.spec
    attempt = replace(draft, settles=counts_against_model(*draft.judgement)).attempt(engine)
    context = routing_context(engine, state.task, spec, (attempt,))
    why = "could not be reached" if draft.transport else "failed"
    maker = state.maker or draft.route
    route = next_rung(maker, engine.settings, context=context, spec=spec, why=why)
    return _served(engine, route) if route else None


def _served(engine: Context, route: Route) -> Route | None:
    """Return the route with a resolved model name; None if no executor serves one."""
    try:
        return resolve_model(engine, route)
    except (ExecutorFailure, UsageError):
        return None


def _correct(engine: Context, state: TaskState, chosen: NextStep, record: Record) -> TaskState:
    """Return the state of an attempt by the reviewer: the change with the reviewer's edits."""
    assert state.review is not None  # noqa: S101 - it has edits
    engine.emit(Progress(state.task.name, "correct", chosen.route.reason))
    last = state.rounds.reviews >= engine.settings.routing.review_rounds
    following = _following(engine, state, chosen, record)
    draft = replace(
        following.draft,
        work=reviewers_work(state, chosen.changes, chosen.route),
        needs_no_review=last and state.review.fixes_all,
    )
    rounds = replace(state.rounds, corrections=state.rounds.corrections + 1)
    maker = state.maker or state.draft.route
    return replace(following, draft=draft, rounds=rounds, maker=maker)


def _repair(engine: Context, state: TaskState, chosen: NextStep, record: Record) -> TaskState:
    """Return the state of the same request, with the change and its failure in the history."""
    draft = state.draft
    assert draft.work is not None  # noqa: S101 - there was a change
    engine.emit(Progress(state.task.name, "repair", record.attempt.reason))
    gate = draft.ruling.gate if draft.ruling is not None else ""
    back = PastRound(draft.work.reply, _problem(state, record), draft.work.changes, gate)
    call = renewed_call(engine, state.call, history=(*state.order.history, back))
    following = _following(engine, state, chosen, record)
    repairing = replace(following.draft, reply_format=draft.reply_format)
    return replace(following, draft=repairing, call=call)


def _apply(engine: Context, state: TaskState, chosen: NextStep, record: Record) -> TaskState:
    """Return the state of a request to the executor that applies the reviewer's edits to the change."""
    work, review, route = state.draft.work, state.review, chosen.route
    assert work is not None  # noqa: S101 - there was a change
    assert review is not None  # noqa: S101 - it asked for edits
    engine.emit(Progress(state.task.name, "apply", f"tier {route.tier.value}: {route.reason}"))
    maker = state.maker or state.draft.route
    onward = replace(
        route,
        ladder=maker.ladder,
        task_class=maker.task_class,
        review=maker.review,
        review_reason=maker.review_reason,
    )
    back = PastRound(_written(engine, state), describe_review(review), work.changes)
    rounds = replace(state.rounds, applies=state.rounds.applies + 1)
    following = _following(engine, state, replace(chosen, route=onward), record)
    return with_work_call(engine, replace(following, maker=maker, rounds=rounds), history=(back,))


def _escalate(engine: Context, state: TaskState, chosen: NextStep, record: Record) -> TaskState:
    """Return the state of a request to the next tier, with the failure of the lower one."""
    route, prepared, escalations = chosen.route, state.prepared, state.rounds.escalations
    engine.emit(Progress(state.task.name, "escalate", f"tier {route.tier.value}: {route.reason}"))
    if not state.draft.transport:
        escalations += 1
        prepared = replace(prepared, feedback=_problem(state, record))
    following = replace(
        _following(engine, state, chosen, record),
        prepared=prepared,
        rounds=Rounds(escalations=escalations),
        review=None,
        maker=None,
    )
    return with_work_call(engine, following)


def _following(engine: Context, state: TaskState, chosen: NextStep, record: Record) -> TaskState:
    """Return the state with the draft of the next attempt; the current one is recorded."""
    draft, route = state.draft, chosen.route
    heads = dict(draft.heads)
    if record.candidate is not None:
        heads[refs.branch(state.task.name)] = record.candidate
    following = AttemptState(
        state.task,
        route,
        draft.n + 1,
        engine.clock(),
        heads,
        draft.anchor,
        before=draft.before,
        after=draft.after or route.tier is not draft.route.tier,
        step=chosen.step.value,
    )
    return replace(state, draft=following, earlier=(*state.earlier, record.attempt))


def _written(engine: Context, state: TaskState) -> str:
    """Return the change as a chat reply, rendered from the files if an agent made it."""
    work = state.draft.work
    assert work is not None  # noqa: S101 - there was a change
    first = (*(attempt.executor for attempt in state.earlier), state.draft.route.executor)[0]
    setting = engine.settings.executors.get(first)
    if setting is not None and setting.type in MAKERS:
        return work.reply
    return as_reply(work.changes)


def _problem(state: TaskState, record: Record) -> str:
    if record.attempt.gate == REVIEW and state.review is not None:
        return describe_review(state.review)
    return describe_failure(record.attempt)
