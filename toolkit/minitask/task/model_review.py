"""A model's review of a task's change, and its outcome: passed, corrected, or sent back."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from minitask.edits.grammar import render_script
from minitask.edits.reply.reply_context import ListedFile, ReplyContext
from minitask.edits.script_model import Change, Reader
from minitask.engine.context import Context, Progress
from minitask.errors import BudgetError, EditError, StoppedError, UsageError
from minitask.executors.chat import request_of
from minitask.executors.request import (
    ExecutorFailure,
    ExecutorResult,
    FailureKind,
    LimitReachedError,
)
from minitask.gates import review
from minitask.gates.review import Review
from minitask.git.trees import patch
from minitask.ledger.record import APPLY, NO_USAGE, REVIEW, Verdict
from minitask.policy.route import Route
from minitask.routing.requests import shared_context
from minitask.spec.model import FileAction
from minitask.task import paid_calls
from minitask.task.paid_calls import Answered
from minitask.task.questions import (
    QuestionCall,
    QuestionPrompt,
    ask_for_task,
    record_for_task,
    route_to,
)
from minitask.task.state import Call, TaskState, Unasked

WAITS = "the change passed; the next run will only review it"


def review_change(engine: Context, state: TaskState, call: Call) -> TaskState:
    """Have a proven change reviewed; a rejection or missing reviewer fails the draft."""
    if not _wants_review(engine, state):
        return state
    assert state.draft.commit is not None  # noqa: S101 - judged
    diff = patch(engine.repository.git, state.task.base, state.draft.commit)
    if len(diff) > review.LONGEST_DIFF:
        reason = f"the diff has {len(diff):,} characters; the limit for a review is {review.LONGEST_DIFF:,}"
        judge = f"review it yourself: minitask review {state.task.name}"
        return _failed(state, Verdict.ERROR, f"{reason}; {judge}")
    route = state.draft.route
    try:
        reviewer = route_to(engine, route.review, route.review_reason)
    except (UsageError, ExecutorFailure) as error:
        return _failed(state, Verdict.ERROR, f"no reviewer available: {error}")
    prompt = _question_prompt(engine, state, diff)
    state, question, outcome = ask_for_task(engine, state, prompt, reviewer, call=call)
    if isinstance(outcome, Answered):
        return _reviewed(engine, state, question, outcome)
    return _without_review(engine, state, question, outcome)


def _wants_review(engine: Context, state: TaskState) -> bool:
    """Return True unless the change is already reviewed, or follows the last review's edits exactly."""
    draft = state.draft
    last = state.rounds.reviews >= engine.settings.routing.review_rounds
    as_told = last and draft.step == APPLY and _is_as_told(state)
    return not (draft.needs_no_review or as_told)


def _is_as_told(state: TaskState) -> bool:
    """Return True if exactly the reviewer's edits were applied, and they fix all failures."""
    assessment, past = state.review, state.order.history[-1:]
    if assessment is None or not assessment.fixes_all or not past:
        return False
    before = overlaid(state.order.read, past[0].changes)
    after = overlaid(state.order.read, state.draft.changes)
    paths = {change.path for change in (*past[0].changes, *state.draft.changes)}
    return all(
        review.follows_edits(before(path) or "", after(path) or "", assessment.script, path=path)
        for path in paths
    )


def _question_prompt(engine: Context, state: TaskState, diff: str) -> QuestionPrompt:
    aims = engine.settings.review_aims
    guidance = review.Guidance(shared_context(engine, state.task.base), aims)
    criteria = len(review.criteria_of(state.task.spec, aims))
    passed = [command.command for command in state.draft.ruling.commands if command.passed]
    return QuestionPrompt(
        REVIEW,
        review.SYSTEM,
        review.review_prompt(
            state.task.spec, diff, passed=passed, grade=state.draft.grade, guidance=guidance
        ),
        _Check(criteria, shown_to_reviewer(state), may_ask_again=engine.settings.repairs > 0),
        repairs=engine.settings.repairs,
    )


def _reviewed(
    engine: Context, state: TaskState, question: QuestionCall, outcome: Answered
) -> TaskState:
    """Record the review; a rejection fails the draft."""
    criteria = len(review.criteria_of(state.task.spec, engine.settings.review_aims))
    assessment = review.parse_review(outcome.work.reply, criteria, shown_to_reviewer(state))
    verdict = Verdict.READY if assessment.passed else Verdict.FAILED
    notes = tuple(map(str, assessment.findings))
    state = record_for_task(
        engine, state, question, outcome, verdict=verdict, reason=assessment.reason, notes=notes
    )
    engine.emit(Progress(state.task.name, REVIEW, assessment.reason))
    reviewed = replace(
        state,
        draft=replace(state.draft, needs_no_review=True),
        review=assessment,
        rounds=replace(state.rounds, reviews=state.rounds.reviews + 1),
    )
    return reviewed if assessment.passed else _failed(reviewed, Verdict.FAILED, assessment.reason)


