"""One task from start to end: reuse a landed or proven result, else route, check, implement, judge, land.

Models and agents are called by a blocking function that is passed in; the options' `lander` lands proven changes. Each
step is a function in its own file that maps the task's frozen state to the next.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import BudgetError, EditError, MachineError, RefusedError, UsageError
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.landing.land import Landings
from minitask.ledger.record import MESSAGE, Record, TaskResult, Verdict
from minitask.policy.route import SCRIPT
from minitask.task.calls import Call, call_at_once
from minitask.task.finish import (
    finish,
    landed_result,
    make_result,
    record_or_discard,
    stopped,
    stopped_later,
)
from minitask.task.human_review import needs_approval
from minitask.task.judge import judge
from minitask.task.prepare import blame_outage, implement, prepare
from minitask.task.resume import latest_made, take_proven
from minitask.task.state import NotAskedError, RunOptions, TaskState, UnservedError

if TYPE_CHECKING:
    from minitask.task.next_attempt import NextStep

Core = AbstractContextManager[object]
"""Held while a task works on the machine, but not while it waits for a model or lands."""

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
    result = _run_task(engine, task, options, call=call, core=core or nullcontext())
    while result.limited:
        from minitask.task.reached_limit import goes_on, joined

        if not goes_on(engine, task, options, result):
            break
        again = _run_task(engine, task, options, call=call, core=core or nullcontext())
        result = joined(result, again)
    return replace(result, seconds=engine.clock() - started)


def _run_task(
    engine: Context, task: Task, options: RunOptions, *, call: Call | None, core: Core
) -> TaskResult:
    started = engine.clock()
    try:
        result = _landed_already(engine, task, options) or _proven_already(engine, task, options)
        if result is None:
            with core:
                state = _begin(engine, task, options, started)
            result = _live(engine, state, call or call_at_once(engine), core)
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
            record, note = record_or_discard(
                engine, state, goes_on=step is not None and step.goes_on
            )
            if step is None:
                return _with_failure(state, finish(engine, state, record, note))
            state = _begin_step(engine, state, step, record)
    except NotAskedError as stop:
        return stopped_later(stop.state, stop.error)
    except (MachineError, OSError) as error:
        failed = replace(state, draft=state.draft.failed(Verdict.ERROR, "record", str(error)))
        return make_result(failed, failed.draft.attempt(engine), None)


def _landed_already(engine: Context, task: Task, options: RunOptions) -> TaskResult | None:
    """Return the result of a task that has landed, unless it must run again; else None."""
    known = options.known
    if options.again or (known and task.name not in known.landed and not known.refs_of(task.name)):
        return None
    return landed_result(engine, task)


def _proven_already(engine: Context, task: Task, options: RunOptions) -> TaskResult | None:
    """Return the result of a task proven in an earlier run, after landing it if allowed; else None."""
    if not _may_be_on_record(task, options):
        return None
    return take_proven(engine, task, lands=options.merge, lander=options.lander)


def _may_be_on_record(task: Task, options: RunOptions) -> bool:
    """Return True if an earlier run may have left a usable change, by the run's snapshot of refs."""
    snapshot = options.known
    return options.takes_what_is_there and (snapshot is None or bool(snapshot.refs_of(task.name)))


def _begin(engine: Context, task: Task, options: RunOptions, started: float) -> TaskState:
    """Return the state of an earlier change that lacks its review, else of a prepared task."""
    if _may_be_on_record(task, options) and latest_made(engine, task) is not None:
        from minitask.task.resume import find_unreviewed

        state = find_unreviewed(engine, task, options, started=started)
        if state is not None:
            return state
    try:
        return prepare(engine, task, options, started=started)
    except UsageError as error:
        raise UnservedError(error.message, hint=error.hint, where=error.where) from error


def _classify_and_outline(engine: Context, state: TaskState, call: Call) -> TaskState:
    is_made = state.draft.work is not None
    if is_made or state.draft.route.executor == SCRIPT or not engine.settings.gates:
        return state
    from minitask.task.phases import classify_and_outline

    return classify_and_outline(engine, state, call)


def _pass_gates(engine: Context, state: TaskState) -> TaskState:
    """Judge the change, unless there is none or an earlier run proved it."""
    draft = state.draft
    if draft.work is None or draft.verdict.is_good:
        return state
    lander = _lander(engine, state)
    judged = judge(engine, draft, state.order, draft.work.changes, lander=lander)
    return replace(state, draft=blame_outage(judged))


def _lander(engine: Context, state: TaskState) -> Landings | None:
    """Return the queue that lands the change; None if a review or message comes first, or it must not land."""
    if not state.options.merge or state.draft.route.review or MESSAGE in engine.settings.gates:
        return None
    return None if needs_approval(engine, state.task) else state.options.lander


def _review(engine: Context, state: TaskState, call: Call) -> TaskState:
    if not state.draft.verdict.is_good or not state.draft.route.review:
        return state
    from minitask.task.model_review import review_change

    return review_change(engine, state, call)


def _write_message(engine: Context, state: TaskState, call: Call) -> TaskState:
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


def _begin_step(engine: Context, state: TaskState, step: NextStep, record: Record) -> TaskState:
    from minitask.task.next_attempt import begin_step

    return begin_step(engine, state, step, record)


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
