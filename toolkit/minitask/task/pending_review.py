"""A change that is proven and on record, and still needs its review: taken up where it stopped, at no cost."""

from __future__ import annotations

from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.engine.anchors import Anchor
from minitask.engine.attempt_numbers import next_number, task_refs
from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.executors.request import ExecutorResult
from minitask.gates.result import GateResult
from minitask.git import refs
from minitask.git.merge_tree import is_ancestor, tree_changes
from minitask.ledger.decision import RESUME
from minitask.ledger.record import Record, Verdict
from minitask.ledger.usage import NO_USAGE
from minitask.policy.budget import Budget
from minitask.policy.route import Route
from minitask.routing.costs import baseline_cost, estimate_usage
from minitask.routing.route_task import route_of
from minitask.spec.model import Tier
from minitask.task.attempt_state import AttemptState
from minitask.task.feedback import as_reply
from minitask.task.interrupted import starts_from
from minitask.task.prepare import make_state
from minitask.task.resume import lacks_review, latest_made
from minitask.task.state import PromptInputs, RunOptions, TaskState


def find_unreviewed(
    engine: Context, task: Task, wishes: RunOptions, *, started: float
) -> TaskState | None:
    """Return the task with its latest change, about to be reviewed; None if there is no such change."""
    found = latest_made(engine, task)
    if found is None or not found.is_proven or found.is_rejected:
        return None
    if not lacks_review(engine, task, found):
        return None
    record = found.made
    held = engine.objects.commit(refs.branch(task.name))
    if held not in (None, record.candidate) or not _still_starts(engine, task, record):
        return None
    engine.emit(Progress(task.name, "review", f"attempt {record.attempt.n} still needs its review"))
    return _state(engine, replace(task, base=record.base), wishes, record, started=started)


def _still_starts(engine: Context, task: Task, record: Record) -> bool:
    """Return True if the candidate is there, starts from a part of the target, and has not landed."""
    if record.candidate is None or engine.objects.commit(record.candidate) is None:
        return False
    git = engine.repository.git
    landed = is_ancestor(git, ancestor=record.candidate, of=engine.tip(task.target))
    return not landed and starts_from(engine, record.base, task.base)


def _state(
    engine: Context, task: Task, wishes: RunOptions, record: Record, *, started: float
) -> TaskState:
    attempt = record.attempt
    heads = task_refs(engine, task.name)
    anchor = Anchor(engine.repository.git, engine.objects, task)
    number, route = next_number(engine, task.name, heads), _route(engine, task, record)
    draft = AttemptState(
        task, route, number, started, heads, anchor, before=attempt.before, step=RESUME
    )
    purse = Budget(task.spec.options.max_cost_usd, parent=wishes.purse, name="spec's own budget")
    state = make_state(engine, draft, wishes, purse, PromptInputs(task.spec))
    changes = _changes(engine, record)
    estimate = estimate_usage(state.order, changes)
    proven = replace(
        state.draft,
        work=ExecutorResult(changes, NO_USAGE, attempt.model, as_reply(changes), None),
        commit=record.candidate,
        tree=record.tree,
        files=attempt.files,
        estimate=estimate,
        baseline_usd=baseline_cost(engine, estimate, kind="frontier"),
        ruling=GateResult(
            "validate", passed=True, commands=attempt.commands, sandbox=attempt.sandbox
        ),
        verdict=Verdict.READY,
    )
    return replace(state, draft=proven)


def _route(engine: Context, task: Task, record: Record) -> Route:
    attempt, fresh = record.attempt, route_of(engine, task)
    return Route(
        Tier(attempt.tier),
        attempt.executor,
        attempt.model,
        f"attempt {attempt.n} passed and still needs its review",
        review=fresh.review,
        review_reason=fresh.review_reason,
        task_class=fresh.task_class,
        ladder=fresh.ladder,
    )


def _changes(engine: Context, record: Record) -> tuple[Change, ...]:
    """Return what the candidate changes, read from its tree."""
    assert record.candidate is not None  # noqa: S101 - it was looked for
    found = tree_changes(engine.repository.git, record.base, record.candidate)
    moved = next((each.path for each in found if each.status == "D"), None)
    return tuple(
        Change(
            each.path,
            None if each.status == "D" else engine.objects.file(record.candidate, each.path),
            moved if each.status == "A" and each.new_mode == "100755" else None,
        )
        for each in found
    )
