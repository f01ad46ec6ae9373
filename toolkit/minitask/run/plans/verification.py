"""Verifying a project: its combined diff is read once, and what comes of it is approvals, or new specs."""

from __future__ import annotations

from collections.abc import Sequence

from minitask import resources
from minitask.errors import EditError, MinitaskError, UsageError
from minitask.executors.model import ExecutorFailure
from minitask.gates import verification
from minitask.gates.review import LONGEST_DIFF
from minitask.gates.verification import Word
from minitask.ledger.record import REVIEW, Attempt, Verdict
from minitask.policy.purse import Purse
from minitask.policy.route import Route
from minitask.repo import history
from minitask.repo.merging import patch
from minitask.run.attempts.consulting import Matter, Topic, ask_until, book, make_consult
from minitask.run.attempts.paid import Answered
from minitask.run.engine import Engine
from minitask.run.plans.planning import ANSWER_TOKENS, REPAIRS, Planned, check_answer, take_answer
from minitask.run.tasks import Place, Task
from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification said of each task, the specs that it wrote, and the calls that it took.

    `base` and `tip` are the commits between which everything landed. `problem` is why nothing was said.
    """

    project: str
    base: str
    tip: str
    words: tuple[Word, ...]
    fixes: Planned | None
    calls: tuple[Attempt, ...]
    problem: str = ""
    exit_code: int = 0


def verify_project(
    engine: Engine, place: Place, tasks: Sequence[Task], route: Route, *, purse: Purse
) -> Verified:
    """Have everything that has landed of a project verified; `UsageError` where nothing has."""
    landed = history.landings(engine.repository.git, place.base)
    done = [task for task in tasks if task.name in landed and not landed[task.name].undone]
    if not done:
        raise UsageError("none of its tasks has landed", hint="run it first: minitask run PROJECT")
    project = done[0].name.partition("/")[0]
    base = _before(engine, place, {landed[task.name].commit for task in done})
    names = tuple(task.name for task in done)
    matter = _matter(engine, place, done, base)
    topic = Topic(f"{project}/@review", place.base, place.target)
    first = make_consult(engine, topic, matter, route, purse=purse)
    what, outcome, failed = ask_until(engine, first, purse=purse)
    if isinstance(outcome, ExecutorFailure):
        call = book(engine, what, outcome, verdict=Verdict.ERROR, reason=str(outcome))
        code = outcome.exit_code
        return Verified(
            project, base, place.base, (), None, (*failed, call), str(outcome), exit_code=code
        )
    if not isinstance(outcome, Answered):
        raise outcome if isinstance(outcome, MinitaskError) else UsageError(str(outcome))
    words = verification.parse_words(outcome.work.reply, names)
    approved = all(word.approved for word in words)
    fixes = None if approved else take_answer(engine, project, outcome.work.reply)
    call = book(
        engine,
        what,
        outcome,
        verdict=Verdict.READY if approved else Verdict.FAILED,
        reason=_reason(words),
        notes=(*map(str, words), *(fixes.specs if fixes else ())),
    )
    return Verified(
        project, base, place.base, words, fixes, (*failed, call), exit_code=0 if approved else 1
    )


def _matter(engine: Engine, place: Place, tasks: Sequence[Task], base: str) -> Matter:
    paths = tuple(dict.fromkeys(ref.path for task in tasks for ref in task.spec.writes()))
    diff = patch(engine.repository.git, base, place.base, paths=paths)
    if len(diff) > LONGEST_DIFF:
        raise UsageError(
            f"the diff has {len(diff):,} characters, and a verification takes {LONGEST_DIFF:,}",
            hint="verify fewer tasks at once, by naming them",
        )
    template = resources.path("templates", "planned-task.md").read_text("utf-8").strip()
    project = tasks[0].name.partition("/")[0]
    names = tuple(task.name for task in tasks)

    def check(text: str) -> None:
        if not all(word.approved for word in verification.parse_words(text, names)):
            check_fixes(engine, project, text)

    return Matter(
        REVIEW,
        verification.SYSTEM.format(template=template),
        verification.verification_prompt({task.name: task.spec for task in tasks}, diff),
        check,
        max_output_tokens=ANSWER_TOKENS,
        repairs=REPAIRS,
    )


def check_fixes(engine: Engine, project: str, text: str) -> None:
    """Raise `EditError` unless an answer that wants something mended holds specs for it that could run."""
    try:
        check_answer(engine, project, text)
    except EditError as error:
        raise EditError(f"a task is to be fixed, but {error.message}", hint=error.hint) from None


def _before(engine: Engine, place: Place, commits: set[str]) -> str:
    """The commit before the first of the landings."""
    walked = engine.repository.git.output("rev-list", "--first-parent", "--reverse", place.base)
    first = next(line for line in walked.decode().split() if line in commits)
    parent = engine.objects.commit(f"{first}^1")
    assert parent is not None  # noqa: S101 - a landing is a merge
    return parent


def _reason(words: Sequence[Word]) -> str:
    wrong = [word.task for word in words if not word.approved]
    if not wrong:
        return f"all {len(words)} tasks are approved" if len(words) > 1 else "the task is approved"
    return f"to be fixed: {', '.join(wrong)}"
