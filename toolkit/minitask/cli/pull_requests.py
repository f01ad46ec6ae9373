"""What `merge`, `run`, `sync` and `status` share for `--pr`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from minitask.cli.session import Session
from minitask.cli.streams import say
from minitask.engine.context import Context
from minitask.engine.task_status import State, TaskStatus
from minitask.engine.tasks import Base
from minitask.errors import MinitaskError
from minitask.forge.forge import Forge
from minitask.forge.forge_at import ForgeSource, open_for_reading, open_forge
from minitask.forge.issue_goal import comment_on_issues
from minitask.forge.publish import Published, publish_tasks
from minitask.forge.pull_request_status import RequestStatus, request_statuses
from minitask.ledger.record import TaskResult


class ChosenForge(Struct, frozen=True):
    """A git remote, and the forge that it is on."""

    remote: str
    forge: Forge


def source_of(session: Session) -> ForgeSource:
    """Return what says which forge a session means."""
    return ForgeSource(session.repository, session.settings, session.environ)


def choose_forge(session: Session, remote: str | None = None) -> ChosenForge:
    """Return the forge of a remote; raise `UsageError` before anything runs if there is none, or no token."""
    source = source_of(session)
    name = source.remote(remote)
    return ChosenForge(name, open_forge(source, name))


def publish(engine: Context, names: Iterable[str], base: Base, forge: ChosenForge) -> Published:
    """Give tasks their pull requests."""
    return publish_tasks(engine, names, base, forge.forge, forge.remote)


def requests_of(
    session: Session, engine: Context, statuses: Sequence[TaskStatus]
) -> dict[str, RequestStatus]:
    """Return the pull request of each task that has one."""
    branches = {
        status.task.name: status.task.target
        for status in statuses
        if status.branch and status.state is not State.NEW
    }
    return request_statuses(open_for_reading(source_of(session)), branches, engine.emit)


def tell_issues(session: Session, results: Sequence[TaskResult]) -> None:
    """Tell issues what has merged for them; a failure is said and changes nothing."""
    try:
        with session.engine("comment", quiet=True, looks_only=True) as engine:
            comment_on_issues(engine, source_of(session), results)
    except MinitaskError as error:
        say(f"warning: no comment on the issue: {error}")
