"""`minitask ledger export`: all records."""

from __future__ import annotations

import click

from minitask.cli.session import check_project, moment, start
from minitask.cli.terminal import say, write_output
from minitask.engine.tasks import named_project
from minitask.words import counted


@click.group("ledger")
def command() -> None:
    """Take out the records of attempts, calls and merges.

    \b
    Example:
      minitask ledger export --format csv --output ledger.csv
    """


@command.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(("jsonl", "csv")),
    default="jsonl",
    help="jsonl (default): whole records, as schemas/record.schema.json has them. csv: a row each.",
)
@click.option("--since", metavar="DATE", help="Only what was started then or later: 2026-01-31.")
@click.option("--project", metavar="PROJECT", default="", help="Only the records of a project.")
@click.option("--output", metavar="FILE", help="Write to a file instead of stdout.")
def export(form: str, since: str | None, project: str, output: str | None) -> int:
    """Print every record, one a line.

    \b
    Example:
      minitask ledger export | jq -r .task
      minitask ledger export --format csv --output ledger.csv
    """
    from minitask.ledger.store import read_ledger
    from minitask.reports.ledger_export import render_csv, render_jsonl

    begin = moment(since, option="--since") if since else ""
    name = named_project(project)
    session = start()
    with session.engine("ledger", quiet=True, looks_only=True) as engine:
        check_project(engine, name)
        head = engine.ledger_head()
        ledger = read_ledger(engine.objects, head, below=name, evidence=True)
    records = [record for record in ledger.records if record.started_at >= begin]
    content = (render_jsonl if form == "jsonl" else render_csv)(records)
    write_output(content, session.folder, output)
    if ledger.damaged or ledger.future:
        say(f"note: {counted(ledger.damaged + ledger.future, 'record')} cannot be read: left out")
    return 0
