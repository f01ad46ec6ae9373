"""`minitask run`: a project, or several specs, in dependency order."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import (
    Manner,
    Session,
    budget_of,
    do_worker_job,
    exit_code,
    into_option,
    json_option,
    manner,
    print_json,
    start,
    tell_issues,
)
from minitask.cli.terminal import INTERRUPTED, interrupted, say, show
from minitask.engine.context import Context
from minitask.engine.find_tasks import FoundTasks, find_tasks
from minitask.engine.task_records import remember
from minitask.engine.tasks import Base
from minitask.errors import MinitaskError, UsageError
from minitask.executors import http
from minitask.executors.registry import MAKERS
from minitask.ledger.record import TaskResult, Verdict
from minitask.policy.budget import Budget
from minitask.policy.route import RouteOverrides
from minitask.project.call_pool import CallPool, ThreadCallPool
from minitask.project.cluster import SCHEME, Cluster
from minitask.project.load_project import (
    RunPreview,
    Selection,
    preview_run,
    run_project,
    select,
    token_budgets,
)
from minitask.project.schedule import Interrupted
from minitask.system import process
from minitask.task.state import RunOptions
from minitask.words import one_line

if TYPE_CHECKING:
    from minitask.cli.pull_requests import ChosenForge
    from minitask.reports.results import RunSummary

LOCAL = "local"
LONG_SECONDS = 60
"""After a longer run on a terminal, ask the terminal to notify the user."""


@click.command("run")
@click.argument(
    "specs", nargs=-1, required=True, metavar="PROJECT|SPEC...", shell_complete=complete_tasks
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Maximum parallel validations (default: concurrency.jobs).",
)
@click.option(
    "--engine",
    "where",
    default=LOCAL,
    metavar="local|dask://HOST:PORT",
    help="Where attempts run: here, or on a Dask cluster.",
)
@click.option("--max-cost", metavar="USD", help="Stop before a call that could exceed this total.")
@into_option
@click.option("--no-merge", is_flag=True, help="Validate the tasks, but do not merge them.")
@click.option(
    "--pr",
    "opens",
    is_flag=True,
    help="Push the branches of tasks that pass and open pull requests; merge nothing.",
)
@click.option(
    "--batch",
    is_flag=True,
    help="Send model calls as provider batches, at half price; may take hours, survives a kill.",
)
@click.option(
    "--wait", "waits", is_flag=True, help="Wait for the end of a plan's or subscription's limit."
)
@click.option("--only", multiple=True, metavar="TASK", help="Only this task. Repeatable.")
@click.option("--from", "since", metavar="TASK", help="Only this task and all later ones.")
@click.option("--retry-failed", is_flag=True, help="Only tasks whose last attempt failed.")
@click.option(
    "--fail-fast/--keep-going",
    default=False,
    help="After a failure, start nothing more, or go on with independent tasks (default).",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print which models would be called, at what cost; spend nothing.",
)
@click.option(
    "--notify", metavar="CMD", help="Run CMD at the end, with the result in $MINITASK_RESULT."
)
@click.option("--events", is_flag=True, help="Write progress as JSON lines to stderr.")
@click.option("--again", is_flag=True, help="Run tasks even if they have merged.")
@json_option
def command(specs: tuple[str, ...], **options: Any) -> int:
    """Run all the tasks of a project that are not on the target yet.

    \b
    Example:
      minitask run mini-projects/api --max-cost 2.50
    """
    session = start()
    as_json, dry = options["as_json"], options["dry_run"]
    limit = budget_of(options["max_cost"], session.settings)
    forge = None
    if options["opens"] and not dry:
        from minitask.cli.pull_requests import choose_forge

        forge = choose_forge(session)
    how = manner(as_json=as_json, events=options["events"], live=not dry)
    purpose = f"run {' '.join(specs)}"
    if not dry and any(entry.type in MAKERS for entry in session.settings.executors.values()):
        http.warm_up()
    with session.engine(purpose, how=how, budget_usd=limit, looks_only=dry) as engine:
        started = engine.clock()
        base = session.base(engine, options["into"])
        if not dry and options["where"] == LOCAL:
            engine.begin(base.base)
        choice = Selection(options["only"], options["since"] or "", options["retry_failed"])
        selection = select(engine, find_tasks(engine, specs, base), base, choice)
        if dry:
            prospects = preview_run(engine, selection.tasks, base, again=options["again"])
            return _dry_run(prospects, ", ".join(specs), as_json=as_json)
        results, code = _run(engine, selection, base, options, limit=limit)
        problem = None
        if not code:
            results, problem = _publish(engine, results, base, forge)
        seconds = engine.clock() - started
        batches = () if as_json else token_budgets(engine, selection.tasks, results, base)
    if code:
        interrupted()
    from minitask.reports.results import RunSummary, render_run, run_document

    target = base.target.removeprefix("refs/heads/")
    summary = RunSummary(", ".join(specs), target, results, seconds, batches)
    if as_json:
        print_json(run_document(summary))
    else:
        show(render_run(summary, lists_tasks=how is not Manner.LIVE or not sys.stdout.isatty()))
    _notify(session, options["notify"], summary)
    return code or _exit(session, results, problem)


def _run(
    engine: Context,
    selection: FoundTasks,
    base: Base,
    options: dict[str, Any],
    *,
    limit: Decimal | None,
) -> tuple[tuple[TaskResult, ...], int]:
    """Return the results, and the exit code of an interrupt or 0."""
    budget = Budget(limit, is_shared=options["where"] == LOCAL and not options["batch"])
    run_options = RunOptions(
        RouteOverrides(),
        merge=not (options["no_merge"] or options["opens"]),
        again=options["again"],
        batch=options["batch"],
        waits=options["waits"],
        fail_fast=options["fail_fast"],
        budget=budget,
    )
    code = 0
    try:
        with _cluster(engine, options["where"]) as cluster:
            results = run_project(
                engine,
                selection,
                base=base,
                options=run_options,
                askers=_call_pool(engine, budget, batch=options["batch"]),
                jobs=options["jobs"] or engine.settings.jobs,
                cluster=cluster,
            )
    except Interrupted as error:
        results, code = error.results, INTERRUPTED
    remember(engine, results, is_interrupted=bool(code))
    return results, code


def _publish(
    engine: Context, results: tuple[TaskResult, ...], base: Base, forge: ChosenForge | None
) -> tuple[tuple[TaskResult, ...], MinitaskError | None]:
    """Return the results with the pull requests of proven tasks, and the error if some have none."""
    if forge is None:
        return results, None
    from minitask.cli.pull_requests import publish
    from minitask.forge.publish import with_pull_requests

    ready = [result.task for result in results if result.verdict is Verdict.READY]
    published = publish(engine, ready, base, forge)
    return with_pull_requests(results, published), published.problem


def _exit(session: Session, results: tuple[TaskResult, ...], problem: MinitaskError | None) -> int:
    """Return the exit code of a run; raise the error of pull requests that were not opened."""
    tell_issues(session, results)
    if problem is not None:
        raise problem
    return exit_code(results)


def _notify(session: Session, command: str | None, summary: RunSummary) -> None:
    """Notify the user of the end of a run, by the given command or by the terminal."""
    from minitask.reports.results import render_run

    result = render_run(summary, lists_tasks=False).rpartition("\n")[2]
    if command:
        env = {**session.environ, "MINITASK_RESULT": result}
        ended = process.run(("sh", "-c", command), cwd=session.folder, env=env)
        if not ended.ok:
            say(f"warning: --notify {command}: exit code {ended.exit_code}")
    elif summary.seconds >= LONG_SECONDS and sys.stderr.isatty():
        notice = one_line(result).replace(";", ",")
        sys.stderr.write(f"\a\x1b]9;minitask: {notice}\a\x1b]777;notify;minitask;{notice}\a")
        sys.stderr.flush()


@contextmanager
def _cluster(engine: Context, where: str) -> Iterator[Cluster | None]:
    if where == LOCAL:
        yield None
        return
    if not where.startswith(SCHEME):
        raise UsageError(f"unknown engine {where}", hint="write local, or dask://HOST:PORT")
    with closing(Cluster(engine, where, go=do_worker_job)) as cluster:
        yield cluster


def _dry_run(prospects: Sequence[RunPreview], project: str, *, as_json: bool) -> int:
    from minitask.reports.forecasts import outlook_document, render_outlook

    if as_json:
        print_json(outlook_document(project, prospects))
    else:
        show(render_outlook(prospects))
    return 0


def _call_pool(engine: Context, budget: Budget, *, batch: bool) -> CallPool:
    if not batch:
        return ThreadCallPool(engine, width=engine.settings.requests, budget=budget)
    from minitask.project.batch_calls import BatchCalls

    return BatchCalls(engine)
