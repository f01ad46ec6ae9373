"""`minitask status`: where the tasks stand."""

from __future__ import annotations

import click

from minitask.cli.session import json_option, print_json, start
from minitask.engine.find_tasks import list_tasks
from minitask.engine.task_status import task_statuses
from minitask.engine.tasks import PROJECTS
from minitask.reports.status import render_status, status_document


@click.command("status")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...")
@json_option
@click.pass_context
def command(ctx: click.Context, projects: tuple[str, ...], *, as_json: bool) -> int:
    """List the committed tasks with their state: new, ready, merged, failed, refused, changed or undone.

    \b
    Example:
      minitask status api
    """
    session = start(ctx)
    with session.engine("status", quiet=True, looks_only=True) as engine:
        base = session.base(engine)
        has_any = engine.objects.entry(base.base, PROJECTS) is not None
        selectors = projects or ((_all(session.repository.top),) if has_any else ())
        statuses = task_statuses(engine, list_tasks(engine, selectors, base), base)
    if as_json:
        print_json(status_document(statuses))
    else:
        click.echo(render_status(statuses))
    return 0


def _all(top: object) -> str:
    return f"{top}/{PROJECTS}" if top else PROJECTS
