"""When to send a request again: retries after a failed call, and resets of a used-up plan or account.

A server's advice is followed if it is a valid wait that ends before the deadline; otherwise our own backoff is used.
"""

from __future__ import annotations

import math
import re
import threading
import time
from datetime import datetime, timedelta, tzinfo
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import BudgetError
from minitask.executors.http import pause
from minitask.executors.request import Clock, ExecutorFailure, LimitReachedError
from minitask.ledger.record import NO_USAGE, plus
from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from minitask.executors.chat import ChatReply


UNKNOWN_SECONDS = 900.0
"""Pause of an executor whose limit names no end."""
GRACE_SECONDS = 3.0
"""Added to the end that a provider names."""
SKEW = timedelta(minutes=10)
"""A clock time that has just passed means today, because clocks differ."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH = lazy_pattern(r"\|(\d{10})\b")
_TAIL = lazy_pattern(
    r"\b(?:resets?|again|ends) (?:at |on |after |its |your )?(?P<tail>[^\n]{1,60})", re.IGNORECASE
)
_ISO = lazy_pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_NAMED_DATE = lazy_pattern(
    rf"\b({'|'.join(_MONTHS)})[a-z]*\.? (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?", re.IGNORECASE
)
_SLASHED_DATE = lazy_pattern(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b")
_DAY = lazy_pattern(rf"\b({'|'.join(_DAYS)})[a-z]*\b", re.IGNORECASE)
_CLOCK = lazy_pattern(r"\b(\d{1,2})(?::(\d\d))?(?::\d\d)? ?([ap])\.?m\b|\b(\d{1,2}):(\d\d)\b", 2)
_ZONE = lazy_pattern(r"\(([A-Za-z]+(?:/[\w+-]+)*)\)|\b(UTC|GMT)\b")
_PLANS = (
    r"usage|quota|session|spend(?:ing)?|credits?|messages?|requests?|hourly|daily|weekly|monthly|plan|subscription"
    r"|\d+-hour|opus|sonnet"
)
_GONE = r"reached|hit|exceeded|exhausted|used up"
_SPENT = lazy_pattern(
    r"insufficient[_ ]quota"
    r"|exceeded your (?:current|monthly|daily) quota"
    r"|quota (?:exceeded|exhausted|reached)"
    r"|exhausted your (?:daily|monthly|capacity|quota|free)"
    r"|(?<!not your )usage limits?\b|usage exceeded"
    r"|BudgetExceededError|budget (?:has been )?exceeded"
    rf"|(?:{_PLANS}) ?-?(?:usage )?(?:limits?|cap) (?:(?:has been|was|is|already) )*(?:{_GONE})"
    rf"|(?:{_GONE}|out of|used all of) (?:your|the|its|all)\b[^\n.]{{0,40}}?(?:{_PLANS}|quota|free|fast)\b"
    r"|(?:specified )?api usage limits"
    r"|out of (?:credits?|tokens|messages|extra usage|fast requests)"
    r"|credit balance is too low|insufficient (?:credits?|(?:account )?balance|funds)|no credits? (?:left|remaining)"
    r"|balance is insufficient|overdue balance|account is in good standing|free tier of the model has been exhausted"
    r"|(?:any|enough) credits\b|check your plan and billing|per-day\b|余额不足|欠费"
    r"|billing_|payment required|upgrade (?:to|your plan)"
    r"|limit[^\n]{0,120}?\breset(?:s|ting)?\b|\breset(?:s|ting)?\b[^\n]{0,120}?limit",
    re.IGNORECASE,
)
"""Messages that a limit holds until a date, a payment or an upgrade.

The last pattern matches any wording with a limit and its reset.
"""
_NOTICE = lazy_pattern(
    rf"limit (?:has been |was |is )?(?:{_GONE})"
    rf"|(?:{_GONE}|out of) (?:your|the) [^\n]{{0,40}}(?:limit|quota|usage|credit)"
    r"|limit[^\n]{0,80}\bresets?\b|quota (?:exceeded|exhausted)|balance is too low|out of (?:extra usage|credits)",
    re.IGNORECASE,
)
_PER_MINUTE = lazy_pattern(r"per[ -](?:second|minute|min)\b|\b[rt]pm\b|/min\b", re.IGNORECASE)
_UNIT = "ms|milliseconds?|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s|days?|d"
_WAIT = lazy_pattern(
    r"(?:(?:try|retry) again|retry(?:ing)?|wait|resets?(?= (?:in|after)))(?: in| after| for)?:? *"
    rf"(?P<parts>(?:\d+(?!\d)(?:\.\d+(?!\d))? *(?:{_UNIT})?(?![a-z:]) *(?:and |, *)?)+)",
    re.IGNORECASE,
)
_PART = lazy_pattern(r"(\d+(?:\.\d+)?) *([a-z]*)", re.IGNORECASE)
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
SOON_SECONDS = 600.0
_RESET = lazy_pattern(
    r"(?:resets?(?: at| in| on)?|try again (?:at|in|on|after))\s+[^\n.;)]{1,40}", re.IGNORECASE
)


def _dice() -> float:
    import random

    return random.random()  # noqa: S311 - jitter of retries, not a secret


class RetryPolicy(Struct, frozen=True):
    """Limits on retries; the clock, the sleep and the jitter can be replaced.

    `clock` is monotonic, `now` is Unix time (for dates in headers), `jitter` is in [0, 1).
    """

    requests: int = 3
    first_seconds: float = 0.5
    longest_seconds: float = 8.0
    clock: Clock = time.monotonic
    now: Clock = time.time
    sleep: Callable[[float], object] = pause
    jitter: Clock = _dice

    def wait_seconds(
        self, tried: int, *, advice: float | None, remaining_seconds: float
    ) -> float | None:
        """Return how long to wait after `tried` requests, or None to give up."""
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
    """Return the reply of the first successful call; `call` takes the remaining seconds.

    `deadline` is in `patience.clock`'s time. The usage of failed calls is added to that of the reply, or of the final
    failure. If `call` raises `BudgetError`, the failure before it is final.
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


