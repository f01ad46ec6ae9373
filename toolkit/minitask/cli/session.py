"""Shared parts of the commands: the repository, its settings, an engine with its progress, the output of results."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec.json
from msgspec import Struct

from minitask.cli.terminal import is_colored, is_dumb, painted, say
from minitask.errors import MinitaskError, UsageError
from minitask.system.files import ensure_open_files
from minitask.words import json_text, plain

if TYPE_CHECKING:
    from minitask.engine.context import Context, Progress
    from minitask.engine.tasks import Base
    from minitask.git.history import LandedTask
    from minitask.git.repository import Repository
    from minitask.ledger.record import TaskResult
    from minitask.settings import Settings

Emit = Callable[["Progress"], None]


class Manner(StrEnum):
    """The form of progress output."""

    SILENT = "silent"
    PLAIN = "plain"
    EVENTS = "events"
    LIVE = "live"


def manner(*, as_json: bool, events: bool, live: bool) -> Manner:
    """Return the form of progress: events on request, a live view on a terminal."""
    if events:
        return Manner.EVENTS
    if as_json:
        return Manner.SILENT
    is_live = live and sys.stderr.isatty() and not is_dumb(os.environ)
    return Manner.LIVE if is_live else Manner.PLAIN


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


EXIT = {"merged": 0, "ready": 0, "failed": 1, "refused": 1, "conflict": 1, "skipped": 1, "error": 3}
"""Exit code of each verdict."""


class Session(Struct, frozen=True):
    """The user's folder, repository and settings."""

    folder: Path
    environ: Mapping[str, str]
    repository: Repository
    settings: Settings

    @contextmanager
    def engine(
        self,
        purpose: str,
        *,
        quiet: bool = False,
        looks_only: bool = False,
        how: Manner | None = None,
        budget_usd: Decimal | None = None,
    ) -> Iterator[Context]:
        """Provide an engine under the repository's lock, or a read-only one; progress is printed to stderr."""
        from minitask.engine.context import open_context

        if not looks_only:
            ensure_open_files()
        chosen = how or (Manner.SILENT if quiet else Manner.PLAIN)
        with (
            watching(chosen, budget_usd=budget_usd) as emit,
            open_context(
                self.repository,
                self.settings,
                environ=self.environ,
                purpose=purpose,
                emit=emit,
                looks_only=looks_only,
            ) as engine,
        ):
            if not looks_only:
                _record_lost(engine)
            yield engine

    def place(self, name: str) -> Path:
        """Return the path of a file, relative to the user's folder, or else to the repository's root."""
        path, top = Path(self.folder, name), self.repository.top
        return top / name if top and not path.exists() and (top / name).exists() else path

    def base(
        self, engine: Context, into: str | None = None, *, worktree_spec: bool = False
    ) -> Base:
        """Return the base at which to find specs: the tip of the target branch."""
        from minitask.engine.tasks import Base

        target = engine.target(into)
        return Base(engine.tip(target), target, self.folder, worktree_spec)


def landed_of(engine: Context, base: Base, words: Sequence[str]) -> Iterator[LandedTask]:
    """Return the landed tasks of the named projects and tasks, or of all, newest first."""
    from minitask.engine.find_tasks import list_tasks
    from minitask.git.history import landed_tasks

    landed = landed_tasks(engine.repository.git, base.base)
    if not words:
        return landed
    pairs = [(commit, commit.task.partition("/")[0]) for commit in landed]
    named = {word.strip("/").removeprefix("mini-projects/"): word for word in words}
    others = [named[name] for name in named.keys() - {project for _, project in pairs}]
    names = {*named, *(task.name for task in list_tasks(engine, sorted(others), base))}
    return (commit for commit, project in pairs if names & {project, commit.task})


def start() -> Session:
    """Find the repository and load the settings; print the notes on them."""
    session = open_session(start_folder())
    for note in session.settings.notes:
        say(f"note: {note}")
    return session


def open_session(folder: Path) -> Session:
    """Return the repository around a folder and its settings."""
    from minitask.engine.repository_settings import load_settings
    from minitask.git.repository import discover, share_modes

    environ = environment()
    repository = discover(folder, environ)
    share_modes(repository)
    return Session(folder, environ, repository, load_settings(repository, environ))


def environment() -> dict[str, str]:
    """Return the process's environment; no other function reads it."""
    return dict(os.environ)


def find_repository(folder: Path) -> Repository | None:
    """Return the repository around a folder, or None."""
    from minitask.git.repository import discover

    try:
        return discover(folder, environment())
    except UsageError as error:
        if "not in a git repository" in error.message:
            return None
        raise


