"""Parse a server's error, in any of its forms: its message, its codes, and how long it asks to wait.

Pure. An error comes as an object, as a string, in a list, inside a choice, or as JSON inside another error's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice

from msgspec import Struct

from minitask.executors.request import FailureKind
from minitask.patterns import lazy_pattern

Object = Mapping[str, object]

NO_MONEY = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_error",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
    }
)
_REJECTED_KEY = frozenset(
    {"invalid_api_key", "authentication_error", "permission_error", "API_KEY_INVALID"}
)
_KEY_WORDS = lazy_pattern(
    r"(?:invalid|incorrect|missing|expired) (?:x-)?api[ -]?key|api[ -]?key (?:not valid|expired|is (?:invalid|missing))"
)
STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}
"""The status that goes with an error's type, where an error comes without one of its own."""
_MESSAGES = ("message", "detail", "msg", "error_description", "errorMessage")
_CODES = ("code", "type", "status", "error_code", "reason")
_DEPTH = 5
_NODES = 200


class Complaint(Struct, frozen=True):
    """An error in a server's words. `wait_seconds` is how long it asks to wait; None: it does not say."""

    message: str = ""
    codes: frozenset[str] = frozenset()
    wait_seconds: float | None = None

    def status(self, otherwise: int) -> int:
        """Return the HTTP status that the codes stand for, an unlisted one giving way to `otherwise`."""
        statuses = [STATUS_OF[code] for code in sorted(self.codes) if code in STATUS_OF]
        statuses += [int(code) for code in sorted(self.codes) if _is_status(code)]
        return next(iter(statuses), otherwise)

    def kind(self, status: int) -> FailureKind:
        """Return what an error under this status is; a gateway's 5xx may wrap a provider's word on the key or the
        account.
        """
        inner = self.status(status)
        status = inner if status >= 500 and inner in {401, 402, 403} else status
        if self.codes & NO_MONEY or status == 402:
            return FailureKind.QUOTA
        if is_spent(self.message) and not (status == 429 and self._passes_soon):
            return FailureKind.QUOTA
        if status in {401, 403} or self.codes & _REJECTED_KEY:
            return FailureKind.AUTH
        if status == 400 and _KEY_WORDS.search(self.message.lower()):
            return FailureKind.AUTH
        if status in {408, 409, 425, 429} or status >= 500:
            return FailureKind.TRANSPORT
        return FailureKind.BAD_REQUEST

    @property
    def _passes_soon(self) -> bool:
        """Return True if the server names a wait of minutes: a rate limit, in the words of a quota."""
        return self.wait_seconds is not None and self.wait_seconds <= 600


