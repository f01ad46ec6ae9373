"""Pull requests and issues for `merge`, `run`, `sync`, `status`, `plan` and `review`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct

from minitask.cli.session import Session
from minitask.cli.terminal import say
from minitask.engine.context import Context
from minitask.engine.task_status import State, TaskStatus
from minitask.engine.tasks import Base
from minitask.errors import MachineError
from minitask.executors.http import pause
from minitask.forge.forge import Forge
from minitask.forge.forge_at import ForgeSource, open_for_reading, open_forge
from minitask.forge.publish import (
    Published,
    RequestStatus,
    objections_now,
    publish_tasks,
    request_statuses,
)
from minitask.git.refs import branch
from minitask.ledger.record import TaskResult
from minitask.policy.budget import Budget
from minitask.words import one_line

MOST_ATTEMPTS = 3
"""Limit of attempts per task with `--watch`."""
MOST_FAILURES = 5
"""Number of failures of the forge in a row after which `--watch` gives up."""


class ChosenForge(Struct, frozen=True):
    """A git remote, and the forge that it is on."""

    remote: str
    forge: Forge


def source_of(session: Session) -> ForgeSource:
    """Return the source of a session's forge."""
    return ForgeSource(session.repository, session.settings, session.environ)


def choose_forge(session: Session, remote: str | None = None) -> ChosenForge:
    """Return the forge of a remote; raise `UsageError` if it is unknown or has no token."""
    source = source_of(session)
    name = source.remote(remote)
    return ChosenForge(name, open_forge(source, name))


def publish(engine: Context, names: Iterable[str], base: Base, forge: ChosenForge) -> Published:
    """Open or update the pull requests of tasks."""
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


class WatchOptions(Struct, frozen=True):
    """The target of watched pull requests, the seconds between queries, and the budget for attempts."""

    into: str | None
    every_seconds: float
    limit_usd: Decimal | None


def watch(
    session: Session, forge: ChosenForge, names: Sequence[str], how: WatchOptions
) -> dict[str, TaskResult]:
    """Watch pull requests until they end, with attempts at their objections; return the results of the attempts."""
    budget, tries, failures = Budget(how.limit_usd), Counter[str](), 0
    results: dict[str, TaskResult] = {}
    names = list(names)
    while names:
        pause(how.every_seconds)
        for name in tuple(names):
            try:
                objections = _objections_now(session, forge, name, how.into)
            except MachineError as error:
                failures += 1
                if failures >= MOST_FAILURES:
                    raise
                say(f"warning: {error}")
                continue
            failures = 0
            if objections is None or (objections and tries[name] == MOST_ATTEMPTS):
                names.remove(name)
            elif objections:
                tries[name] += 1
                say(f"{name}: attempt again, for {one_line(objections, longest=200)}")
                results[name] = _attempt_again(session, forge, name, how, objections, budget)
                if not results[name].pull_request:
                    names.remove(name)
    return results


def _objections_now(
    session: Session, forge: ChosenForge, name: str, into: str | None
) -> str | None:
    with session.engine("watch", quiet=True, looks_only=True) as engine:
        target, tip = engine.target(into), engine.objects.commit(branch(name))
        return objections_now(forge.forge, name, target, tip)


def _attempt_again(
    session: Session, forge: ChosenForge, name: str, how: WatchOptions, why: str, budget: Budget
) -> TaskResult:
    from minitask.forge.publish import attempt_again

    with session.engine(f"merge {name}", budget_usd=how.limit_usd) as engine:
        base = session.base(engine, how.into)
        return attempt_again(engine, name, base, forge.forge, forge.remote, why=why, budget=budget)
