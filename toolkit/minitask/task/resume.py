"""A task that is proven and has not landed needs no second attempt: it is landed, at no cost."""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.task_records import records_of, result_of
from minitask.engine.tasks import Task
from minitask.git import refs
from minitask.git.merge_tree import is_ancestor
from minitask.landing.candidates import Candidate, Landed
from minitask.landing.land import Landings, land_alone
from minitask.ledger.record import ATTEMPT, REVIEW, TaskResult, Verdict
from minitask.routing.route_task import route_of
from minitask.task.human_review import ReviewState, is_undone, needs_approval, review_state
from minitask.task.record_attempt import move_branch, record_landing
from minitask.task.results import in_doubt


def take_proven(
    engine: Context, task: Task, *, lands: bool, lander: Landings | None = None
) -> TaskResult | None:
    """Return the latest attempt if it is proven for this very blob, landed if it may; None if a new one is
    called for.

    `lander` lands it, in place of landing it alone.
    """
    found = latest_made(engine, task)
    if found is None or not found.may_land or lacks_review(engine, task, found):
        return None
    record = found.made
    if record.candidate is None or record.tree is None:
        return None
    held = engine.objects.commit(refs.branch(task.name))
    if held not in (None, record.candidate):
        return None
    if _was_taken_back(engine, task, record.candidate, record.base):
        return None
    number = record.attempt.n
    if held is None:
        move_branch(engine, task, record.candidate, old=None)
    waits = needs_approval(engine, task) and not found.is_approved
    if not lands or waits:
        reason = f"attempt {number} has already passed and is not merged"
        ready = result_of(record, Verdict.READY, reason=reason)
        step = "review" if waits else "merge"
        return replace(ready, next_step=f"minitask {step} {task.name}")
    if record.attempt.doubts and not found.is_approved:
        return in_doubt(result_of(record, Verdict.READY, reason=""), record.attempt.doubts)
    engine.emit(Progress(task.name, "land", f"attempt {number} has already passed"))
    candidate = Candidate(record.candidate, record.tree, record.attempt, record.merge)
    landed = _land(engine, replace(task, base=record.base), candidate, lander)
    with engine.writing:
        record_landing(engine, record, landed, target=task.target)
    if landed.verdict not in (Verdict.MERGED, Verdict.READY):
        return None
    reason = landed.reason or f"merged attempt {number}, which had already passed"
    result = result_of(record, landed.verdict, reason=reason, merge=landed.merge)
    return replace(result, next_step=landed.next_step)


def _was_taken_back(engine: Context, task: Task, candidate: str, base: str) -> bool:
    """Return True if the candidate landed once, by its own commit or made again, and does not stand any more."""
    if is_ancestor(engine.repository.git, ancestor=candidate, of=engine.tip(task.target)):
        return True
    return is_undone(engine, engine.landed_since(task.base, task.path).get(task.name), base)


def _land(engine: Context, task: Task, candidate: Candidate, lander: Landings | None) -> Landed:
    if lander is not None:
        return lander.land(task, candidate)
    with engine.landing:
        return land_alone(engine, task, candidate)


def latest_made(engine: Context, task: Task) -> ReviewState | None:
    """Return what is on record of the latest candidate, if it is of this very spec and nothing has come after it."""
    if task.uncommitted:
        return None
    records = records_of(engine, task.name)
    made = [record for record in records if record.kind != REVIEW]
    if not made or made[-1].kind != ATTEMPT or made[-1].spec_blob != task.blob:
        return None
    return review_state(records, made[-1].candidate)


def lacks_review(engine: Context, task: Task, found: ReviewState) -> bool:
    """Return True if a model is still to review a candidate, by the route that the task has now; a person's word
    is enough.
    """
    if found.is_approved:
        return False
    attempt = found.made.attempt
    if not attempt.verdict.is_good:
        return attempt.gate == REVIEW
    had = attempt.decision is not None and bool(attempt.decision.review)
    return not had and bool(route_of(engine, task).review)
