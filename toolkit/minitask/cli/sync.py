"""`minitask sync`: share task branches and the ledger with a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minitask.cli.session import Session, exit_code, json_option, print_json, start
from minitask.cli.terminal import show

if TYPE_CHECKING:
    from minitask.cli.pull_requests import ChosenForge
    from minitask.engine.context import Context
    from minitask.forge.publish import Published


@click.command("sync")
@click.argument("remote", required=False)
@click.option(
    "--pr", "opens", is_flag=True, help="Then open or update a pull request of each ready task."
)
@json_option
def command(remote: str | None, *, opens: bool, as_json: bool) -> int:
    """Push and fetch task branches, attempts and the ledger; nothing is overwritten on either side.

    REMOTE is a remote's name or URL; default: origin, or the only one there is.

    \b
    Example:
      minitask sync origin
    """
    from minitask.git.remotes import choose_remote
    from minitask.project.sync import sync
    from minitask.reports.task_lists import render_sync, sync_document

    session = start()
    forge = None
    if opens:
        from minitask.cli.pull_requests import choose_forge

        forge = choose_forge(session, remote)
    with session.engine("sync", quiet=as_json) as engine:
        chosen = forge.remote if forge else choose_remote(session.repository, remote)
        result = sync(engine, chosen)
        published = _publish(session, engine, forge) if forge else None
    if as_json:
        print_json(sync_document(result, published))
    else:
        show(render_sync(result, published))
    if published is not None and published.problem is not None:
        raise published.problem
    return exit_code(published.results) if published else 0


def _publish(session: Session, engine: Context, forge: ChosenForge) -> Published:
    """Open or update the pull request of every ready task."""
    from minitask.cli.pull_requests import publish
    from minitask.engine.find_tasks import all_tasks
    from minitask.engine.task_status import State, task_statuses

    base = session.base(engine)
    statuses = task_statuses(engine, all_tasks(engine, base), base)
    ready = [status.task.name for status in statuses if status.state is State.READY]
    return publish(engine, ready, base, forge)
