"""When a failed call is worth repeating, and after how long.

What a server says of waiting is believed only where it fits: a value that is negative, unreadable
or past the deadline gives way to our own backoff.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from minitask.executors.model import Clock, ExecutorFailure
from minitask.ledger.usage import NO_USAGE, plus
from minitask.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minitask.executors.chat import ChatReply


def _dice() -> float:
    import random

    return random.random()  # noqa: S311 - it spreads retries; nothing secret hangs on it


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try; the clock, the sleep and the dice are the caller's.

    `clock` only ever rises, `now` is Unix time (for dates in headers), `jitter` is in [0, 1).
    """

    requests: int = 3
    first_seconds: float = 0.5
    longest_seconds: float = 8.0
    clock: Clock = time.monotonic
    now: Clock = time.time
    sleep: Callable[[float], None] = time.sleep
    jitter: Clock = _dice

    def wait_seconds(self, tried: int, *, advice: float | None, left: float) -> float | None:
        """How long to wait after `tried` requests; `None` is to give up."""
        if tried >= self.requests or left <= 0:
            return None
        if advice is not None and math.isfinite(advice) and 0 <= advice < left:
            return advice
        backoff = min(self.first_seconds * 2.0 ** (tried - 1), self.longest_seconds)
        wait = backoff * (1 - 0.25 * self.jitter())
        return wait if wait < left else None


def persist(
    call: Callable[[float], ChatReply], *, deadline: float, patience: Patience
) -> ChatReply:
    """The reply of the first call that succeeds; `call` is given the seconds that are left.

    `deadline` is in `patience.clock`'s time. What failed calls used is added to the reply's usage,
    or to that of the failure which is raised in the end.
    """
    spent = NO_USAGE
    for tried in count(1):
        try:
            reply = call(deadline - patience.clock())
        except ExecutorFailure as failure:
            spent = failure.usage = plus(spent, failure.usage)
            if not failure.retryable:
                raise
            left = deadline - patience.clock()
            wait = patience.wait_seconds(tried, advice=failure.retry_after_seconds, left=left)
            if wait is None:
                if tried > 1:
                    failure.message += f" (after {tried} requests)"
                raise
        else:
            return replace(reply, usage=plus(spent, reply.usage))
        patience.sleep(wait)
    raise AssertionError("unreachable")


def should_retry(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer of this status may be followed by a better one; the server's word wins."""
    said = headers.get("x-should-retry", "").strip().lower()
    if said in {"true", "false"}:
        return said == "true"
    return status in {408, 409, 429} or status >= 500


def advised_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """The wait that `retry-after-ms` or `retry-after` (seconds or a date) asks for, unchecked."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(value).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None


def _number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None
