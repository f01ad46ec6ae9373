"""Where pull requests stand: their state, that of their checks, and what is asked to be changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from minitask.engine.context import Progress
from minitask.errors import UsageError
from minitask.forge.forge import OPEN, RUNNING, Forge, PullRequest
from minitask.git import refs
from minitask.words import plain_text

MOST_CHARACTERS = 8_000
"""Of what an attempt is told that failed or was asked for."""


class RequestStatus(Struct, frozen=True):
    """A pull request: `checks` is as `Forge.checks` says, and empty where it is not open."""

    number: int
    url: str
    state: str
    checks: str


def request_statuses(
    forge: Forge, targets: Mapping[str, str], emit: Callable[[Progress], None]
) -> dict[str, RequestStatus]:
    """Return the pull requests of tasks, by their names; `targets` is task to full ref."""
    statuses = {}
    for task, target in targets.items():
        emit(Progress(task, "pull request", forge.host))
        request = _find(forge, task, target)
        if request is not None:
            checks = forge.checks(request) if request.state == OPEN else ""
            statuses[task] = RequestStatus(request.number, request.url, request.state, checks)
    return statuses


def objections_to(forge: Forge, task: str, target: str, tip: str | None) -> str:
    """Return what failed and was asked for in a task's pull request; `UsageError` if there is nothing to tell."""
    request = _find(forge, task, target)
    if request is None or request.state != OPEN:
        raise UsageError(
            f"{task} has no open pull request", hint=f"open one: minitask merge {task} --pr"
        )
    if request.head != tip:
        here = (tip or "nothing")[:12]
        raise UsageError(
            f"pull request #{request.number} is at {request.head[:12]}, and the branch here at {here}",
            hint=f"push what is here: minitask merge {task} --pr",
        )
    objections = forge.objections(request)
    if not objections:
        raise UsageError(
            f"nothing failed and nobody asks for changes in pull request #{request.number}",
            hint=f"say yourself what is wrong: minitask review {task} --reject REASON",
        )
    return _described(request, objections)


def objections_now(forge: Forge, task: str, target: str, tip: str | None) -> str | None:
    """Return what failed and was asked for at a tip; empty while checks run or nobody asks, None once it has ended."""
    request = _find(forge, task, target)
    if request is None or request.state != OPEN:
        return None
    if request.head != tip or forge.checks(request) == RUNNING:
        return ""
    objections = forge.objections(request)
    return _described(request, objections) if objections else ""


def _described(request: PullRequest, objections: Sequence[str]) -> str:
    text = plain_text("\n".join(objections))[:MOST_CHARACTERS]
    return f"in pull request #{request.number}:\n{text}"


def _find(forge: Forge, task: str, target: str) -> PullRequest | None:
    branch = refs.branch(task).removeprefix("refs/heads/")
    return forge.find(branch, target.removeprefix("refs/heads/"))