def _without_review(
    engine: Context, state: TaskState, question: QuestionCall, error: ExecutorFailure | Unasked
) -> TaskState:
    """Stop at a change that has no available reviewer; the next run resumes it from its record."""
    if isinstance(error, ExecutorFailure):
        state = record_for_task(
            engine, state, question, error, verdict=Verdict.ERROR, reason=f"no review: {error}"
        )
    else:
        paid_calls.settle(engine.repository.home, question.key.name)
    is_limit = isinstance(error, LimitReachedError) or (
        isinstance(error, ExecutorFailure) and error.kind is FailureKind.QUOTA
    )
    skipped = is_limit or isinstance(error, BudgetError | StoppedError)
    failed = _failed(state, Verdict.SKIPPED if skipped else Verdict.ERROR, f"{error}\n{WAITS}")
    limited = question.route.executor if is_limit else ""
    over_budget = is_limit or isinstance(error, BudgetError)
    return replace(failed, over_budget=over_budget, limited=limited)


def _failed(state: TaskState, verdict: Verdict, reason: str) -> TaskState:
    return replace(state, draft=state.draft.failed(verdict, REVIEW, reason))


def corrected(state: TaskState, assessment: Review | None) -> tuple[Change, ...] | None:
    """Return the whole change with the reviewer's edits; None if there are none, or they do not apply."""
    if state.draft.work is None or assessment is None or assessment.passed:
        return None
    try:
        edits = assessment.changes(shown_to_reviewer(state))
    except EditError:
        return None
    changed = {change.path: change for change in state.draft.changes}
    for edit in edits:
        earlier = changed.get(edit.path)
        source = earlier.mode_from if earlier and edit.mode_from is None else edit.mode_from
        executable = edit.executable or bool(earlier and earlier.executable)
        changed[edit.path] = replace(edit, mode_from=source, executable=executable)
    return tuple(changed.values()) if edits else None


def shown_to_reviewer(state: TaskState) -> ReplyContext:
    """Return the context of a reviewer's edits: the diff, which shows whole only the files that it creates.

    If the diff also deletes files, it may show a new file as a rename, in part.
    """
    order, changes = state.order, state.draft.changes
    deletes = any(change.content is None for change in changes)
    files = tuple(
        ListedFile(
            change.path,
            FileAction.WRITE,
            optional=True,
            whole=not deletes and order.read(change.path) is None,
        )
        for change in changes
    )
    request = request_of(order)
    return ReplyContext(files, overlaid(order.read, changes), order.root, request.task_text)


def overlaid(read: Reader, changes: Sequence[Change]) -> Reader:
    """Return a reader of files as a change leaves them."""
    contents = {change.path: change.content for change in changes}
    return lambda path: contents[path] if path in contents else read(path)


def reviewers_work(state: TaskState, changes: tuple[Change, ...], route: Route) -> ExecutorResult:
    """Return the reviewer's correction as an attempt's work; the review's record holds its cost."""
    reply = state.draft.work.reply if state.draft.work else ""
    return ExecutorResult(changes, NO_USAGE, route.model, reply, None)


def describe_review(assessment: Review) -> str:
    """Return the feedback on a reviewed change: its failures, and the edits that did not apply."""
    lines = [
        "A review found:",
        *(str(finding) for finding in assessment.findings if not finding.passed),
    ]
    if assessment.has_edits:
        lines.append("It asks for these edits, which do not apply as they stand; make them:")
        fences = [f"````{fence.info}\n{fence.content}````" for fence in assessment.fences]
        lines += fences or [render_script(assessment.script)]
    return "\n".join(lines)


class _Check:
    """The check of a review's format; unreadable edits are sent back once, after that only the verdicts count."""

    def __init__(self, criteria: int, request: ReplyContext, *, may_ask_again: bool) -> None:
        self._criteria, self._request = criteria, request
        self._may_ask_again = may_ask_again

    def __call__(self, text: str) -> None:
        assessment = review.parse_review(text, self._criteria, self._request)
        if assessment.problem and self._may_ask_again:
            self._may_ask_again = False
            raise EditError(assessment.problem)
