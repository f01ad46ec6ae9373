"""`minitask do`: make one change from a sentence: write its spec, commit it, run it."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from minitask.cli.exec import hindrance_of, only_task
from minitask.cli.session import (
    Session,
    exit_code,
    into_option,
    json_option,
    manner,
    print_json,
    start,
)
from minitask.cli.terminal import say, show, show_diff
from minitask.errors import UsageError

if TYPE_CHECKING:
    from minitask.engine.context import Context
    from minitask.engine.tasks import Base
    from minitask.ledger.record import CommandRecord, TaskResult
    from minitask.planning.one_shot import ChangeRequest, OneShot
    from minitask.policy.route import Route
    from minitask.project.load_project import RunPreview

OPTION_HINTS = {
    "E203": "fix the path, or name it with --create if it is to be created",
    "E204": "name it with --edit if it is to change, or choose another path",
}
"""What to do about a file that was named in the wrong option, by the code of the diagnostic."""


@click.command("do")
@click.argument("what")
@click.option("--edit", "edits", multiple=True, metavar="PATH", help="A file to edit. Repeatable.")
@click.option(
    "--create", "creates", multiple=True, metavar="PATH", help="A file to create. Repeatable."
)
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="CMD",
    help="A command that fails now and passes when it is done. Repeatable.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask before it runs.")
@click.option(
    "--dry-run", is_flag=True, help="Show the spec, who would do it and the price; write nothing."
)
@click.option(
    "--keep", is_flag=True, help="Leave the change on its branch; `minitask merge` merges it."
)
@into_option
@json_option
def command(what: str, **options: Any) -> int:
    """Make one change: write its spec, commit that, run it, and merge the change if its check passes.

    Without --edit, --create or --check, the planner's tier is asked for what is missing.

    \b
    Example:
      minitask do "Greet the user by name" --edit app.py --check "python3 app.py Ada | grep -q Ada"
    """
    if not what.strip():
        raise UsageError("there is nothing to do", hint='describe it: minitask do "Rename x to y"')
    session = start()
    asks = not (options["yes"] or options["dry_run"])
    if asks and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("there is no terminal to ask on", hint="add --yes, or --dry-run to look")
    shot, preview = _drafted(session, what, options)
    if shot is None:
        return 0
    if options["dry_run"]:
        return _print_dry_run(shot, preview, as_json=options["as_json"])
    if not options["as_json"]:
        show(_summary(shot, preview), err=True)
    if asks and not click.confirm("run it?", default=True, err=True):
        say("nothing was written")
        return 0
    return _run(session, shot, options)


def _drafted(
    session: Session, what: str, options: dict[str, Any]
) -> tuple[OneShot | None, RunPreview | None]:
    """Return the checked spec and the forecast, or None if a dry run would need a model's answer first."""
    from minitask.planning.one_shot import ChangeRequest, complete, draft, repository_path
    from minitask.policy.budget import Budget
    from minitask.project.load_project import prospect

    as_json, dry = options["as_json"], options["dry_run"]
    with session.engine("do", quiet=as_json, looks_only=dry) as engine:
        base = session.base(engine, options["into"])
        paths = {
            name: tuple(repository_path(engine, session.folder, word) for word in options[name])
            for name in ("edits", "creates")
        }
        request = ChangeRequest(what, paths["edits"], paths["creates"], options["checks"])
        if request.missing:
            route = _planner(engine, request)
            if dry:
                _print_would_ask(request, route, as_json=as_json)
                return None, None
            budget = Budget(session.settings.max_cost_usd)
            shot = complete(engine, base, request, route, budget=budget)
        else:
            shot = draft(engine, base, request)
        _stop_on_errors(engine, shot)
        preview = prospect(engine, shot.task, again=False)
    if preview.route is None:
        raise UsageError(preview.problem)
    return shot, preview


def _planner(engine: Context, request: ChangeRequest) -> Route:
    """Return the route to the planner; raise `UsageError` if there is none."""
    from minitask.planning.one_shot import command_with, lacking_options
    from minitask.policy.route import MODEL_TIERS
    from minitask.task.questions import route_to

    missing = " and ".join(f"the {name}" for name in request.missing)
    entry = engine.settings.routing.entry["plan"]
    tier = entry if entry in MODEL_TIERS else MODEL_TIERS[-1]
    try:
        return route_to(engine, tier, f"names {missing}")
    except UsageError as error:
        command = command_with(request, lacking_options(request))
        message = f"{missing} must be named: {error.message}"
        raise UsageError(message, hint=f"{command}, or {error.hint}") from None


