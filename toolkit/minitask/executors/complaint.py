"""Parse a server's error, in any of its forms: its message, its codes, and how long it asks to wait.

Pure. An error comes as an object, as a string, in a list, inside a choice, or as JSON inside another error's text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice

from msgspec import Struct

from minitask.executors.limits import is_spent, wait_seconds
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
        named = [STATUS_OF[code] for code in sorted(self.codes) if code in STATUS_OF]
        named += [int(code) for code in sorted(self.codes) if _is_status(code)]
        return next(iter(named), otherwise)

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
    words = frozenset(islice(_texts(fields, _DEPTH), _NODES))
    codes = frozenset(str(fields[name]) for name in _CODES if _is_code(fields.get(name)))
    codes |= (NO_MONEY | _REJECTED_KEY) & words
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
            found = wait_seconds(f"try again in {value[name]}") if name in value else None
            if found is not None:
                return found
    inner = value.values() if isinstance(value, dict) else value
    delays = (_delay(item, depth - 1) for item in islice(inner, _NODES))
    return next((delay for delay in delays if delay is not None), None)


def _is_code(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(value)


def _is_status(code: str) -> bool:
    return code.isdecimal() and len(code) == 3 and 400 <= int(code) < 600
