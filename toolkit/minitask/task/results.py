"""From a task's attempts, or from why there is none, to its result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.reverts import as_it_stands, brought_by_hand
from minitask.engine.tasks import Task
from minitask.errors import BudgetError, EditError, RefusedError, StoppedError
from minitask.git import refs
from minitask.ledger.record import Attempt, TaskResult, Verdict, whole
from minitask.ledger.usage import NO_USAGE, Usage, plus
from minitask.task.advice import find_outage_step
from minitask.task.state import TaskState


def landed_result(engine: Context, task: Task) -> TaskResult | None:
    """Return the result of a task that has landed at this very blob, read from the target's ancestry."""
    found = engine.landed_since(task.base, task.path).get(task.name)
    landing = as_it_stands(engine, found, tip=task.base)
    landing = landing or brought_by_hand(engine, task.base, task.name)
    if landing is None or landing.undone or landing.spec != f"{task.path}@{task.blob}":
        return None
    candidate = engine.objects.commit(f"{landing.commit}^2")
    return TaskResult(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        verdict=Verdict.MERGED,
        reason=f"already merged ({landing.commit[:12]}), skipped; --again to rerun",
        branch=refs.branch(task.name).removeprefix("refs/heads/"),
        base=task.base,
        commit=candidate,
        merge=landing.commit,
    )


def make_result(state: TaskState, attempt: Attempt, candidate: str | None) -> TaskResult:
    """Return the result of a task whose present attempt is over."""
    task, draft = state.task, state.draft
    attempts = (*state.earlier, attempt)
    return TaskResult(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        verdict=draft.verdict,
        reason=draft.ruling.reason,
        branch=refs.branch(task.name).removeprefix("refs/heads/") if candidate else None,
        base=task.base,
        commit=candidate,
        cost_usd=whole(each.cost_usd for each in (*attempts, *_made(state))),
        baseline_cost_usd=draft.baseline_usd,
        estimate=draft.estimate,
        usage=_usage((*attempts, *_made(state))),
        attempts=attempts,
        calls=state.calls,
        next_step="" if draft.verdict.is_good else _next_step(attempt, task.name),
    )


def _next_step(attempt: Attempt, name: str) -> str:
    return find_outage_step(attempt, name) or f"minitask show {name}"


def in_doubt(result: TaskResult, doubts: Sequence[str]) -> TaskResult:
    """Return the result of a proven task that waits for a person to look at it."""
    return replace(
        result,
        verdict=Verdict.READY,
        reason=f"passed, but look at it before it merges: {'; '.join(doubts)}",
        next_step=f"minitask merge {result.task}",
    )


def stopped(task: Task, error: Exception) -> TaskResult:
    """Return the result of a task that was stopped without an attempt."""
    budget = isinstance(error, BudgetError)
    refused = isinstance(error, RefusedError | EditError)
    skipped = budget or isinstance(error, StoppedError)
    verdict = Verdict.SKIPPED if skipped else Verdict.REFUSED if refused else Verdict.ERROR
    return TaskResult(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        verdict=verdict,
        reason=str(error),
        base=task.base,
        over_budget=budget,
    )


def stopped_later(state: TaskState, error: Exception) -> TaskResult:
    """Return the same, with the attempts that came before."""
    attempts = state.earlier
    result = stopped(state.task, error)
    spent = (*attempts, *_made(state))
    return replace(
        result,
        attempts=attempts,
        calls=state.calls,
        cost_usd=whole(each.cost_usd for each in spent),
        usage=_usage(spent),
    )


def _made(state: TaskState) -> tuple[Attempt, ...]:
    """Return the calls beside the attempts."""
    return tuple(call for _, call in state.calls)


def _usage(attempts: Iterable[Attempt]) -> Usage:
    total = NO_USAGE
    for attempt in attempts:
        total = plus(total, attempt.usage)
    return total
