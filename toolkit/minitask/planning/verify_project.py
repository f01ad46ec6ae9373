"""Judge whole projects: how thorough their validations are, before landing, and their combined diff, afterwards.

A model reads the diff once, and approves the tasks or writes new specs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from minitask import resources
from minitask.edits.apply_script import apply_script
from minitask.edits.grammar import parse_script
from minitask.engine.anchors import Anchor
from minitask.engine.context import Context
from minitask.engine.task_records import all_records_of, records_of
from minitask.engine.tasks import PROJECTS, Base, Task, landings_at
from minitask.errors import EditError, MinitaskError, UsageError
from minitask.executors.registry import has_script
from minitask.executors.request import ExecutorFailure
from minitask.gates import verification
from minitask.gates.review import LONGEST_DIFF
from minitask.gates.verification import TaskVerdict
from minitask.git.trees import patch
from minitask.landing import candidate_commits
from minitask.landing.grading import Graded, grade
from minitask.landing.proof import prove
from minitask.ledger.record import GOAL, REVIEW, Attempt, Grade, Verdict
from minitask.planning.plan import ANSWER_TOKENS, REPAIRS, Planned, check_answer, write_planned
from minitask.planning.plan_prompt import Goal, ask_of_project
from minitask.policy.budget import Budget
from minitask.policy.route import Route
from minitask.spec.model import Diagnostic, Problem
from minitask.task.finish import landed_result
from minitask.task.questions import QuestionPrompt, record_question

CODE = "N430"
_THOROUGH = 100
"""Percentage for `grade`, which sets its time limit: grading was requested explicitly."""
_SHOWN = 6
"""Limit of lines that a diagnostic names."""
READMES = ("README.md", "README", "GOAL.md")


class ProjectVerification(Struct, frozen=True):
    """The result of a verification: the verdict on each task, the specs written, and the calls made.

    Everything landed between the commits `base` and `tip`. `problem` says why there are no verdicts.
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
    """Have a model verify all landed tasks of a project; raise `UsageError` if there are none."""
    landed = landings_at(engine, base.base, [task.name for task in tasks])
    merged = [task for task in tasks if task.name in landed and not landed[task.name].undone]
    if not merged:
        raise UsageError("none of its tasks has merged", hint="run it first: minitask run PROJECT")
    project = merged[0].name.partition("/")[0]
    start = _before(engine, base, {landed[task.name].commit for task in merged})
    names = tuple(task.name for task in merged)
    question = _question(engine, base, merged, start)
    question_call, outcome, failed = ask_of_project(
        engine, base, f"{project}/@review", question, route, budget=budget
    )
    record = partial(record_question, engine, question_call, outcome)
    result = partial(ProjectVerification, project, start, base.base)
    if isinstance(outcome, ExecutorFailure):
        call = record(verdict=Verdict.ERROR, reason=str(outcome))
        return result((), None, (*failed, call), str(outcome), outcome.exit_code)
    verdicts = verification.parse_verdicts(outcome.work.reply, names)
    approved = all(verdict.approved for verdict in verdicts)
    fixes = None if approved else write_planned(engine, Goal("", project), outcome.work.reply)
    call = record(
        verdict=Verdict.READY if approved else Verdict.FAILED,
        reason=_reason(verdicts),
        notes=(*map(str, verdicts), *(fixes.specs if fixes else ())),
    )
    return result(verdicts, fixes, (*failed, call), exit_code=0 if approved else 1)


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
    """Return the project's purpose: the goals that it was planned from, else its README; may be ""."""
    notes = (note for record in all_records_of(engine, f"{project}/@plan") for note in record.notes)
    goals = dict.fromkeys(note.removeprefix(GOAL) for note in notes if note.startswith(GOAL))
    if goals:
        return "\n\n".join(goals)
    paths = (f"{PROJECTS}/{project}/{name}" for name in READMES)
    readmes = (engine.objects.file(base.base, path) for path in paths)
    return next((text for text in readmes if text is not None), "")


def _printed(engine: Context, name: str) -> str:
    """Return the output of the commands that last proved a task."""
    attempts = (record.attempt for record in reversed(records_of(engine, name)))
    proven = (attempt.commands for attempt in attempts if attempt.verdict.is_good)
    return verification.what_printed(next(filter(None, proven), ()))


def check_fixes(engine: Context, project: str, text: str) -> None:
    """Raise `EditError` unless an answer that requests fixes holds specs for them that could run."""
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
    if wrong:
        return f"to be fixed: {', '.join(wrong)}"
    count = len(verdicts)
    return f"all {count} tasks are approved" if count > 1 else "the task is approved"


def grade_specs(engine: Context, tasks: Sequence[Task]) -> Iterator[Diagnostic]:
    """Grade the specs one by one, each on the base with the changes of those before it; nothing lands."""
    tip = ""
    for task in tasks:
        if not has_script(task.spec) or landed_result(engine, task) is not None:
            continue
        try:
            result, tip = _graded(engine, replace(task, base=tip or task.base), tip)
        except MinitaskError as error:
            result = f"it cannot be graded: {error.message}"
        texts = (result, "") if isinstance(result, str) else _described(result)
        yield Problem(task.spec.line_of("validation"), CODE, *texts).at(task.path)


def _graded(engine: Context, task: Task, tip: str) -> tuple[Grade | str, str]:
    """Return the grade, and the commit on which to try the next spec."""
    anchor = Anchor(engine.repository.git, engine.objects, task)
    changes = apply_script(
        parse_script(task.spec.snippets, source=task.path),
        read=lambda path: engine.objects.file(task.base, path),
        locate=anchor.locate,
        source=task.path,
    )
    writes = candidate_commits.file_writes(changes, engine.objects, task)
    commit = candidate_commits.write_draft(engine, task, writes)
    trees = engine.objects.tree_of
    changed = engine.database.diffs.changes(trees(task.base), trees(commit))
    proof = prove(engine, task, commit)
    if not proof.passed:
        return f"it cannot be graded: {proof.reason}", tip
    commands = tuple(command for command in proof.commands if command.line)
    graded = Graded(task, commit, commands, candidate_commits.file_records(changed))
    result = grade(engine, graded, required=_THOROUGH)
    return result or "it cannot be graded: it has no commands", commit


def _described(result: Grade) -> tuple[str, str]:
    """Return the message for a grade, and the hint."""
    more = f" ({result.note})" if result.planted and result.note else ""
    if not result.missed:
        return f"{result}{more}", ""
    locations: dict[str, str] = {}
    for missed in result.missed:
        locations.setdefault(f"{missed.path}:{missed.line}", missed.mutant)
    shown = [f"{location} ({fault})" for location, fault in locations.items()][:_SHOWN]
    message = f"{result}{more}; no command tests {'; '.join(shown)}"
    return message, "add a command that fails without these lines"