def _print_would_ask(request: ChangeRequest, route: Route, *, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": True, "missing": list(request.missing), "asks": route.model})
        return
    missing = " and ".join(f"the {name}" for name in request.missing)
    click.echo(f"dry run: {route.model} (tier {route.tier.value}) would be asked for {missing}")


def _stop_on_errors(engine: Context, shot: OneShot) -> None:
    from minitask.engine.check_specs import check_alone
    from minitask.planning.one_shot import check_committed, diagnose, errors_of

    check_committed(engine, shot)
    errors = errors_of(diagnose(engine, shot))
    if errors:
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if errors[1:] else ""
        hint = OPTION_HINTS.get(first.code, first.hint)
        raise UsageError(f"{first.code} {first.message}{more}", hint=hint)
    check_alone(engine, shot.task)


def _summary(shot: OneShot, preview: RunPreview | None) -> str:
    """Return the spec, the files, the checks, the route and the price of a change."""
    from minitask.reports.forecasts import preview_line

    request = shot.request
    files = [f"edit {path}" for path in request.edits]
    files += [f"create {path}" for path in request.creates]
    lines = [f"spec   {shot.path}", f"files  {', '.join(files)}"]
    lines += [f"check  {command}" for command in request.checks]
    if preview is not None:
        lines.append(f"route  {' '.join(preview_line(preview).split())}")
    return "\n".join(lines)


def _print_dry_run(shot: OneShot, preview: RunPreview | None, *, as_json: bool) -> int:
    from minitask.reports.forecasts import preview_document

    if as_json:
        outlook = preview_document(preview) if preview else {}
        print_json({"dry_run": True, "path": shot.path, "text": shot.text, **outlook})
    else:
        show(f"{_summary(shot, preview)}\n\n{shot.text}".removesuffix("\n"))
    return 0


def _run(session: Session, shot: OneShot, options: dict[str, Any]) -> int:
    """Commit the spec, run it, and print the change and the result."""
    from minitask.engine.task_records import remember
    from minitask.git.trees import patch
    from minitask.planning.one_shot import check_first, commit_spec, draft

    as_json = options["as_json"]
    how = manner(as_json=as_json, events=False, live=True)
    with session.engine(f"do {shot.task.name}", how=how) as engine:
        base = session.base(engine, options["into"])
        if base.base != shot.task.base:  # the branch moved while the user was asked
            shot = draft(engine, base, shot.request)
            _stop_on_errors(engine, shot)
        before = check_first(engine, shot)
        commit_spec(engine, base, shot)
        base = session.base(engine, options["into"])
        engine.begin(base.base)
        result = _result(engine, shot, base, merge=not options["keep"], before=before)
        remember(engine, [result])
        commit = result.commit
        change = patch(engine.repository.git, base.base, commit) if commit else ""
    if as_json:
        from minitask.ledger.record_json import result_document

        print_json({**result_document(result), "diff": change})
    else:
        _print(shot, result, change)
    return exit_code([result])


def _result(
    engine: Context, shot: OneShot, base: Base, *, merge: bool, before: tuple[CommandRecord, ...]
) -> TaskResult:
    from minitask.engine.find_tasks import find_tasks
    from minitask.policy.budget import Budget
    from minitask.policy.route import RouteOverrides
    from minitask.task.life import run_task
    from minitask.task.state import RunOptions

    task = only_task(find_tasks(engine, [shot.task.name], base), shot.task.name)
    budget = Budget(engine.settings.max_cost_usd)
    options = RunOptions(RouteOverrides(), merge=merge, budget=budget, before=before)
    return hindrance_of(engine, task, base, {}) or run_task(engine, task, options)


def _print(shot: OneShot, result: TaskResult, change: str) -> None:
    from minitask.reports.results import render_result

    if change.strip():
        show_diff(change)
    show(render_result(result))
    if exit_code([result]):
        again = f"minitask exec {result.task}"
        if result.verdict != "error":  # then the spec needs more details
            commit = f"git commit -m 'spec: {result.task}' {shlex.quote(shot.path)}"
            again = f"edit {shot.path}, then: {commit} && {again}"
        if not result.next_step.endswith(again):
            show(f"  again  {again}")
