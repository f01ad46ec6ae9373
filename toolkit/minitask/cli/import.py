"""`minitask import`: specs from another tool's plan."""  # noqa: N999 - named as the command is

from __future__ import annotations

import click

from minitask.cli.session import json_option, print_json, start
from minitask.cli.terminal import show
from minitask.errors import UsageError
from minitask.planning.importers.import_plan import READERS, import_plan
from minitask.reports.plans import imported_document, render_imported
from minitask.words import did_you_mean


@click.command("import")
@click.argument("arguments", nargs=-1, metavar="[FORMAT] FILE")
@click.option("--project", metavar="NAME", help="The project's name (default: the plan's title).")
@click.option("--dry-run", is_flag=True, help="Report what would be written; write nothing.")
@json_option
def command(
    arguments: tuple[str, ...], *, project: str | None, dry_run: bool, as_json: bool
) -> int:
    """Turn another tool's plan into specs, and report what is carried over, dropped, and left to fill in.

    FORMAT is superpowers, spec-kit or yaml; by default it is detected. A later import of the same file updates the
    specs without edits. Nothing is committed.

    \b
    Example:
      minitask import docs/plans/2026-02-19-routing.md
    """
    form, name = _form_and_file(arguments)
    session = start()
    imported = import_plan(
        session.repository,
        session.settings,
        session.place(name),
        form=form,
        project=project,
        dry_run=dry_run,
    )
    if as_json:
        print_json(imported_document(imported))
    else:
        show(render_imported(imported, dry_run=dry_run))
    return 0


def _form_and_file(arguments: tuple[str, ...]) -> tuple[str | None, str]:
    if len(arguments) == 1:
        return None, arguments[0]
    if len(arguments) != 2:
        raise UsageError("name one file to import", hint="minitask import [FORMAT] FILE")
    form, name = arguments
    if form not in READERS:
        raise UsageError(f"unknown format {form}", hint=did_you_mean(form, READERS))
    return form, name
