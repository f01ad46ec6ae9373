"""Decide whether a failed call is worth repeating, and after how long.

What a server says of waiting is believed only where it fits: a value that is negative, unreadable
or past the deadline gives way to our own backoff.
"""

from __future__ import annotations

import math
import time
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import BudgetError
from minitask.executors.http import pause
from minitask.executors.request import Clock, ExecutorFailure
from minitask.ledger.usage import NO_USAGE, plus
from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minitask.executors.chat import ChatReply


_REMAINING = lazy_pattern(
    r"(?:x-ratelimit-remaining-|anthropic-ratelimit-)(?P<what>requests|tokens|input-tokens|output-tokens)(?:-remaining)?"
)
"""Headers with the remainder of a rate limit: `x-ratelimit-remaining-X` (OpenAI), `anthropic-ratelimit-X-remaining`."""
_PART = lazy_pattern(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_DURATION = lazy_pattern(rf"(?:{_PART.pattern})+")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _dice() -> float:
    import random

    return random.random()  # noqa: S311 - it spreads retries; nothing secret hangs on it


class RetryPolicy(Struct, frozen=True):
    """Limits on retries; the clock, the sleep and the dice are the caller's.

    `clock` only ever rises, `now` is Unix time (for dates in headers), `jitter` is in [0, 1).
    """

    requests: int = 3
    first_seconds: float = 0.5
    longest_seconds: float = 8.0
    clock: Clock = time.monotonic
    now: Clock = time.time
    sleep: Callable[[float], None] = pause
    jitter: Clock = _dice

    def wait_seconds(
        self, tried: int, *, advice: float | None, remaining_seconds: float
    ) -> float | None:
        """Return how long to wait after `tried` requests; `None` is to give up."""
        if tried >= self.requests or remaining_seconds <= 0:
            return None
        if advice is not None and math.isfinite(advice) and 0 <= advice < remaining_seconds:
            return advice
        backoff = min(self.first_seconds * 2.0 ** (tried - 1), self.longest_seconds)
        wait = backoff * (1 - 0.25 * self.jitter())
        return wait if wait < remaining_seconds else None


def call_with_retries(
    call: Callable[[float], ChatReply], *, deadline: float, patience: RetryPolicy
) -> ChatReply:
    """Return the reply of the first call that succeeds; `call` is given the seconds that are left.

    `deadline` is in `patience.clock`'s time. What failed calls used is added to the reply's usage,
    or to that of the failure which is raised in the end. Where `call` raises `BudgetError`, the
    failure before it is final.
    """
    spent, throttled = NO_USAGE, 0
    failed: ExecutorFailure | None = None
    for tried in count(1):
        try:
            reply = call(deadline - patience.clock())
        except BudgetError as error:
            if failed is None:
                raise
            failed.message += f" (not sent again: {error.message})"
            raise failed from None
        except ExecutorFailure as failure:
            spent = failure.usage = plus(spent, failure.usage)
            throttled = failure.throttled = throttled + failure.throttled
            if not failure.retryable:
                raise
            remaining_seconds = deadline - patience.clock()
            wait = patience.wait_seconds(
                tried, advice=failure.retry_after_seconds, remaining_seconds=remaining_seconds
            )
            if wait is None:
                if tried > 1:
                    failure.message += f" (after {tried} requests)"
                raise
            failed = failure
        else:
            return replace(reply, usage=plus(spent, reply.usage), throttled=throttled)
        patience.sleep(wait)
    raise AssertionError("unreachable")


def should_retry(status: int, headers: Mapping[str, str]) -> bool:
    """Return True if an answer of this status may be followed by a better one; the server's word wins."""
    header = headers.get("x-should-retry", "").strip().lower()
    if header in {"true", "false"}:
        return header == "true"
    return status in {408, 409, 429} or status >= 500


def advised_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the wait that `retry-after-ms` or `retry-after` (seconds or a date) asks for, unchecked.

    Without either, the longest wait until a rate limit that is used up starts again.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None:
        return _until_reset(headers, now=now)
    seconds = _number(value)
    return _date(value, now=now) if seconds is None else seconds


def _date(value: str, *, now: float) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(value).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None


def _until_reset(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the seconds by OpenAI's headers (such as `6m0s`) or Anthropic's (RFC 3339 times); None without any."""
    waits = []
    for name, value in headers.items():
        limit = _REMAINING.fullmatch(name)
        if limit is None or _number(value) != 0:
            continue
        openai = headers.get(f"x-ratelimit-reset-{limit['what']}")
        anthropic = headers.get(f"anthropic-ratelimit-{limit['what']}-reset")
        waits += [_duration(openai)] if openai else []
        waits += [_moment(anthropic, now=now)] if anthropic else []
    known_waits = [wait for wait in waits if wait is not None]
    return max(known_waits) if known_waits else None


def _duration(text: str) -> float | None:
    """Seconds in a duration such as `12ms`, `1.5s` or `6m0s`."""
    if not text or _DURATION.fullmatch(text) is None:
        return _number(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def _moment(text: str, *, now: float) -> float | None:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() - now
    except ValueError:
        return None


def _number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None
