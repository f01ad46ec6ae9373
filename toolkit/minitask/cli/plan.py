"""`minitask plan`: turn a goal into specs, by an expensive model or from an answer given in a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from minitask.cli.session import Session, budget_of, json_option, print_json, start
from minitask.cli.terminal import show
from minitask.engine.context import Context
from minitask.errors import UsageError
from minitask.planning.plan import Planned, plan, planning_question, project_name, write_planned
from minitask.planning.plan_prompt import READ_TOKENS, Goal
from minitask.policy.budget import Budget
from minitask.policy.route import MODEL_TIERS, Route
from minitask.reports.plans import planned_document, render_planned
from minitask.task.questions import route_to

if TYPE_CHECKING:
    from minitask.planning.importers.goal_source import GoalSource


@click.command("plan")
@click.argument("goal", required=False)
@click.option(
    "--project", metavar="NAME", help="The project's name (default: from the goal, or the plan)."
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
    "--from",
    "source",
    metavar="FILE",
    help="Plan the tasks of another tool's plan, or write the specs of an answer (`-`: stdin).",
)
@click.option(
    "--format",
    "form",
    metavar="NAME",
    help="The format of FILE, where it is not detected: task-master, backlog, kiro, openspec, beads, or answer.",
)
@click.option(
    "--task", "tasks", multiple=True, metavar="ID", help="Plan this task of FILE only. Repeatable."
)
@click.option("--tag", default="", metavar="NAME", help="The tag of task-master's tasks.")
@click.option(
    "--dry-run", is_flag=True, help="List what would be planned, and its cost; call no model."
)
@click.option(
    "--issue",
    "which",
    metavar="NUMBER|URL",
    help="Take the goal from an issue of GitHub or GitLab; GOAL may add to it.",
)
@json_option
def command(goal: str | None, **options: Any) -> int:
    """Turn GOAL, a sentence or two, into specs; they are checked, written, and left for you to commit.

    With --from, the tasks of a plan of task-master, Backlog.md, Kiro, OpenSpec or beads are the goals, one call each.
    What is planned already is not asked for again.

    \b
    Examples:
      minitask plan "Split app.py into routes and models" --read app.py
      minitask plan --from .taskmaster/tasks/tasks.json --dry-run
    """
    session = start()
    source, as_json = options["source"], options["as_json"]
    plan_source = _found(session, options)
    if plan_source is not None:
        return _plan_tasks(session, plan_source, goal or "", options)
    is_named = bool((goal or "").strip() or options["which"])
    if not is_named and source is None:
        raise UsageError("the goal is empty", hint='describe it: minitask plan "Split app.py"')
    if source is not None and (options["dry_run"] or not (is_named or options["project"])):
        hint = "name its --format (openspec: any list of boxes); of an answer, the --project, without --dry-run"
        raise UsageError(f"{source} is no plan in a known format", hint=hint)
    full_goal = _wanted(session, goal or "", options)
    if options["prompt_only"]:
        return _print_prompt(session, full_goal)
    if options["dry_run"]:
        return _print_estimate(session, full_goal, options)
    purpose = f"plan {full_goal.project}"
    with session.engine(purpose, quiet=as_json, looks_only=source is not None) as engine:
        base = session.base(engine)
        if source is not None:
            planned = write_planned(engine, full_goal, _text(session, source))
        else:
            route = _route(engine, options)
            budget = Budget(budget_of(options["max_cost"], session.settings))
            planned = plan(engine, base, full_goal, route, budget=budget)
    return _print(planned, as_json=as_json)


def _found(session: Session, options: dict[str, Any]) -> GoalSource | None:
    """Return the other tool's plan that --from names, or None for a planner's answer."""
    source, form = options["source"], options["form"]
    if source in (None, "-"):
        if form or options["tasks"] or options["tag"]:
            raise UsageError("there is no plan to read", hint="name its file with --from")
        return None
    from minitask.planning.importers.goal_source import find_goals

    top = session.repository.checkout()
    plan_source = find_goals(top, session.place(source), form, options["tag"])
    if plan_source and (options["which"] or options["prompt_only"]):
        raise UsageError("a plan is no issue and has no one prompt", hint="pass --from alone")
    return plan_source


def _plan_tasks(
    session: Session, plan_source: GoalSource, text: str, options: dict[str, Any]
) -> int:
    """Plan the tasks of another tool's plan, or print the forecast."""
    from minitask.planning import plan_from
    from minitask.reports.plans import goals_document, render_goals

    dry_run, as_json = options["dry_run"], options["as_json"]
    template = _goal(text, project_name(plan_source.plan.name, options["project"]), options)
    purpose = f"plan {template.project}"
    with session.engine(purpose, quiet=as_json, looks_only=dry_run) as engine:
        base = session.base(engine)
        results = plan_from.survey(engine, plan_source, template, options["tasks"])
        is_open = any(result.state == plan_from.OPEN for result in results)
        if dry_run or not is_open:
            route = _route_if_any(engine, options)
            outcome = plan_from.estimated(engine, base, plan_source, template, results, route)
        else:
            budget = Budget(budget_of(options["max_cost"], session.settings))
            route = _route(engine, options)
            outcome = plan_from.plan_goals(
                engine, base, plan_source, template, results, route, budget=budget
            )
    if as_json:
        print_json(goals_document(outcome, dry_run=dry_run))
    else:
        show(render_goals(outcome, dry_run=dry_run))
    return outcome.planned.exit_code or (2 if outcome.planned.has_errors else 0)


