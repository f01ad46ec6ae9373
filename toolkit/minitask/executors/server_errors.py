"""Parse a server's error in any form: its message, codes and requested wait, and the form of request it accepts.

Pure. An error comes as an object, as a string, in a list, inside a choice, or as JSON inside another error's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from itertools import islice

from msgspec import Struct

from minitask.executors.request import FailureKind
from minitask.executors.retry import SOON_SECONDS, is_spent, wait_seconds
from minitask.patterns import lazy_pattern

Object = Mapping[str, object]

NO_MONEY = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_error",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "exceeded_current_quota_error",
        "AccountOverdueError",
        "Arrearage",
    }
)
_REJECTED_KEY = frozenset(
    {"invalid_api_key", "authentication_error", "permission_error", "API_KEY_INVALID"}
)
_KEY_WORDS = lazy_pattern(
    r"(?:invalid|incorrect|missing|expired) (?:x-)?api[ -]?key|api[ -]?key (?:not valid|expired|is (?:invalid|missing))"
)
_FILTERED = frozenset(
    {
        *("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"),
        *("data_inspection_failed", "DataInspectionFailed"),
    }
)
_FLAGGED = lazy_pattern(
    r"flagged (?:for|as|by)\b|content management policy|content[ _]policy|敏感内容", re.IGNORECASE
)
_GARBLED = lazy_pattern(
    r"while expecting start token|unexpected tokens remaining in message header|rate limit",
    re.IGNORECASE,
)
"""Errors of a server with a client's status that pass: it could not read its model's output, or is busy."""
_PASSING = frozenset({408, 409, 425, 429})
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
"""Status code of each error type, for an error without a status."""
_MESSAGES = ("message", "detail", "msg", "status_msg", "error_description", "errorMessage")
_CODES = ("code", "type", "status", "error_code", "reason")
_STATUS = lazy_pattern(r"[45]\d\d", re.ASCII)
_DEPTH = 5
_NODES = 200
_REMAINING = lazy_pattern(
    r"(?:x-ratelimit-remaining-|anthropic-ratelimit-)(?P<what>requests|tokens|input-tokens|output-tokens)(?:-remaining)?"
)
"""Headers with the rest of a rate limit: `x-ratelimit-remaining-X` (OpenAI), `anthropic-ratelimit-X-remaining`."""
NAMES = ("max_tokens", "max_completion_tokens")
LEAST_TOKENS = 256
"""Shortest output limit that is of use."""
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


class Complaint(Struct, frozen=True):
    """A server's error. `wait_seconds` is the wait that it asks for, or None."""

    message: str = ""
    codes: frozenset[str] = frozenset()
    wait_seconds: float | None = None

    def status(self, otherwise: int) -> int:
        """Return the HTTP status that the codes mean, or `otherwise`."""
        codes = sorted(self.codes)
        statuses = [STATUS_OF[code] for code in codes if code in STATUS_OF]
        statuses += [int(code) for code in codes if _STATUS.fullmatch(code)]
        return next(iter(statuses), otherwise)

    def kind(self, status: int) -> FailureKind:
        """Return the kind of an error with this status; a gateway's 5xx may wrap a provider's 401, 402 or 403."""
        inner = self.status(status)
        status = inner if status >= 500 and inner in {401, 402, 403} else status
        if self.codes & NO_MONEY or status == 402:
            return FailureKind.QUOTA
        passes_soon = self.wait_seconds is not None and self.wait_seconds <= SOON_SECONDS
        if is_spent(self.message) and not (status == 429 and passes_soon):
            return FailureKind.QUOTA  # else it is a rate limit, worded like a quota
        if 400 <= status < 404:
            if self.codes & _FILTERED or _FLAGGED.search(self.message):
                return FailureKind.REFUSED
            if status != 401 and _GARBLED.search(self.message):
                return FailureKind.TRANSPORT
        if status in {401, 403} or self.codes & _REJECTED_KEY:
            return FailureKind.AUTH
        if status == 400 and _KEY_WORDS.search(self.message.lower()):
            return FailureKind.AUTH
        if status in _PASSING or status >= 500:
            return FailureKind.TRANSPORT
        return FailureKind.BAD_REQUEST


