"""Turn a goal into specs, by an expensive model or from an answer given in a file; check but do not commit them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from minitask import resources
from minitask.engine.context import Context
from minitask.engine.spec_files import Sources
from minitask.engine.tasks import PROJECTS, Base
from minitask.engine.validate_specs import check_sources
from minitask.errors import EditError, UsageError
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.forge.forge_text import issue_link
from minitask.git.repository import Repository
from minitask.ledger.record import GOAL, PLAN, Attempt, Verdict, whole
from minitask.planning.importers.boxes import MARK
from minitask.planning.plan_prompt import (
    DraftedSpec,
    Goal,
    ask_of_project,
    plan_prompt,
    specs_of,
    with_source,
)
from minitask.planning.scaffold import PROJECT_NAME, last_number
from minitask.policy.budget import Budget
from minitask.policy.route import Route
from minitask.spec.dependency_graph import slug
from minitask.spec.model import Diagnostic, Tier
from minitask.spec.parse import parse_file
from minitask.spec.quality import proves_nothing
from minitask.system.files import create_file, real_path
from minitask.task.paid_calls import Answered
from minitask.task.questions import QuestionPrompt, record_question

NAME_WORDS = 5
REPAIRS = 2
MOST_TASKS = 30
SHOWN_DIAGNOSTICS = 12
ANSWERS = "answers"
"""Folder of paid answers that could not be turned into specs yet."""
ANSWER_TOKENS = 16_000
SYSTEM = """\
You plan a change to a repository so that cheap models, or no model at all, can carry it out. Cut it into mini-tasks: \
one objective each, at most two files to read with exact lines, numbered steps that leave nothing to decide, a \
validation of shell commands that fail now and pass when the task is done. Name every file that a task creates, edits \
or deletes; it may change no other. Where two tasks touch one file, or one needs what another makes, say so with \
`depends_on`; else let them be independent. Line numbers are those of the files as they are now, in every task.
Where you know a change to the letter, write it into Code Snippets as an edit script, which costs nothing to apply: a \
fence with `path=FILE` in its info string holds a whole file, or <<<<<<< SEARCH / ======= / >>>>>>> REPLACE blocks; a \
fence `edits` holds one operation a line, such as `move a.py:40-90 -> b.py`, `copy`, `delete a.py:10-12`, \
`rename a.py -> b.py`.
Reply with the specs alone, each in a fence of four backticks whose info string is `markdown path=NN-short-name.md`, \
in this form:

{template}"""
FORBIDDEN = ("executor", "model", "network", "anchor", "proof")
"""Options that a planner may not set: the user decides which executor works, and with what access."""


class Planned(Struct, frozen=True):
    """The result of planning: the specs written, their diagnostics, and the calls made.

    `problem` says what went wrong; `kept` is the file with an answer that could not be turned into specs.
    """

    project: str
    specs: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    calls: tuple[Attempt, ...] = ()
    problem: str = ""
    kept: str = ""
    exit_code: int = 0

    @property
    def has_errors(self) -> bool:
        """Return True if a spec has errors that keep it from running."""
        return any(item.is_error for item in self.diagnostics)

    @property
    def cost_usd(self) -> Decimal | None:
        """Return the total cost of the calls, or None if one is unknown."""
        return whole(call.cost_usd for call in self.calls)


def project_name(goal: str, name_option: str | None) -> str:
    """Return the given project name, or the goal's first words; raise `UsageError` if it is invalid."""
    name = name_option or "-".join(slug(goal).split("-")[:NAME_WORDS])
    if not PROJECT_NAME.fullmatch(name):
        wrong = f"{name!r} is not a valid project name"
        raise UsageError(
            wrong if name else "cannot derive a project name from the goal",
            hint="name it with --project; letters, digits, dots, dashes and underscores",
        )
    return name


def plan_topic(goal: Goal) -> str:
    """Return the task name for the records of a goal's planning."""
    return f"{goal.project}/@plan"


