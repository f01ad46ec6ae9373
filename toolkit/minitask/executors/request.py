"""The values that go into an executor and come out of it, and how it may fail.

A request is an order for a change, or a question whose answer is text: a plan, a review, a commit message.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from msgspec import Struct, field

from minitask.errors import EditError, MinitaskError
from minitask.ledger.record import NO_USAGE, Usage
from minitask.policy.estimates import ReplyFormat
from minitask.words import one_line

if TYPE_CHECKING:
    from minitask.edits.script_model import Change, Locate, Reader
    from minitask.spec.model import Spec
    from minitask.workspace.agent_workspace import AgentWorkspace


Clock = Callable[[], float]
Check = Callable[[str], None]
"""Raises `EditError`, fit to be sent back, where an answer cannot be used."""


class Excerpt(Struct, frozen=True):
    """Lines of a file that the spec lists; `first_line` is 1-based, in the base's numbering.

    `whole` says that `text` is the entire file, `ends_only` that the lines are only to be moved, so
    that their first and last are enough; `shared`, that other tasks of the run are shown the same.
    """

    path: str
    first_line: int
    text: str
    whole: bool = False
    ends_only: bool = False
    shared: bool = False


class PastRound(Struct, frozen=True):
    """An earlier reply to the same order, what was wrong with its result, and the change itself."""

    reply: str
    problem: str
    changes: tuple[Change, ...] = ()


class Settle(Protocol):
    """Says what a call that was reserved for really took."""

    def __call__(self, usage: Usage, *, cost_usd: Decimal | None = None) -> None:
        """Take `usage`, at the price list's rates unless its cost in US dollars is known."""
        ...


class Meter(Protocol):
    """The budget of calls. Safe to share between threads."""

    @property
    def left_usd(self) -> Decimal | None:
        """Return what may still be spent, in US dollars; None if there is no limit."""
        ...

    def reserve(self, expected: Usage, *, capped: bool = False) -> Settle:
        """Set aside what `expected` usage costs; raises `BudgetError` if too little is left.

        `capped`: whoever is called keeps within `left_usd` by itself, so that its price need not be known.
        """
        ...


def _ignore(usage: Usage, *, cost_usd: Decimal | None = None) -> None:
    """Count nothing."""


class Unmetered:
    """A meter without a limit."""

    def reserve(self, expected: Usage, *, capped: bool = False) -> Settle:  # noqa: ARG002
        """Set nothing aside."""
        return _ignore

    @property
    def left_usd(self) -> Decimal | None:
        """Return None: there is no limit."""
        return None


class AgentFolders(Protocol):
    """Workspaces for programs that edit files themselves. Safe to share between threads."""

    def open(self) -> AbstractContextManager[AgentWorkspace]:
        """Return a workspace with the base's files, for as long as the block lasts."""
        ...


class ExecutorRequest(Struct, frozen=True):
    """One task for an executor.

    `read` gives a file of the base, or `None` where there is none. `locate` carries lines that the spec's edit script
    cites to the base. `timeout_seconds` bounds all of the work, retries and repairs included. `feedback` is the result
    of an earlier attempt by another executor; `history` holds earlier replies to this very order. `plan` is another
    model's plan for it. `shared` is what all tasks of the project are told, `checks` are the config's commands that
    judge the result too, `context_tokens` is how many the model takes, and `token_scale` how many it counts for one of
    ours. `root` is the repository's folder, below which absolute paths are its files. `in_batch`: it is sent in a
    provider's batch. `expected` is an estimate of what an agent takes; no requests for a model.
    """

    spec: Spec
    excerpts: tuple[Excerpt, ...]
    read: Reader
    locate: Locate | None
    model: str
    timeout_seconds: float
    max_output_tokens: int | None = None
    feedback: str = ""
    plan: str = ""
    history: tuple[PastRound, ...] = ()
    shared: str = ""
    checks: tuple[str, ...] = ()
    reply_format: ReplyFormat = ReplyFormat.EDITS
    context_tokens: int | None = None
    token_scale: float = 1.0
    meter: Meter = field(default_factory=Unmetered)
    workplace: AgentFolders | None = None
    root: str = ""
    in_batch: bool = False
    expected: Usage = NO_USAGE


class ExecutorResult(Struct, frozen=True):
    """The change that an executor proposes, and what it took.

    `model` is the name that was asked for, `served` the one that the provider says answered. `cost_usd` is what the
    executor itself knows: 0 for a script; `None` leaves it to the price list. `version` is the agent program's.
    `malformed` counts the replies on the way that could not be applied, `throttled` the requests that met a rate limit.
    `outage` is the failure by which the provider broke it off, if it did: its kind, a colon, and the words.
    """

    changes: tuple[Change, ...]
    usage: Usage
    model: str
    reply: str
    cost_usd: Decimal | None
    served: str = ""
    version: str = ""
    malformed: int = 0
    throttled: int = 0
    outage: str = ""

    def broke_off_by(self, kind: FailureKind) -> bool:
        """Return True if its provider broke it off with this kind of failure."""
        return self.outage.startswith(f"{kind}:")