def _route_if_any(engine: Context, options: dict[str, Any]) -> Route | None:
    return _route(engine, options) if engine.settings.tiers else None


def _print_estimate(session: Session, goal: Goal, options: dict[str, Any]) -> int:
    from minitask.planning.plan_from import estimate_call
    from minitask.reports.forecasts import estimate_document
    from minitask.reports.plans import estimate_text, who_plans

    with session.engine("plan", quiet=True, looks_only=True) as engine:
        route = _route_if_any(engine, options)
        estimate = estimate_call(engine, session.base(engine), goal, route)
    if options["as_json"]:
        document = estimate_document(estimate)
        print_json({"dry_run": True, "project": goal.project, "estimate": document})
    else:
        asked = f"{who_plans(route)} would be asked" if route else "no tier has an executor"
        click.echo(f"dry run: {asked}: {estimate_text(estimate)}")
    return 0


def _wanted(session: Session, text: str, options: dict[str, Any]) -> Goal:
    """Return the goal, from the user's text or from an issue."""
    name = options["project"] or None
    if not options["which"]:
        return _goal(text, project_name(text, name), options)
    from minitask.cli.pull_requests import source_of
    from minitask.forge.forge_text import goal_of, read_issue

    issue = read_issue(source_of(session), options["which"])
    project = project_name(f"issue {issue.number} {issue.title}", name)
    return replace(_goal(goal_of(issue, text), project, options), issue=issue.url)


def _goal(text: str, project: str, options: dict[str, Any]) -> Goal:
    return Goal(text, project, options["reads"], options["read_tokens"])


def _route(engine: Context, options: dict[str, Any]) -> Route:
    entry = engine.settings.routing.entry["plan"]
    tier = options["tier"] or (entry if entry in MODEL_TIERS else MODEL_TIERS[-1])
    why = f"tier {tier} was asked for" if options["tier"] else f"planning starts at tier {tier}"
    return route_to(engine, tier, why, model=options["model"] or None)


def _print_prompt(session: Session, goal: Goal) -> int:
    with session.engine("plan", quiet=True, looks_only=True) as engine:
        question = planning_question(engine, session.base(engine), goal)
    click.echo(f"{question.system}\n\n{question.text}".encode("utf-8", "replace"))
    return 0


def _text(session: Session, source: str) -> str:
    if source == "-":
        return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    try:
        return session.place(source).read_text("utf-8", "surrogateescape")
    except OSError as error:
        message = f"{source} cannot be read: {error.strerror or error}"
        raise UsageError(message, hint="name an existing file") from None


def _print(planned: Planned, *, as_json: bool) -> int:
    if as_json:
        print_json(planned_document(planned))
    else:
        show(render_planned(planned))
    return planned.exit_code or (2 if planned.has_errors else 0)
