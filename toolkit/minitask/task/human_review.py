"""Reviews by people: whether a task needs approval, and the verdict on a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.task_records import latest_record, records_of
from minitask.engine.tasks import Base, latest_landing
from minitask.errors import UsageError
from minitask.git import history, refs
from minitask.git.trees import is_ancestor
from minitask.landing.candidate_commits import CARRIED
from minitask.ledger.record import ATTEMPT, NO_USAGE, PERSON, REVIEW, Record, Verdict
from minitask.policy.route import SCRIPT
from minitask.task.record_attempt import append_record, moment


class ReviewState(Struct, frozen=True):
    """The record of a candidate's attempt, and of a person's latest review of it."""

    record: Record
    review: Record | None = None

    @property
    def is_approved(self) -> bool:
        """Return True if a person approved it."""
        return self.review is not None and self.review.attempt.verdict.is_good

    @property
    def is_rejected(self) -> bool:
        """Return True if a person rejected it."""
        return self.review is not None and not self.review.attempt.verdict.is_good

    @property
    def is_proven(self) -> bool:
        """Return True if validation passed; a model's review, or a missing one, does not change that."""
        attempt = self.record.attempt
        return attempt.verdict.is_good or attempt.gate == REVIEW

    @property
    def may_land(self) -> bool:
        """Return True if it is proven without objection, or proven and approved by a person."""
        if self.is_rejected:
            return False
        return self.record.attempt.verdict.is_good or (self.is_proven and self.is_approved)

    @property
    def objection(self) -> str:
        """Return why it may not land."""
        if self.review is not None and self.is_rejected:
            return self.review.attempt.reason
        return f"not proven: {self.record.attempt.reason}"


def review_state(records: Sequence[Record], candidate: str | None) -> ReviewState | None:
    """Return the records of a candidate; None if the toolkit did not make it."""
    matching = [
        record for record in records if candidate is not None and record.candidate == candidate
    ]
    attempt = next((record for record in reversed(matching) if record.kind == ATTEMPT), None)
    if attempt is None:
        return None
    review = next((record for record in reversed(matching) if record.kind == REVIEW), None)
    return ReviewState(attempt, review)


def approval_of(records: Sequence[Record], candidate: str) -> Record | None:
    """Return a person's approval of the commit, if that is its latest review."""
    reviews = [
        record for record in records if record.kind == REVIEW and record.candidate == candidate
    ]
    return reviews[-1] if reviews and reviews[-1].attempt.verdict.is_good else None


def landed_as(engine: Context, landing: history.Landing | None, tip: str) -> str | None:
    """Return the commit that landed this tip or its change; None if there is none, or it was reverted."""
    if landing is None or landing.undone:
        return None
    if not landing.whole:
        return landing.commit
    git = engine.repository.git
    merged = engine.objects.commit(f"{landing.commit}^2")
    if merged is None:  # a fast-forward, cherry-pick or rebase of the candidate
        return landing.commit if history.is_same_change(git, landing.commit, tip) else None
    if merged != tip:
        merged = history.trailer(git, merged, CARRIED)
    return landing.commit if merged == tip else None


def is_undone(engine: Context, landing: history.Landing | None, base: str) -> bool:
    """Return True if the task was undone, and the base of its change is older than that."""
    if landing is None or not landing.undone:
        return False
    return not is_ancestor(engine.repository.git, ancestor=landing.commit, of=base)


def landed(engine: Context, name: str, base: Base) -> str | None:
    """Return the merge that already landed the tip to be reviewed, if any."""
    tip = tip_of(engine, name, records_of(engine, name))
    return landed_as(engine, latest_landing(engine, base.base, name), tip) if tip else None


def check_approvable(engine: Context, name: str) -> None:
    """Raise `UsageError` if the task has no proven candidate to approve."""
    record = latest_record(engine, name)
    tip = engine.objects.commit(refs.branch(name)) or record.candidate
    review = review_state(records_of(engine, name), tip)
    if tip is None or (review is not None and not review.is_proven):
        attempt = review.record.attempt if review else record.attempt
        reason_line = attempt.reason.partition("\n")[0]
        raise UsageError(
            f"{name} has not passed ({attempt.verdict.value}: {reason_line}), so there is nothing to approve",
            hint=f"run `minitask exec {name} --again`, or correct its branch and `minitask merge {name}`",
        )


def approve(engine: Context, record: Record, tip: str) -> None:
    """Record a person's approval of a tip of the task's branch, unless its latest review is one already."""
    if approval_of(records_of(engine, record.task), tip) is None:
        _record_review(
            engine, replace(record, candidate=tip), Verdict.READY, "approved by a person"
        )


def check_rejectable(engine: Context, name: str, base: Base) -> None:
    """Raise `UsageError` if the candidate has landed, which is too late for a rejection."""
    merge = landed(engine, name, base)
    if merge is not None:
        raise UsageError(
            f"{name} has already merged ({merge[:12]}), so it cannot be rejected",
            hint=f"`minitask undo {name}` reverts it; then reject it, and the next attempt sees your reason",
        )


def reject(engine: Context, name: str, reason: str) -> Record:
    """Record a person's rejection of the latest attempt; the next attempt receives the reason."""
    records = records_of(engine, name)
    review = review_state(records, tip_of(engine, name, records))
    record = review.record if review else latest_record(engine, name)
    return _record_review(engine, record, Verdict.FAILED, f"rejected by a person: {reason.strip()}")


def is_from_script(engine: Context, name: str) -> bool:
    """Return True if the spec's edit script made the latest attempt: it cannot heed a reason."""
    attempts = [record for record in records_of(engine, name) if record.kind == ATTEMPT]
    return bool(attempts) and attempts[-1].attempt.executor == SCRIPT


def tip_of(engine: Context, name: str, records: Sequence[Record]) -> str | None:
    """Return the commit under review: the tip of the task's branch, else the latest candidate."""
    candidates = [record.candidate for record in records if record.candidate is not None]
    return engine.objects.commit(refs.branch(name)) or (candidates[-1] if candidates else None)


def _record_review(engine: Context, record: Record, verdict: Verdict, reason: str) -> Record:
    attempt = replace(
        record.attempt,
        tier="none",
        executor=PERSON,
        model="",
        verdict=verdict,
        gate="" if verdict.is_good else REVIEW,
        reason=reason,
        usage=NO_USAGE,
        cost_usd=Decimal(0),
        seconds=0.0,
        malformed=0,
        pricing=None,
        decision=None,
        commands=(),
        before=(),
    )
    review = replace(
        record,
        kind=REVIEW,
        attempt=attempt,
        started_at=moment(engine.clock()),
        baseline_cost_usd=None,
        notes=(),
    )
    with engine.writing:
        append_record(engine, review)
    return review