def parse_body(body: bytes) -> Object | None:
    """Return the JSON object of a body, or of a list around it, or None."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(parsed, list):
        inner = [item for item in parsed if isinstance(item, dict)]
        parsed = next(iter([item for item in inner if item.get("error")] or inner), None)
    return parsed if isinstance(parsed, dict) else None


def read_complaint(parsed: Object) -> Complaint:
    """Return the error in a response body."""
    error = parsed.get("error") or _wrapped(parsed)
    if isinstance(error, list):
        error = error[0] if error else None
    if isinstance(error, str):
        nested = _nested(error)
        beside = _message({**parsed, "error": None}) if " " not in error else ""
        text = f"{error}: {beside}" if beside else error
        return read_complaint(nested) if nested else _complaint({}, text)
    fields = error if isinstance(error, dict) and error else parsed
    return _complaint(fields, _message(fields))


def _wrapped(parsed: Object) -> object:
    """Return the error in the fields that some servers have for it, or None."""
    base = parsed.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        return base
    errors = parsed.get("errors")
    return errors if isinstance(errors, list) else None


def says_error(parsed: Object) -> bool:
    """Return True if a body without an `error` field is an error, such as `{"detail": …}`."""
    return (
        bool(_wrapped(parsed))
        or parsed.get("object") == "error"
        or any(
            isinstance(parsed.get(name), str) and parsed[name] for name in (*_MESSAGES, "errors")
        )
    )


def failed_generation(body: bytes) -> str:
    """Return what a model wrote that its server refused for a call of a tool that nobody offered, or ""."""
    error = (parse_body(body) or {}).get("error")
    text = error.get("failed_generation") if isinstance(error, dict) else None
    return text if isinstance(text, str) else ""


def _complaint(fields: Object, text: str) -> Complaint:
    texts = frozenset(islice(_texts(fields, _DEPTH), _NODES))
    codes = frozenset(str(fields[name]) for name in _CODES if _is_code(fields.get(name)))
    codes |= (NO_MONEY | _REJECTED_KEY) & texts
    field = fields.get("param")
    text += f" ({field})" if isinstance(field, str) and field and field not in text else ""
    return Complaint(text, codes, _delay(fields, _DEPTH) or wait_seconds(text))


def _message(fields: Object) -> str:
    for name in _MESSAGES:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value
        if value and not isinstance(value, str):
            return json.dumps(value)
    return max((text for text in _texts(fields, _DEPTH) if " " in text), key=len, default="")


def _nested(text: str) -> Object | None:
    """Return the error object that a text encodes, or None."""
    return parse_body(text.encode("utf-8", "replace")) if text.lstrip()[:1] in "{[" else None


def _texts(value: object, depth: int) -> list[str]:
    """Return every text in a value down to `depth`: a code may be in the details, or in JSON inside a text."""
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


def should_retry(status: int, headers: Mapping[str, str]) -> bool:
    """Return True if a retry may succeed after this status; the server's `x-should-retry` takes precedence."""
    header = headers.get("x-should-retry", "").strip().lower()
    if header in {"true", "false"}:
        return header == "true"
    return status in _PASSING or status >= 500


def advised_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the wait that `retry-after-ms` or `retry-after` (seconds or a date) asks for, unchecked.

    Without either, the longest wait until a used-up rate limit resets.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None:
        return _until_reset(headers, now=now)
    seconds = _number(value)
    if seconds is not None:
        return seconds
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(value).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None


def _until_reset(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the wait in seconds by OpenAI's headers (such as `6m0s`) or Anthropic's (RFC 3339 times), or None."""
    waits: list[float | None] = []
    for name, value in headers.items():
        limit = _REMAINING.fullmatch(name)
        if limit is None or _number(value) != 0:
            continue
        openai = headers.get(f"x-ratelimit-reset-{limit['what']}")
        anthropic = headers.get(f"anthropic-ratelimit-{limit['what']}-reset")
        reset = unix_seconds(anthropic)
        waits += [wait_seconds(f"wait {openai}"), None if reset is None else reset - now]
    return max((wait for wait in waits if wait is not None), default=None)


def unix_seconds(moment: object) -> float | None:
    """Return an RFC 3339 time as Unix seconds, or None if it is invalid."""
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except ValueError:
        return None


def _number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def amended(payload: Object, message: str, *, prompt_tokens: int) -> Object | None:
    """Return the request in the form that an error message asks for; None if the error has another cause."""
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


def limit_name(payload: Object) -> str:
    """Return the name of the request's output limit, or ""."""
    return next((name for name in NAMES if name in payload), "")


def renamed(payload: Object, name: str | None) -> Object:
    """Return the request with its output limit under another name."""
    old = limit_name(payload)
    if not name or not old or old == name:
        return payload
    return {name if field == old else field: value for field, value in payload.items()}


def _shorter(limit: object, text: str, prompt_tokens: int) -> int | None:
    """Return the largest output limit that a message allows, if it is below the current one."""
    if not isinstance(limit, int) or not any(name in text for name in (*NAMES, "context", "token")):
        return None
    context = _CONTEXT.search(text)
    if context is not None:
        most = _whole_number(context[1]) - int(1.25 * prompt_tokens)
    else:
        most = min(map(_whole_number, _MOST.findall(text)), default=limit)
    return most if LEAST_TOKENS <= most < limit else None


def _whole_number(digits: str) -> int:
    return int(digits.replace(",", "").replace("_", "") or 0)
