"""Detect that an account, a plan or a session is used up: one table of the providers' wordings.

Shared by HTTP answers and the programs of agents. A limit that starts again by itself within minutes is a rate limit.
"""

from __future__ import annotations

import re

from minitask.patterns import lazy_pattern

_PLANS = (
    r"usage|session|spend(?:ing)?|credits?|messages?|requests?|hourly|daily|weekly|monthly|plan|subscription"
    r"|\d+-hour|opus|sonnet"
)
_GONE = r"reached|hit|exceeded|exhausted|used up"
SPENT = (
    r"insufficient[_ ]quota",
    r"exceeded your (?:current|monthly|daily) quota",
    r"quota (?:exceeded|exhausted|reached)",
    r"exhausted your (?:daily|monthly|capacity|quota|free)",
    r"usage limits?\b",
    r"BudgetExceededError|budget (?:has been )?exceeded",
    rf"(?:{_PLANS}) ?-?(?:usage )?(?:limits?|cap) (?:(?:has been|was|is|already) )*(?:{_GONE})",
    rf"(?:{_GONE}|out of|used all of) (?:your|the|its|all)\b[^\n.]{{0,40}}?(?:{_PLANS}|quota|free|fast)\b",
    r"(?:specified )?api usage limits",
    r"out of (?:credits?|tokens|messages|extra usage|fast requests)",
    r"credit balance is too low|insufficient (?:credits?|balance|funds)|no credits? (?:left|remaining)",
    r"billing_|payment required|upgrade (?:to|your plan)",
    r"limit[^\n]{0,120}?\breset(?:s|ting)?\b|\breset(?:s|ting)?\b[^\n]{0,120}?limit",
)
"""What says that nothing more can be had before a date, a payment or an upgrade.

The last one takes every wording that names a limit and its reset.
"""
_SPENT = lazy_pattern("|".join(SPENT), re.IGNORECASE)
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
_SOON_SECONDS = 600.0
_RESET = lazy_pattern(
    r"(?:resets?(?: at| in| on)?|try again (?:at|in|on|after))\s+[^\n.;)]{1,40}", re.IGNORECASE
)


def is_spent(text: str) -> bool:
    """Return True if a text says that a plan, an account or a session is used up."""
    return bool(_SPENT.search(text)) and not (_PER_MINUTE.search(text) or _passes_soon(text))


def is_notice(text: str) -> bool:
    """Return True if a text is one line that tells of a limit which was reached, and nothing else."""
    return "\n" not in text and bool(_NOTICE.search(text)) and is_spent(text)


def wait_seconds(text: str) -> float | None:
    """Return how long a text such as `try again in 1m30s` asks to wait; None if it does not say."""
    match = _WAIT.search(text)
    if match is None:
        return None
    total = 0.0
    for number, unit in _PART.findall(match["parts"]):
        word = unit.lower()
        milli = word == "ms" or word.startswith("milli")
        total += float(number) * (0.001 if milli else _UNITS.get(word[:1], 1.0))
    return total


def reset_words(text: str) -> str:
    """Return what a text says of when a limit starts again, such as `resets 3pm`; empty if it says nothing."""
    match = _RESET.search(text)
    return match[0].strip() if match else ""


def _passes_soon(text: str) -> bool:
    wait = wait_seconds(text)
    return wait is not None and wait <= _SOON_SECONDS
