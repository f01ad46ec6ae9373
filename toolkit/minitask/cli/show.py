"""`minitask show`: one task's report."""

from __future__ import annotations

import click

from minitask.cli.session import json_option, print_json, start
from minitask.errors import UsageError
from minitask.ledger.record import Record, record_document
from minitask.reports.task_report import render_call, render_report, report_document
from minitask.run.records import all_records_of, latest_record, task_at, with_merges
from minitask.run.state import standings


@click.command("show")
@click.argument("task")
@json_option
@click.pass_context
def command(ctx: click.Context, task: str, *, as_json: bool) -> int:
    """Show what an attempt created and edited, how each command went, what it cost, and what is next.

    TASK is PROJECT/ID, as `minitask status` lists it; PROJECT/@plan is how a project was planned.

    \b
    Example:
      minitask show api/02-routes
    """
    session = start(ctx)
    with session.engine(f"show {task}", quiet=True, looks_only=True) as engine:
        made = all_records_of(engine, task) if "/" in task else ()
        if made and all(each.is_call for each in made):
            return _show_calls(made, as_json=as_json)
        place = session.place(engine)
        record = latest_record(engine, task)
        records = tuple(each for each in with_merges(made) if not each.is_call)
        calls = tuple(each for each in made if each.is_call)
        source = f"{record.spec_path}@{_blob_now(engine.objects.entry(place.base, record.spec_path), record)}"
        try:
            standing = standings(engine, [task_at(engine, task, source, place)], place)[0]
        except UsageError:
            standing = None
    if as_json:
        print_json(report_document(records, standing, calls))
    else:
        click.echo(render_report(records, standing, calls))
    return 0


def _show_calls(calls: tuple[Record, ...], *, as_json: bool) -> int:
    """What is on record of something that is no task: a project's planning, or its verification."""
    if as_json:
        print_json({"task": calls[0].task, "calls": [record_document(call) for call in calls]})
    else:
        click.echo("\n".join(render_call(call) for call in calls))
    return 0


def _blob_now(entry: object, record: object) -> str:
    return getattr(entry, "oid", None) or str(getattr(record, "spec_blob", ""))
