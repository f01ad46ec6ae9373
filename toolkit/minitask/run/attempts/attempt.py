"""One task's life: routed, proven red, worked, scoped, proven green, reviewed, recorded, landed.

It goes in three steps, so that many tasks can wait for their executors at once: `begin` and `conclude` work on the
repository, `ask` only waits; all three may run in any thread. Where something more is to be asked, be it a second
round, a better model or a reviewer, `conclude` gives nothing, and `ask` follows again.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from minitask.errors import BudgetError, EditError, MachineError, RefusedError, UsageError
from minitask.executors.model import ExecutorFailure, FailureKind
from minitask.executors.registry import make_executor
from minitask.ledger.record import CLASSIFY, MESSAGE, PLAN, REVIEW, TaskResult, Verdict
from minitask.policy.route import SCRIPT
from minitask.run.attempts import paid
from minitask.run.attempts.draft import Draft
from minitask.run.attempts.finishing import finish, put_on_record
from minitask.run.attempts.judging import judge
from minitask.run.attempts.outcome import landed_result, make_result, stopped, stopped_later
from minitask.run.attempts.paid import Answered
from minitask.run.attempts.people import needs_approval
from minitask.run.attempts.preparing import undertake
from minitask.run.attempts.resume import latest_made, take_proven
from minitask.run.attempts.undertaking import Undertaking, Wishes
from minitask.run.engine import Engine, Progress
from minitask.run.tasks import Task

if TYPE_CHECKING:
    from minitask.executors.http import Post
    from minitask.run.attempts.consulting import Outcome
    from minitask.run.attempts.following import Sequel
    from minitask.run.landings.landing import Lander

# What asks models questions is imported where one is asked: most tasks need none of it.


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
    found: TaskResult | Undertaking
    try:
        done = _landed_already(engine, task, wishes)
        if done is None and _may_be_made(task, wishes):
            done = take_proven(engine, task, lands=wishes.merge, lander=wishes.lander)
        with core or nullcontext():
            waiting = None if done else _waiting(engine, task, wishes, started)
            found = done or waiting or _undertaken(engine, task, wishes, started)
        if waiting is not None:
            found = _went_on(engine, waiting, core or nullcontext()) or waiting
    except (RefusedError, EditError, BudgetError, MachineError, OSError) as error:
        found = stopped(task, error)
    except ExecutorFailure as error:
        found = replace(stopped(task, error), verdict=Verdict.ERROR, stops_run=error.stops_run)
    if isinstance(found, TaskResult):
        return replace(found, seconds=engine.clock() - started)
    return found


def _undertaken(engine: Engine, task: Task, wishes: Wishes, started: float) -> Undertaking:
    """The task, ready for its executor, or for what is to be asked before."""
    under = undertake(engine, task, wishes, started)
    if under.draft.route.executor != SCRIPT:
        from minitask.run.attempts.prelude import ask_first

        ask_first(engine, under)
    return under


def ask(engine: Engine, under: Undertaking, *, http: Post | None = None) -> Outcome:
    """The answer of whoever is asked next, or why there is none; safe in any thread.

    `http` sends its requests, if any.
    """
    if under.consult is not None:
        from minitask.run.attempts.consulting import consult

        return consult(engine, under.consult, http=http)
    task, order = under.task, under.order
    engine.emit(Progress(task.name, "implement", under.draft.route.model or "edit script"))
    executor = make_executor(under.draft.route.executor, engine.settings, engine.environ, http=http)
    if under.draft.route.executor != SCRIPT:
        from minitask.run.routes.exposure import warn_exposure

        warn_exposure(engine, task.name, under.draft.route.executor)

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
    """Judge what came of asking, record it, and land it; None where somebody is asked once more.

    `core` is held for as long as the change is judged, not while it is recorded and landed.
    """
    try:
        result = _concluded(engine, under, outcome, core or nullcontext())
    except (MachineError, OSError) as error:
        under.draft.fail(Verdict.ERROR, "record", str(error))
        result = make_result(under, under.draft.attempt(engine), None)
    return replace(result, seconds=engine.clock() - under.started) if result else None


def _concluded(
    engine: Engine, under: Undertaking, outcome: Outcome, core: Core
) -> TaskResult | None:
    if not isinstance(outcome, Answered | ExecutorFailure):
        return _not_asked(engine, under, outcome, core)
    if under.consult is None:
        with core:
            _judge(engine, under, outcome)
    elif _falls_back(engine, under, outcome):
        return None
    else:
        _answered(engine, under, outcome)
        if _asks_somebody(under):
            return None
    result = _went_on(engine, under, core)
    if result is not None and isinstance(outcome, ExecutorFailure):
        return replace(result, stops_run=outcome.stops_run, over_budget=outcome.exit_code == 4)
    if result is not None and isinstance(outcome, Answered) and outcome.work.stops_run:
        return replace(result, stops_run=True)
    return result


def _went_on(engine: Engine, under: Undertaking, core: Core) -> TaskResult | None:
    """Everything behind a judged attempt, up to the task's result, or to where somebody is to be asked."""
    while not _asks_on(engine, under):
        sequel = _sequel(engine, under)
        goes_on = sequel is not None and sequel.goes_on
        record, note = put_on_record(engine, under, goes_on=goes_on)
        if sequel is None:
            return finish(engine, under, record, note)
        work = sequel.begin(engine, under, record)
        if work is None:
            return None
        with core:
            judge(engine, under.draft, under.order, work.changes, lander=_lander(engine, under))
    return None


