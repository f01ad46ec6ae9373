"""One task from start to end: reuse a landed or proven result, else route, check, implement, judge, land.

Models and agents are called by a blocking function that is passed in; the options' `lander` lands proven changes. Each
step is a function in its own file that maps the task's frozen state to the next.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.errors import (
    BudgetError,
    EditError,
    MachineError,
    RefusedError,
    UsageError,
    machine_text,
)
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.landing.land import Landings
from minitask.ledger.record import CLASSIFY, MESSAGE, PLAN, TaskResult, Verdict, plus, whole
from minitask.policy.route import SCRIPT, Route
from minitask.spec.model import Tier
from minitask.task.earlier_work import find_unreviewed, take_proven
from minitask.task.finish import (
    finish,
    landed_result,
    make_result,
    record_and_move,
    stopped,
    stopped_later,
)
from minitask.task.judge import judge
from minitask.task.prepare import blame_outage, implement, prepare, within_limits
from minitask.task.state import (
    Call,
    NotAskedError,
    RunOptions,
    TaskState,
    UnservedError,
    call_at_once,
    needs_approval,
)

if TYPE_CHECKING:
    from minitask.executors.retry import ReachedLimit
    from minitask.task.next_attempt import NextStep

Core = AbstractContextManager[object]
"""Held while a task works on the machine, but not while it waits for a model or lands."""
SLICE_SECONDS = 60.0
"""Interval of reading the clock while a task waits, since the machine may sleep meanwhile."""

# Steps that ask models are imported lazily: most tasks need none of them.


def run_task(
    engine: Context,
    task: Task,
    options: RunOptions,
    *,
    call: Call | None = None,
    core: Core | None = None,
) -> TaskResult:
    """Run one task to its verdict; raise only for invalid usage, spec or config.

    If its executor reaches its limit, the task resumes on another tier or after the limit ends, where allowed.
    """
    started = engine.clock()
    call, core = call or call_at_once(engine), core or nullcontext()
    result = _run_once(engine, task, options, call, core)
    while result.limited and _may_resume(engine, task, options, result):
        result = _joined(result, _run_once(engine, task, options, call, core))
    return replace(result, seconds=engine.clock() - started)


def _run_once(
    engine: Context, task: Task, options: RunOptions, call: Call, core: Core
) -> TaskResult:
    """Return an earlier run's result, if there is one; else make attempts. An error becomes the result."""
    started = engine.clock()
    try:
        result = _landed_already(engine, task, options) or _proven_already(engine, task, options)
        if result is None:
            with core:
                state = _begin(engine, task, options, started)
            result = _live(engine, state, call, core)
    except (RefusedError, EditError, BudgetError, MachineError, OSError) as error:
        result = stopped(task, error)
    except ExecutorFailure as error:
        result = replace(stopped(task, error), verdict=Verdict.ERROR, stops_run=error.stops_run)
    return result


def _live(engine: Context, state: TaskState, call: Call, core: Core) -> TaskResult:
    """Make attempts until one passes, or no step may follow."""
    try:
        state = _classify_and_outline(engine, state, call)
        while True:
            state = implement(engine, state, call)
            with core:
                state = _pass_gates(engine, state)
            state = _review(engine, state, call)
            state = _write_message(engine, state, call)
            step = _choose_step(engine, state)
            record, note = record_and_move(engine, state, goes_on=step is not None and step.goes_on)
            if step is None:
                return _with_failure(state, finish(engine, state, record, note))
            state = step.begin(engine, state, record)
    except NotAskedError as stop:
        return stopped_later(stop.state, stop.error)
    except (MachineError, OSError) as error:
        failed = replace(
            state, draft=state.draft.failed(Verdict.ERROR, "record", machine_text(error))
        )
        return make_result(failed, failed.draft.attempt(engine), None)


def _landed_already(engine: Context, task: Task, options: RunOptions) -> TaskResult | None:
    """Return the result of a task that has landed, unless it must run again; else None."""
    known = options.known
    if options.again or (known and task.name not in known.landed and not known.refs_of(task.name)):
        return None
    return landed_result(engine, task)


def _proven_already(engine: Context, task: Task, options: RunOptions) -> TaskResult | None:
    """Return the result of a task proven in an earlier run, after landing it if allowed; else None."""
    return take_proven(engine, task, options) if options.may_reuse(task.name) else None


