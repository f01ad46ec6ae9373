"""`minitask status`: the states of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import Session, json_option, print_json, start
from minitask.cli.terminal import show, show_changes
from minitask.engine.find_tasks import all_tasks, list_tasks
from minitask.engine.task_status import TaskStatus, task_statuses
from minitask.engine.tasks import PROJECTS
from minitask.errors import UsageError
from minitask.reports.task_lists import Requests, render_status, status_document


@click.command("status")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...", shell_complete=complete_tasks)
@click.option(
    "--watch", is_flag=True, help="Show the list again whenever it changes, until Ctrl-C."
)
@click.option(
    "--pr", "asks", is_flag=True, help="Ask the forge for the pull requests and their checks."
)
@json_option
def command(projects: tuple[str, ...], *, watch: bool, asks: bool, as_json: bool) -> int:
    """List the committed tasks with their state, and the reason where there is one.

    new: not tried yet; ready, merged, failed, refused, conflict, error, skipped: the last result; changed: the spec has
    changed since then; undone: the merge was reverted.

    Without PROJECT, those of the project in whose folder you are, or of all.

    \b
    Example:
      minitask status api --watch
    """
    session = start()
    if watch and as_json:
        raise UsageError("--watch and --json exclude each other", hint="choose one")
    if watch and asks:
        raise UsageError("--watch and --pr exclude each other", hint="choose one")
    if watch:
        return show_changes(lambda: render_status(*_statuses(session, projects)))
    statuses, requests = _statuses(session, projects, asks=asks)
    if as_json:
        print_json(status_document(statuses, requests))
    else:
        show(render_status(statuses, requests))
    return 0


def _statuses(
    session: Session, projects: tuple[str, ...], *, asks: bool = False
) -> tuple[Sequence[TaskStatus], Requests]:
    """Return the tasks' states, and their pull requests if requested."""
    with session.engine("status", quiet=True, looks_only=True) as engine:
        base = session.base(engine)
        names = projects or _project_here(session.folder, session.repository.top)
        tasks = list_tasks(engine, names, base) if names else all_tasks(engine, base)
        statuses = task_statuses(engine, tasks, base)
        if not asks:
            return statuses, None
        from minitask.cli.pull_requests import requests_of

        return statuses, requests_of(session, engine, statuses)


def _project_here(folder: Path, top: Path | None) -> tuple[str, ...]:
    """Return the project whose folder is the user's, if any."""
    inside = folder.relative_to(top).parts if top and folder.is_relative_to(top) else ()
    return (inside[1],) if inside[:1] == (PROJECTS,) and len(inside) > 1 else ()
