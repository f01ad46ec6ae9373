"""`minitask report`: the tokens, costs and savings of all attempts."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from minitask.cli.session import Session, check_project, moment, start
from minitask.cli.terminal import say, write_output
from minitask.engine.context import Context
from minitask.engine.task_records import DETAILED, landed_states, ledger_of, newest_texts
from minitask.engine.tasks import named_project
from minitask.errors import MinitaskError, UsageError
from minitask.ledger.store import uncollected
from minitask.ledger.summary import summarize
from minitask.reports.ledger_report import (
    BY,
    LedgerReport,
    render_report_markdown,
    render_report_text,
    report_document,
)
from minitask.words import json_text

if TYPE_CHECKING:
    from minitask.project.task_graph import TaskGraph


HTML, JSONL = "html", "jsonl"
FORMATS = ("text", "md", "log", "json", HTML, JSONL, "csv")
SHOWN_WHOLE = {HTML: DETAILED, JSONL: sys.maxsize}
"""Number of newest records that a format shows with their commands, files and rates."""


class Choice(Struct, frozen=True):
    """The records of a report: since a time, of a project ("": all). `by` is the only grouping to show."""

    since: str
    project: str
    by: str


@click.command("report")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
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
    help="Exit code 1 if less was saved, or if that is unknown.",
)
@click.option("--output", metavar="FILE", help="Write to a file instead of stdout.")
@click.option("--serve", is_flag=True, help="Serve the page on 127.0.0.1, live, until Ctrl-C.")
@click.option("--open", "open_it", is_flag=True, help="With --serve: open it in the browser.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="With --serve: the port; without it, a free one."
)
def command(
    form: str,
    since: str | None,
    project: str,
    by: str | None,
    fail_under: float | None,
    output: str | None,
    port: int | None,
    *,
    as_json: bool,
    serve: bool,
    open_it: bool,
) -> int:
    """Add up all attempts on record: tokens, costs, what was saved, and at which gates they failed.

    What was saved is an estimate, against the frontier model asked once for each proven task.

    \b
    Example:
      minitask report --format html --output report.html
      minitask report --serve --open
    """
    form = "json" if as_json else form
    if serve and (form not in ("text", HTML) or output is not None or fail_under is not None):
        message = "--serve goes with none of --json, other formats, --output and --fail-under"
        raise UsageError(message, hint="run `minitask report --serve`")
    if not serve and (open_it or port is not None):
        raise UsageError("--open and --port go with --serve", hint="run `minitask report --serve`")
    begin = moment(since, option="--since") if since else ""
    choice = Choice(begin, named_project(project), by or "")
    session = start()
    with session.engine("report", quiet=True, looks_only=True) as engine:
        check_project(engine, choice.project)
        if serve:
            return _serve(session, engine, choice, port=port or 0, open_it=open_it)
        with uncollected():
            report = _report(session, engine, choice, form)
            content = _render(report, form)
    write_output(content, session.folder, output)
    return _reached(report, fail_under)


def _render(report: LedgerReport, form: str) -> str:
    if form == "text":
        return render_report_text(report)
    if form == "md":
        return render_report_markdown(report)
    if form == "json":
        return json_text(report_document(report), indent=2) + "\n"
    if form == HTML:
        from minitask.reports.ledger_report_html import render_report_html

        return render_report_html(report)
    from minitask.reports.ledger_export import render_csv, render_jsonl, render_log

    if form == "log":
        return render_log(report)
    return (render_jsonl if form == JSONL else render_csv)(report.records)


def _reached(report: LedgerReport, fail_under: float | None) -> int:
    """Return 1 with a message if less was saved than required."""
    saved = report.summary.savings.saved_percent
    if fail_under is None or (saved is not None and saved >= fail_under):
        return 0
    outcome = "it is unknown how much was saved" if saved is None else f"{saved:g} % was saved"
    say(f"{outcome}, less than --fail-under {fail_under:g}")
    return 1


def _report(session: Session, engine: Context, choice: Choice, form: str) -> LedgerReport:
    """Return the report of the ledger, as detailed as the format needs."""
    ledger = ledger_of(engine, choice.project, detailed=SHOWN_WHOLE.get(form, 0))
    records = tuple(record for record in ledger.records if record.started_at >= choice.since)
    report = LedgerReport(
        summarize(records, baseline_model=session.settings.baseline["frontier"]),
        ledger.damaged,
        ledger.future,
        since=choice.since,
        project=choice.project,
        by=choice.by,
        records=records,
    )
    if form != HTML:
        return report
    latest = sorted(records, key=lambda record: record.started_at, reverse=True)
    projects = dict.fromkeys(record.task.partition("/")[0] for record in latest)
    return replace(
        report,
        states=landed_states(engine, latest),
        texts=newest_texts(engine, latest),
        graphs=_graphs(session, engine, projects),
    )


def _graphs(session: Session, engine: Context, projects: Iterable[str]) -> tuple[TaskGraph, ...]:
    """Return the graphs of the first projects; none without a target branch."""
    from minitask.project.task_graph import latest_graphs

    try:
        base = session.base(engine)
    except MinitaskError:
        return ()
    return latest_graphs(engine, base, projects)


def _serve(session: Session, engine: Context, choice: Choice, *, port: int, open_it: bool) -> int:
    """Serve the page until Ctrl-C."""
    from minitask.cli.live_page import serve_page
    from minitask.reports.ledger_report_html import render_report_html

    def render(head: str) -> bytes:
        with uncollected():
            report = _report(session, engine, choice, HTML)
            return render_report_html(report, head=head).encode("utf-8", "replace")

    def head() -> str:
        return engine.ledger_head() or ""

    def begin(url: str) -> None:
        click.echo(url)
        say("only you can open it, on this machine; it ends with Ctrl-C")
        if open_it:
            import webbrowser

            if not webbrowser.open(url):
                say("no browser could be opened: open the address yourself")

    serve_page(head, render, port=port, begin=begin)
    return 0
