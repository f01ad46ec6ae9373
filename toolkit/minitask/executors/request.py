"""The inputs and results of executors, and their failures.

A request is an order for a change, or a question whose answer is text: a plan, a review, a commit message.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from msgspec import Struct, field

from minitask.errors import BudgetError, EditError, MinitaskError
from minitask.ledger.record import NO_USAGE, Usage
from minitask.policy.budget import Settle
from minitask.policy.estimates import ReplyFormat
from minitask.words import one_line

if TYPE_CHECKING:
    from minitask.edits.script_model import Change, Locate, Reader
    from minitask.spec.model import Spec
    from minitask.workspace.agent_workspace import AgentWorkspace


Clock = Callable[[], float]
Check = Callable[[str], object]
"""Raises `EditError`, in words to send back, if an answer cannot be used."""


class Excerpt(Struct, frozen=True):
    """Lines of a file that the spec lists; `first_line` is 1-based, in the base's numbering.

    `whole`: `text` is the entire file. `ends_only`: the lines are only moved, so that the first and last are enough.
    `shared`: other tasks of the run show the same lines.
    """

    path: str
    first_line: int
    text: str
    whole: bool = False
    ends_only: bool = False
    shared: bool = False


class PastRound(Struct, frozen=True):
    """An earlier reply to the same order, the problem with it, its change, and the gate that rejected that."""

    reply: str
    problem: str
    changes: tuple[Change, ...] = ()
    gate: str = ""


class Meter(Protocol):
    """The budget of calls. Thread-safe."""

    @property
    def left_usd(self) -> Decimal | None:
        """Return the remaining budget in US dollars, or None if there is no limit."""
        ...

    def reserve(self, expected: Usage, *, capped: bool = False) -> Settle:
        """Reserve the cost of the `expected` usage; raise `BudgetError` if too little is left.

        `capped`: the program keeps within `left_usd` by itself, so its price need not be known.
        """
        ...


def _ignore(usage: Usage, *, cost_usd: Decimal | None = None) -> None:
    """Count nothing."""


class Unmetered:
    """A meter without a limit."""

    def reserve(self, expected: Usage, *, capped: bool = False) -> Settle:  # noqa: ARG002
        """Reserve nothing."""
        return _ignore

    @property
    def left_usd(self) -> Decimal | None:
        """Return None: there is no limit."""
        return None


class AgentFolders(Protocol):
    """Workspaces for programs that edit files themselves. Thread-safe."""

    def open(self) -> AbstractContextManager[AgentWorkspace]:
        """Return a context manager for a workspace with the base's files."""
        ...


class ExecutorRequest(Struct, frozen=True):
    """One task for an executor.

    `read` returns a file of the base, or None if it does not exist. `locate` translates lines that the spec's edit
    script cites to the base. `timeout_seconds` limits all work, including retries and repairs. `feedback` is the result
    of an earlier attempt by another executor; `history` holds earlier replies to this order. `plan` is another model's
    plan for it. `shared` is the prompt text of all tasks of the project, `checks` are the config's validation commands,
    `context_tokens` is the model's context size, and `token_scale` the number of its tokens per estimated token. `root`
    is the repository's folder; absolute paths below it name its files. `in_batch`: it is sent in a provider's batch.
    `expected` is an agent's estimated usage; it has no requests for a model.
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
    """The change that an executor proposes, with its usage and cost.

    `model` is the requested name, `served` the provider's name for the model that answered. `cost_usd` is the cost if
    the executor knows it (0 for a script); None: by the price list. `version` is the agent program's. `malformed`
    counts earlier replies that could not be applied, `throttled` the requests that hit a rate limit. `outage` is the
    provider's failure that ended the work early, if any: its kind, a colon, and the message.
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
        """Return True if a failure of this kind ended the work early."""
        return self.outage.startswith(f"{kind}:")


class Description(Struct, frozen=True):
    """The request and its receiver, for a dry run; never the key itself.

    `brought` names the parts that the user's own configuration of an agent adds; `missing` is a program that is not
    on PATH.
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
    missing: str = ""


class FailureKind(StrEnum):
    """The reason why there is no change; it decides the next step.

    `INTERRUPTED`: the run ended before the response. `PROMPT_CUT`: the server truncated the prompt, so it is not the
    model's fault. `STUCK`: an agent program timed out. `MISSING`: the program is not installed. `BUDGET`: the remaining
    budget does not cover the next round. `OUT_OF_SCOPE`: the workspace holds a change that no task may make.
    `UNLISTED`: a reply names a file that the task does not list, though the prompt has the list.
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
"""Failures of the provider, the program or the machine, not of the model."""
_OVER_BUDGET = frozenset({FailureKind.BUDGET, FailureKind.QUOTA})


class ExecutorFailure(MinitaskError):  # noqa: N818 - a failure is one outcome of an attempt
    """An order that produced no change.

    `usage` is all billed usage, `reply` the model's last text, if any. `retryable`: the same order may succeed later;
    `retry_after_seconds` is the provider's advice. `malformed` counts the replies that could not be applied,
    `throttled` the requests that hit a rate limit.
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
        """Set the exit code: 4 if the budget or a quota is used up, 3 if the provider failed, 1 if the model did."""
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
        """Return True if the key is refused, so that every further order would fail, too."""
        return self.kind is FailureKind.AUTH


class LimitReachedError(BudgetError):
    """A request that was not sent, because its executor has reached its limit."""

    def __init__(self, executor: str, notice: str) -> None:
        super().__init__(f"quota: {notice}")
        self.executor = executor


class Executor(Protocol):
    """An executor; `name` is its name in the config. Thread-safe."""

    name: str

    def work(self, order: ExecutorRequest) -> ExecutorResult:
        """Return the whole change, or raise `ExecutorFailure`."""
        ...

    def describe(self, order: ExecutorRequest) -> Description:
        """Return what `work` would send, without sending it."""
        ...


def find_objection(check: Check, text: str) -> EditError | None:
    """Return why an answer cannot be used, in words to send back, or None if it can."""
    try:
        check(text)
    except EditError as error:
        return error
    except (ValueError, RecursionError) as error:  # unforeseen, but the answer was paid for
        return EditError(f"the answer cannot be read: {one_line(str(error), longest=200)}")
    return None


class CompletionRequest(Struct, frozen=True):
    """A question to a model. `system` is constant for a phase, so that prompt caches hit.

    `name` identifies the question, as in `api/01-routes.review`. `timeout_seconds` limits all rounds together. An agent
    program reads the files in `workplace`. `repairs` limits how often an unusable answer is sent back; None: the
    config's limit.
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
        """Return the system text and the prompt, for a program that takes one prompt."""
        return f"{self.system}\n\n{self.prompt}\n"


@runtime_checkable
class CompletionExecutor(Protocol):
    """An executor that answers questions; `name` is its name in the config. Thread-safe."""

    name: str

    def advise(self, question: CompletionRequest, check: Check) -> ExecutorResult:
        """Return a `reply` that passes the check, without changes, or raise `ExecutorFailure`."""
        ...
