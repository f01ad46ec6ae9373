"""Finish an attempt: record it, move the task's branch to its candidate, and land it if allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial, reduce

from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task, as_it_stands, landed_by_hand
from minitask.errors import (
    BudgetError,
    EditError,
    MinitaskError,
    RefusedError,
    StoppedError,
    machine_text,
)
from minitask.executors.request import LimitReachedError
from minitask.git import refs
from minitask.landing.candidate_commits import Candidate
from minitask.landing.land import land
from minitask.ledger.record import (
    APPLY,
    CORRECT,
    NO_USAGE,
    Attempt,
    Record,
    TaskResult,
    Usage,
    Verdict,
    plus,
    whole,
)
from minitask.ledger.store import Exchange
from minitask.policy.route import SCRIPT, counts_against_model
from minitask.spec.model import FileAction
from minitask.task import paid_calls
from minitask.task.feedback import RERUN, find_outage_step
from minitask.task.record_attempt import move_branch, record_attempt, record_landing
from minitask.task.state import TaskState, needs_approval


def record_and_move(engine: Context, state: TaskState, *, goes_on: bool) -> tuple[Record, str]:
    """Record the attempt and move the task's branch to its candidate; return the record, and a note if it did not move.

    An attempt whose change `goes_on` to repair or correction does not count for its tier, nor does a correction.
    """
    task = state.task
    counts = counts_against_model(*state.draft.judgement)
    settles = counts and not goes_on and state.draft.step not in (CORRECT, APPLY)
    draft = replace(state.draft, settles=settles)
    attempt = draft.attempt(engine)
    lands = _lands_at_once(engine, state)
    with engine.writing:
        home = engine.repository.home
        announce = partial(paid_calls.announce, home, state.call.key)
        exchange = _exchange(engine, state)
        record = record_attempt(
            engine, draft, attempt, lands=lands, exchange=exchange, announce=announce
        )
        paid_calls.settle(home, state.call.key.name)
        old = draft.heads.get(refs.branch(task.name))
        return record, move_branch(engine, task, record.candidate, old=old)


def _lands_at_once(engine: Context, state: TaskState) -> bool:
    """Return True if the candidate lands at once, alone and on its base, so that its record can name the merge."""
    task, draft, options = state.task, state.draft, state.options
    if not draft.verdict.is_good or draft.doubts or not options.merge or options.lander:
        return False
    return not needs_approval(engine, task) and engine.objects.commit(task.target) == task.base


def _exchange(engine: Context, state: TaskState) -> Exchange | None:
    """Return the prompt of the executor and its last reply; None if no executor was called."""
    draft = state.draft
    if draft.route.executor == SCRIPT or draft.corrects:
        return None
    from minitask.executors.registry import make_executor

    reply = draft.work.reply if draft.work is not None else draft.reply
    try:
        executor = make_executor(draft.route.executor, engine.settings, engine.environ)
        prompt = executor.describe(state.order).prompt
    except MinitaskError:
        prompt = ""
    return Exchange(prompt, reply)


def finish(engine: Context, state: TaskState, record: Record, note: str) -> TaskResult:
    """Return the task's result after its last attempt was recorded; land it if allowed."""
    task, draft = state.task, state.draft
    result = make_result(state, record.attempt, record.candidate)
    if not draft.verdict.is_good or record.candidate is None or draft.tree is None:
        return result
    if needs_approval(engine, task):
        why = "a person must review it first"
        return replace(result, reason=why, next_step=f"minitask review {task.name}")
    if draft.doubts:
        return in_doubt(result, draft.doubts)
    if not state.options.merge:
        why = "passed; not merged, as requested"
        return replace(result, reason=why, next_step=f"minitask merge {task.name}")
    final = _land(engine, state, record, result)
    return replace(final, reason=final.reason or note)


