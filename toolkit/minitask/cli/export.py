"""`minitask export`: the tasks' states in another tool's format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import Session, start
from minitask.engine.find_tasks import list_tasks
from minitask.engine.task_status import State
from minitask.errors import UsageError
from minitask.planning.importers.backlog_goals import tick_backlog
from minitask.planning.importers.boxes import boxes_key, origin_of, tick
from minitask.planning.importers.goal_source import done_status
from minitask.planning.importers.json_goals import tick_issues, tick_tasks
from minitask.project.task_graph import TaskGraph, task_graph
from minitask.reports.graph import BOARDS, WRITTEN_BY, backlog_files
from minitask.system.files import real_path, rewrite_file
from minitask.words import counted

BACKLOG, ISSUES = "backlog", "issues.jsonl"
Tick = Callable[[str, Mapping[tuple[str, str], bool]], tuple[str, int]]
TICKS: Mapping[str, Tick] = {"tasks.md": tick, "tasks.json": tick_tasks, ISSUES: tick_issues}
"""Functions that tick merged tasks in an existing plan, by format."""


@click.command("export")
@click.argument("form", type=click.Choice([*BOARDS, BACKLOG, ISSUES]), metavar="FORMAT")
@click.argument(
    "specs", nargs=-1, required=True, metavar="PROJECT|SPEC...", shell_complete=complete_tasks
)
@click.option(
    "--output", metavar="PATH", help="Write to a file; for backlog, to files in a folder."
)
@click.option("--force", is_flag=True, help="Replace files that `export` did not write.")
def command(form: str, specs: tuple[str, ...], *, output: str | None, force: bool) -> int:
    """Write the tasks for another tool: tasks.md (spec-kit), tasks.json (task-master), backlog (Backlog.md) or csv.

    A task is done there if it has merged, and only then. Where PATH is a plan that specs were made from, only the
    boxes or the status of their tasks change: those that have merged are ticked, and of an imported plan the others
    are cleared. issues.jsonl (beads) is for such a plan only.

    \b
    Example:
      minitask export tasks.md api --output specs/api/tasks.md
      minitask export issues.jsonl sync --output .beads/issues.jsonl
    """
    session = start()
    with session.engine("export", quiet=True, looks_only=True) as engine:
        base = session.base(engine)
        tasks = list_tasks(engine, specs, base)
        graph = task_graph(engine, tasks, base, project=", ".join(specs))
        texts = {task.name: engine.objects.blob(task.blob) for task in tasks}
    target = Path(session.folder, output) if output else None
    merged = _made_from(session, target, graph, texts) if target and not force else {}
    if form == ISSUES and not merged:
        message = f"{ISSUES} is for the issues that specs were planned from"
        if target:
            message = "none of these specs was planned from that file"
        raise UsageError(message, hint="name their file: --output .beads/issues.jsonl")
    if form == BACKLOG and not (target and merged):
        return _write_backlog(graph, target, force=force)
    if target is None:
        click.echo(BOARDS[form](graph))
        return 0
    top = real_path(session.repository.top or session.folder)
    if form == BACKLOG:
        return _tick_backlog(target, merged, top=top)
    if form in TICKS and merged:
        return _tick(target, merged, TICKS[form], top=top)
    _write(target, BOARDS[form](graph), force=force)
    click.echo(f"{output}: {counted(len(graph.nodes), 'task')}")
    return 0


def _made_from(
    session: Session, target: Path, graph: TaskGraph, texts: dict[str, bytes]
) -> dict[tuple[str, str], bool]:
    """Return the tasks whose specs were made from a file, by format and label, and whether they have merged."""
    top = real_path(session.repository.top or session.folder)
    merged: dict[tuple[str, str], bool] = {}
    for node in graph.nodes:
        text = texts[node.name].decode("utf-8", "replace")
        origin, key = origin_of(text), boxes_key(text)
        if origin and key and real_path(top / origin[1]) == real_path(target):
            merged[key] = merged.get(key, True) and node.status.state is State.MERGED
    return merged


def _tick(target: Path, merged: dict[tuple[str, str], bool], tick: Tick, *, top: Path) -> int:
    text = _read(target, top=top)
    new, ticked = tick(text, merged)
    if new != text:
        rewrite_file(target, new.encode("utf-8", "surrogateescape"))
    click.echo(f"{target.name}: {ticked} of {counted(len(merged), 'task')} ticked")
    return 0


def _tick_backlog(folder: Path, merged: dict[tuple[str, str], bool], *, top: Path) -> int:
    paths = [path for path in sorted(folder.glob("*.md")) if path.is_file()]
    files = [(path.name, _read(path, top=top)) for path in paths]
    changed, ticked = tick_backlog(files, merged, status=done_status(folder))
    for name, text in changed.items():
        rewrite_file(folder / name, text.encode("utf-8", "surrogateescape"))
    click.echo(f"{folder.name}: {ticked} of {counted(len(merged), 'task')} done")
    return 0


def _read(target: Path, *, top: Path) -> str:
    if target.is_symlink() and not real_path(target).is_relative_to(top):
        message = f"{target} is a link that leads out of the repository"
        raise UsageError(message, hint="make it a file of this repository")
    try:
        return target.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        message = f"{target} cannot be read: {error.strerror or error}"
        raise UsageError(message, hint="name the plan that was imported") from None


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


def _write(target: Path, text: str, *, force: bool) -> None:
    _check(target, force=force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        rewrite_file(target, f"{text}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        message = f"{target} cannot be written: {error.strerror or error}"
        raise UsageError(message, hint="name another file") from None


def _check(target: Path, *, force: bool) -> None:
    """Raise `UsageError` for a file that `export` did not write."""
    if force or not target.exists():
        return
    if not target.is_file() or WRITTEN_BY.encode() not in target.read_bytes():
        message = f"{target} exists, and `export` did not write it"
        raise UsageError(message, hint="name another file, or replace it with --force")
