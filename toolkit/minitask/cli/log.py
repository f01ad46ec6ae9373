"""`minitask log`: the merged tasks, newest first."""

from __future__ import annotations

from itertools import islice

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import json_option, landed_of, print_json, start
from minitask.cli.terminal import show
from minitask.git.history import commits_of
from minitask.reports.task_lists import log_document, render_log


@click.command("log")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...", shell_complete=complete_tasks)
@click.option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="At most N lines.")
@click.option("--graph", "as_graph", is_flag=True, help="Draw the merges with their commits.")
@click.option(
    "--into",
    metavar="BRANCH",
    help="The branch to look at (default: the setting target, else the current one).",
)
@json_option
def command(
    projects: tuple[str, ...],
    number: int | None,
    into: str | None,
    *,
    as_graph: bool,
    as_json: bool,
) -> int:
    """List the tasks that were merged or undone, newest first: when, by which model, at what cost.

    \b
    Example:
      minitask log api -n 20
    """
    session = start()
    with session.engine("log", quiet=True, looks_only=True) as engine:
        base = session.base(engine, into)
        shown = tuple(islice(landed_of(engine, base, projects), number))
        commits = [
            commits_of(engine.repository.git, landed) if as_graph else () for landed in shown
        ]
    if as_json:
        print_json(log_document(shown))
    else:
        show(render_log(shown, commits, as_graph=as_graph))
    return 0
