"""One task's life: routed, proven red, worked, scoped, proven green, recorded, landed.

It goes in three steps, so that many tasks can wait for their executors at once: `begin` and `conclude` work on the
repository, `ask` only waits; all three may run in any thread. A change that fails goes back to its
executor for another round, which is an attempt of its own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from minitask.errors import BudgetError, EditError, MachineError, RefusedError, StoppedError
from minitask.executors.model import ExecutorFailure, FailureKind, Round
from minitask.executors.registry import WITH_BATCHES, make_executor
from minitask.executors.script import has_script
from minitask.ledger.record import Attempt, Record, TaskResult, Verdict
from minitask.policy.purse import Purse
from minitask.policy.route import SCRIPT, Route, choose
from minitask.repo import refs
from minitask.run import paid, preflight
from minitask.run.anchors import Anchor
from minitask.run.costs import tariff
from minitask.run.draft import Draft
from minitask.run.engine import Engine, Progress
from minitask.run.feedback import describe_failure
from minitask.run.judging import judge, protected
from minitask.run.landing import Candidate, land_alone
from minitask.run.lost import starts_from
from minitask.run.meter import Reading, TaskMeter
from minitask.run.models import resolve_model
from minitask.run.numbers import next_number, task_refs
from minitask.run.orders import likely_output_tokens, make_order, metered
from minitask.run.outcome import landed_result, make_result, stopped, stopped_later
from minitask.run.paid import Answered, Errand
from minitask.run.proof import check_fails_before
from minitask.run.resume import take_proven
from minitask.run.sealing import move_branch, record_landing, seal
from minitask.run.tasks import Task
from minitask.run.undertaking import Undertaking, Wishes
from minitask.run.workplace import SlotWorkplace

if TYPE_CHECKING:
    from minitask.executors.http import Post

BATCH_SECONDS = 26 * 3600.0
"""A batch is answered within a day."""
FED_BACK = frozenset({"lint", "validate"})
"""The gates whose no goes back to the executor."""


Outcome = (
    Answered
    | RefusedError
    | StoppedError
    | MachineError
    | EditError
    | BudgetError
    | ExecutorFailure
    | OSError
)
"""What came of asking an executor."""


def run_task(engine: Engine, task: Task, wishes: Wishes) -> TaskResult:
    """Run one task to its verdict; only bad usage, spec or config is raised."""
    found = begin(engine, task, wishes)
    while isinstance(found, Undertaking):
        found = conclude(engine, found, ask(engine, found)) or found
    return found


Core = AbstractContextManager[object]
"""What is held for as long as a core is really at work."""


def begin(
    engine: Engine, task: Task, wishes: Wishes, *, core: Core | None = None
) -> TaskResult | Undertaking:
    """Everything up to the call of the executor; a result where none is needed, or the task cannot run.

    `core` is held while the task is prepared, not while one lands that is proven already.
    """
    started = engine.clock()
    try:
        done = _landed_already(engine, task, wishes)
        if done is None and wishes.takes_what_is_there:
            done = take_proven(engine, task, lands=wishes.merge, land=wishes.land)
        with core or nullcontext():
            found: TaskResult | Undertaking = done or _undertake(engine, task, wishes, started)
    except (RefusedError, EditError, BudgetError, MachineError, OSError) as error:
        found = stopped(task, error)
    except ExecutorFailure as error:
        found = replace(stopped(task, error), verdict=Verdict.ERROR, stops_run=error.stops_run)
    if isinstance(found, TaskResult):
        return replace(found, seconds=engine.clock() - started)
    return found


def ask(engine: Engine, under: Undertaking, *, http: Post | None = None) -> Outcome:
    """The executor's answer, or why there is none; safe in any thread. `http` sends its requests, if any."""
    task, order = under.task, under.order
    engine.emit(Progress(task.name, "implement", under.draft.route.model or "edit script"))
    executor = make_executor(under.draft.route.executor, engine.settings, engine.environ, http=http)

    def work() -> Answered:
        done = executor.work(order)
        cost = under.meter.spent_usd if done.cost_usd is None else done.cost_usd
        return Answered(done, cost, under.meter.pricing)

    try:
        return paid.answer(engine.repository.home, under.errand, work)
    except (RefusedError, MachineError, EditError, BudgetError) as error:
        return error
    except (ExecutorFailure, OSError) as error:
        return error


