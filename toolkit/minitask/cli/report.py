"""`minitask report`: what all attempts took, cost and saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from minitask.cli.session import moment, start
from minitask.cli.streams import say
from minitask.engine.task_records import ledger_of
from minitask.ledger.summary import summarize
from minitask.reports.ledger_report import (
    BY,
    LedgerReport,
    render_report_markdown,
    render_report_text,
    report_document,
)
from minitask.reports.ledger_report_html import render_report_html


def _json(report: LedgerReport) -> str:
    return json.dumps(report_document(report), indent=2, ensure_ascii=False) + "\n"


def _log(report: LedgerReport) -> str:
    from minitask.reports.project_log import render_log

    return render_log(report)


def _records(render: str, report: LedgerReport) -> str:
    from minitask.reports import record_lines

    return str(getattr(record_lines, render)(report.records))


FORMATS: dict[str, Callable[[LedgerReport], str]] = {
    "text": render_report_text,
    "md": render_report_markdown,
    "log": _log,
    "json": _json,
    "html": render_report_html,
    "jsonl": partial(_records, "render_jsonl"),
    "csv": partial(_records, "render_csv"),
}


@click.command("report")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    help="Output format. log is a project's log in Markdown; jsonl and csv are the records.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--since", metavar="DATE", help="Only attempts started then or later: 2026-01-31.")
@click.option("--project", metavar="PROJECT", default="", help="Only the attempts of a project.")
@click.option("--by", type=click.Choice(list(BY)), help="Only the figures of one grouping.")
@click.option(
    "--fail-under",
    type=float,
    metavar="PERCENT",
    help="Exit code 1 if less was saved, or nobody knows how much.",
)
@click.option("--output", metavar="FILE", help="Write to a file instead of stdout.")
@click.pass_context
def command(
    ctx: click.Context,
    form: str,
    since: str | None,
    project: str,
    by: str | None,
    fail_under: float | None,
    output: str | None,
    *,
    as_json: bool,
) -> int:
    """Add up all attempts on record: tokens, costs, what was saved, and at which gates they failed.

    What was saved is an estimate, against the frontier model asked once for each proven task.

    \b
    Example:
      minitask report --format html --output report.html
    """
    begin = moment(since, option="--since") if since else ""
    name = project.strip("/").removeprefix("mini-projects/")
    session = start(ctx)
    with session.engine("report", quiet=True, looks_only=True) as engine:
        ledger = ledger_of(engine, name)
    records = tuple(record for record in ledger.records if record.started_at >= begin)
    summary = summarize(records, baseline_model=session.settings.baseline["frontier"])
    report = LedgerReport(
        summary,
        ledger.damaged,
        ledger.future,
        since=begin,
        project=name,
        by=by or "",
        records=records,
    )
    content = FORMATS["json" if as_json else form](report).encode("utf-8", "replace")
    if output is None:
        click.echo(content, nl=False)
    else:
        Path(session.folder, output).write_bytes(content)
    saved = summary.savings.saved_percent
    if fail_under is None or (saved is not None and saved >= fail_under):
        return 0
    said = "it is unknown how much was saved" if saved is None else f"{saved:g} % was saved"
    say(f"{said}, {fail_under:g} % is asked for")
    return 1