def is_spent(text: str) -> bool:
    """Return True if a text says that a plan, an account or a session is used up."""
    wait = wait_seconds(text)
    passes_soon = _PER_MINUTE.search(text) or (wait is not None and wait <= SOON_SECONDS)
    return bool(_SPENT.search(text)) and not passes_soon


def is_notice(text: str) -> bool:
    """Return True if a text is one line about a reached limit."""
    return "\n" not in text and bool(_NOTICE.search(text)) and is_spent(text)


def wait_seconds(text: str) -> float | None:
    """Return the wait in a text such as `try again in 1m30s`, in seconds, or None."""
    match = _WAIT.search(text)
    if match is None:
        return None
    parts = ((float(number), unit.lower()) for number, unit in _PART.findall(match["parts"]))
    return sum(
        number * (0.001 if unit.startswith(("ms", "milli")) else _UNITS.get(unit[:1], 1.0))
        for number, unit in parts
    )


def reset_words(text: str) -> str:
    """Return a text's words on when a limit resets, such as `resets 3pm`, or ""."""
    match = _RESET.search(text)
    return match[0].strip() if match else ""


def find_reset(text: str, now: datetime) -> datetime | None:
    """Return when a limit ends by its notice, or None if that is not stated. `now` has a time zone."""
    if epoch := _EPOCH.search(text):
        return datetime.fromtimestamp(int(epoch[1]), now.tzinfo)
    try:
        if iso := _ISO.search(text):
            at = datetime.fromisoformat(iso[0])
            return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)
        seconds, tail = wait_seconds(text), _tail(text)
        if seconds is not None and not _CLOCK.search(tail):
            return now + timedelta(seconds=seconds)
        return _find_date(tail, now)
    except (ValueError, OverflowError):  # invalid date
        return None


def _tail(text: str) -> str:
    """Return the text after the last mention of a reset."""
    *_, last = None, *_TAIL.finditer(text)
    return last["tail"] if last else ""


def _find_date(text: str, now: datetime) -> datetime | None:
    """Return the next time that matches a text's date, weekday or hour; raise `ValueError` for an invalid date."""
    clock = _CLOCK.search(text)
    zoned = now.astimezone(_zone(text) or now.tzinfo)
    hour, minute = _hour(clock) if clock else (0, 0)
    if hour > 23 or minute > 59:
        return None
    start = zoned.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if named := _NAMED_DATE.search(text):
        month, day = _MONTHS.index(named[1].lower()[:3]) + 1, int(named[2])
        at = start.replace(int(named[3] or start.year), month, day)
        return at if named[3] or at > zoned else at.replace(at.year + 1)
    if slashed := _SLASHED_DATE.search(text):
        return start.replace(int(slashed[3]), int(slashed[1]), int(slashed[2]))
    if day_name := _DAY.search(text):
        ahead = (_DAYS.index(day_name[1].lower()[:3]) - start.weekday()) % 7
        at = start + timedelta(days=ahead)
        return at if at > zoned else at + timedelta(days=7)
    if clock is None:
        return None
    return start if start > zoned - SKEW else start + timedelta(days=1)


def _hour(clock: re.Match[str]) -> tuple[int, int]:
    """Return the hour (0-23) and the minute."""
    if clock[4]:
        return int(clock[4]), int(clock[5])
    return int(clock[1]) % 12 + (12 if clock[3].lower() == "p" else 0), int(clock[2] or 0)


def _zone(text: str) -> tzinfo | None:
    from zoneinfo import ZoneInfo

    named = _ZONE.search(text)
    try:
        return ZoneInfo(named[1] or "UTC") if named else None
    except (ValueError, OSError, KeyError):
        return None


class ReachedLimit(Struct, frozen=True):
    """A reached limit: the provider's words, and the Unix time at which to ask again."""

    words: str
    until: float


class ReachedLimits:
    """The executors that have reached their limit, by name. Thread-safe."""

    def __init__(self) -> None:
        self._limits: dict[str, ReachedLimit] = {}
        self._lock = threading.Lock()

    def note(self, executor: str, words: str, now: float) -> None:
        """Record that an executor has reached its limit, in its provider's words."""
        reset = find_reset(words, datetime.fromtimestamp(now).astimezone())
        until = now + UNKNOWN_SECONDS if reset is None else reset.timestamp() + GRACE_SECONDS
        with self._lock:
            self._limits[executor] = ReachedLimit(words, max(until, now + GRACE_SECONDS))

    def find(self, executor: str, now: float) -> ReachedLimit | None:
        """Return an executor's limit if it applies now, or None."""
        limit = self._limits.get(executor)
        return None if limit is None or limit.until <= now else limit

    def check(self, executor: str, now: float) -> None:
        """Raise `LimitReachedError` if an executor's limit applies now."""
        limit = self.find(executor, now)
        if limit is not None:
            raise LimitReachedError(executor, limit.words)
