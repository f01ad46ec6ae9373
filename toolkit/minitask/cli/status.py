"""`minitask status`: where the tasks stand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import Session, json_option, print_json, start
from minitask.cli.terminal import show
from minitask.engine.find_tasks import list_tasks
from minitask.engine.task_status import TaskStatus, task_statuses
from minitask.engine.tasks import PROJECTS
from minitask.errors import UsageError
from minitask.reports.status import render_status, status_document

WATCH_SECONDS = 1.0


@click.command("status")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...", shell_complete=complete_tasks)
@click.option(
    "--watch", is_flag=True, help="Show the list again whenever it changes, until Ctrl-C."
)
@json_option
@click.pass_context
def command(ctx: click.Context, projects: tuple[str, ...], *, watch: bool, as_json: bool) -> int:
    """List the committed tasks with their state: new, ready, merged, failed, refused, changed or undone.

    Without PROJECT, those of the project in whose folder you are, or of all.

    \b
    Example:
      minitask status api --watch
    """
    session = start(ctx)
    if watch and as_json:
        raise UsageError("--watch and --json exclude each other", hint="choose one")
    if watch:
        return _watch(session, projects)
    statuses = _statuses(session, projects)
    if as_json:
        print_json(status_document(statuses))
    else:
        show(render_status(statuses))
    return 0


def _watch(session: Session, projects: tuple[str, ...]) -> int:
    """Print the list, and again when it changes; Ctrl-C is the way to end it."""
    shown = ""
    with suppress(KeyboardInterrupt):
        while True:
            text = render_status(_statuses(session, projects))
            if text != shown:
                click.clear()
                show(text)
                shown = text
            time.sleep(WATCH_SECONDS)
    return 0


def _statuses(session: Session, projects: tuple[str, ...]) -> Sequence[TaskStatus]:
    with session.engine("status", quiet=True, looks_only=True) as engine:
        base = session.base(engine)
        has_any = engine.objects.entry(base.base, PROJECTS) is not None
        here = _project_here(session.folder, session.repository.top)
        selectors = projects or here or ((_all(session.repository.top),) if has_any else ())
        return task_statuses(engine, list_tasks(engine, selectors, base), base)


def _project_here(folder: Path, top: Path | None) -> tuple[str, ...]:
    """Return the project in whose folder the user stands, if any."""
    inside = folder.relative_to(top).parts if top and folder.is_relative_to(top) else ()
    return (inside[1],) if inside[:1] == (PROJECTS,) and len(inside) > 1 else ()


def _all(top: object) -> str:
    return f"{top}/{PROJECTS}" if top else PROJECTS
