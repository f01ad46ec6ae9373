"""The end of an attempt: on record, the task's branch at its candidate, landed where it may."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.errors import MinitaskError
from minitask.git import refs
from minitask.landing.candidates import Candidate
from minitask.landing.land import land_alone
from minitask.ledger.decision import APPLY, CORRECT
from minitask.ledger.record import Record, TaskResult
from minitask.ledger.said import Said
from minitask.policy.route import SCRIPT
from minitask.routing.model_failures import counts_against_model
from minitask.task import call_journal
from minitask.task.human_review import needs_approval
from minitask.task.record_attempt import move_branch, record_attempt, record_landing
from minitask.task.results import in_doubt, make_result
from minitask.task.state import TaskState


def record_or_discard(engine: Context, state: TaskState, *, goes_on: bool) -> tuple[Record, str]:
    """Record the attempt and move the task's branch to its candidate; the record, and a note where the branch stayed.

    One whose change `goes_on` to be repaired or corrected does not tell yet what its tier can do, and neither does the
    correction itself.
    """
    task, ruling = state.task, state.draft.ruling
    told = counts_against_model(state.draft.route, state.draft.verdict, ruling.gate, ruling.reason)
    settles = told and not goes_on and state.draft.step not in (CORRECT, APPLY)
    draft = replace(state.draft, settles=settles)
    attempt = draft.attempt(engine)
    lands = _lands_at_once(engine, state)
    with engine.writing:
        home = engine.repository.home
        announce = partial(call_journal.announce, home, state.call.errand)
        said = _said(engine, state)
        record = record_attempt(engine, draft, attempt, lands=lands, said=said, announce=announce)
        call_journal.settle(home, state.call.errand)
        old = draft.heads.get(refs.branch(task.name))
        return record, move_branch(engine, task, record.candidate, old=old)


def _lands_at_once(engine: Context, state: TaskState) -> bool:
    """Return True if the candidate lands as it is, alone and on its base: then its record can name the merge."""
    task, draft, wishes = state.task, state.draft, state.wishes
    if not draft.verdict.is_good or draft.doubts or not wishes.merge or wishes.lander:
        return False
    return not needs_approval(engine, task) and engine.tip(task.target) == task.base


def _said(engine: Context, state: TaskState) -> Said | None:
    """Return what the executor was told, and its last reply; None if no executor was asked."""
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
    return Said(prompt, reply)


def finish(engine: Context, state: TaskState, record: Record, note: str) -> TaskResult:
    """The task's result once its last attempt is on record: landed where it may."""
    task, draft = state.task, state.draft
    result = make_result(state, record.attempt, record.candidate)
    if not draft.verdict.is_good or record.candidate is None or draft.tree is None:
        return result
    if needs_approval(engine, task):
        why = "a person must review it first"
        return replace(result, reason=why, next_step=f"minitask review {task.name}")
    if draft.doubts:
        return in_doubt(result, draft.doubts)
    if not state.wishes.merge:
        why = "passed; not merged, as requested"
        return replace(result, reason=why, next_step=f"minitask merge {task.name}")
    final = _land(engine, state, record, result)
    return replace(final, reason=final.reason or note)


def _land(engine: Context, state: TaskState, record: Record, result: TaskResult) -> TaskResult:
    task, attempt = state.task, record.attempt
    assert record.candidate is not None  # noqa: S101 - it is proven
    assert record.tree is not None  # noqa: S101
    engine.emit(Progress(task.name, "land", task.target.removeprefix("refs/heads/")))
    candidate = Candidate(record.candidate, record.tree, attempt, record.merge)
    if state.wishes.lander is not None:
        landed = state.wishes.lander.land(task, candidate)
    else:
        with engine.landing:
            landed = land_alone(engine, task, candidate)
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
