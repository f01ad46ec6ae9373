"""The attempt after a failed one: choice of the step, and its initial state."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.engine.context import Context, Progress
from minitask.errors import UsageError
from minitask.executors.registry import MAKERS
from minitask.executors.request import ExecutorFailure, PastRound
from minitask.git import refs
from minitask.ledger.record import REVIEW, Record, Verdict
from minitask.policy.choice import next_rung
from minitask.policy.route import SCRIPT, Route
from minitask.policy.tier_rules import nearest_tier
from minitask.routing.pass_rates import (
    counts_against_model,
    is_beyond_change,
    may_be_for_another,
)
from minitask.routing.route_task import resolve_model, routing_context
from minitask.spec.model import Tier
from minitask.task.feedback import as_reply, describe_failure
from minitask.task.model_review import corrected, describe_review, reviewers_work
from minitask.task.prepare import make_work_call, renewed_call, reply_format_of
from minitask.task.state import AttemptState, Rounds, TaskState
from minitask.task.steps import Facts, Step, next_steps


class NextStep(Struct, frozen=True):
    """The next step after an attempt, with its route or changes."""

    step: Step
    route: Route | None = None
    changes: tuple[Change, ...] = ()

    @property
    def goes_on(self) -> bool:
        """Return True if the same change is continued, so that it does not count for its tier yet."""
        return self.step is not Step.ESCALATE


def choose_step(engine: Context, state: TaskState) -> NextStep | None:
    """Return the best possible step after a judged attempt; None if the task ends."""
    for step in next_steps(facts_of(engine, state)):
        chosen = _possible(engine, state, step)
        if chosen is not None:
            return chosen
    return None


def begin_step(engine: Context, state: TaskState, chosen: NextStep, record: Record) -> TaskState:
    """Return the initial state of the next attempt; the current one is recorded."""
    match chosen.step:
        case Step.CORRECT:
            return _correct(engine, state, record, chosen.changes)
        case Step.REPAIR:
            return _repair(engine, state, record)
        case Step.APPLY:
            return _apply(engine, state, record, chosen.route)
        case Step.ESCALATE:
            return _escalate(engine, state, record, chosen.route)


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
        is_for_another=_judged_by(may_be_for_another, draft),
        unreachable=draft.transport and draft.route.tier is Tier.FREE,
        repairs=state.repairs,
        corrections=rounds.corrections,
        applies=rounds.applies,
        escalations=rounds.escalations,
        most_repairs=0 if is_beyond_change(draft.ruling.reason) else engine.settings.repairs,
        most_review_rounds=routing.review_rounds,
        most_escalations=routing.max_escalations,
    )


def _judged_by(rule: Callable[[Route, Verdict, str, str], bool], draft: AttemptState) -> bool:
    return rule(draft.route, draft.verdict, draft.ruling.gate, draft.ruling.reason)


def _possible(engine: Context, state: TaskState, step: Step) -> NextStep | None:
    """Return the step with its route or changes, or None if it is not possible."""
    match step:
        case Step.CORRECT:
            changes = corrected(state, state.review)
            return None if changes is None else NextStep(step, changes=changes)
        case Step.REPAIR:
            return NextStep(step)
        case Step.APPLY:
            route = _apply_route(engine)
        case Step.ESCALATE:
            route = _next_route(engine, state)
    return None if route is None else NextStep(step, route)


def _correct(
    engine: Context, state: TaskState, record: Record, changes: tuple[Change, ...]
) -> TaskState:
    """Return the state of an attempt by the reviewer: the change with the reviewer's edits."""
    assert state.review is not None  # noqa: S101 - it has edits
    phase, call = state.calls[-1]
    assert phase == REVIEW  # noqa: S101 - it came last
    route = replace(
        state.draft.route,
        tier=Tier(call.tier),
        executor=call.executor,
        model=call.model,
        reason=f"the reviewer's own edits: {state.review.reason}",
    )
    engine.emit(Progress(state.task.name, "correct", route.reason))
    last = state.rounds.reviews >= engine.settings.routing.review_rounds
    draft = replace(
        _next_draft(engine, state, record, route, step=Step.CORRECT),
        work=reviewers_work(state, changes, route),
        needs_no_review=last and state.review.fixes_all,
    )
    rounds = replace(state.rounds, corrections=state.rounds.corrections + 1)
    maker = state.maker or state.draft.route
    return replace(_with_earlier(state, record), draft=draft, rounds=rounds, maker=maker)


