"""What a forge can do, in one language for all of them, and the values that it gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from minitask.errors import MachineError

OPEN, CLOSED, MERGED = "open", "closed", "merged"
PASSED, FAILED, RUNNING, UNKNOWN = "passed", "failed", "running", "unknown"


class PullRequest(Struct, frozen=True):
    """A pull or merge request; `head` is the commit that it is at, `body` its description."""

    number: int
    url: str
    state: str
    head: str = ""
    body: str = ""


class NewPullRequest(Struct, frozen=True):
    """What a pull request is to be: from a branch into another."""

    branch: str
    target: str
    title: str
    body: str


class IssueComment(Struct, frozen=True):
    """What somebody said about an issue."""

    author: str
    text: str


class Issue(Struct, frozen=True):
    """An issue, with the comments of its author and of those who may write to the repository."""

    number: int
    url: str
    title: str
    body: str
    author: str
    comments: tuple[IssueComment, ...] = ()


class Forge(Protocol):
    """A forge's repository."""

    host: str
    path: str
    web_url: str

    def find(self, branch: str, target: str) -> PullRequest | None:
        """Return the pull request of a branch into another: the open one, else the newest."""
        ...

    def create(self, draft: NewPullRequest) -> PullRequest:
        """Open a pull request; `TakenError` if the forge has one, or the branch brings nothing."""
        ...

    def update(self, number: int, *, body: str) -> None:
        """Give a pull request another description."""
        ...

    def checks(self, request: PullRequest) -> str:
        """Return the state of its checks: `passed`, `failed`, `running`; `unknown` if the token may not see them.

        Empty if there are none.
        """
        ...

    def objections(self, request: PullRequest) -> tuple[str, ...]:
        """Return what failed at its commit, and what those who may write to the repository ask to be changed."""
        ...

    def issue(self, number: int) -> Issue:
        """Return an issue."""
        ...

    def comment(self, number: int, text: str) -> None:
        """Comment on an issue."""
        ...


def latest(requests: Iterable[PullRequest]) -> PullRequest | None:
    """Return the open one, else the newest."""
    return max(requests, key=lambda request: (request.state == OPEN, request.number), default=None)


def worst(states: Iterable[str]) -> str:
    """Return the state of several checks together."""
    all_states = set(states)
    return next((state for state in (FAILED, UNKNOWN, RUNNING, PASSED) if state in all_states), "")


def mappings(document: Any, host: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list; raise `MachineError` for anything else."""
    if not isinstance(document, list):
        raise unexpected(host)
    return [item for item in document if isinstance(item, dict)]


def unexpected(host: str) -> MachineError:
    """Return the error for an answer that is not of the form which the forge documents."""
    return MachineError(
        f"{host} answered in a form that is not its API's",
        hint="check forge.type and forge.url in your settings",
    )
