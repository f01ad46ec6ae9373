"""Work done before a task begins: its own earlier change, to land or to review, and that of others, which it needs.

A proven change that has not landed is landed at no cost. One that lacks its review is reviewed. A task waits for its
dependencies, and for files and work of other tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from minitask.edits.checker import CheckedSpec
from minitask.edits.script_model import Change
from minitask.engine.anchors import Anchor
from minitask.engine.check_specs import SpecCheck, warn
from minitask.engine.context import Context, Progress
from minitask.engine.task_records import records_of, result_of
from minitask.engine.tasks import Base, Task, landings_at, next_number, refusal, task_refs
from minitask.errors import UsageError
from minitask.executors.request import ExecutorResult
from minitask.gates.result import GateResult
from minitask.git import refs
from minitask.git.trees import is_ancestor, tree_changes
from minitask.landing.candidate_commits import Candidate
from minitask.landing.land import land
from minitask.ledger.record import ATTEMPT, NO_USAGE, RESUME, REVIEW, Record, TaskResult, Verdict
from minitask.policy.route import Route
from minitask.routing.requests import baseline_cost, estimate_usage
from minitask.routing.route_task import route_of
from minitask.spec.dependency_graph import Graph
from minitask.spec.file_dependencies import DependencyKind, implied
from minitask.spec.model import Spec, Tier
from minitask.task.feedback import as_reply
from minitask.task.finish import in_doubt, landed_result, skipped
from minitask.task.human_review import ReviewState, is_undone, review_state
from minitask.task.prepare import make_state
from minitask.task.record_attempt import move_branch, record_landing, starts_from
from minitask.task.state import AttemptState, PromptInputs, RunOptions, TaskState, needs_approval


def take_proven(engine: Context, task: Task, options: RunOptions) -> TaskResult | None:
    """Return the result of the latest attempt, landed if allowed; None if a new attempt is needed.

    The attempt must be proven at this blob.
    """
    review = latest_made(engine, task)
    if review is None or not review.may_land or lacks_review(engine, task, review):
        return None
    record = review.record
    if record.candidate is None or record.tree is None:
        return None
    tip = engine.objects.commit(refs.branch(task.name))
    if tip not in (None, record.candidate):
        return None
    if _was_taken_back(engine, task, record.candidate, record.base):
        return None
    number = record.attempt.n
    if tip is None:
        move_branch(engine, task, record.candidate, old=None)
    waits = needs_approval(engine, task) and not review.is_approved
    if not options.merge or waits:
        reason = f"attempt {number} has already passed and is not merged"
        ready = result_of(record, Verdict.READY, reason=reason)
        step = "review" if waits else "merge"
        return replace(ready, next_step=f"minitask {step} {task.name}")
    if record.attempt.doubts and not review.is_approved:
        return in_doubt(result_of(record, Verdict.READY, reason=""), record.attempt.doubts)
    engine.emit(Progress(task.name, "merge", f"attempt {number} has already passed"))
    candidate = Candidate(record.candidate, record.tree, record.attempt, record.merge)
    landed = land(engine, replace(task, base=record.base), candidate, options.lander)
    with engine.writing:
        record_landing(engine, record, landed, target=task.target)
    if landed.verdict not in (Verdict.MERGED, Verdict.READY):
        return None
    reason = landed.reason or f"merged attempt {number}, which had already passed"
    result = result_of(record, landed.verdict, reason=reason, merge=landed.merge)
    return replace(result, next_step=landed.next_step)


def _was_taken_back(engine: Context, task: Task, candidate: str, base: str) -> bool:
    """Return True if the candidate, itself or remade, has landed before and was undone."""
    if is_ancestor(engine.repository.git, ancestor=candidate, of=engine.tip(task.target)):
        return True
    return is_undone(engine, engine.landed_since(task.base, task.path).get(task.name), base)


def latest_made(engine: Context, task: Task) -> ReviewState | None:
    """Return the review state of the latest candidate, if it is of this spec and the latest record; else None."""
    if task.uncommitted:
        return None
    records = records_of(engine, task.name)
    candidates = [record for record in records if record.kind != REVIEW]
    if not candidates or candidates[-1].kind != ATTEMPT or candidates[-1].spec_blob != task.blob:
        return None
    return review_state(records, candidates[-1].candidate)


def lacks_review(engine: Context, task: Task, review: ReviewState) -> bool:
    """Return True if the task's current route requires a model's review that the candidate lacks.

    A person's approval replaces it.
    """
    if review.is_approved:
        return False
    attempt = review.record.attempt
    if not attempt.verdict.is_good:
        return attempt.gate == REVIEW
    had = attempt.decision is not None and bool(attempt.decision.review)
    return not had and bool(route_of(engine, task).review)


def find_unreviewed(
    engine: Context, task: Task, options: RunOptions, *, started: float
) -> TaskState | None:
    """Return the state of the latest change before its review; None if there is no such change."""
    review = latest_made(engine, task)
    if review is None or not review.is_proven or review.is_rejected:
        return None
    if not lacks_review(engine, task, review):
        return None
    record = review.record
    tip = engine.objects.commit(refs.branch(task.name))
    if tip not in (None, record.candidate) or not _still_starts(engine, task, record):
        return None
    engine.emit(Progress(task.name, "review", f"attempt {record.attempt.n} still needs its review"))
    return _state(engine, replace(task, base=record.base), options, record, started=started)


def _still_starts(engine: Context, task: Task, record: Record) -> bool:
    """Return True if the candidate exists, starts from the target's history, and has not landed."""
    if record.candidate is None or engine.objects.commit(record.candidate) is None:
        return False
    git = engine.repository.git
    landed = is_ancestor(git, ancestor=record.candidate, of=engine.tip(task.target))
    return not landed and starts_from(engine, record.base, task.base)


