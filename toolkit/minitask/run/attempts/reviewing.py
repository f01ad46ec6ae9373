"""The review of a task's change by a model, and what comes of it: it passes, is corrected, or goes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from minitask.edits.apply import apply_script
from minitask.edits.model import Change, Reader
from minitask.errors import BudgetError, EditError, StoppedError
from minitask.executors.model import ExecutorFailure, Work
from minitask.gates import review
from minitask.gates.review import Review
from minitask.ledger.decision import APPLY
from minitask.ledger.record import REVIEW, Verdict
from minitask.ledger.usage import NO_USAGE
from minitask.policy.route import Route
from minitask.repo.merging import patch
from minitask.run.attempts.consulting import Matter, Topic, book, make_consult, route_to
from minitask.run.attempts.paid import Answered
from minitask.run.attempts.undertaking import Undertaking
from minitask.run.engine import Engine, Progress

WAITS = "the change is proven and on record; the next run begins with its review"


def wants_review(engine: Engine, under: Undertaking) -> bool:
    """Whether the change, proven so far, is to be reviewed before it goes on."""
    draft = under.draft
    if (
        not draft.verdict.is_good
        or draft.work is None
        or draft.needs_no_review
        or not draft.route.review
    ):
        return False
    last = under.reviews >= engine.settings.routing.review_rounds
    return not (last and draft.step == APPLY and _is_as_told(under, draft.work))


def _is_as_told(under: Undertaking, work: Work) -> bool:
    """Whether whoever applied a reviewer's edits did that and nothing else, and they mend all that failed."""
    found, past = under.review, under.order.history[-1:]
    if found is None or not found.mends_all or not past:
        return False
    before = overlaid(under.order.read, past[0].changes)
    after = overlaid(under.order.read, work.changes)
    paths = {change.path for change in (*past[0].changes, *work.changes)}
    return all(
        review.follows_edits(before(path) or "", after(path) or "", found.fences, path=path)
        for path in paths
    )


def ask_review(engine: Engine, under: Undertaking) -> None:
    """Have the change reviewed; one that is too long for that fails here."""
    task, draft = under.task, under.draft
    assert draft.commit is not None  # noqa: S101 - it was judged
    diff = patch(engine.repository.git, task.base, draft.commit)
    if len(diff) > review.LONGEST_DIFF:
        said = f"the diff has {len(diff):,} characters, and a review takes {review.LONGEST_DIFF:,}"
        draft.fail(Verdict.ERROR, REVIEW, f"{said}; judge it yourself: minitask review {task.name}")
        return
    criteria = len(review.criteria_of(task.spec))
    passed = [command.command for command in draft.ruling.commands if command.passed]
    matter = Matter(
        REVIEW,
        review.SYSTEM,
        review.review_prompt(task.spec, diff, passed=passed, grade=draft.grade),
        lambda text: _check(text, criteria),
    )
    topic = Topic(
        task.name, task.base, task.target, task.path, task.blob, n=draft.n, round=under.rounds
    )
    route = route_to(engine, draft.route.review, draft.route.review_reason)
    under.consult = make_consult(
        engine, topic, matter, route, purse=under.purse, batch=under.wishes.batch
    )


def take_review(engine: Engine, under: Undertaking, outcome: Answered) -> None:
    """Put the review on record, and on the undertaking; what fails is on the draft."""
    what, draft = under.consult, under.draft
    assert what is not None  # noqa: S101 - it was answered
    found = review.parse_review(outcome.work.reply, len(review.criteria_of(under.task.spec)))
    verdict = Verdict.READY if found.passed else Verdict.FAILED
    notes = tuple(map(str, found.findings))
    call = book(engine, what, outcome, verdict=verdict, reason=found.reason, notes=notes)
    under.calls = (*under.calls, (REVIEW, call))
    under.consult = None
    under.review = found
    under.reviews += 1
    draft.needs_no_review = True
    engine.emit(Progress(under.task.name, REVIEW, found.reason))
    if not found.passed:
        draft.fail(Verdict.FAILED, REVIEW, found.reason)


def do_without(engine: Engine, under: Undertaking, error: Exception) -> None:
    """Stop a change whose review nobody gives; it is proven, and the next run takes it up from its record."""
    what = under.consult
    assert what is not None  # noqa: S101 - it was to be asked
    if isinstance(error, ExecutorFailure):
        call = book(engine, what, error, verdict=Verdict.ERROR, reason=f"no review: {error}")
        under.calls = (*under.calls, (REVIEW, call))
    under.consult = None
    verdict = Verdict.SKIPPED if isinstance(error, BudgetError | StoppedError) else Verdict.ERROR
    under.draft.fail(verdict, REVIEW, f"{error}\n{WAITS}")


def corrected(under: Undertaking, found: Review) -> tuple[Change, ...] | None:
    """The whole change with the reviewer's edits in it; None where there are none, or they do not apply."""
    work = under.draft.work
    if work is None or found.passed:
        return None
    read = overlaid(under.order.read, work.changes)
    try:
        edits = apply_script(found.script, read=read, locate=None, source="review")
    except EditError:
        return None
    changed = {change.path: change for change in work.changes}
    for edit in edits:
        earlier = changed.get(edit.path)
        source = earlier.mode_from if earlier and edit.mode_from is None else edit.mode_from
        changed[edit.path] = replace(edit, mode_from=source)
    return tuple(changed.values()) if edits else None


def overlaid(read: Reader, changes: Sequence[Change]) -> Reader:
    """Reads a file as a change leaves it."""
    made = {change.path: change.content for change in changes}
    return lambda path: made[path] if path in made else read(path)


def reviewers_work(under: Undertaking, changes: tuple[Change, ...], route: Route) -> Work:
    """The reviewer's correction as the work of an attempt; what it cost is on the review's own record."""
    reply = under.draft.work.reply if under.draft.work else ""
    return Work(changes, NO_USAGE, route.model, reply, None)


def describe_review(found: Review) -> str:
    """What a change is sent back with: what fails, and the edits that could not be applied as they stand."""
    lines = ["A review found:", *(str(each) for each in found.findings if not each.passed)]
    if found.has_edits:
        lines.append("It asks for these edits, which do not apply as they stand; make them:")
        lines += [f"````{fence.info}\n{fence.content}````" for fence in found.fences]
    return "\n".join(lines)


def _check(text: str, criteria: int) -> None:
    review.parse_review(text, criteria)
