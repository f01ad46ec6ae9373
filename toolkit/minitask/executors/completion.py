"""Questions to a model that are no order for a change: a plan, a review, a commit message. The answer is text."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol, runtime_checkable

from msgspec import Struct, field

from minitask.errors import EditError
from minitask.executors.request import AgentFolders, Meter, Unmetered
from minitask.ledger.usage import Usage
from minitask.words import one_line

UNREADABLE = (ValueError, RecursionError)
"""Unforeseen errors of parsing an answer: it was paid for, and counts as one that cannot be used."""
Check = Callable[[str], None]
"""Raises `EditError`, fit to be sent back, where an answer cannot be used."""


def as_edit_error(error: Exception) -> EditError:
    """Return why an answer cannot be used, fit to be sent back."""
    if isinstance(error, EditError):
        return error
    return EditError(f"the answer cannot be read: {one_line(str(error), longest=200)}")


class CompletionRequest(Struct, frozen=True):
    """A question to a model. `system` never changes for a phase, so that prompt caches hit.

    `name` tells questions apart, as in `api/01-routes.review`. `timeout_seconds` bounds all rounds together.
    `workplace` is where a program can look around that is no chat model. `repairs` is how often an answer that cannot
    be used goes back; None: as often as the config says.
    """

    name: str
    phase: str
    system: str
    prompt: str
    model: str
    timeout_seconds: float
    max_output_tokens: int | None = None
    context_tokens: int | None = None
    token_scale: float = 1.0
    meter: Meter = field(default_factory=Unmetered)
    workplace: AgentFolders | None = None
    repairs: int | None = None

    def repairs_or(self, usual: int) -> int:
        """Return how often an answer goes back."""
        return usual if self.repairs is None else self.repairs

    @property
    def text(self) -> str:
        """All of it, for a program that takes one prompt."""
        return f"{self.system}\n\n{self.prompt}\n"


class Completion(Struct, frozen=True):
    """An answer, and what it took; `cost_usd` is what the executor itself knows, None leaves it to the price list."""

    text: str
    usage: Usage
    cost_usd: Decimal | None = None
    served: str = ""
    version: str = ""
    malformed: int = 0
    throttled: int = 0


@runtime_checkable
class CompletionExecutor(Protocol):
    """An executor that answers questions; `name` is the one in the config. Safe to share between threads."""

    name: str

    def advise(self, question: CompletionRequest, check: Check) -> Completion:
        """Return an answer that passes the check, or raise `ExecutorFailure`."""
        ...