def _begin(engine: Context, task: Task, options: RunOptions, started: float) -> TaskState:
    """Return the state of an earlier change that lacks its review, else of a prepared task."""
    if options.may_reuse(task.name):
        state = find_unreviewed(engine, task, options, started=started)
        if state is not None:
            return state
    try:
        return prepare(engine, task, options, started=started)
    except UsageError as error:
        raise UnservedError(error.message, hint=error.hint, where=error.where) from error


def _classify_and_outline(engine: Context, state: TaskState, call: Call) -> TaskState:
    """Ask the gates' questions before a model works on the task."""
    draft = state.draft
    is_asked = not {CLASSIFY, PLAN}.isdisjoint(engine.settings.gates)
    if draft.work is not None or draft.route.executor == SCRIPT or not is_asked:
        return state
    from minitask.task.phases import classify_and_outline

    return classify_and_outline(engine, state, call)


def _pass_gates(engine: Context, state: TaskState) -> TaskState:
    """Judge the change, unless there is none or an earlier run proved it."""
    draft = state.draft
    if draft.work is None or draft.verdict.is_good:
        return state
    judged = judge(engine, draft, state.order, lander=_lander(engine, state))
    return replace(state, draft=blame_outage(judged))


def _lander(engine: Context, state: TaskState) -> Landings | None:
    """Return the queue that lands the change; None if a review or message comes first, or it must not land."""
    if not state.options.merge or state.draft.route.review or MESSAGE in engine.settings.gates:
        return None
    return None if needs_approval(engine, state.task) else state.options.lander


def _review(engine: Context, state: TaskState, call: Call) -> TaskState:
    """Have a proven change reviewed by a model, if its route requires it."""
    if not state.draft.verdict.is_good or not state.draft.route.review:
        return state
    from minitask.task.model_review import review_change

    return review_change(engine, state, call)


def _write_message(engine: Context, state: TaskState, call: Call) -> TaskState:
    """Set the commit message of a proven change, if a gate writes it."""
    if not state.draft.verdict.is_good or MESSAGE not in engine.settings.gates:
        return state
    from minitask.task.phases import write_message

    return write_message(engine, state, call)


def _choose_step(engine: Context, state: TaskState) -> NextStep | None:
    """Return the step after a judged attempt; None if the task ends."""
    draft = state.draft
    if draft.verdict.is_good or (draft.route.executor == SCRIPT and not draft.needs_no_review):
        return None
    from minitask.task.next_attempt import choose_step

    return choose_step(engine, state)


def _with_failure(state: TaskState, result: TaskResult) -> TaskResult:
    """Return the result with the consequences of the latest call's failure for the run."""
    failure, work, limited = state.failure, state.draft.work, state.limited
    if failure is None and (work is None or result.verdict.is_good):
        return replace(result, over_budget=state.over_budget)
    if failure is not None:
        is_limit, stops = failure.kind is FailureKind.QUOTA, failure.stops_run
        over_budget = state.over_budget or failure.exit_code == 4
    else:
        assert work is not None  # noqa: S101 - there was a change
        is_limit, stops = work.broke_off_by(FailureKind.QUOTA), work.broke_off_by(FailureKind.AUTH)
        over_budget = state.over_budget or is_limit
    limited = limited or (state.draft.route.executor if is_limit else "")
    return replace(result, stops_run=stops, over_budget=over_budget, limited=limited)


def _may_resume(engine: Context, task: Task, options: RunOptions, result: TaskResult) -> bool:
    """Return True if another tier is available, or its executor's limit has ended, for which the task may wait."""
    limit = engine.reached.find(result.limited, engine.clock())
    if limit is None:
        return options.waits
    refused = Route(Tier.CHEAP, result.limited, "", "")
    if within_limits(engine, refused, options).executor != result.limited:
        return True
    return options.waits and _has_ended(engine, task, limit)


def _joined(first: TaskResult, second: TaskResult) -> TaskResult:
    """Return the second result with the attempts and cost of both."""
    return replace(
        second,
        attempts=(*first.attempts, *second.attempts),
        calls=(*first.calls, *second.calls),
        cost_usd=whole((first.cost_usd, second.cost_usd)),
        usage=plus(first.usage, second.usage),
    )


def _has_ended(engine: Context, task: Task, limit: ReachedLimit) -> bool:
    """Wait for the end of a limit; return False if the run is stopped before."""
    from minitask.executors.http import pause

    at = datetime.fromtimestamp(limit.until).astimezone().strftime("%a %H:%M")
    engine.emit(Progress(task.name, "waiting", f"waits until {at}: {limit.words}"))
    while (left := limit.until - engine.clock()) > 0:
        if pause(min(left, SLICE_SECONDS)):
            return False
    return True
