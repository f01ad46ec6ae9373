"""What answers of model servers have in common: who was asked, counts, and the failures that a run can act on.

Pure: an answer goes in, a value or an `ExecutorFailure` comes out. Whatever a server may say, the
key never gets into a message, and a count that makes no sense is unknown rather than believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field

from minitask.executors.http import Answer, HttpFault, Stage
from minitask.executors.model import ExecutorFailure, FailureKind
from minitask.executors.retry import advised_seconds, should_retry
from minitask.ledger.usage import NO_USAGE, Usage
from minitask.patterns import lazy_pattern
from minitask.values import dataclass
from minitask.words import one_line

_MOST_TOKENS = 1_000_000_000
_SHOWN = 300
_MODEL_NAME = lazy_pattern(r"[\w.:/@+-]{1,200}")
_NO_MONEY = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_error",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
    }
)
_POOR = lazy_pattern(
    r"credit balance is too low|specified api usage limits|exceeded your current quota",
    re.IGNORECASE,
)
"""What providers say of an account without money under a status, such as 400, that says something else."""
_REJECTED_KEY = frozenset({"invalid_api_key", "authentication_error", "permission_error"})
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
_BUSY = frozenset({429, 529})
"""The statuses by which a server asks for fewer requests."""
_DEPTH = 4
NO_TOKENS = Usage(1, 0, 0, 0, 0, 0, 0)
UNKNOWN_TOKENS = Usage(1)

Object = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Wire:
    """Who was asked, the key to keep out of messages, the Unix time of the answer, and how base URLs look."""

    name: str
    host: str
    key: str = field(repr=False)
    now: float
    base_hint: str = ""

    def clean(self, text: str) -> str:
        """`text` without the key and with nothing that could steer a terminal."""
        bare = text.replace(self.key, "***") if self.key else text
        return one_line(bare, longest=_SHOWN)

    def redact(self, text: str) -> str:
        """`text` as it is, but for the key; a key too short to be a secret is left alone."""
        return text.replace(self.key, "***") if len(self.key) >= 8 else text

    def failure(
        self,
        kind: FailureKind,
        said: str,
        *,
        hint: str = "",
        usage: Usage = NO_TOKENS,
        reply: str = "",
        retryable: bool | None = None,
        retry_after_seconds: float | None = None,
    ) -> ExecutorFailure:
        """A failure whose message names the executor and the host."""
        return ExecutorFailure(
            kind,
            f"{self.name} ({self.host}): {self.clean(said)}",
            hint=hint,
            usage=usage,
            reply=self.redact(reply),
            retryable=retryable,
            retry_after_seconds=retry_after_seconds,
        )


def read_fault(fault: HttpFault, wire: Wire) -> ExecutorFailure:
    """A call without an answer; one that was cut short may have been billed, others were not."""
    lost = fault.stage in {Stage.TIMEOUT, Stage.BODY, Stage.CANCELLED}
    unsent = fault.stage is Stage.CONNECT
    stopped = fault.stage is Stage.STOPPED
    return wire.failure(
        FailureKind.TRANSPORT,
        f"cannot be reached ({fault})" if unsent else str(fault),
        hint="check base_url, and that the server runs" if unsent else "",
        usage=NO_USAGE if stopped else UNKNOWN_TOKENS if lost else NO_TOKENS,
        retryable=not stopped and fault.stage is not Stage.CANCELLED,
    )


def parse_answer(answer: Answer, wire: Wire) -> Object:
    """The JSON object of a good answer; raises the failure that any other is."""
    parsed = parse_object(answer.body)
    if not 200 <= answer.status < 300:
        raise _refusal(answer, parsed, wire)
    if parsed is None:
        raise _not_json(answer, wire)
    return parsed


def parse_object(body: bytes) -> Object | None:
    """A JSON object, or None where the bytes are none."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def error_in_success(parsed: Object, wire: Wire, *, usage: Usage) -> ExecutorFailure:
    """An error that a gateway wrapped in status 200; its own code says what it is."""
    message, codes = _error(parsed)
    named = [STATUS_OF[code] for code in codes if code in STATUS_OF]
    named += [int(code) for code in codes if code.isdecimal() and len(code) == 3]
    status = next(iter(named), 502)
    kind = _kind(status, codes)
    return wire.failure(
        kind,
        f"answered with an error: {message}",
        usage=usage,
        retryable=kind is FailureKind.TRANSPORT and should_retry(status, {}),
    )


def no_content(wire: Wire, what: str, *, usage: Usage) -> ExecutorFailure:
    """An answer that lacks what every answer has; asking again may help."""
    return wire.failure(
        FailureKind.TRANSPORT, f"the answer holds no {what}", usage=usage, retryable=True
    )