def _land(engine: Context, state: TaskState, record: Record, result: TaskResult) -> TaskResult:
    task, attempt = state.task, record.attempt
    assert record.candidate is not None  # noqa: S101 - proven
    assert record.tree is not None  # noqa: S101
    engine.emit(Progress(task.name, "merge", task.target.removeprefix("refs/heads/")))
    candidate = Candidate(record.candidate, record.tree, attempt, record.merge)
    landed = land(engine, task, candidate, state.options.lander)
    with engine.writing:
        record_landing(engine, record, landed, target=task.target)
    commands = landed.proof.commands if landed.proof else attempt.commands
    final = replace(attempt, verdict=landed.verdict, commands=commands)
    return replace(
        result,
        verdict=landed.verdict,
        reason=landed.reason,
        merge=landed.merge,
        next_step=landed.next_step,
        attempts=(*state.earlier, final),
    )


def landed_result(engine: Context, task: Task) -> TaskResult | None:
    """Return the result of a task that has landed at this blob, from the target's history; None if it has not."""
    landing = engine.landed_since(task.base, task.path).get(task.name)
    if landing is not None:
        landing = as_it_stands(engine, landing, tip=task.base)
    else:
        landing = landed_by_hand(engine, task.base, task.name)
    if landing is None or landing.undone or landing.spec != f"{task.path}@{task.blob}":
        return None
    candidate = engine.objects.commit(f"{landing.commit}^2")
    is_possible = not {ref.action for ref in task.spec.files} & {
        FileAction.CREATE,
        FileAction.DELETE,
    }
    rerun = "--again to rerun" if is_possible else "to rerun, `minitask undo` it first"
    return replace(
        skipped(task, f"already merged ({landing.commit[:12]}), skipped; {rerun}"),
        verdict=Verdict.MERGED,
        branch=refs.branch(task.name).removeprefix("refs/heads/"),
        commit=candidate,
        merge=landing.commit,
    )


def make_result(state: TaskState, attempt: Attempt, candidate: str | None) -> TaskResult:
    """Return the result of a task whose current attempt is over."""
    task, draft = state.task, state.draft
    attempts = (*state.earlier, attempt)
    paid = (*attempts, *(call for _, call in state.calls))
    next_step = ""
    if not draft.verdict.is_good:
        next_step = find_outage_step(attempt, task.name) or f"minitask show {task.name}"
    return replace(
        skipped(task, draft.ruling.reason),
        verdict=draft.verdict,
        branch=refs.branch(task.name).removeprefix("refs/heads/") if candidate else None,
        commit=candidate,
        cost_usd=whole(call.cost_usd for call in paid),
        baseline_cost_usd=draft.baseline_usd,
        estimate=draft.estimate,
        usage=_usage(paid),
        attempts=attempts,
        calls=state.calls,
        next_step=next_step,
    )


def in_doubt(result: TaskResult, doubts: Sequence[str]) -> TaskResult:
    """Return the result of a proven task with doubts, which a person must check."""
    return replace(
        result,
        verdict=Verdict.READY,
        reason=f"passed, but look at it before it merges: {'; '.join(doubts)}",
        next_step=f"minitask merge {result.task}",
    )


def skipped(task: Task, reason: str) -> TaskResult:
    """Return the result of a task that did not begin."""
    return TaskResult(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        verdict=Verdict.SKIPPED,
        reason=reason,
        base=task.base,
    )


def stopped(task: Task, error: Exception) -> TaskResult:
    """Return the result of a task that was stopped without an attempt."""
    refused = isinstance(error, RefusedError | EditError)
    is_skipped = isinstance(error, BudgetError | StoppedError)
    limited = error.executor if isinstance(error, LimitReachedError) else ""
    return replace(
        skipped(task, machine_text(error)),
        verdict=Verdict.REFUSED if refused else Verdict.SKIPPED if is_skipped else Verdict.ERROR,
        over_budget=isinstance(error, BudgetError),
        limited=limited,
        next_step=RERUN.format(name=task.name) if limited else "",
    )


def stopped_later(state: TaskState, error: Exception) -> TaskResult:
    """Return the result of a task that was stopped after earlier attempts."""
    paid = (*state.earlier, *(call for _, call in state.calls))
    return replace(
        stopped(state.task, error),
        attempts=state.earlier,
        calls=state.calls,
        cost_usd=whole(call.cost_usd for call in paid),
        usage=_usage(paid),
    )


def _usage(calls: Iterable[Attempt]) -> Usage:
    return reduce(plus, (call.usage for call in calls), NO_USAGE)