def _repair(engine: Context, state: TaskState, record: Record) -> TaskState:
    """Return the state of the same request, with the change and its failure in the history."""
    draft = state.draft
    assert draft.work is not None  # noqa: S101 - there was a change
    engine.emit(Progress(state.task.name, "repair", record.attempt.reason))
    back = PastRound(draft.work.reply, _problem(state, record), draft.work.changes)
    call = renewed_call(engine, state.call, history=(*state.order.history, back))
    following = replace(
        _next_draft(engine, state, record, draft.route, step=Step.REPAIR),
        reply_format=draft.reply_format,
    )
    return replace(_with_earlier(state, record), draft=following, call=call)


def _apply(engine: Context, state: TaskState, record: Record, route: Route | None) -> TaskState:
    """Return the state of a request to the executor that applies the reviewer's edits to the change."""
    work, review = state.draft.work, state.review
    assert route is not None  # noqa: S101 - found before
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
    following = replace(state, maker=maker, rounds=rounds)
    return _on_route(engine, following, record, onward, step=Step.APPLY, history=(back,))


def _escalate(engine: Context, state: TaskState, record: Record, route: Route | None) -> TaskState:
    """Return the state of a request to the next tier, with the failure of the lower one."""
    assert route is not None  # noqa: S101 - found before
    engine.emit(Progress(state.task.name, "escalate", f"tier {route.tier.value}: {route.reason}"))
    prepared, escalations = state.prepared, state.rounds.escalations
    if not state.draft.transport:
        escalations += 1
        prepared = replace(prepared, feedback=_problem(state, record))
    following = replace(
        state, prepared=prepared, rounds=Rounds(escalations=escalations), review=None, maker=None
    )
    return _on_route(engine, following, record, route, step=Step.ESCALATE)


def _on_route(
    engine: Context,
    state: TaskState,
    record: Record,
    route: Route,
    *,
    step: Step,
    history: tuple[PastRound, ...] = (),
) -> TaskState:
    """Return the state of the next attempt on another route."""
    following = _with_earlier(state, record)
    draft = _next_draft(engine, state, record, route, step=step)
    call = make_work_call(
        engine,
        draft,
        following.options,
        budget=following.budget,
        prepared=following.prepared,
        history=history,
        number=len(following.earlier),
    )
    return replace(following, draft=replace(draft, reply_format=reply_format_of(call)), call=call)


def _with_earlier(state: TaskState, record: Record) -> TaskState:
    return replace(state, earlier=(*state.earlier, record.attempt))


def _next_draft(
    engine: Context, state: TaskState, record: Record, route: Route, *, step: Step
) -> AttemptState:
    """Return the draft of the next attempt; the current one is recorded."""
    draft = state.draft
    heads = dict(draft.heads)
    if record.candidate is not None:
        heads[refs.branch(state.task.name)] = record.candidate
    return AttemptState(
        state.task,
        route,
        draft.n + 1,
        engine.clock(),
        heads,
        draft.anchor,
        before=draft.before,
        after=draft.after or route.tier is not draft.route.tier,
        step=step.value,
    )


def _next_route(engine: Context, state: TaskState) -> Route | None:
    """Return the route to the next tier; None at the top, or if no executor serves it."""
    draft, spec = state.draft, state.prepared.spec
    attempt = replace(draft, settles=_judged_by(counts_against_model, draft)).attempt(engine)
    context = routing_context(engine, state.task, spec, (attempt,))
    why = "could not be reached" if draft.transport else "failed"
    maker = state.maker or draft.route
    route = next_rung(maker, engine.settings, context=context, spec=spec, why=why)
    return _served(engine, route) if route else None


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


def _apply_route(engine: Context) -> Route | None:
    start = engine.settings.routing.entry["apply"]
    tier = None if start == Tier.NONE.value else nearest_tier(engine.settings, start)
    if tier is None:
        return None
    entry = engine.settings.tiers[tier]
    why = f"reviewer's edits are applied at tier {tier}"
    return _served(engine, Route(Tier(tier), entry.executor, entry.model, why))


def _served(engine: Context, route: Route) -> Route | None:
    """Return the route with a resolved model name; None if no executor serves one."""
    try:
        return resolve_model(engine, route)
    except (ExecutorFailure, UsageError):
        return None
