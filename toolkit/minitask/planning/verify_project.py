"""Verifying a project: its combined diff is read once, and what comes of it is approvals, or new specs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from minitask import resources
from minitask.engine.context import Context
from minitask.engine.task_records import all_records_of, records_of
from minitask.engine.task_status import landings_at
from minitask.engine.tasks import PROJECTS, Base, Task
from minitask.errors import EditError, MinitaskError, UsageError
from minitask.executors.request import ExecutorFailure
from minitask.gates import verification
from minitask.gates.review import LONGEST_DIFF
from minitask.gates.verification import TaskVerdict
from minitask.git.trees import patch
from minitask.ledger.record import GOAL, REVIEW, Attempt, Verdict
from minitask.planning.plan import (
    ANSWER_TOKENS,
    REPAIRS,
    Planned,
    check_answer,
    write_planned,
)
from minitask.planning.plan_prompt import Goal
from minitask.policy.prices import Budget
from minitask.policy.route import Route
from minitask.task.call_journal import Answered
from minitask.task.questions import (
    QuestionPrompt,
    QuestionSubject,
    ask_until,
    make_question_call,
    record_question,
)

READMES = ("README.md", "README", "GOAL.md")


class ProjectVerification(Struct, frozen=True):
    """The result of a verification: the verdict on each task, the specs that it wrote, and the calls that it took.

    `base` and `tip` are the commits between which everything landed. `problem` is why nothing was said.
    """

    project: str
    base: str
    tip: str
    verdicts: tuple[TaskVerdict, ...]
    fixes: Planned | None
    calls: tuple[Attempt, ...]
    problem: str = ""
    exit_code: int = 0


def verify_project(
    engine: Context, base: Base, tasks: Sequence[Task], route: Route, *, budget: Budget
) -> ProjectVerification:
    """Have everything that has landed of a project verified; raise `UsageError` if nothing has."""
    landed = landings_at(engine, base.base, [task.name for task in tasks])
    merged = [task for task in tasks if task.name in landed and not landed[task.name].undone]
    if not merged:
        raise UsageError("none of its tasks has merged", hint="run it first: minitask run PROJECT")
    project = merged[0].name.partition("/")[0]
    start = _before(engine, base, {landed[task.name].commit for task in merged})
    names = tuple(task.name for task in merged)
    question = _question(engine, base, merged, start)
    topic = QuestionSubject(f"{project}/@review", base.base, base.target)
    first = make_question_call(engine, topic, question, route, budget=budget)
    question_call, outcome, failed = ask_until(engine, first, budget=budget)
    if isinstance(outcome, ExecutorFailure):
        call = record_question(
            engine, question_call, outcome, verdict=Verdict.ERROR, reason=str(outcome)
        )
        code = outcome.exit_code
        return ProjectVerification(
            project, start, base.base, (), None, (*failed, call), str(outcome), exit_code=code
        )
    if not isinstance(outcome, Answered):
        raise outcome if isinstance(outcome, MinitaskError) else UsageError(str(outcome))
    verdicts = verification.parse_verdicts(outcome.work.reply, names)
    approved = all(verdict.approved for verdict in verdicts)
    fixes = None if approved else write_planned(engine, Goal("", project), outcome.work.reply)
    call = record_question(
        engine,
        question_call,
        outcome,
        verdict=Verdict.READY if approved else Verdict.FAILED,
        reason=_reason(verdicts),
        notes=(*map(str, verdicts), *(fixes.specs if fixes else ())),
    )
    return ProjectVerification(
        project, start, base.base, verdicts, fixes, (*failed, call), exit_code=0 if approved else 1
    )


def _question(engine: Context, base: Base, tasks: Sequence[Task], start: str) -> QuestionPrompt:
    paths = tuple(dict.fromkeys(ref.path for task in tasks for ref in task.spec.writes()))
    diff = patch(engine.repository.git, start, base.base, paths=paths)
    if len(diff) > LONGEST_DIFF:
        raise UsageError(
            f"the diff has {len(diff):,} characters; the limit for a verification is {LONGEST_DIFF:,}",
            hint="verify fewer tasks at once, by naming them",
        )
    template = resources.path("templates", "planned-task.md").read_text("utf-8").strip()
    project = tasks[0].name.partition("/")[0]
    names = tuple(task.name for task in tasks)

    def check(text: str) -> None:
        if not all(verdict.approved for verdict in verification.parse_verdicts(text, names)):
            check_fixes(engine, project, text)

    return QuestionPrompt(
        REVIEW,
        verification.SYSTEM.format(template=template),
        verification.verification_prompt(
            {task.name: task.spec for task in tasks},
            diff,
            goal=_goal(engine, base, project),
            printed={task.name: _printed(engine, task.name) for task in tasks},
        ),
        check,
        max_output_tokens=ANSWER_TOKENS,
        repairs=REPAIRS,
    )


def _goal(engine: Context, base: Base, project: str) -> str:
    """Return what the project is for: the goals that it was planned by, else what its README says; may be empty."""
    notes = (note for record in all_records_of(engine, f"{project}/@plan") for note in record.notes)
    goals = dict.fromkeys(note.removeprefix(GOAL) for note in notes if note.startswith(GOAL))
    if goals:
        return "\n\n".join(goals)
    folder = f"{PROJECTS}/{project}"
    readmes = (engine.objects.file(base.base, f"{folder}/{name}") for name in READMES)
    return next((text for text in readmes if text is not None), "")


def _printed(engine: Context, name: str) -> str:
    """Return what the commands printed that a task was last proven by."""
    proven = (
        record for record in reversed(records_of(engine, name)) if record.attempt.verdict.is_good
    )
    commands = next((record.attempt.commands for record in proven if record.attempt.commands), ())
    return verification.what_printed(commands)


def check_fixes(engine: Context, project: str, text: str) -> None:
    """Raise `EditError` unless an answer that wants something fixed holds specs for it that could run."""
    try:
        check_answer(engine, Goal("", project), text)
    except EditError as error:
        raise EditError(f"a task is to be fixed, but {error.message}", hint=error.hint) from None


def _before(engine: Context, base: Base, commits: set[str]) -> str:
    """Return the commit before the first of the landings."""
    walked = engine.repository.git.output("rev-list", "--first-parent", "--reverse", base.base)
    first = next(line for line in walked.decode().split() if line in commits)
    parent = engine.objects.commit(f"{first}^1")
    assert parent is not None  # noqa: S101 - a landing is a merge
    return parent


def _reason(verdicts: Sequence[TaskVerdict]) -> str:
    wrong = [verdict.task for verdict in verdicts if not verdict.approved]
    if not wrong:
        return (
            f"all {len(verdicts)} tasks are approved"
            if len(verdicts) > 1
            else "the task is approved"
        )
    return f"to be fixed: {', '.join(wrong)}"
