"""`minitask plan`: a goal becomes specs, by an expensive model, or by an answer that somebody brings."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from msgspec.structs import replace

from minitask.cli.session import Session, budget_of, json_option, print_json, start
from minitask.cli.terminal import show
from minitask.engine.context import Context
from minitask.engine.tasks import Base
from minitask.errors import UsageError
from minitask.planning.plan import Planned, plan, planning_question, project_name, write_planned
from minitask.planning.plan_prompt import READ_TOKENS, Goal
from minitask.policy.budget import Budget
from minitask.policy.route import MODEL_TIERS, Route
from minitask.reports.planning import planned_document, render_planned
from minitask.task.questions import route_to


@click.command("plan")
@click.argument("goal", required=False)
@click.option(
    "--project", metavar="NAME", help="The project's name (default: the goal's first words)."
)
@click.option(
    "--read", "reads", multiple=True, metavar="PATH", help="A file to show the model. Repeatable."
)
@click.option(
    "--read-tokens",
    type=click.IntRange(min=1),
    default=READ_TOKENS,
    show_default=True,
    help="Maximum tokens of files shown.",
)
@click.option(
    "--tier",
    type=click.Choice(MODEL_TIERS),
    help="The tier that plans (default: routing.entry.plan).",
)
@click.option("--model", help="The model that plans.")
@click.option("--max-cost", metavar="USD", help="Stop before a call that could cost more.")
@click.option(
    "--prompt-only",
    is_flag=True,
    help="Print the prompt for your own chat or agent; call no model.",
)
@click.option(
    "--from", "source", metavar="FILE", help="Read the plan from this file instead (`-`: stdin)."
)
@click.option(
    "--issue",
    "which",
    metavar="NUMBER|URL",
    help="Take the goal from an issue of GitHub or GitLab; GOAL may add to it.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, /, goal: str | None, **options: object) -> int:
    """Turn GOAL, a sentence or two, into specs; they are checked, written, and left for you to commit.

    \b
    Example:
      minitask plan "Split app.py into routes and models" --read app.py
    """
    session = start(ctx)
    source, as_json = options["source"], bool(options["as_json"])
    full_goal = _wanted(session, goal or "", options)
    if source is None and not full_goal.text.strip():
        raise UsageError("the goal is empty", hint='describe it: minitask plan "Split app.py"')
    if options["prompt_only"]:
        return _print_prompt(session, full_goal)
    purpose = f"plan {full_goal.project}"
    with session.engine(purpose, quiet=as_json, looks_only=source is not None) as engine:
        base = session.base(engine)
        if source is not None:
            text = _text(session.folder, str(source))
            planned = write_planned(engine, full_goal.project, text, issue=full_goal.issue)
        else:
            route = _route(engine, options)
            budget = Budget(budget_of(options["max_cost"], session.settings))
            planned = plan(engine, base, full_goal, route, budget=budget)
    return _print(planned, as_json=as_json)


def _wanted(session: Session, text: str, options: dict[str, object]) -> Goal:
    """Return the goal: the user's words, or an issue's."""
    name = str(options["project"]) if options["project"] else None
    if not options["which"]:
        return _goal(text, project_name(text, name), options)
    from minitask.cli.pull_requests import source_of
    from minitask.forge.issue_goal import goal_of, read_issue

    issue = read_issue(source_of(session), str(options["which"]))
    project = project_name(f"issue {issue.number} {issue.title}", name)
    return replace(_goal(goal_of(issue, text), project, options), issue=issue.url)


def _goal(text: str, project: str, options: dict[str, object]) -> Goal:
    reads, most = options["reads"], options["read_tokens"]
    assert isinstance(reads, tuple)  # noqa: S101 - click gives it
    assert isinstance(most, int)  # noqa: S101
    return Goal(text, project, reads, most)


def _route(engine: Context, options: dict[str, object]) -> Route:
    entry = engine.settings.routing.entry["plan"]
    tier = str(options["tier"] or (entry if entry in MODEL_TIERS else MODEL_TIERS[-1]))
    why = f"tier {tier} was asked for" if options["tier"] else f"planning starts at tier {tier}"
    model = options["model"]
    return route_to(engine, tier, why, model=str(model) if model else None)


def _print_prompt(session: Session, goal: Goal) -> int:
    with session.engine("plan", quiet=True, looks_only=True) as engine:
        base: Base = session.base(engine)
        question = planning_question(engine, base, goal)
    click.echo(f"{question.system}\n\n{question.text}".encode("utf-8", "replace"))
    return 0


def _text(folder: Path, source: str) -> str:
    if source == "-":
        return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    try:
        return Path(folder, source).read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(
            f"{source} cannot be read: {error.strerror or error}", hint="name an existing file"
        ) from None


def _print(planned: Planned, *, as_json: bool) -> int:
    if as_json:
        print_json(planned_document(planned))
    else:
        show(render_planned(planned))
    return planned.exit_code or (2 if planned.has_errors else 0)
