"""A change before the gates: its paths, its tree and scope, its form, its validation."""

from __future__ import annotations

from minitask.edits.model import Change
from minitask.errors import EditError, MachineError
from minitask.executors.model import Order
from minitask.gates.candidate import CommitTree
from minitask.gates.lint import check_lint
from minitask.gates.ruling import Ruling
from minitask.gates.scope import check_paths, check_scope
from minitask.ledger.record import Verdict
from minitask.repo.merging import tree_changes
from minitask.run import building
from minitask.run.costs import baseline_cost, estimate_usage
from minitask.run.draft import Draft
from minitask.run.engine import Engine, Progress
from minitask.run.proof import prove
from minitask.run.tasks import Task


def judge(engine: Engine, draft: Draft, order: Order, changes: tuple[Change, ...]) -> None:
    """Judge the change; whatever breaks on the way is on the draft, so that what was spent is recorded."""
    try:
        _judge(engine, draft, order, changes)
    except EditError as error:
        draft.fail(Verdict.REFUSED, "scope", str(error))
    except (MachineError, OSError) as error:
        draft.fail(Verdict.ERROR, "validate", str(error))


def protected(engine: Engine, task: Task) -> tuple[str, ...]:
    """The patterns of paths that the task may not change."""
    return (*engine.settings.protected, *task.spec.options.protected)


def _judge(engine: Engine, draft: Draft, order: Order, changes: tuple[Change, ...]) -> None:
    """Build the candidate's tree and put it before the gates, one after another until one says no."""
    task = draft.task
    if not _pass(draft, check_paths(task.spec, changes, protected=protected(engine, task))):
        return
    draft.estimate = estimate_usage(order, changes)
    draft.baseline_usd = baseline_cost(engine, draft.estimate, kind="frontier")
    writes = building.file_writes(changes, engine.objects, task.base)
    commit = building.write_draft(engine, task, writes)
    found = tree_changes(engine.repository.git, task.base, commit)
    if not _pass(draft, check_scope(task.spec, found, protected=protected(engine, task))):
        return
    draft.commit, draft.tree = commit, engine.objects.tree_of(commit)
    draft.files = building.file_records(found)
    candidate = CommitTree(engine.objects, commit)
    if not _pass(draft, check_lint(changes, read=order.read, spec=task.spec, candidate=candidate)):
        return
    engine.emit(Progress(task.name, "validate", f"{len(task.spec.commands)} commands"))
    proof = prove(engine, task, commit)
    draft.ruling = Ruling(
        "validate", proof.passed, proof.reason, commands=proof.commands, sandbox=proof.sandbox
    )
    draft.verdict = Verdict.READY if proof.passed else Verdict.FAILED


def _pass(draft: Draft, ruling: Ruling) -> bool:
    """Whether a gate lets the attempt pass; what it says is on the draft."""
    draft.ruling = ruling
    if not ruling.passed:
        draft.verdict = Verdict.REFUSED if ruling.refused else Verdict.FAILED
    return ruling.passed
