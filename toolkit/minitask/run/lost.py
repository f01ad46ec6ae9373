"""Attempts that were lost, for the process ended while a call was under way: on record, their cost an estimate."""

from __future__ import annotations

from minitask.ledger.record import Attempt, Record, Verdict
from minitask.ledger.usage import plus
from minitask.policy.route import Route
from minitask.run import paid
from minitask.run.costs import tariff
from minitask.run.engine import Engine
from minitask.run.numbers import next_number
from minitask.run.paid import Lost
from minitask.run.sealing import append, moment
from minitask.spec.model import Tier

NOTE = (
    "lost: the process ended while a call was under way; tokens and cost of that call are estimates"
)


def book_lost(engine: Engine) -> tuple[str, ...]:
    """Put every lost attempt on record; the names of their tasks."""
    booked = []
    for found in paid.lost(engine.repository.home):
        append(engine, _record(engine, found))
        found.path.unlink(missing_ok=True)
        booked.append(found.errand.task)
    return tuple(booked)


def _record(engine: Engine, found: Lost) -> Record:
    errand, reading = found.errand, found.reading
    route = Route(Tier(errand.tier), errand.executor, errand.model, "")
    estimate, pricing = tariff(engine, route).cost(reading.under_way)
    known = reading.spent_usd
    attempt = Attempt(
        n=next_number(engine, errand.task),
        tier=errand.tier,
        executor=errand.executor,
        model=errand.model,
        verdict=Verdict.ERROR,
        gate="implement",
        reason="the process ended while a call was under way; its answer is lost",
        usage=plus(reading.usage, reading.under_way),
        cost_usd=None if known is None or estimate is None else known + estimate,
        seconds=0.0,
        sandbox=engine.sandbox.strength.value,
        pricing=pricing,
    )
    return Record(
        task=errand.task,
        spec_path=errand.spec_path,
        spec_blob=errand.spec_blob,
        target=errand.target,
        base=errand.base,
        anchor=None,
        candidate=None,
        merge=None,
        tree=None,
        started_at=moment(found.path.stat().st_mtime),
        baseline_cost_usd=None,
        attempt=attempt,
        notes=(NOTE,),
        kind="lost",
    )