def start_folder() -> Path:
    """Return the folder that -C names."""
    return folder_at(click.get_current_context().obj or ".")


def folder_at(name: str) -> Path:
    """Return a folder; raise `UsageError` if it does not exist, or git would read its name differently."""
    folder = Path(name).absolute()
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name one that exists with -C DIR")
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8" and not str(folder).isascii():  # git's paths would be other ones
        message = f"the locale reads the path of this folder as {encoding}, and git as UTF-8"
        raise UsageError(message, hint="export PYTHONUTF8=1")
    return folder


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
into_option = click.option(
    "--into",
    metavar="BRANCH",
    help="The branch to merge into (default: the setting target, else the current one).",
)


def print_json(document: object) -> None:
    """Print a JSON document to stdout; bytes that are not UTF-8 are replaced."""
    content = json_text(document).encode("utf-8", "replace")
    click.echo(msgspec.json.format(content, indent=2))


def check_project(engine: Context, project: str) -> None:
    """Raise `UsageError` for a project that has neither attempts nor specs."""
    from minitask.engine.find_tasks import recorded_names
    from minitask.engine.tasks import PROJECTS
    from minitask.words import did_you_mean

    top = engine.repository.top
    if not project or (top is not None and (top / PROJECTS / project).is_dir()):
        return
    projects = {name.partition("/")[0] for name in recorded_names(engine)}
    if project not in projects:
        hint = did_you_mean(project, sorted(projects)) if projects else "run a task of it first"
        raise UsageError(f"no project {project}", hint=hint)


def moment(text: str, *, option: str) -> str:
    """Return a date or time in the format of records; UTC is the default zone."""
    return parse_date(text, option=option).isoformat(timespec="milliseconds")


def parse_date(text: str, *, option: str) -> datetime:
    """Return a date or time in UTC; raise `UsageError` for other text."""
    from minitask.ledger.transcripts import parse_moment

    try:
        return parse_moment(text)
    except (ValueError, OverflowError):
        hint = "write it as YYYY-MM-DD, optionally with a time"
        raise UsageError(f"{option} {text} is not a date", hint=hint) from None


def exit_code(results: Sequence[TaskResult]) -> int:
    """Return the exit code of the worst verdict; 4 if the budget is spent."""
    if any(result.over_budget for result in results):
        return 4
    return max((max(EXIT[result.verdict], result.is_broken) for result in results), default=0)


def tell_issues(session: Session, results: Sequence[TaskResult]) -> None:
    """Comment on the issues of merged tasks, if the settings say so; a failure only prints a warning."""
    if not session.settings.forge.comment:
        return
    from minitask.forge.forge_at import ForgeSource
    from minitask.forge.forge_text import comment_on_issues

    source = ForgeSource(session.repository, session.settings, session.environ)
    try:
        with session.engine("comment", quiet=True, looks_only=True) as engine:
            comment_on_issues(engine, source, results)
    except MinitaskError as error:
        say(f"warning: no comment on the issue: {error}")


def budget_of(most: str | None, settings: Settings) -> Decimal | None:
    """Return the limit of --max-cost in US dollars, or else the config's; None for no limit."""
    if not most:
        return settings.max_cost_usd
    return dollars_of(most, option="--max-cost", allows=lambda amount: amount >= 0)


def dollars_of(text: str, *, option: str, allows: Callable[[Decimal], bool]) -> Decimal:
    """Return an amount in US dollars; raise `UsageError` for other text."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not allows(amount):
        message = f"{option} {text} is not an amount in US dollars"
        raise UsageError(message, hint="write it like 2.50")
    return amount


def _record_lost(engine: Context) -> None:
    """Record the calls and merges of a killed process that did not record them, and print a note."""
    calls, merges = engine.repository.home / "paid", engine.repository.home / "unrecorded"
    if calls.is_dir():
        from minitask.task.record_attempt import record_interrupted

        for task in record_interrupted(engine):
            text = "was in progress when the last command ended; recorded with its estimated cost"
            say(f"note: a call for {task} {text}")
    if merges.is_dir() and any(merges.iterdir()):
        from minitask.task.record_attempt import record_merges

        for task in record_merges(engine):
            say(f"note: {task} was merged when the last command ended; its merge is on record now")


def do_worker_job(document: Mapping[str, Any]) -> dict[str, Any]:
    """Run a cluster's job in this worker's folder; the entry point of worker processes."""
    from minitask.project.dask_worker import run_worker_job
    from minitask.workspace.places import cache_folder

    environ = environment()
    home = cache_folder(environ) / f"worker-{os.getpid()}"
    return run_worker_job(document, home=home, environ=environ)
