"""`minitask clean`: remove the toolkit's workspaces, caches and refs."""

from __future__ import annotations

import click

from minitask.cli.session import environment, json_option, print_json, start, start_folder
from minitask.engine.own_folders import clean, own_folders
from minitask.git.repository import discover


@click.command("clean")
@click.option("--branches", is_flag=True, help="Also remove the branches of merged tasks.")
@click.option("--dry-run", is_flag=True, help="Print what would be removed; remove nothing.")
@json_option
def command(*, branches: bool, dry_run: bool, as_json: bool) -> int:
    """Remove workspaces, caches and journal refs; candidates, records and your own branches stay.

    \b
    Example:
      minitask clean --branches --dry-run
    """
    environ = environment()
    before = own_folders(discover(start_folder(), environ), environ)
    session = start()
    with session.engine("clean", quiet=as_json) as engine:
        base = session.base(engine)
        cleaned = clean(engine, base, before=before, branches=branches, dry_run=dry_run)
    if as_json:
        folders = [str(path) for path in cleaned.folders]
        print_json({"dry_run": dry_run, "folders": folders, "refs": list(cleaned.refs)})
        return 0
    verb = "would remove" if dry_run else "removed"
    for name in (*map(str, cleaned.folders), *cleaned.refs):
        click.echo(f"{verb} {name}")
    if not (cleaned.folders or cleaned.refs):
        click.echo("nothing to clean")
    return 0
