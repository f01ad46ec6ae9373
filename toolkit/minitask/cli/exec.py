"""`minitask exec`: one task, from its committed spec to its verdict."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from minitask.cli.completion import complete_executors, complete_tasks
from minitask.cli.session import (
    exit_code,
    into_option,
    json_option,
    manner,
    print_json,
    start,
    tell_issues,
)
from minitask.cli.terminal import interrupted, say, show
from minitask.errors import MachineError, RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minitask.engine.context import Context
    from minitask.engine.find_tasks import FoundTasks
    from minitask.engine.tasks import Base, Task
    from minitask.ledger.record import TaskResult
    from minitask.task.state import RunOptions


@click.command("exec")
@click.argument("spec", shell_complete=complete_tasks)
@click.option("--tier", help="The tier to use: none, free, cheap, balanced or frontier.")
@click.option(
    "--executor",
    help="The executor to use, by its name in the settings.",
    shell_complete=complete_executors,
)
@click.option("--model", help="The model to use.")
@into_option
@click.option("--no-merge", is_flag=True, help="Validate the task, but do not merge it.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print what would be sent where and what would run; spend nothing.",
)
@click.option("--again", is_flag=True, help="Run it even if it has merged.")
@click.option(
    "--wait", "waits", is_flag=True, help="Wait for the end of a plan's or subscription's limit."
)
@click.option("--no-deps", is_flag=True, help="Run it even if a dependency has not merged.")
@click.option(
    "--worktree-spec", is_flag=True, help="Run the spec as it is in the checkout, uncommitted."
)
@click.option("--events", is_flag=True, help="Write progress as JSON lines to stderr.")
@json_option
def command(spec: str, **options: Any) -> int:
    """Run one task: SPEC is a path, FILE#N or PROJECT/ID.

    \b
    Example:
      minitask exec mini-projects/api/02-routes.md --into main
    """
    from minitask.engine.find_tasks import find_tasks
    from minitask.engine.task_records import remember
    from minitask.task.finish import stopped
    from minitask.task.life import run_task

    session = start()
    as_json, dry, is_interrupted = options["as_json"], options["dry_run"], False
    how = manner(as_json=as_json, events=options["events"], live=not dry)
    with session.engine(f"exec {spec}", how=how, looks_only=dry) as engine:
        base = session.base(engine, options["into"], worktree_spec=options["worktree_spec"])
        if not dry:
            engine.begin(base.base)
        try:
            task = only_task(find_tasks(engine, [spec], base), spec)
        except RefusedError as error:
            result = _refused(spec, error)
        else:
            run_options = _run_options(options, session.settings.max_cost_usd)
            waits = None if options["no_deps"] else hindrance_of(engine, task, base, options)
            if dry:
                return _dry_run(engine, task, run_options, waits, as_json=as_json)
            try:
                result = waits or run_task(engine, task, run_options)
            except KeyboardInterrupt:
                result, is_interrupted = stopped(task, MachineError("interrupted")), True
            else:
                remember(engine, [result])
    _print(result, as_json=as_json)
    if is_interrupted:
        return interrupted()
    tell_issues(session, [result])
    return exit_code([result])


def _run_options(options: dict[str, Any], limit_usd: Decimal | None) -> RunOptions:
    from minitask.policy.budget import Budget
    from minitask.policy.route import RouteOverrides
    from minitask.task.state import RunOptions

    names = ("tier", "executor", "model")
    return RunOptions(
        RouteOverrides(**{name: options[name] or None for name in names}),
        merge=not options["no_merge"],
        again=options["again"],
        waits=options["waits"],
        budget=Budget(limit_usd),
    )


def only_task(selection: FoundTasks, spec: str) -> Task:
    """Return the only selected task; raise the refusal if its spec has uncommitted changes."""
    tasks = selection.tasks
    if len(tasks) > 1:
        names = ", ".join(task.name for task in tasks[:4])
        message = f"{spec} holds {len(tasks)} tasks ({names} …)"
        raise UsageError(message, hint="name one, or run all with `minitask run`")
    if tasks[0].name in selection.refused:
        raise selection.refused[tasks[0].name]
    return tasks[0]


def hindrance_of(
    engine: Context, task: Task, base: Base, options: Mapping[str, object]
) -> TaskResult | None:
    """Return the result of a task that must not start, or None; raise an error of its spec, which `status` shows."""
    from minitask.engine.task_records import remember_error
    from minitask.task.earlier_work import find_unmet
    from minitask.task.finish import stopped

    try:
        routed = any(options.get(name) for name in ("tier", "executor", "model"))
        again = bool(options.get("again"))
        return find_unmet(engine, task, base, again=again, is_routed=routed)
    except UsageError as error:
        remember_error(engine, task, error)
        raise
    except RefusedError as error:
        return stopped(task, error)


def _refused(spec: str, error: RefusedError) -> TaskResult:
    from minitask.ledger.record import TaskResult, Verdict

    return TaskResult(
        task=spec, spec_path=spec, spec_blob=None, verdict=Verdict.REFUSED, reason=str(error)
    )


def _print(result: TaskResult, *, as_json: bool) -> None:
    if as_json:
        from minitask.ledger.record_json import result_document

        print_json(result_document(result))
        return
    from minitask.reports.results import render_result

    show(render_result(result))


def _dry_run(
    engine: Context, task: Task, run_options: RunOptions, waits: TaskResult | None, *, as_json: bool
) -> int:
    from minitask.reports.forecasts import dry_run_document, render_dry_run
    from minitask.task.prepare import preview_task

    if waits is not None and waits.verdict == "refused":
        _print(waits, as_json=as_json)
        return exit_code([waits])
    try:
        preview = preview_task(engine, task, run_options)
    except (RefusedError, MachineError) as error:
        result = waits or _refused(task.name, RefusedError(str(error)))
        _print(result, as_json=as_json)
        return exit_code([waits]) if waits else error.exit_code
    if waits is not None:
        say(f"note: {task.name} would be skipped now: {waits.reason}")
    if as_json:
        print_json(dry_run_document(preview))
    else:
        show(render_dry_run(preview))
    return 0
