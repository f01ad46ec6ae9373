"""Show a command's progress on standard error: plain lines, a live view, JSON lines, or nothing."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

import click

from minitask.cli.terminal import is_colored, painted, say
from minitask.words import plain

if TYPE_CHECKING:
    from minitask.engine.context import Progress

Emit = Callable[["Progress"], None]


class Manner(StrEnum):
    """The form of progress output."""

    SILENT = "silent"
    PLAIN = "plain"
    EVENTS = "events"
    LIVE = "live"


def manner(*, as_json: bool, events: bool, live: bool = False) -> Manner:
    """Return the form of progress: events on request, a live view on a terminal."""
    if events:
        return Manner.EVENTS
    if as_json:
        return Manner.SILENT
    return Manner.LIVE if live and sys.stderr.isatty() else Manner.PLAIN


@contextmanager
def watching(how: Manner, *, budget_usd: Decimal | None = None) -> Iterator[Emit]:
    """Provide the function that reports progress during the block."""
    if how is Manner.LIVE:
        with _live(budget_usd) as emit:
            yield emit
    else:
        yield {Manner.SILENT: _silent, Manner.EVENTS: _event}.get(how, _plain)


@contextmanager
def _live(budget_usd: Decimal | None) -> Iterator[Emit]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from minitask.reports.task_lists import RunView

    view, lock = RunView(budget_usd), threading.Lock()
    console = Console(stderr=True, no_color=not is_colored(sys.stderr))
    with Live(view, console=console, refresh_per_second=8, transient=True) as live:

        def emit(event: Progress) -> None:
            with lock:
                line = view.take(event)
            if line:
                live.console.print(Text.from_ansi(painted(plain(line))))

        yield emit


def _plain(event: Progress) -> None:
    if event.stage == "tasks":
        return
    task = f"{event.task}: " if event.task else ""
    say(f"{task}{event.stage}{f': {event.text}' if event.text else ''}")


def _event(event: Progress) -> None:
    """Print one JSON object per line."""
    from minitask.reports.task_lists import event_document

    click.echo(json.dumps(event_document(event), ensure_ascii=True), err=True)


def _silent(event: Progress) -> None:
    """Print only what the command waits for."""
    if event.stage == "waiting":
        say(event.text)
