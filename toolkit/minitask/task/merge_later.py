"""Merge a proven task later: its latest candidate, or its branch as changed by a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.task_records import latest_record, records_of, result_of, task_at
from minitask.engine.tasks import Base, Task, latest_landing, load_file
from minitask.errors import UsageError
from minitask.git import history
from minitask.git.trees import is_ancestor, merge_base
from minitask.landing.candidate_commits import Candidate
from minitask.landing.land import Landed, land_alone
from minitask.landing.proof import prove
from minitask.ledger.record import ATTEMPT, Record, TaskResult, Verdict
from minitask.spec.quality import check_quality
from minitask.task.human_review import (
    ReviewState,
    approval_of,
    approve,
    is_undone,
    landed_as,
    review_state,
    tip_of,
)
from minitask.task.record_attempt import record_landing
from minitask.task.state import needs_approval

Publish = Callable[[Task, Record, Candidate], Landed]
"""Publishes a proven candidate for people to merge, instead of landing it."""


def merge_task(
    engine: Context,
    name: str,
    base: Base,
    *,
    approves: bool = False,
    publish: Publish | None = None,
) -> TaskResult:
    """Land the tip of a task's branch, after proving it if the toolkit did not.

    `approves`: this command is a person's approval of the tip, recorded once it has landed. `publish`: publish the tip
    instead of landing it, without approval, which its merge will give.
    """
    record = latest_record(engine, name)
    records = records_of(engine, name)
    tip = tip_of(engine, name, records)
    if tip is None:
        reason, _, _ = record.attempt.reason.partition("\n")
        raise UsageError(
            f"{name} has no candidate: {reason}", hint=f"run `minitask exec {name} --again`"
        )
    landing = latest_landing(engine, base.base, name)
    review = review_state(records, tip)
    record = review.record if review else _latest_attempt(records)
    merge = landed_as(engine, landing, tip)
    if merge is not None:
        if approves:
            approve(engine, record, tip)
        return result_of(
            record, Verdict.MERGED, reason=f"already merged ({merge[:12]})", merge=merge
        )
    task = _present_task(engine, record, base)
    if review is not None and not review.may_land and not (approves and review.is_proven):
        return _objected(review, name)
    change_base = _base_of(engine, record, tip, onto=base.base)
    waits = publish is None and needs_approval(engine, task)
    if waits and not approves and review is not None:
        was_undone = is_undone(engine, landing, change_base or record.base)
        if was_undone or approval_of(records, tip) is None:
            ready = result_of(record, Verdict.READY, reason="a person must review it first")
            return replace(ready, next_step=f"minitask review {name}")
    result = _land(engine, task, record, tip, base=change_base, publish=publish)
    if result.verdict is Verdict.MERGED and (approves or waits):
        approve(engine, record, tip)  # this approves commits that a person added to the branch
    elif result.verdict is Verdict.READY and approves:
        return replace(result, next_step=f"minitask review {name} --approve")
    return result


def _present_task(engine: Context, record: Record, base: Base) -> Task:
    """Return the task by the target's spec, which judges its candidate; by its own spec if that is gone.

    Raise `UsageError` if the target's spec has errors, or no longer holds the task.
    """
    start = replace(base, base=record.base)
    entry = engine.objects.entry(base.base, record.spec_path)
    if entry is None or entry.oid == record.spec_blob:
        return task_at(engine, record.task, f"{record.spec_path}@{record.spec_blob}", start)
    source = f"{record.spec_path}@{entry.oid}"
    parsed = load_file(engine, record.spec_path, base).parsed
    try:
        task = task_at(engine, record.task, source, start)
    except UsageError:
        raise UsageError(
            f"{record.spec_path} at {base} holds no task {record.task}",
            hint="give the task its name back, and commit that; the spec of the attempt is "
            f"`git cat-file blob {record.spec_blob[:12]}`",
        ) from None
    diagnostics = (*parsed.diagnostics, *check_quality(task.spec, engine.settings.protected))
    error = next((diagnostic for diagnostic in diagnostics if diagnostic.is_error), None)
    if error is not None:
        raise UsageError(
            f"{error.code} {error.message}, in the spec that judges it at {base}",
            where=f"{record.spec_path}:{error.line}",
            hint=f"{error.hint}; then commit the spec",
        )
    return task


def _objected(review: ReviewState, name: str) -> TaskResult:
    """Return the result of a task that may not land: not proven, or rejected by a review."""
    record = review.record
    verdict = Verdict.FAILED if review.is_rejected else record.attempt.verdict
    step = f"minitask review {name}" if review.is_proven else f"minitask exec {name} --again"
    return replace(result_of(record, verdict, reason=review.objection), next_step=step)


def _base_of(engine: Context, record: Record, tip: str, *, onto: str) -> str | None:
    """Return the commit on which the branch's change starts, if it is not the tip's first parent.

    A person may have added commits to the branch, or rebased it.
    """
    git = engine.repository.git
    if record.candidate is None or tip == record.candidate:
        return None
    if is_ancestor(git, ancestor=record.candidate, of=tip):
        return record.base
    return history.parent_of_task(git, tip, record.task, since=onto) or merge_base(git, onto, tip)


def _latest_attempt(records: Sequence[Record]) -> Record:
    """Return the attempt on which a person's own work on the branch is based."""
    return next((record for record in reversed(records) if record.kind == ATTEMPT), records[-1])


def _land(
    engine: Context,
    task: Task,
    record: Record,
    tip: str,
    *,
    base: str | None,
    publish: Publish | None,
) -> TaskResult:
    attempt = replace(record.attempt, verdict=Verdict.READY)
    if tip != record.candidate or task.blob != record.spec_blob:
        proof = prove(engine, task, tip)
        if not proof.passed:
            judged = "branch" if tip != record.candidate else "spec"
            return result_of(
                record, Verdict.FAILED, reason=f"the {judged} as it is now: {proof.reason}"
            )
        attempt = replace(attempt, commands=proof.commands)
    tree = engine.objects.tree_of(tip)
    merge = record.merge if tip == record.candidate else None
    candidate = Candidate(tip, tree, attempt, merge, base)
    if publish is None:
        landed = land_alone(engine, task, candidate)
        record_landing(engine, record, landed, target=task.target)
    else:
        landed = publish(task, record, candidate)
    if landed.proof is not None:
        attempt = replace(attempt, commands=landed.proof.commands)
    result = result_of(
        replace(record, candidate=tip, attempt=attempt),
        landed.verdict,
        reason=landed.reason,
        merge=landed.merge,
    )
    return replace(result, next_step=landed.next_step)