def _sequel(engine: Engine, under: Undertaking) -> Sequel | None:
    """What follows the judged attempt; None where the task ends by it."""
    draft = under.draft
    if draft.verdict.is_good or (draft.route.executor == SCRIPT and not draft.needs_no_review):
        return None
    from minitask.run.attempts.following import follow

    return follow(engine, under)


def _landed_already(engine: Engine, task: Task, wishes: Wishes) -> TaskResult | None:
    """The result of a task that has landed, unless it is to run again."""
    if wishes.again or (wishes.known and task.name not in wishes.known.landed):
        return None
    return landed_result(engine, task)


def _judge(engine: Engine, under: Undertaking, outcome: Answered | ExecutorFailure) -> None:
    """Put what came of asking on the draft, and judge the change."""
    draft = under.draft
    draft.pricing = under.meter.pricing
    if isinstance(outcome, Answered):
        work = outcome.work
        draft.work, draft.usage, draft.cost_usd = work, work.usage, outcome.cost_usd
        draft.pricing = outcome.pricing
        draft.malformed = work.malformed
        judge(engine, draft, under.order, work.changes, lander=_lander(engine, under))
        _blame_outage(draft, work.outage)
    else:
        draft.usage, draft.cost_usd = outcome.usage, under.meter.spent_usd
        draft.malformed = outcome.malformed
        draft.transport = outcome.kind in (FailureKind.TRANSPORT, FailureKind.MISSING)
        _fail(under, outcome)


def _blame_outage(draft: Draft, outage: str) -> None:
    """Give the provider's failure as the reason where a draft that it broke off does not pass."""
    if not outage or draft.verdict.is_good:
        return
    judged = f"what it had made by then fails at {draft.ruling.gate}: {draft.ruling.reason}"
    draft.fail(Verdict.ERROR, "implement", f"{outage}\n{judged}")
    draft.transport = outage.startswith(FailureKind.TRANSPORT)


def _lander(engine: Engine, under: Undertaking) -> Lander | None:
    """Whoever lands the change once it is proven; None where somebody has a say before, or it is not to land."""
    wishes = under.wishes
    if not wishes.merge or under.draft.route.review or MESSAGE in engine.settings.gates:
        return None
    return None if needs_approval(engine, under.task) else wishes.lander


def _fail(under: Undertaking, failure: ExecutorFailure) -> None:
    """Note why no change came of asking."""
    if failure.kind is FailureKind.OUT_OF_SCOPE:
        under.draft.fail(Verdict.REFUSED, "scope", str(failure))
        return
    if failure.kind is FailureKind.UNLISTED:
        under.draft.fail(Verdict.FAILED, "scope", str(failure))
        return
    verdict = Verdict.FAILED if failure.exit_code == 1 else Verdict.ERROR
    under.draft.fail(verdict, "implement", f"{failure.kind}: {failure}")


