"""Landing later what is proven: the latest candidate of a task, or what a person made of its branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from minitask.errors import UsageError
from minitask.ledger.record import ATTEMPT, Record, TaskResult, Verdict
from minitask.repo import history, refs
from minitask.run.attempts.people import landed_as, standpoint
from minitask.run.attempts.sealing import record_landing
from minitask.run.engine import Engine
from minitask.run.landings.landing import Candidate, land_alone
from minitask.run.landings.proof import prove
from minitask.run.records import latest_record, records_of, result_of, task_at
from minitask.run.tasks import Place, Task


def merge_task(engine: Engine, name: str, place: Place) -> TaskResult:
    """Land the tip of a task's branch; a tip that the toolkit did not prove itself is proven first."""
    record = latest_record(engine, name)
    records = records_of(engine, name)
    candidates = [each.candidate for each in records if each.candidate is not None]
    tip = engine.objects.commit(refs.branch(name)) or (candidates[-1] if candidates else None)
    if tip is None:
        raise UsageError(
            f"{name} has no candidate: {record.attempt.reason}",
            hint=f"run `minitask exec {name} --again`",
        )
    landing = history.latest_landing(engine.repository.git, place.base, task=name)
    if landing is not None and landing.undone:
        raise UsageError(f"{name} was taken back", hint=f"run it anew: minitask exec {name}")
    found = standpoint(records, tip)
    record = found.made if found else _latest_attempt(records)
    landed = landed_as(engine, landing, tip)
    if landed is not None:
        return result_of(
            record, Verdict.MERGED, reason=f"landed already, as {landed[:12]}", merge=landed
        )
    source = f"{record.spec_path}@{record.spec_blob}"
    task = task_at(engine, name, source, replace(place, base=record.base))
    if found is not None and not found.may_land:
        verdict = Verdict.FAILED if found.is_rejected else record.attempt.verdict
        result = result_of(record, verdict, reason=found.objection)
        step = f"minitask review {name}" if found.is_proven else f"minitask exec {name} --again"
        return replace(result, next_step=step)
    return _land(engine, task, record, tip)


def _latest_attempt(records: Sequence[Record]) -> Record:
    """The attempt that a person's own work on the branch goes back to."""
    return next((each for each in reversed(records) if each.kind == ATTEMPT), records[-1])


def _land(engine: Engine, task: Task, record: Record, tip: str) -> TaskResult:
    attempt = replace(record.attempt, verdict=Verdict.READY)
    if tip != record.candidate:
        proof = prove(engine, task, tip)
        if not proof.passed:
            return result_of(
                record, Verdict.FAILED, reason=f"the branch as it is now: {proof.reason}"
            )
        attempt = replace(attempt, commands=proof.commands)
    landed = land_alone(engine, task, Candidate(tip, engine.objects.tree_of(tip), attempt))
    record_landing(engine, record, landed)
    if landed.proof is not None:
        attempt = replace(attempt, commands=landed.proof.commands)
    result = result_of(
        replace(record, candidate=tip, attempt=attempt),
        landed.verdict,
        reason=landed.reason,
        merge=landed.merge,
    )
    return replace(result, next_step=landed.next_step)
