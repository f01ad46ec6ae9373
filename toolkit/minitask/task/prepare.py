"""Prepare and make an executor's call: reject bad tasks, choose the route, send the request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.anchors import Anchor
from minitask.engine.check_specs import check_alone
from minitask.engine.context import Context, Progress
from minitask.engine.own_folders import AgentWorkspaces
from minitask.engine.task_records import records_of
from minitask.engine.tasks import Task, check_branch, next_number, task_refs
from minitask.executors.registry import WITH_BATCHES, ScriptExecutor, make_executor
from minitask.executors.request import Description, ExecutorFailure, FailureKind, PastRound
from minitask.landing.proof import check_fails_before
from minitask.ledger.record import (
    ATTEMPT,
    CLASSIFY,
    MESSAGE,
    PLAN,
    REVIEW,
    CommandRecord,
    Record,
    Verdict,
)
from minitask.policy.budget import Budget, TaskMeter
from minitask.policy.route import SCRIPT, Route
from minitask.policy.tier_rules import nearest_tier
from minitask.routing.requests import make_order, meet_unpriced, tariff
from minitask.routing.route_task import find_exposure, resolve_model, route_of
from minitask.spec.model import Tier
from minitask.task import paid_calls
from minitask.task.finish import landed_result
from minitask.task.paid_calls import BATCH_SECONDS, Answered, CallKey, metered
from minitask.task.record_attempt import starts_from
from minitask.task.state import (
    UNASKED,
    AttemptState,
    Call,
    NotAskedError,
    PromptInputs,
    RunOptions,
    TaskState,
    Unasked,
    WorkCall,
)


def prepare(engine: Context, task: Task, options: RunOptions, *, started: float) -> TaskState:
    """Return the state of a task ready for its executor; raise if it is rejected, before anything is spent."""
    task = where_it_was_paid(engine, task)
    heads = _check(engine, task, options)
    route = within_limits(engine, route_of(engine, task, options.demand), options)
    route = resolve_model(engine, route)
    engine.emit(Progress(task.name, "route", f"tier {route.tier.value}: {route.reason}"))
    anchor = Anchor(engine.repository.git, engine.objects, task)
    number = next_number(engine, task.name, heads)
    if unheld := engine.sandbox.cannot_list(engine.network(task.spec.options)):
        engine.emit(Progress(task.name, "note", unheld))
    before = options.before or fail_before(engine, task)
    draft = AttemptState(task, route, number, started, heads, anchor, before=before)
    feedback = "" if route.executor == SCRIPT else feedback_before(engine, task)
    return make_state(engine, draft, options, PromptInputs(task.spec, feedback=feedback))


def fail_before(engine: Context, task: Task) -> tuple[CommandRecord, ...]:
    """Return the results of the validation on the base; raise `RefusedError` if they prove nothing."""
    text = "checking that the validation fails without the change"
    engine.emit(Progress(task.name, "before", text))
    return check_fails_before(engine, task)


def within_limits(engine: Context, route: Route, options: RunOptions) -> Route:
    """Return the route, or at its executor's limit one to the first available tier of `routing.at_limit`."""
    if route.executor == SCRIPT or not options.demand.is_empty:
        return route
    if engine.reached.find(route.executor, engine.clock()) is None:
        return route
    for tier in engine.settings.routing.at_limit:
        entry = engine.settings.tiers.get(tier)
        if entry is not None and engine.reached.find(entry.executor, engine.clock()) is None:
            reason = f"{route.executor} has reached its limit; {tier} takes its place"
            return replace(
                route,
                tier=Tier(tier),
                executor=entry.executor,
                model=entry.model,
                reason=reason,
                ladder=(),
            )
    return route


def make_state(
    engine: Context, draft: AttemptState, options: RunOptions, prepared: PromptInputs
) -> TaskState:
    """Return the state of a task whose first attempt is this draft."""
    limit = draft.task.spec.options.max_cost_usd
    budget = Budget(limit, parent=options.budget, name="spec's own budget")
    call = make_work_call(engine, draft, options, budget=budget, prepared=prepared)
    formatted = replace(draft, reply_format=call.reply_format)
    return TaskState(draft.task, options, formatted, call, budget, prepared)


