"""The values that go into an executor and come out of it, and how it may fail."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from minitask.errors import MinitaskError
from minitask.ledger.usage import NO_USAGE, Usage
from minitask.values import dataclass

if TYPE_CHECKING:
    from decimal import Decimal

    from minitask.edits.model import Change, Locate, Reader
    from minitask.spec.model import Spec


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a file that the spec lists; `first_line` is 1-based, in the base's numbering.

    `whole` says that `text` is the entire file.
    """

    path: str
    first_line: int
    text: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """One task for an executor.

    `read` gives a file of the base, or `None` where there is none. `locate` carries lines cited
    in the spec's own edit script to the base. `timeout_seconds` bounds the work as a whole,
    retries and repairs included. `feedback` is what an earlier attempt's validation said.
    """

    spec: Spec
    excerpts: tuple[Excerpt, ...]
    read: Reader
    locate: Locate | None
    model: str
    timeout_seconds: float
    max_output_tokens: int | None = None
    feedback: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """The change that an executor proposes, and what it took.

    `model` is the name that was asked for, `served` the one that the provider says answered.
    `cost_usd` is what the executor itself knows: 0 for a script; `None` leaves it to the price
    list.
    """

    changes: tuple[Change, ...]
    usage: Usage
    model: str
    reply: str
    cost_usd: Decimal | None
    served: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What would be sent to whom; the key itself is never part of it."""

    executor: str
    url: str = ""
    model: str = ""
    prompt: str = ""
    key_variable: str = ""
    key_set: bool = False


class FailureKind(StrEnum):
    """Why there is no change; what to do next depends on it."""

    TRANSPORT = "transport"
    AUTH = "auth"
    QUOTA = "quota"
    CUT_OFF = "cut off"
    MALFORMED = "malformed"
    REFUSED = "refused"
    BAD_REQUEST = "bad request"


_PROVIDER_FAILED = frozenset(
    {FailureKind.TRANSPORT, FailureKind.AUTH, FailureKind.QUOTA, FailureKind.BAD_REQUEST}
)


class ExecutorFailure(MinitaskError):  # noqa: N818 - a failure is one outcome of an attempt
    """No change came of the order.

    `usage` counts all that was billed on the way, `reply` is the model's last text, if any.
    `retryable` says that the very same order may well succeed later; `retry_after_seconds` is the
    provider's own advice. `stops_run` is true where every further order would fail alike.
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
        """Set the exit code to 3 where the provider failed, and to 1 where the model did."""
        super().__init__(message, hint=hint)
        self.kind = kind
        self.usage = usage
        self.reply = reply
        self.retryable = kind is FailureKind.TRANSPORT if retryable is None else retryable
        self.retry_after_seconds = retry_after_seconds
        self.exit_code = 3 if kind in _PROVIDER_FAILED else 1

    @property
    def stops_run(self) -> bool:
        """Whether the key or the account is at fault, rather than this order."""
        return self.kind in {FailureKind.AUTH, FailureKind.QUOTA}


class Executor(Protocol):
    """Who can work; `name` is the one in the config.

    Safe to share between threads.
    """

    name: str

    def work(self, order: Order) -> Work:
        """Propose the whole change, or raise `ExecutorFailure`."""
        ...

    def describe(self, order: Order) -> Description:
        """Say what `work` would send, without sending it."""
        ...


Clock = Callable[[], float]