def parse_body(body: bytes) -> Object | None:
    """Return the JSON object of a body, or of a list around one; None if there is none."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(parsed, list):
        inner = [item for item in parsed if isinstance(item, dict)]
        failed = [item for item in inner if item.get("error")]
        parsed = next(iter(failed or inner), None)
    return parsed if isinstance(parsed, dict) else None


def read_complaint(parsed: Object) -> Complaint:
    """Return what an error body says."""
    error = parsed.get("error")
    if isinstance(error, list):
        error = error[0] if error else None
    if isinstance(error, str):
        nested = _nested(error)
        return read_complaint(nested) if nested else _complaint({}, error)
    fields = error if isinstance(error, dict) and error else parsed
    return _complaint(fields, _message(fields))


def says_error(parsed: Object) -> bool:
    """Return True if a body without an `error` field is an error anyway, such as `{"detail": …}`."""
    return parsed.get("object") == "error" or any(
        isinstance(parsed.get(name), str) and parsed[name] for name in (*_MESSAGES, "errors")
    )


def _complaint(fields: Object, text: str) -> Complaint:
    texts = frozenset(islice(_texts(fields, _DEPTH), _NODES))
    codes = frozenset(str(fields[name]) for name in _CODES if _is_code(fields.get(name)))
    codes |= (NO_MONEY | _REJECTED_KEY) & texts
    return Complaint(text, codes, _delay(fields, _DEPTH) or wait_seconds(text))


def _message(fields: Object) -> str:
    for name in _MESSAGES:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value
        if value and not isinstance(value, str):
            return json.dumps(value)
    return ""


def _nested(text: str) -> Object | None:
    """Return the error object that a text is, or None."""
    return parse_body(text.encode("utf-8", "replace")) if text.lstrip()[:1] in "{[" else None


def _texts(value: object, depth: int) -> list[str]:
    """Return every text in a value, at most so deep: a code may stand among the details, or in JSON as text."""
    if isinstance(value, str):
        nested = _nested(value) if depth and len(value) < 10_000 else None
        return [value, *(_texts(nested, depth - 1) if nested else [])]
    if not depth or not isinstance(value, dict | list):
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [text for item in islice(inner, _NODES) for text in _texts(item, depth - 1)]


def _delay(value: object, depth: int) -> float | None:
    """Return the seconds of a `retryDelay` or `retry_after` among the details."""
    if not depth or not isinstance(value, dict | list):
        return None
    if isinstance(value, dict):
        for name in ("retryDelay", "retry_after", "retry_after_seconds"):
            seconds = wait_seconds(f"try again in {value[name]}") if name in value else None
            if seconds is not None:
                return seconds
    inner = value.values() if isinstance(value, dict) else value
    delays = (_delay(item, depth - 1) for item in islice(inner, _NODES))
    return next((delay for delay in delays if delay is not None), None)


def _is_code(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(value)


def _is_status(code: str) -> bool:
    return code.isdecimal() and len(code) == 3 and 400 <= int(code) < 600


_PLANS = (
    r"usage|quota|session|spend(?:ing)?|credits?|messages?|requests?|hourly|daily|weekly|monthly|plan|subscription"
    r"|\d+-hour|opus|sonnet"
)
_GONE = r"reached|hit|exceeded|exhausted|used up"
SPENT = (
    r"insufficient[_ ]quota",
    r"exceeded your (?:current|monthly|daily) quota",
    r"quota (?:exceeded|exhausted|reached)",
    r"exhausted your (?:daily|monthly|capacity|quota|free)",
    r"(?<!not your )usage limits?\b|usage exceeded",
    r"BudgetExceededError|budget (?:has been )?exceeded",
    rf"(?:{_PLANS}) ?-?(?:usage )?(?:limits?|cap) (?:(?:has been|was|is|already) )*(?:{_GONE})",
    rf"(?:{_GONE}|out of|used all of) (?:your|the|its|all)\b[^\n.]{{0,40}}?(?:{_PLANS}|quota|free|fast)\b",
    r"(?:specified )?api usage limits",
    r"out of (?:credits?|tokens|messages|extra usage|fast requests)",
    r"credit balance is too low|insufficient (?:credits?|balance|funds)|no credits? (?:left|remaining)",
    r"billing_|payment required|upgrade (?:to|your plan)",
    r"limit[^\n]{0,120}?\breset(?:s|ting)?\b|\breset(?:s|ting)?\b[^\n]{0,120}?limit",
)
"""Messages which say that nothing more can be had before a date, a payment or an upgrade.

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


Payload = Mapping[str, object]
NAMES = ("max_tokens", "max_completion_tokens")
LEAST_TOKENS = 256
"""An answer that may not even be this long is of no use."""
_UNSUPPORTED = lazy_pattern(
    r"unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|no such"
)
_CONTEXT = lazy_pattern(
    r"(?:context (?:length|window|size)|maximum sequence length)\D{0,20}([\d,_]{3,9})"
)
_MOST = lazy_pattern(
    r"(?:at most|maximum(?: allowed)?(?: (?:value|number|limit))?(?: (?:is|of))?|up to|"
    r"less than or equal to|<=|≤|range of [\w ]{0,30}\[\d+, ?|> )\D{0,3}([\d,_]{3,9})"
)


def amended(payload: Payload, message: str, *, prompt_tokens: int) -> Payload | None:
    """Return the request in the form that a refusal asks for; None if it is about something else."""
    name = limit_name(payload)
    if not name:
        return None
    text = message.lower()
    shorter = _shorter(payload[name], text, prompt_tokens)
    if shorter is not None:
        return {**payload, name: shorter}
    if name in text and _UNSUPPORTED.search(text):
        return renamed(payload, NAMES[1 - NAMES.index(name)])
    return None


def limit_name(payload: Payload) -> str:
    """Return what the limit of the answer is called in a request; empty if it has none."""
    return next((name for name in NAMES if name in payload), "")


def renamed(payload: Payload, name: str | None) -> Payload:
    """Return the request with its limit under another name."""
    old = limit_name(payload)
    if not name or not old or old == name:
        return payload
    return {
        **{field: value for field, value in payload.items() if field != old},
        name: payload[old],
    }


def _shorter(limit: object, text: str, prompt_tokens: int) -> int | None:
    """Return the longest answer that a message allows, where that is less than the limit."""
    if not isinstance(limit, int) or not any(name in text for name in (*NAMES, "context", "token")):
        return None
    context = _CONTEXT.search(text)
    if context is not None:
        most = _number(context[1]) - int(1.25 * prompt_tokens)
    else:
        limits = [_number(number) for number in _MOST.findall(text)]
        most = min(limits, default=limit)
    return most if LEAST_TOKENS <= most < limit else None


def _number(digits: str) -> int:
    bare = digits.replace(",", "").replace("_", "")
    return int(bare) if bare else 0
