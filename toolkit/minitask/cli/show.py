"""`minitask show`: one task's report."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import json_option, print_json, start
from minitask.cli.terminal import show
from minitask.engine.context import Context
from minitask.engine.find_tasks import full_name
from minitask.engine.task_records import (
    Refusal,
    all_records_of,
    attempt_record,
    exchange_of,
    find_refusal,
    task_at,
    with_merges,
)
from minitask.engine.task_status import TaskStatus, task_statuses
from minitask.engine.tasks import Base
from minitask.errors import UsageError
from minitask.ledger.record import Record
from minitask.ledger.record_json import record_document
from minitask.ledger.store import Exchange
from minitask.reports.task_report import render_call, render_report, report_document
from minitask.words import plain


@click.command("show")
@click.argument("task", shell_complete=complete_tasks)
@click.option(
    "--reply",
    "wants_reply",
    is_flag=True,
    help="Print the model's reply, or an agent's last output.",
)
@click.option("--output", "with_output", is_flag=True, help="Print what each command printed, too.")
@click.option("--prompt", "wants_prompt", is_flag=True, help="Print the prompt.")
@click.option(
    "--attempt", "number", type=int, metavar="N", help="Show this attempt instead of the latest."
)
@json_option
def command(
    task: str,
    *,
    wants_reply: bool,
    wants_prompt: bool,
    with_output: bool,
    number: int | None,
    as_json: bool,
) -> int:
    """Show what an attempt created and edited, how each command went, what it cost, and what is next.

    TASK is PROJECT/ID, as `minitask status` lists it; PROJECT/@plan is how a project was planned.

    \b
    Example:
      minitask show api/02-routes
      minitask show api/02-routes --reply --attempt 1
    """
    session = start()
    with session.engine(f"show {task}", quiet=True, looks_only=True) as engine:
        base = session.base(engine)
        task = full_name(engine, task, base)
        if wants_reply or wants_prompt:
            record, exchange = exchange_of(engine, task, number)
            parts = [name for name, on in (("prompt", wants_prompt), ("reply", wants_reply)) if on]
            return _show_exchange(record, exchange, parts, as_json=as_json)
        history = all_records_of(engine, task)
        if history and all(past.is_call for past in history):
            return _show_calls(history, as_json=as_json)
        refusal = None if history else find_refusal(engine, task)
        if refusal is not None:
            return _show_refusal(task, refusal, as_json=as_json)
        report = _report(engine, task, history, number, base)
    if as_json:
        print_json(report_document(*report))
    else:
        show(render_report(*report, with_output=with_output))
    return 0


def _report(
    engine: Context, task: str, history: Sequence[Record], number: int | None, base: Base
) -> tuple[tuple[Record, ...], TaskStatus | None, tuple[Record, ...]]:
    """Return a task's attempts up to the given one, its state, and the calls apart from attempts."""
    record = attempt_record(engine, task, number)
    attempts = (past for past in with_merges(engine, history) if not past.is_call)
    records = tuple(past for past in attempts if past.attempt.n <= record.attempt.n)
    entry = engine.objects.entry(base.base, record.spec_path)
    source = f"{record.spec_path}@{entry.oid if entry else record.spec_blob}"
    try:
        standing = task_statuses(engine, [task_at(engine, task, source, base)], base)[0]
    except UsageError:
        standing = None
    return records, standing, tuple(past for past in history if past.is_call)


def _show_exchange(record: Record, exchange: Exchange, parts: list[str], *, as_json: bool) -> int:
    """Print the prompt or the reply, without control characters on a terminal."""
    texts = {name: getattr(exchange, name) for name in parts}
    if as_json:
        print_json({"task": record.task, "attempt": record.attempt.n, **texts})
        return 0
    for name, text in texts.items():
        if len(texts) > 1:
            click.echo(f"--- {name} ---")
        click.echo("\n".join(map(plain, text.split("\n"))) if sys.stdout.isatty() else text)
    return 0


def _show_refusal(task: str, refusal: Refusal, *, as_json: bool) -> int:
    """Print why a task has no attempts."""
    if as_json:
        verdict = refusal.verdict.value
        print_json({"task": task, "state": verdict, "reason": refusal.reason, "records": []})
    else:
        show(f"{task}: {refusal.verdict.value}, not started\n  {refusal.reason}")
    return 0


def _show_calls(calls: tuple[Record, ...], *, as_json: bool) -> int:
    """Print the calls for a project's planning or verification, which is not a task."""
    if as_json:
        print_json({"task": calls[0].task, "calls": [record_document(call) for call in calls]})
    else:
        show("\n".join(render_call(call) for call in calls))
    return 0
