"""The call of the executor that does the task, and its result."""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.ledger.record import Verdict
from minitask.policy.route import SCRIPT
from minitask.task import call_journal
from minitask.task.call_journal import Answered
from minitask.task.calls import Call
from minitask.task.state import AttemptState, NotAskedError, TaskState


def implement(engine: Context, state: TaskState, call: Call) -> TaskState:
    """Return the state with the executor's change, or with why there is none.

    A change that is at hand (one on record, or a reviewer's own edits) needs no call. Raises `NotAskedError` where
    nobody was asked.
    """
    if state.draft.work is not None:
        return state
    is_script = state.call.route.executor == SCRIPT
    outcome = state.call.perform(engine) if is_script else call(state.call)
    if isinstance(outcome, Answered):
        return replace(state, draft=_with_work(state.draft, outcome), failure=None)
    if isinstance(outcome, ExecutorFailure):
        return replace(state, draft=_with_failure(state, outcome), failure=outcome)
    call_journal.settle(engine.repository.home, state.call.key)
    raise NotAskedError(state, outcome)


def _with_work(draft: AttemptState, outcome: Answered) -> AttemptState:
    work = outcome.work
    return replace(
        draft,
        work=work,
        usage=work.usage,
        cost_usd=outcome.cost_usd,
        pricing=outcome.pricing,
        malformed=work.malformed,
    )


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
    """Give the provider's failure as the reason where a change that it broke off does not pass."""
    outage = draft.work.outage if draft.work else ""
    if not outage or draft.verdict.is_good:
        return draft
    judged = f"its partial change fails at {draft.ruling.gate}: {draft.ruling.reason}"
    limited = outage.startswith(f"{FailureKind.QUOTA}:")
    verdict = Verdict.SKIPPED if limited else Verdict.ERROR
    failed = draft.failed(verdict, "implement", f"{outage}\n{judged}")
    return replace(failed, transport=outage.startswith(FailureKind.TRANSPORT))
