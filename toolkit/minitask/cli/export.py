"""`minitask export`: the tasks' states for another tool's board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import Session, start
from minitask.cli.terminal import show
from minitask.engine.find_tasks import list_tasks
from minitask.engine.task_status import State
from minitask.errors import UsageError
from minitask.planning.importers.boxes import boxes_key, origin_of, tick
from minitask.planning.importers.json_goals import tick_tasks
from minitask.project.task_graph import TaskGraph, task_graph
from minitask.reports.boards import BOARDS, WRITTEN_BY, backlog_files
from minitask.system.files import replace_file
from minitask.words import counted

BACKLOG = "backlog"
Tick = Callable[[str, Mapping[tuple[str, str], bool]], tuple[str, int]]
TICKS: Mapping[str, Tick] = {"tasks.md": tick, "tasks.json": tick_tasks}
"""How a plan that specs were made from is ticked, by format."""


@click.command("export")
@click.argument("form", type=click.Choice([*BOARDS, BACKLOG]), metavar="FORMAT")
@click.argument(
    "specs", nargs=-1, required=True, metavar="PROJECT|SPEC...", shell_complete=complete_tasks
)
@click.option(
    "--output", metavar="PATH", help="Write to a file; for backlog, to files in a folder."
)
@click.option("--force", is_flag=True, help="Replace files that `export` did not write.")
@click.pass_context
def command(
    ctx: click.Context, form: str, specs: tuple[str, ...], *, output: str | None, force: bool
) -> int:
    """Write the tasks for another tool: tasks.md (spec-kit), tasks.json (task-master), backlog (Backlog.md) or csv.

    A task is done there if it has merged, and only then. Where PATH is a plan that specs were made from, only the
    boxes of their tasks change: those that have merged are ticked, and of an imported plan the others are cleared.

    \b
    Example:
      minitask export tasks.md api --output specs/api/tasks.md
    """
    session = start(ctx)
    with session.engine("export", quiet=True, looks_only=True) as engine:
        base = session.base(engine)
        tasks = list_tasks(engine, specs, base)
        graph = task_graph(engine, tasks, base, project=", ".join(specs))
        texts = {task.name: engine.objects.blob(task.blob) for task in tasks}
    place = Path(session.folder, output) if output else None
    if form == BACKLOG:
        return _write_backlog(graph, place, force=force)
    if place is None:
        show(BOARDS[form](graph))
        return 0
    done = _made_from(session, place, graph, texts)
    if form in TICKS and done and not force:
        return _tick(place, done, TICKS[form])
    _write(place, BOARDS[form](graph), force=force)
    click.echo(f"{output}: {counted(len(graph.nodes), 'task')}")
    return 0


def _made_from(
    session: Session, place: Path, graph: TaskGraph, texts: dict[str, bytes]
) -> dict[tuple[str, str], bool]:
    """Return which tasks of a file the specs were made from, by format and label, and whether each has merged."""
    top = (session.repository.top or session.folder).resolve()
    found: dict[tuple[str, str], bool] = {}
    for node in graph.nodes:
        text = texts[node.name].decode("utf-8", "replace")
        origin, key = origin_of(text), boxes_key(text)
        if origin and key and (top / origin[1]).resolve() == place.resolve():
            found[key] = found.get(key, True) and node.status.state is State.MERGED
    return found


def _tick(place: Path, done: dict[tuple[str, str], bool], tick: Tick) -> int:
    try:
        text = place.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        message = f"{place} cannot be read: {error.strerror or error}"
        raise UsageError(message, hint="name the plan that was imported") from None
    new, ticked = tick(text, done)
    if new != text:
        replace_file(place, new.encode("utf-8", "surrogateescape"))
    click.echo(f"{place.name}: {ticked} of {counted(len(done), 'task')} ticked")
    return 0


def _write_backlog(graph: TaskGraph, folder: Path | None, *, force: bool) -> int:
    if folder is None:
        raise UsageError("backlog is a folder of files", hint="name it with --output DIR")
    files = list(backlog_files(graph))
    for name, _ in files:
        _check(folder / name, force=force)
    for name, text in files:
        _write(folder / name, text, force=force)
    click.echo(f"{folder.name}: {counted(len(files), 'file')}")
    return 0


def _write(place: Path, text: str, *, force: bool) -> None:
    _check(place, force=force)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        replace_file(place, f"{text}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        message = f"{place} cannot be written: {error.strerror or error}"
        raise UsageError(message, hint="name another file") from None


def _check(place: Path, *, force: bool) -> None:
    """Refuse a file that somebody else wrote."""
    if force or not place.exists():
        return
    if not place.is_file() or WRITTEN_BY.encode() not in place.read_bytes():
        raise UsageError(
            f"{place} exists, and `export` did not write it",
            hint="name another file, or replace it with --force",
        )