def make_work_call(
    engine: Context,
    draft: AttemptState,
    options: RunOptions,
    *,
    budget: Budget,
    prepared: PromptInputs,
    history: tuple[PastRound, ...] = (),
    number: int = 0,
) -> WorkCall:
    """Return the call for an attempt on the draft's route.

    `history` holds earlier replies; `number`, the count of earlier attempts, distinguishes calls on one base.
    """
    task, route = draft.task, draft.route
    order = make_order(engine, task, draft.anchor, route=route, shared_reads=options.shared_reads)
    setting = engine.settings.executors.get(route.executor)
    batched = options.batch and setting is not None and setting.type in WITH_BATCHES
    key = CallKey(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        target=task.target,
        base=task.base,
        tier=route.tier.value,
        executor=route.executor,
        model=route.model,
        base_url=setting.base_url if setting else "",
        history=number,
    )
    meter = TaskMeter(
        tariff(engine, route, batch=batched),
        budget,
        likely_output_tokens=task.spec.estimate.output_tokens,
        note=paid_calls.noting(engine.repository.home, key, batched=batched),
        unpriced=partial(meet_unpriced, engine, task.name, route.model),
    )
    if route.executor != SCRIPT:
        plan, feedback = prepared.plan, prepared.feedback
        order = replace(order, plan=plan, feedback=feedback, history=history, in_batch=batched)
        order = metered(order, meter)
    seconds = BATCH_SECONDS if batched else order.timeout_seconds
    workplace = AgentWorkspaces(engine, task.base)
    order = replace(order, workplace=workplace, timeout_seconds=seconds)
    return WorkCall(route, order, meter, key, batched)


def with_work_call(
    engine: Context, state: TaskState, *, history: tuple[PastRound, ...] = ()
) -> TaskState:
    """Return the state with the call for its attempt, by its current route and prompt."""
    call = make_work_call(
        engine,
        state.draft,
        state.options,
        budget=state.budget,
        prepared=state.prepared,
        history=history,
        number=len(state.earlier),
    )
    return replace(state, draft=replace(state.draft, reply_format=call.reply_format), call=call)


def renewed_call(engine: Context, call: WorkCall, *, history: tuple[PastRound, ...]) -> WorkCall:
    """Return the call for another round with the same executor, with all earlier rounds."""
    key = replace(call.key, history=len(history))
    note = paid_calls.noting(engine.repository.home, key, batched=call.batched)
    meter = call.meter.renewed(note=note)
    order = metered(replace(call.order, history=history), meter)
    return replace(call, order=order, meter=meter, key=key)


def where_it_was_paid(engine: Context, task: Task) -> Task:
    """Return the task on the base of its unused paid reply, if any, so that the reply is used."""
    base = paid_calls.base_of(engine.repository.home, task.name, task.blob)
    if base is None or not starts_from(engine, base, task.base):
        return task
    return replace(task, base=base)


def feedback_before(engine: Context, task: Task) -> str:
    """Return a person's reason for rejecting the latest attempt at this version of the spec; else empty."""
    if engine.lessons is not None:
        return str(engine.lessons.get("feedback", ""))
    records = [record for record in records_of(engine, task.name) if record.spec_blob == task.blob]
    review = _last_word(records)
    return "" if review is None or review.attempt.verdict.is_good else review.attempt.reason


def _last_word(records: Sequence[Record]) -> Record | None:
    """Return the latest review by a person, if no newer change exists; else None."""
    for record in reversed(records):
        if record.kind == REVIEW:
            return record
        if record.kind == ATTEMPT and record.candidate is not None:
            return None
    return None


def _check(engine: Context, task: Task, options: RunOptions) -> dict[str, str]:
    """Reject the task if necessary, before a command runs or money is spent; return its refs."""
    check_alone(engine, task)
    snapshot = options.known
    heads = snapshot.refs_of(task.name) if snapshot else task_refs(engine, task.name)
    check_branch(engine, task, heads)
    engine.signature  # noqa: B018 - the committer must be known before anything is spent
    return heads


class TaskPreview(Struct, frozen=True):
    """The result of a dry run; `sandbox` is one line on the sandbox of the commands.

    `questions` to other models: phase, tier, model. `exposure` warns of a key sent over plain http.
    """

    task: Task
    route: Route
    description: Description
    sandbox: str
    landed: bool
    again: bool
    questions: tuple[tuple[str, str, str], ...] = ()
    exposure: str = ""


def preview_task(engine: Context, task: Task, options: RunOptions) -> TaskPreview:
    """Return what is known without running a command or calling a model; raise if the task is rejected."""
    check_branch(engine, task, task_refs(engine, task.name))
    check_alone(engine, task)
    route = route_of(engine, task, options.demand)
    with suppress(ExecutorFailure):  # the real run reports a server that does not answer
        route = resolve_model(engine, route)
    anchor = Anchor(engine.repository.git, engine.objects, task)
    order = make_order(engine, task, anchor, route=route)
    executor = make_executor(route.executor, engine.settings, engine.environ)
    return TaskPreview(
        task=task,
        route=route,
        description=executor.describe(order),
        sandbox=_sandbox_line(engine, task),
        landed=landed_result(engine, task) is not None,
        again=options.again,
        questions=tuple(_questions(engine, task, route)),
        exposure=find_exposure(engine, route.executor),
    )


