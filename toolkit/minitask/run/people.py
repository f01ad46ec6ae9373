"""What people say of a task: whether one must approve it, and what was said by those who did or did not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from minitask.errors import UsageError
from minitask.ledger.record import PERSON, REVIEW, Record, Verdict
from minitask.ledger.usage import NO_USAGE
from minitask.run.engine import Engine
from minitask.run.records import latest_record
from minitask.run.sealing import append, moment
from minitask.run.tasks import Task

REQUIRED = "required"


def needs_approval(engine: Engine, task: Task) -> bool:
    """Whether a person must approve the task before it lands, by its spec or by the config."""
    return REQUIRED in (task.spec.options.review, engine.settings.review)


def approve(engine: Engine, name: str) -> Record:
    """Put it on record that a person approved the latest attempt; `UsageError` where that is not proven."""
    record = latest_record(engine, name)
    if not record.attempt.verdict.is_good or record.candidate is None:
        said = record.attempt.reason.partition("\n")[0]
        raise UsageError(
            f"{name} is not proven ({record.attempt.verdict.value}: {said}), so there is nothing to approve",
            hint=f"run `minitask exec {name} --again`, or correct its branch and `minitask merge {name}`",
        )
    return _say(engine, record, Verdict.READY, "approved by a person")


def reject(engine: Engine, name: str, reason: str) -> Record:
    """Put it on record that a person rejected the latest attempt; the next one is told why."""
    if not reason.strip():
        raise UsageError("a rejection needs a reason", hint='say what is wrong: --reject "…"')
    record = latest_record(engine, name)
    return _say(engine, record, Verdict.FAILED, f"rejected by a person: {reason.strip()}")


def _say(engine: Engine, record: Record, verdict: Verdict, reason: str) -> Record:
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
    said = replace(
        record,
        kind=REVIEW,
        attempt=attempt,
        started_at=moment(engine.clock()),
        baseline_cost_usd=None,
        notes=(),
    )
    with engine.writing:
        append(engine, said)
    return said
