"""`minitask merge`: land proven tasks."""

from __future__ import annotations

from typing import Any

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import (
    Session,
    budget_of,
    exit_code,
    into_option,
    json_option,
    print_json,
    start,
    tell_issues,
)
from minitask.cli.terminal import show
from minitask.errors import UsageError
from minitask.ledger.record import Verdict
from minitask.ledger.record_json import result_document
from minitask.project.whole_project import merge_named, names_to_merge
from minitask.reports.results import render_result


@click.command("merge")
@click.argument(
    "tasks", nargs=-1, required=True, metavar="TASK|PROJECT...", shell_complete=complete_tasks
)
@into_option
@click.option(
    "--pr", "opens", is_flag=True, help="Push the branches and open pull requests; merge nothing."
)
@click.option(
    "--watch",
    "watches",
    is_flag=True,
    help="With --pr: until they are merged or closed, try again with what fails or is asked for there.",
)
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="With --watch: how often to look.",
)
@click.option("--max-cost", metavar="USD", help="With --watch: what further attempts may cost.")
@json_option
def command(tasks: tuple[str, ...], into: str | None, **options: Any) -> int:
    """Merge proven tasks, or all ready ones of a project; a merge that was not validated is validated first.

    \b
    Example:
      minitask merge api/02-routes api/03-tests
      minitask merge api
    """
    session, as_json = start(), options["as_json"]
    if options["opens"]:
        return _publish(session, tasks, into, options)
    if options["watches"]:
        raise UsageError("--watch is for pull requests", hint="add --pr")
    results = []
    with session.engine(f"merge {' '.join(tasks)}", quiet=as_json) as engine:
        for result in merge_named(engine, tasks, lambda: session.base(engine, into)):
            results.append(result)
            if not as_json:
                show(render_result(result))
    if as_json:
        print_json({"tasks": [result_document(result) for result in results]})
    tell_issues(session, results)
    return exit_code(results)


def _publish(
    session: Session, tasks: tuple[str, ...], into: str | None, options: dict[str, Any]
) -> int:
    """Open pull requests, and watch them on request."""
    from minitask.cli.pull_requests import WatchOptions, choose_forge, publish, watch

    as_json, forge = options["as_json"], choose_forge(session)
    limit = budget_of(options["max_cost"], session.settings)
    with session.engine(f"merge {' '.join(tasks)}", quiet=as_json) as engine:
        base = session.base(engine, into)
        names = list(names_to_merge(engine, tasks, base))
        published = publish(engine, names, base, forge)
    results = {result.task: result for result in published.results}
    if options["watches"] and published.problem is None:
        again = [name for name in names if results[name].pull_request]
        results |= watch(session, forge, again, WatchOptions(into, options["every"], limit))
        with session.engine("merge", quiet=as_json) as engine:
            ended = [name for name in again if results[name].verdict is Verdict.READY]
            published = publish(engine, ended, session.base(engine, into), forge)
        results |= {result.task: result for result in published.results}
    if as_json:
        print_json({"tasks": [result_document(result) for result in results.values()]})
    else:
        for result in results.values():
            show(render_result(result))
    if published.problem is not None:
        raise published.problem
    return exit_code(tuple(results.values()))