def _sandbox_line(engine: Context, task: Task) -> str:
    """Return a line on the sandbox, and the hosts that it allows, if listed."""
    network = engine.network(task.spec.options)
    listed = "" if isinstance(network, bool) else network.describe()
    more = engine.sandbox.cannot_list(network) or listed
    return engine.sandbox.describe() + (f"; {more}" if more else "")


def _questions(engine: Context, task: Task, route: Route) -> Iterator[tuple[str, str, str]]:
    """Yield the questions to models besides the work; their prompts depend on its result."""
    settings = engine.settings
    entry, scripted = settings.routing.entry, route.executor == SCRIPT
    tiers = {
        CLASSIFY: entry[CLASSIFY] if not scripted and not task.spec.options.complexity else "",
        PLAN: "" if scripted else entry[PLAN],
        REVIEW: route.review,
        MESSAGE: entry[MESSAGE] if entry[MESSAGE] in settings.tiers else "",
    }
    for phase, tier in tiers.items():
        is_asked = tier and tier != Tier.NONE.value and (phase == REVIEW or phase in settings.gates)
        near = nearest_tier(settings, tier) if is_asked else None
        if near is not None:
            yield phase, near, settings.tiers[near].model


def implement(engine: Context, state: TaskState, call: Call) -> TaskState:
    """Return the state with the executor's change, or why there is none.

    An existing change (recorded, or the reviewer's edits) needs no call. Raise `NotAskedError` if no call was made.
    """
    if state.draft.work is not None:
        return state
    is_script = state.call.route.executor == SCRIPT
    outcome = _apply_script(engine, state) if is_script else call(state.call)
    if isinstance(outcome, Answered):
        work = outcome.work
        draft = replace(
            state.draft,
            work=work,
            usage=work.usage,
            cost_usd=outcome.cost_usd,
            pricing=outcome.pricing,
            malformed=work.malformed,
        )
        return replace(state, draft=draft, failure=None)
    if isinstance(outcome, ExecutorFailure):
        return replace(state, draft=_with_failure(state, outcome), failure=outcome)
    paid_calls.settle(engine.repository.home, state.call.key.name)
    raise NotAskedError(state, outcome)


def _apply_script(engine: Context, state: TaskState) -> Answered | Unasked:
    """Return the change by the spec's own edit script, at no cost."""
    engine.emit(Progress(state.task.name, "implement", "edit script"))
    try:
        return Answered(ScriptExecutor().work(state.order), Decimal(0))
    except UNASKED as error:
        return error


def _with_failure(state: TaskState, failure: ExecutorFailure) -> AttemptState:
    meter = state.call.meter
    draft = replace(
        state.draft,
        usage=failure.usage,
        cost_usd=meter.spent_usd,
        pricing=meter.pricing,
        malformed=failure.malformed,
        reply=failure.reply,
        transport=failure.kind in (FailureKind.TRANSPORT, FailureKind.MISSING),
    )
    if failure.kind is FailureKind.OUT_OF_SCOPE:
        return draft.failed(Verdict.REFUSED, "scope", str(failure))
    if failure.kind is FailureKind.UNLISTED:
        return draft.failed(Verdict.FAILED, "scope", str(failure))
    verdict = Verdict.FAILED if failure.exit_code == 1 else Verdict.ERROR
    verdict = Verdict.SKIPPED if failure.kind is FailureKind.QUOTA else verdict
    return draft.failed(verdict, "implement", f"{failure.kind}: {failure}")


def blame_outage(draft: AttemptState) -> AttemptState:
    """Set the provider's failure as the reason if it cut off the change, and the change fails."""
    outage = draft.work.outage if draft.work else ""
    if not outage or draft.verdict.is_good:
        return draft
    judged = f"its partial change fails at {draft.ruling.gate}: {draft.ruling.reason}"
    limited = outage.startswith(f"{FailureKind.QUOTA}:")
    verdict = Verdict.SKIPPED if limited else Verdict.ERROR
    failed = draft.failed(verdict, "implement", f"{outage}\n{judged}")
    return replace(failed, transport=outage.startswith(FailureKind.TRANSPORT))