def conclude(
    engine: Engine,
    under: Undertaking,
    outcome: Outcome,
    *,
    core: Core | None = None,
) -> TaskResult | None:
    """Judge what came of asking, record it, and land it; None where the executor is asked once more.

    `core` is held for as long as the change is judged, not while it is recorded and landed.
    """
    try:
        with core or nullcontext():
            stopped_now = _judged(engine, under, outcome)
        result = stopped_now or _recorded(engine, under, outcome)
    except (MachineError, OSError) as error:
        under.draft.fail(Verdict.ERROR, "record", str(error))
        result = make_result(under, under.draft.attempt(engine), None)
    return replace(result, seconds=engine.clock() - under.started) if result else None


def _landed_already(engine: Engine, task: Task, wishes: Wishes) -> TaskResult | None:
    """The result of a task that has landed, unless it is to run again."""
    if wishes.again or (wishes.known and task.name not in wishes.known.landed):
        return None
    return landed_result(engine, task)


def _undertake(engine: Engine, task: Task, wishes: Wishes, started: float) -> Undertaking:
    task = _where_it_was_paid(engine, task)
    draft = _prepare(engine, task, wishes, started)
    engine.emit(Progress(task.name, "before", "the validation must fail on the base"))
    draft.before = check_fails_before(engine, task)
    route = draft.route
    order = make_order(engine, task, draft.anchor, route=route)
    errand = _errand(engine, task, route)
    batched = wishes.batch and _has_batches(engine, route)
    own = Purse(task.spec.options.max_cost_usd, parent=wishes.purse, name="spec's own budget")
    meter = TaskMeter(
        tariff(engine, route, batch=batched),
        own,
        likely_output_tokens=likely_output_tokens(task.spec),
        note=_unnoted if batched else partial(paid.note, engine.repository.home, errand),
        unpriced=partial(_say_unpriced, engine, task, route),
    )
    order = order if route.executor == SCRIPT else metered(order, meter)
    draft.reply_format = "" if route.executor == SCRIPT else order.reply_format.value
    order = replace(order, workplace=SlotWorkplace(engine, task.base))
    if batched:
        order = replace(order, timeout_seconds=BATCH_SECONDS)
    return Undertaking(task, wishes, started, draft, order, meter, errand, batched)


def _where_it_was_paid(engine: Engine, task: Task) -> Task:
    """The task on the base that a kept answer to it is for, if there is one: what was paid for is used, and merged."""
    base = paid.base_of(engine.repository.home, task.name, task.blob)
    if base is None or not starts_from(engine, base, task.base):
        return task
    return replace(task, base=base)


def _prepare(engine: Engine, task: Task, wishes: Wishes, started: float) -> Draft:
    """Everything that can refuse the task before a command is run or a cent spent."""
    preflight.check_files(task, engine.objects, protected=protected(engine, task))
    preflight.check_edits(task)
    known = wishes.known
    heads = known.refs_of(task.name) if known else task_refs(engine, task.name)
    preflight.check_branch(task, engine.objects, heads)
    engine.signature  # noqa: B018 - who commits must be known before anything is spent
    route = choose(task.spec, engine.settings, demand=wishes.demand, scripted=has_script(task.spec))
    route = resolve_model(engine, route)
    engine.emit(Progress(task.name, "route", f"tier {route.tier.value}: {route.reason}"))
    anchor = Anchor(engine.repository.git, engine.objects, task)
    return Draft(task, route, next_number(engine, task.name, heads), started, heads, anchor)


def _errand(engine: Engine, task: Task, route: Route) -> Errand:
    setting = engine.settings.executors.get(route.executor)
    return Errand(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        target=task.target,
        base=task.base,
        tier=route.tier.value,
        executor=route.executor,
        model=route.model,
        base_url=setting.base_url if setting else "",
    )


def _has_batches(engine: Engine, route: Route) -> bool:
    setting = engine.settings.executors.get(route.executor)
    return setting is not None and setting.type in WITH_BATCHES


def _unnoted(reading: Reading) -> None:
    """A batch is noted in its journal, as soon as it is sent."""


def _say_unpriced(engine: Engine, task: Task, route: Route) -> None:
    text = f"{route.model} has no price, so the limit cannot count it"
    engine.emit(Progress(task.name, "budget", text))


def _judged(engine: Engine, under: Undertaking, outcome: Outcome) -> TaskResult | None:
    """Put what came of asking on the draft, and judge the change; a result where there is no attempt to record."""
    draft = under.draft
    if not isinstance(outcome, Answered) and not isinstance(outcome, ExecutorFailure):
        paid.settle(engine.repository.home, under.errand)
        return stopped_later(under, outcome)
    draft.pricing = under.meter.pricing
    if isinstance(outcome, Answered):
        work = outcome.work
        draft.work, draft.usage, draft.cost_usd = work, work.usage, outcome.cost_usd
        draft.pricing = outcome.pricing
        draft.malformed = work.malformed
        judge(engine, draft, under.order, work.changes)
    else:
        draft.usage, draft.cost_usd = outcome.usage, under.meter.spent_usd
        draft.malformed = outcome.malformed
        _fail(draft, outcome)
    return None


