"""Where pull requests stand: their state, and that of their checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from minitask.engine.context import Progress
from minitask.forge.forge import OPEN, Forge
from minitask.git import refs


class RequestStatus(Struct, frozen=True):
    """A pull request: `checks` is `passed`, `failed`, `running`, or empty for none or where it is not open."""

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
        branch = refs.branch(task).removeprefix("refs/heads/")
        request = forge.find(branch, target.removeprefix("refs/heads/"))
        if request is not None:
            checks = forge.checks(request) if request.state == OPEN else ""
            statuses[task] = RequestStatus(request.number, request.url, request.state, checks)
    return statuses