class Description(Struct, frozen=True):
    """The request and its receiver, for a dry run; the key itself is never part of it.

    `brought` names what comes from the user's own set-up of an agent.
    """

    executor: str
    url: str = ""
    model: str = ""
    prompt: str = ""
    key_variable: str = ""
    key_set: bool = False
    max_output_tokens: int | None = None
    command: tuple[str, ...] = ()
    brought: tuple[str, ...] = ()


class FailureKind(StrEnum):
    """The reason why there is no change; what to do next depends on it.

    `INTERRUPTED`: the run ended before the answer came. `PROMPT_CUT`: the server dropped a part of the prompt, so the
    model cannot be blamed. `STUCK`: an agent program ran out of its time. `MISSING`: the program is not installed.
    `BUDGET`: what is left does not pay for the next round. `OUT_OF_SCOPE`: the workspace holds a change that no task
    may make. `UNLISTED`: a reply names a file that the task does not list, though it was told the list.
    """

    TRANSPORT = "transport"
    INTERRUPTED = "interrupted"
    AUTH = "auth"
    QUOTA = "quota"
    CUT_OFF = "cut off"
    MALFORMED = "malformed"
    REFUSED = "refused"
    BAD_REQUEST = "bad request"
    PROMPT_CUT = "prompt cut"
    STUCK = "stuck"
    MISSING = "missing"
    BUDGET = "budget"
    OUT_OF_SCOPE = "out of scope"
    UNLISTED = "unlisted"


OUTAGES = frozenset(
    {
        *(FailureKind.TRANSPORT, FailureKind.INTERRUPTED, FailureKind.AUTH, FailureKind.QUOTA),
        *(FailureKind.BAD_REQUEST, FailureKind.PROMPT_CUT, FailureKind.MISSING),
    }
)
"""The provider, the program or the machine failed, and no model can be blamed."""
_OVER_BUDGET = frozenset({FailureKind.BUDGET, FailureKind.QUOTA})


class ExecutorFailure(MinitaskError):  # noqa: N818 - a failure is one outcome of an attempt
    """No change came of the order.

    `usage` counts all that was billed on the way, `reply` is the model's last text, if any. `retryable`: the very same
    order may well succeed later; `retry_after_seconds` is the provider's own advice. `malformed` counts the replies
    that could not be applied, `throttled` the requests that met a rate limit.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        hint: str = "",
        usage: Usage = NO_USAGE,
        reply: str = "",
        retryable: bool | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        """Set the exit code: 4 where money or a plan is used up, 3 where the provider failed, 1 where the model did."""
        super().__init__(message, hint=hint)
        self.kind = kind
        self.usage = usage
        self.reply = reply
        self.retryable = kind is FailureKind.TRANSPORT if retryable is None else retryable
        self.retry_after_seconds = retry_after_seconds
        self.malformed = 0
        self.throttled = 0
        self.exit_code = 4 if kind in _OVER_BUDGET else 3 if kind in OUTAGES else 1

    @property
    def stops_run(self) -> bool:
        """Return True if the key is at fault, so that every further order would fail alike."""
        return self.kind is FailureKind.AUTH


class Executor(Protocol):
    """An executor; `name` is the one in the config. Safe to share between threads."""

    name: str

    def work(self, order: ExecutorRequest) -> ExecutorResult:
        """Propose the whole change, or raise `ExecutorFailure`."""
        ...

    def describe(self, order: ExecutorRequest) -> Description:
        """Return what `work` would send, without sending it."""
        ...


def find_objection(check: Check, text: str) -> EditError | None:
    """Return why an answer cannot be used, fit to be sent back; None if it can be."""
    try:
        check(text)
    except EditError as error:
        return error
    except (ValueError, RecursionError) as error:  # unforeseen, but the answer was paid for
        return EditError(f"the answer cannot be read: {one_line(str(error), longest=200)}")
    return None


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

    @property
    def text(self) -> str:
        """Return all of it, for a program that takes one prompt."""
        return f"{self.system}\n\n{self.prompt}\n"


@runtime_checkable
class CompletionExecutor(Protocol):
    """An executor that answers questions; `name` is the one in the config. Safe to share between threads."""

    name: str

    def advise(self, question: CompletionRequest, check: Check) -> ExecutorResult:
        """Return a `reply` that passes the check, without changes, or raise `ExecutorFailure`."""
        ...