@dataclass(frozen=True, slots=True)
class Ending:
    """How a reply ended: the server's word for it, and which words mean what."""

    reason: object
    ended: frozenset[str]
    cut_off: frozenset[str]
    refused: frozenset[str]
    field: str

    @property
    def word(self) -> str:
        """The reason in lower case; empty where it is no text."""
        return self.reason.lower() if isinstance(self.reason, str) else ""


def check_ending(ending: Ending, *, text: str, usage: Usage, wire: Wire, refusal: str = "") -> None:
    """Let a reply through only where it is known to be complete."""
    if ending.word in ending.refused or (refusal and not text):
        kind, said, hint = FailureKind.REFUSED, refusal or "the reply was filtered", ""
    elif ending.word in ending.cut_off:
        kind, said = FailureKind.CUT_OFF, "the reply was cut off at its token limit"
        hint = "allow more output tokens, or split the task"
    elif ending.word in ending.ended:
        return
    else:
        kind, hint = FailureKind.MALFORMED, ""
        said = f"the reply may be incomplete: its {ending.field} is {ending.reason!r}"
    raise wire.failure(kind, said, hint=hint, usage=usage, reply=text)


def count(value: object) -> int | None:
    """A count of tokens; what is missing, negative or absurd is unknown."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST_TOKENS else None  # type: ignore[operator,return-value]


def mapping(value: object) -> Object:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(content: object) -> str:
    """A message's text, whether it comes as one string or in parts."""
    if isinstance(content, list):
        return "".join(text_of(mapping(part).get("text")) for part in content)
    return content if isinstance(content, str) else ""


def served_model(model: object) -> str:
    """The name of the model that answered, if it looks like one."""
    return model if isinstance(model, str) and _MODEL_NAME.fullmatch(model) else ""


def _not_json(answer: Answer, wire: Wire) -> ExecutorFailure:
    start = answer.body[:200].lstrip()
    if start.startswith(b"<"):
        return wire.failure(
            FailureKind.TRANSPORT,
            "answered with a web page, not JSON",
            hint=f"check base_url: {wire.base_hint}",
            retryable=False,
        )
    said = "answered with damaged JSON" if start else "answered with nothing"
    return wire.failure(FailureKind.TRANSPORT, said, usage=UNKNOWN_TOKENS)


def _refusal(answer: Answer, parsed: Object | None, wire: Wire) -> ExecutorFailure:
    message, codes = _error(parsed or {})
    kind = _kind(answer.status, codes)
    final = kind in {FailureKind.AUTH, FailureKind.QUOTA}
    failure = wire.failure(
        kind,
        f"HTTP {answer.status}" + (f": {message}" if message else ""),
        hint=_hint(answer, kind, wire),
        retryable=not final and should_retry(answer.status, answer.headers),
        retry_after_seconds=advised_seconds(answer.headers, now=wire.now),
    )
    failure.throttled = int(answer.status in _BUSY and not final)
    return failure


def _error(parsed: Object) -> tuple[str, frozenset[str]]:
    """An error object's message and its codes, in OpenAI's form or as a bare string."""
    error = parsed.get("error")
    if isinstance(error, str):
        return error, frozenset()
    fields = mapping(error) or parsed
    message = fields.get("message") or fields.get("detail") or ""
    codes = frozenset(str(fields[name]) for name in ("code", "type") if fields.get(name))
    codes |= _NO_MONEY & _words(fields, _DEPTH)
    text = message if isinstance(message, str) else json.dumps(message)
    return text, codes | ({"insufficient_quota"} if _POOR.search(text) else set())


def _words(value: object, depth: int) -> frozenset[str]:
    """Every text in an object, at most so deep: a code may stand among the details."""
    if isinstance(value, str):
        return frozenset({value})
    if not isinstance(value, dict) or not depth:
        return frozenset()
    return frozenset().union(*(_words(inner, depth - 1) for inner in value.values()))


def _kind(status: int, codes: frozenset[str]) -> FailureKind:
    if codes & _NO_MONEY or status == 402:
        return FailureKind.QUOTA
    if status in {401, 403} or codes & _REJECTED_KEY:
        return FailureKind.AUTH
    if status in {408, 409, 425, 429} or status >= 500:
        return FailureKind.TRANSPORT
    return FailureKind.BAD_REQUEST


def _hint(answer: Answer, kind: FailureKind, wire: Wire) -> str:
    if 300 <= answer.status < 400:
        target = wire.clean(answer.headers.get("location", "elsewhere"))
        return f"it redirects to {target}; a key is never sent on: set base_url to the right place"
    if kind is FailureKind.AUTH:
        return "check the key, and what it may use"
    if kind is FailureKind.QUOTA:
        return "the account has no credit left: add some, or use another executor"
    if answer.status == 404:
        return f"check that the model's name is right and pulled, and base_url: {wire.base_hint}"
    if answer.status == 413:
        return "the prompt is too large for this server: list fewer lines"
    return "the server refuses the request itself" if kind is FailureKind.BAD_REQUEST else ""