def planning_question(engine: Context, base: Base, goal: Goal) -> QuestionPrompt:
    """Return the planner's question; raise `UsageError` if a file to show is not committed, or if they are too long."""
    template = resources.path("templates", "planned-task.md").read_text("utf-8").strip()
    return QuestionPrompt(
        PLAN,
        SYSTEM.format(template=template),
        plan_prompt(engine, base, goal),
        lambda text: check_answer(engine, goal, text),
        max_output_tokens=ANSWER_TOKENS,
        repairs=REPAIRS,
    )


def plan(engine: Context, base: Base, goal: Goal, route: Route, *, budget: Budget) -> Planned:
    """Have a model plan the goal, and write the specs; the call is recorded in any case."""
    project_folder(engine.repository, goal.project)
    question = planning_question(engine, base, goal)
    question_call, outcome, failed = ask_of_project(
        engine, base, plan_topic(goal), question, route, budget=budget
    )
    record = partial(record_question, engine, question_call, outcome)
    if isinstance(outcome, Answered):
        drafts = drafts_of(engine, goal, outcome.work.reply)
        notes = (f"{GOAL}{goal.title or goal.text}", *_paths(goal.project, drafts))
        answer_path = _keep(engine, goal, outcome.work.reply)
        reason = question_call.route.reason
        call = record(verdict=Verdict.READY, reason=reason, notes=notes)
        planned = _written(engine, goal.project, drafts)
        Path(answer_path).unlink(missing_ok=True)
    else:
        planned = _salvaged(engine, goal, outcome)
        call = record(verdict=Verdict.FAILED, reason=str(outcome))
    return replace(planned, calls=(*failed, call))


def write_planned(engine: Context, goal: Goal, text: str) -> Planned:
    """Write the specs in an answer from elsewhere; raise `UsageError` if it holds none.

    A stored answer ends with the mark of its task.
    """
    project_folder(engine.repository, goal.project)
    *_, last = None, *MARK.finditer(text)
    if last is not None and not text[last.end() :].strip():
        goal, text = replace(goal, mark=last[0]), text[: last.start()]
    try:
        drafts = drafts_of(engine, goal, text)
    except EditError as error:
        raise UsageError(error.message, hint=error.hint) from None
    return _written(engine, goal.project, drafts)


def check_answer(engine: Context, goal: Goal, text: str) -> None:
    """Raise `EditError`, in words to send back, unless an answer holds specs that could run."""
    drafts = drafts_of(engine, goal, text)
    diagnostics = _check(engine, goal.project, drafts)
    errors = [
        item for item in diagnostics if item.is_error or _is_without_proof(item, goal, drafts)
    ]
    if errors:
        lines = [_line(item) for item in errors[:SHOWN_DIAGNOSTICS]]
        if more := len(errors) - len(lines):
            lines.append(f"and {more} more")
        raise EditError("\n".join(("the specs have errors:", *lines)))


def _is_without_proof(item: Diagnostic, goal: Goal, drafts: Sequence[DraftedSpec]) -> bool:
    """Return True for a warning that no command of a spec can fail, because such a task is refused when it runs."""
    return item.code == "W402" and any(
        proves_nothing(spec)
        for draft in drafts
        if item.path == f"{PROJECTS}/{goal.project}/{draft.name}"
        for spec in parse_file(draft.text, path=draft.name).specs
    )


def drafts_of(engine: Context, goal: Goal, text: str) -> tuple[DraftedSpec, ...]:
    """Return the specs in an answer; raise `EditError` if there are none, or if they break a rule for planners.

    Each spec names the source of the goal.
    """
    top = engine.repository.checkout()
    names = (path.name for path in (top / PROJECTS / goal.project).glob("*.md"))
    drafts = specs_of(text, first=1 + last_number(names))
    if len(drafts) > MOST_TASKS:
        raise EditError(f"the answer holds {len(drafts)} tasks, and {MOST_TASKS} are the most")
    for draft in drafts:
        _check_draft(engine, goal.project, draft)
    return with_source(drafts, goal)


