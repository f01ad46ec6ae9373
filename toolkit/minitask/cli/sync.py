"""`minitask sync`: share task branches and the ledger with a remote."""

from __future__ import annotations

import click

from minitask.cli.session import json_option, print_json, start
from minitask.cli.terminal import show


@click.command("sync")
@click.argument("remote", required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, remote: str | None, *, as_json: bool) -> int:
    """Push and fetch task branches, attempts and the ledger; nothing is overwritten on either side.

    REMOTE is a remote's name or URL; default: origin, or the only one there is.

    \b
    Example:
      minitask sync origin
    """
    from minitask.git.remotes import choose_remote
    from minitask.project.sync import sync
    from minitask.reports.sync import render_sync, sync_document

    session = start(ctx)
    with session.engine("sync", quiet=as_json) as engine:
        result = sync(engine, choose_remote(session.repository, remote))
    if as_json:
        print_json(sync_document(result))
    else:
        show(render_sync(result))
    return 0
