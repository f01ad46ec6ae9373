"""Limits of plans and subscriptions: when one ends, by a provider's words, and which executors have reached theirs."""

from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta, tzinfo

from msgspec import Struct

from minitask.errors import BudgetError
from minitask.executors.server_errors import wait_seconds
from minitask.patterns import lazy_pattern

UNKNOWN_SECONDS = 900.0
"""After this time an executor is asked again whose limit names no end."""
GRACE_SECONDS = 3.0
"""Added to the end that a provider names."""
SKEW = timedelta(minutes=10)
"""An hour that has just passed is today's: clocks differ."""
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


def find_reset(text: str, now: datetime) -> datetime | None:
    """Return when a limit ends by the words of its notice; None if they do not say. `now` is aware of its zone."""
    if epoch := _EPOCH.search(text):
        return datetime.fromtimestamp(int(epoch[1]), now.tzinfo)
    try:
        if iso := _ISO.search(text):
            at = datetime.fromisoformat(iso[0])
            return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)
        seconds = wait_seconds(text)
        if seconds is not None and not _CLOCK.search(_tail(text)):
            return now + timedelta(seconds=seconds)
        return _find_date(_tail(text), now)
    except (ValueError, OverflowError):  # no such date
        return None


def _tail(text: str) -> str:
    found = list(_TAIL.finditer(text))
    return found[-1]["tail"] if found else ""


def _find_date(text: str, now: datetime) -> datetime | None:
    """Return the next time that a date, a weekday or an hour in a text means; raises `ValueError` for no such date."""
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
    """Return the hour, of 24, and the minute."""
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


class LimitReachedError(BudgetError):
    """An executor was not asked, because its limit is reached."""

    def __init__(self, executor: str, words: str) -> None:
        super().__init__(f"quota: {words}")
        self.executor = executor


class ReachedLimit(Struct, frozen=True):
    """A limit that was reached: the provider's words, and when it may be asked again, in seconds of the epoch."""

    words: str
    until: float


class ReachedLimits:
    """The executors whose limit is reached, by name. Safe to share between threads."""

    def __init__(self) -> None:
        self._limits: dict[str, ReachedLimit] = {}
        self._lock = threading.Lock()

    def note(self, executor: str, words: str, now: float) -> None:
        """Keep that an executor has just said that its limit is reached."""
        reset = find_reset(words, datetime.fromtimestamp(now).astimezone())
        until = now + UNKNOWN_SECONDS if reset is None else reset.timestamp() + GRACE_SECONDS
        with self._lock:
            self._limits[executor] = ReachedLimit(words, max(until, now + GRACE_SECONDS))

    def find(self, executor: str, now: float) -> ReachedLimit | None:
        """Return the limit of an executor that is not to be asked now; None if it may be."""
        limit = self._limits.get(executor)
        return None if limit is None or limit.until <= now else limit

    def check(self, executor: str, now: float) -> None:
        """Raise `LimitReachedError` if an executor is not to be asked now."""
        limit = self.find(executor, now)
        if limit is not None:
            raise LimitReachedError(executor, limit.words)