def _state(
    engine: Context, task: Task, options: RunOptions, record: Record, *, started: float
) -> TaskState:
    attempt = record.attempt
    heads = task_refs(engine, task.name)
    anchor = Anchor(engine.repository.git, engine.objects, task)
    number, route = next_number(engine, task.name, heads), _route(engine, task, record)
    draft = AttemptState(
        task, route, number, started, heads, anchor, before=attempt.before, step=RESUME
    )
    state = make_state(engine, draft, options, PromptInputs(task.spec))
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
    """Return the candidate's changes, read from its tree."""
    assert record.candidate is not None  # noqa: S101 - checked before
    files = tree_changes(engine.repository.git, record.base, record.candidate)
    return tuple(
        Change(
            file.path,
            None if file.status == "D" else engine.objects.file(record.candidate, file.path),
            executable=file.new_mode == "100755",
        )
        for file in files
    )


MAKING = frozenset({DependencyKind.CREATE_READ, DependencyKind.CREATE_EDIT})


def find_unmet(
    engine: Context, task: Task, base: Base, *, again: bool = False, is_routed: bool = False
) -> TaskResult | None:
    """Return the result of a task that must wait for others; None if it may begin or has landed.

    `is_routed`: the user chose the executor, whatever the spec says. Raise the refusal if `validate` finds an error in
    the task's spec.
    """
    if not again and landed_result(engine, task) is not None:
        return None
    check = SpecCheck(engine, base)
    verdicts = check.check_tasks([task], again=again, is_routed=is_routed)
    warn(engine, [task], verdicts, base)
    verdict = verdicts[task.name]
    if verdict.errors:
        raise refusal(task.path, verdict.errors)
    missing, reason = _missing(check, task, verdict)
    if not missing:
        return None
    return replace(skipped(task, reason), next_step=f"minitask exec {missing}")


def _missing(check: SpecCheck, task: Task, verdict: CheckedSpec) -> tuple[str, str]:
    """Return the unlanded task that the task waits for, and the reason; both empty if there is none."""
    engine, base, others = check.engine, check.base, check.tasks_beside([task])
    if not others:
        return "", ""
    landed = landings_at(engine, base.base, [sibling.name for sibling in others])
    merged = {name for name, landing in landed.items() if not landing.undone}
    open_ = [sibling for sibling in others if sibling.name not in merged]
    waiting = {_key(sibling.spec) for sibling in open_}
    graph = Graph((task.spec, *(sibling.spec for sibling in others)))
    for need in sorted(graph.needs[0]):
        if _key(graph.specs[need]) in waiting:
            name = graph.names[need]
            return name, f"it depends on {name}, which did not merge"
    for path, maker in _files(engine, task, open_, base):
        return maker, f"it needs {path} of {maker}, which did not merge"
    names = {_key(sibling.spec): sibling.name for sibling in others}
    for spec in verdict.waits_for:
        if _key(spec) in waiting:
            name = names[_key(spec)]
            return name, f"it needs the work of {name}, which did not merge"
    return "", ""


def _files(
    engine: Context, task: Task, others: Sequence[Task], base: Base
) -> Iterator[tuple[str, str]]:
    """Yield the missing files that other tasks create, with the names of those tasks."""

    def is_there(path: str) -> bool:
        return engine.objects.entry(base.base, path) is not None

    try:
        links = implied([task.spec, *(sibling.spec for sibling in others)], is_there=is_there).links
    except UsageError:  # a dependency cycle among others
        return
    for link in links:
        if link.after == 0 and link.kind in MAKING and not is_there(link.path):
            yield link.path, others[link.before - 1].name


def _key(spec: Spec) -> tuple[str, int]:
    return (spec.path, spec.index)