def _falls_back(engine: Engine, under: Undertaking, outcome: Answered | ExecutorFailure) -> bool:
    """Whether a better model is asked the question that one could not answer."""
    from minitask.run.attempts import consulting

    what = under.consult
    assert what is not None  # noqa: S101 - it was asked
    if not consulting.may_fall_back(outcome, what.route) or what.matter.phase == MESSAGE:
        return False
    higher = consulting.above(engine, what.route)
    if higher is None:
        return False
    assert isinstance(outcome, ExecutorFailure)  # noqa: S101 - only those fall back
    call = consulting.book(
        engine, what, outcome, verdict=Verdict.FAILED, reason=f"{outcome.kind}: {outcome}"
    )
    under.calls = (*under.calls, (what.matter.phase, call))
    engine.emit(Progress(under.task.name, what.matter.phase, f"falls back: {higher.reason}"))
    under.consult = consulting.make_consult(
        engine, what.topic, what.matter, higher, purse=under.purse, batch=what.batched
    )
    return True


def _answered(engine: Engine, under: Undertaking, outcome: Answered | ExecutorFailure) -> None:
    """Take the answer to a question, or go on without one."""
    from minitask.run.attempts import messages, prelude, reviewing

    assert under.consult is not None  # noqa: S101 - it was asked
    phase = under.consult.matter.phase
    if phase in (CLASSIFY, PLAN):
        prelude.take(engine, under, outcome)
    elif phase == MESSAGE:
        messages.take(engine, under, outcome)
    elif isinstance(outcome, Answered):
        reviewing.take_review(engine, under, outcome)
    else:
        reviewing.do_without(engine, under, outcome)


def _not_asked(
    engine: Engine, under: Undertaking, error: Exception, core: Core
) -> TaskResult | None:
    """What comes of it where nobody was asked: the budget is spent, the run was stopped, the machine failed.

    What only helps is left out, a message comes from the template, and a change that lacks its review is put on record.
    """
    what = under.consult
    paid.settle(engine.repository.home, what.errand if what else under.errand)
    phase = what.matter.phase if what else ""
    helps = phase in (CLASSIFY, PLAN) and isinstance(error, BudgetError)
    if not helps and phase not in (MESSAGE, REVIEW):
        return stopped_later(under, error)
    from minitask.run.attempts import prelude, reviewing

    if helps:
        prelude.leave_out(engine, under, error)
        return None
    if phase == REVIEW:
        reviewing.do_without(engine, under, error)
    under.consult = None
    result = _went_on(engine, under, core)
    over = phase == REVIEW and isinstance(error, BudgetError)
    return replace(result, over_budget=over) if result else None


def _may_be_made(task: Task, wishes: Wishes) -> bool:
    """Whether a change of an earlier run will do, and there may be one: a run has looked for all of its tasks."""
    known = wishes.known
    return wishes.takes_what_is_there and (known is None or bool(known.refs_of(task.name)))


def _waiting(engine: Engine, task: Task, wishes: Wishes, started: float) -> Undertaking | None:
    """A change of an earlier run that still lacks its review."""
    if not _may_be_made(task, wishes) or latest_made(engine, task) is None:
        return None
    from minitask.run.attempts.awaiting import take_unreviewed

    return take_unreviewed(engine, task, wishes, started)


def _asks_somebody(under: Undertaking) -> bool:
    """Whether another question comes next, or the work itself."""
    return under.consult is not None or (under.draft.work is None and not under.draft.ruling.gate)


def _asks_on(engine: Engine, under: Undertaking) -> bool:
    """Whether a reviewer, or whoever writes the message, is to be asked before the attempt is recorded."""
    draft = under.draft
    if not draft.verdict.is_good or not (draft.route.review or MESSAGE in engine.settings.gates):
        return False
    from minitask.run.attempts import messages, reviewing

    try:
        if reviewing.wants_review(engine, under):
            reviewing.ask_review(engine, under)
        elif messages.wants_message(engine, under):
            messages.ask(engine, under)
    except (UsageError, ExecutorFailure) as error:
        under.draft.fail(Verdict.ERROR, REVIEW, f"nobody can review it: {error}")
        return False
    return under.consult is not None
