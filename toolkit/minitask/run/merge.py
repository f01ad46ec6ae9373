"""Landing later what is proven: the latest candidate of a task, or what a person made of its branch."""

from __future__ import annotations

from dataclasses import replace

from minitask.errors import UsageError
from minitask.ledger.record import ATTEMPT, REVIEW, Record, TaskResult, Verdict
from minitask.repo import history, refs
from minitask.run.engine import Engine
from minitask.run.landing import Candidate, land_alone
from minitask.run.proof import prove
from minitask.run.records import latest_record, result_of, task_at
from minitask.run.sealing import record_landing
from minitask.run.tasks import Place, Task


def merge_task(engine: Engine, name: str, place: Place) -> TaskResult:
    """Land the tip of a task's branch; a tip that the toolkit did not prove itself is proven first."""
    record = latest_record(engine, name)
    tip = engine.objects.commit(refs.branch(name)) or record.candidate
    if tip is None:
        raise UsageError(
            f"{name} has no candidate: {record.attempt.reason}",
            hint=f"run `minitask exec {name} --again`",
        )
    landing = history.latest_landing(engine.repository.git, place.base, task=name)
    if landing is not None and landing.undone:
        raise UsageError(f"{name} was taken back", hint=f"run it anew: minitask exec {name}")
    landed = _landed_as(engine, landing, tip)
    if landed is not None:
        return result_of(
            record, Verdict.MERGED, reason=f"landed already, as {landed[:12]}", merge=landed
        )
    source = f"{record.spec_path}@{record.spec_blob}"
    task = task_at(engine, name, source, replace(place, base=record.base))
    judged = record.kind in (ATTEMPT, REVIEW)
    if judged and tip == record.candidate and not record.attempt.verdict.is_good:
        said = record.attempt.reason
        reason = said if record.kind == REVIEW else f"not proven: {said}"
        result = result_of(record, record.attempt.verdict, reason=reason)
        return replace(result, next_step=f"minitask exec {name} --again")
    return _land(engine, task, record, tip)


def _landed_as(engine: Engine, landing: history.Landing | None, tip: str) -> str | None:
    """The merge that brought this very tip in, if one did."""
    if landing is None or engine.objects.commit(f"{landing.commit}^2") != tip:
        return None
    return landing.commit


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