def _fail(draft: Draft, failure: ExecutorFailure) -> None:
    """Note why no change came of asking."""
    if failure.kind is FailureKind.OUT_OF_SCOPE:
        draft.fail(Verdict.REFUSED, "scope", str(failure))
        return
    verdict = Verdict.FAILED if failure.exit_code == 1 else Verdict.ERROR
    draft.fail(verdict, "implement", f"{failure.kind}: {failure}")


def _recorded(engine: Engine, under: Undertaking, outcome: Outcome) -> TaskResult | None:
    result = _finish(engine, under)
    if result is not None and isinstance(outcome, ExecutorFailure):
        return replace(result, stops_run=outcome.stops_run, over_budget=outcome.exit_code == 4)
    return result


def _finish(engine: Engine, under: Undertaking) -> TaskResult | None:
    """Record the attempt, move the task's branch to its candidate, and land it where it may."""
    task, draft, wishes = under.task, under.draft, under.wishes
    attempt = draft.attempt(engine)
    wants_review = task.spec.options.review == "required"
    lands = draft.verdict.is_good and wishes.merge and not wants_review
    with engine.writing:
        home = engine.repository.home
        announce = partial(paid.announce, home, under.errand)
        record = seal(engine, draft, attempt, lands=lands, announce=announce)
        paid.settle(home, under.errand)
        candidate = record.candidate
        old = draft.heads.get(refs.branch(task.name))
        note = move_branch(engine, task, candidate, old=old)
    if _goes_back(engine, under):
        _next_round(engine, under, attempt, candidate)
        return None
    result = make_result(under, record.attempt, candidate)
    if not draft.verdict.is_good or candidate is None or draft.tree is None:
        return result
    if not lands:
        review = "a person must review it first"
        why = review if wants_review else "proven, and not merged, as asked"
        return replace(result, reason=why, next_step=f"minitask merge {task.name}")
    final = _land(engine, under, record, result)
    return replace(final, reason=final.reason or note)


def _land(engine: Engine, under: Undertaking, record: Record, result: TaskResult) -> TaskResult:
    task, attempt = under.task, record.attempt
    assert record.candidate is not None  # noqa: S101 - it is proven
    assert record.tree is not None  # noqa: S101
    engine.emit(Progress(task.name, "land", task.target.removeprefix("refs/heads/")))
    candidate = Candidate(record.candidate, record.tree, attempt, record.merge)
    if under.wishes.land is not None:
        landed = under.wishes.land(task, candidate)
    else:
        with engine.landing:
            landed = land_alone(engine, task, candidate)
    with engine.writing:
        record_landing(engine, record, landed)
    commands = landed.proof.commands if landed.proof else attempt.commands
    final = replace(attempt, verdict=landed.verdict, commands=commands)
    return replace(
        result,
        verdict=landed.verdict,
        reason=landed.reason,
        merge=landed.merge,
        next_step=landed.next_step,
        attempts=(*under.earlier, final),
    )


def _goes_back(engine: Engine, under: Undertaking) -> bool:
    """Whether the change goes back to its executor with what was wrong with it."""
    draft = under.draft
    return (
        draft.route.executor != SCRIPT
        and draft.work is not None
        and draft.verdict is Verdict.FAILED
        and draft.ruling.gate in FED_BACK
        and under.rounds < engine.settings.repairs
    )


def _next_round(
    engine: Engine, under: Undertaking, attempt: Attempt, candidate: str | None
) -> None:
    """Set the next attempt up: the same order, with the change and what was wrong with it."""
    draft = under.draft
    assert draft.work is not None  # noqa: S101 - there was a change
    back = Round(draft.work.reply, describe_failure(attempt), draft.work.changes)
    heads = dict(draft.heads)
    if candidate is not None:
        heads[refs.branch(under.task.name)] = candidate
    engine.emit(Progress(under.task.name, "repair", attempt.reason))
    under.earlier = (*under.earlier, attempt)
    under.order = replace(under.order, history=(*under.order.history, back))
    under.errand = replace(under.errand, history=under.rounds)
    note = partial(paid.note, engine.repository.home, under.errand)
    under.meter = under.meter.renewed(note=_unnoted if under.batched else note)
    under.order = metered(under.order, under.meter)
    under.draft = Draft(
        under.task,
        draft.route,
        draft.n + 1,
        engine.clock(),
        heads,
        draft.anchor,
        before=draft.before,
        reply_format=draft.reply_format,
    )