def _salvaged(engine: Context, goal: Goal, failure: ExecutorFailure) -> Planned:
    """Return the specs of an unusable answer with their errors; else store its text, because it was paid for."""
    message = failure.message
    if failure.reply and failure.kind is FailureKind.MALFORMED:
        try:
            drafts = drafts_of(engine, goal, failure.reply)
            planned = _written(engine, goal.project, drafts)
        except (EditError, UsageError):
            answer_path = _keep(engine, goal, failure.reply)
            return Planned(goal.project, (), (), problem=message, kept=answer_path, exit_code=1)
        return replace(planned, problem=message, exit_code=1)
    return Planned(goal.project, (), (), problem=str(failure), exit_code=failure.exit_code)


def _written(engine: Context, project: str, drafts: Sequence[DraftedSpec]) -> Planned:
    """Write the specs without overwriting files, and return their diagnostics."""
    diagnostics = _check(engine, project, drafts)
    folder = project_folder(engine.repository, project)
    for draft in drafts:
        create_file(folder / draft.name, draft.text)
    return Planned(project, _paths(project, drafts), diagnostics)


def _paths(project: str, drafts: Sequence[DraftedSpec]) -> tuple[str, ...]:
    return tuple(f"{PROJECTS}/{project}/{draft.name}" for draft in drafts)


def project_folder(repository: Repository, project: str) -> Path:
    """Return the folder of a project's specs; raise `UsageError` if it is not a folder of the repository."""
    top = repository.checkout()
    folder = top / PROJECTS / project
    inside = real_path(folder).is_relative_to(real_path(top))
    if not inside or (folder.exists() and not folder.is_dir()) or (top / PROJECTS).is_file():
        message = f"{PROJECTS}/{project} is not a folder of this repository"
        raise UsageError(message, hint="name another project with --project")
    return folder


def _check(engine: Context, project: str, drafts: Sequence[DraftedSpec]) -> tuple[Diagnostic, ...]:
    texts = {f"{PROJECTS}/{project}/{draft.name}": draft.text for draft in drafts}
    sources = Sources(engine.repository.checkout(), texts)
    return check_sources(sources, engine.repository, engine.settings).diagnostics


def _check_draft(engine: Context, project: str, draft: DraftedSpec) -> None:
    path = engine.repository.checkout() / PROJECTS / project / draft.name
    if path.exists() or path.is_symlink():
        taken = f"{PROJECTS}/{project}/{draft.name} already exists"
        raise EditError(taken, hint="give it another number")
    if issue_link(draft.text):
        raise EditError(f"{draft.name} names an issue", hint="leave the comment `issue:` out")
    if MARK.search(draft.text):
        raise EditError(f"{draft.name} names a plan", hint="leave the HTML comment out")
    for spec in parse_file(draft.text, path=draft.name).specs:
        for key in FORBIDDEN:
            if getattr(spec.options, key):
                message = f"{draft.name} sets `{key}`, which a plan may not set"
                raise EditError(message, hint=f"leave `{key}` out of the front matter")
        if spec.options.tier is Tier.NONE:
            raise EditError(f"{draft.name} sets tier none", hint="leave `tier` out")


def _line(item: Diagnostic) -> str:
    hint = f" ({item.hint})" if item.hint else ""
    return f"{item.path.rpartition('/')[2]}:{item.line}: {item.code} {item.message}{hint}"


def _keep(engine: Context, goal: Goal, text: str) -> str:
    """Store a paid answer with the mark of its task, and return its path."""
    folder = engine.repository.home / ANSWERS
    folder.mkdir(parents=True, exist_ok=True)
    content = f"{text}\n\n{goal.mark}\n" if goal.mark else text
    present = list(folder.glob(f"{goal.project}-*.md"))
    for path in present:
        if path.read_text("utf-8", "surrogateescape") == content:
            return str(path)
    path = folder / f"{goal.project}-{len(present) + 1}.md"
    path.write_text(content, "utf-8", "surrogateescape")
    return str(path)
