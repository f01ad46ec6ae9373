"""Shared parts of the commands: the repository, its settings, an engine, and how results leave the process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec.json
from msgspec import Struct

from minitask.cli.progress import Manner, watching
from minitask.cli.streams import say
from minitask.errors import UsageError
from minitask.words import json_text

if TYPE_CHECKING:
    from minitask.engine.context import Context
    from minitask.engine.tasks import Base
    from minitask.git.history import LandedTask
    from minitask.git.repository import Repository
    from minitask.ledger.record import TaskResult
    from minitask.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])
EXIT = {
    "merged": 0,
    "ready": 0,
    "failed": 1,
    "refused": 1,
    "conflict": 1,
    "skipped": 1,
    "error": 3,
}
"""The exit code of each verdict."""


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
        """An engine under the repository's lock, or one that only looks; progress goes to stderr."""
        from minitask.engine.context import open_context

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
                _say_lost(engine)
                _record_merges(engine)
            yield engine

    def place(self, name: str) -> Path:
        """Return where a file is: a path from where the user stands, else from the repository's root."""
        place, top = Path(self.folder, name), self.repository.top
        return top / name if top and not place.exists() and (top / name).exists() else place

    def base(
        self, engine: Context, into: str | None = None, *, worktree_spec: bool = False
    ) -> Base:
        """Return where specs are looked for: the tip of the branch that they land on."""
        from minitask.engine.tasks import Base

        target = engine.target(into)
        return Base(engine.tip(target), target, self.folder, worktree_spec)


def landed_of(engine: Context, base: Base, words: Sequence[str]) -> Iterator[LandedTask]:
    """Return what landed of the projects and tasks that words name, or of all, newest first."""
    from minitask.engine.find_tasks import list_tasks
    from minitask.git.history import landed_tasks

    landed = landed_tasks(engine.repository.git, base.base)
    if not words:
        return landed
    pairs = [(commit, commit.task.partition("/")[0]) for commit in landed]
    names = {word.strip("/").removeprefix("mini-projects/") for word in words}
    others = names - {project for _, project in pairs}
    names |= {task.name for task in list_tasks(engine, sorted(others), base)}
    return (commit for commit, project in pairs if names & {project, commit.task})


def start(ctx: click.Context) -> Session:
    """Find the repository and settle the settings, or say in one line why not."""
    session = open_session(ctx.obj or ".", environment())
    for note in session.settings.notes:
        say(f"note: {note}")
    return session


def open_session(folder: str, environ: Mapping[str, str]) -> Session:
    """Return the repository around a folder and its settings."""
    from minitask.engine.repository_settings import load_settings
    from minitask.git.repository import discover, share_modes

    path = _folder(folder)
    repository = discover(path, environ)
    share_modes(repository)
    return Session(path, environ, repository, load_settings(repository, environ))


def environment() -> dict[str, str]:
    """Return the process's environment: the one place that reads it."""
    return dict(os.environ)


def start_folder(ctx: click.Context) -> Path:
    """Return the folder that -C names."""
    return _folder(ctx.obj or ".")


def _folder(name: str) -> Path:
    folder = Path(name).absolute()
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name one that exists with -C DIR")
    return folder


def json_option(function: Function) -> Function:
    """Return the `--json` switch."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(
        function
    )


def print_json(document: object) -> None:
    """One JSON document on stdout; bytes that are no UTF-8 are replaced."""
    content = json_text(document).encode("utf-8", "replace")
    click.echo(msgspec.json.format(content, indent=2))


def project_name(text: str) -> str:
    """Return the project that a name or a path below mini-projects/ means."""
    return text.strip("/").removeprefix("mini-projects/")


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
    """Return a date or time as records hold it; where it names no zone it is UTC."""
    try:
        given = datetime.fromisoformat(text)
        zoned = given if given.tzinfo else given.replace(tzinfo=UTC)
        return zoned.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text} is not a date", hint="write it as YYYY-MM-DD, optionally with a time"
        ) from None


def exit_code(results: Sequence[TaskResult]) -> int:
    """Return the worst of the verdicts; 4 where the budget was spent."""
    if any(result.over_budget for result in results):
        return 4
    return max((max(EXIT[result.verdict], result.is_broken) for result in results), default=0)


def budget_of(most: object, settings: Settings) -> Decimal | None:
    """Return what may be spent, in US dollars: what was asked for with --max-cost, else the config's limit; None
    for none.
    """
    if not most:
        return settings.max_cost_usd
    try:
        amount = Decimal(str(most))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise UsageError(
            f"--max-cost {most} is not an amount in US dollars", hint="write it like 2.50"
        )
    return amount


def _record_merges(engine: Context) -> None:
    """Put merges on record whose process was killed before it could, and say so."""
    folder = engine.repository.home / "unrecorded"
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    from minitask.task.interrupted import record_merges

    for task in record_merges(engine):
        say(f"note: {task} was merged when the last command ended; its merge is on record now")


def _say_lost(engine: Context) -> None:
    """Put attempts on record that were killed while a call was under way, and say so."""
    if not (engine.repository.home / "paid").is_dir():
        return
    from minitask.task.interrupted import record_interrupted

    for task in record_interrupted(engine):
        say(
            f"note: a call for {task} was in progress when the last command ended; recorded with its estimated cost"
        )
