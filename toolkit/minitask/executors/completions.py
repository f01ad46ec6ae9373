"""What a chat-completions answer means: a reply, or one of the failures that a run can act on.

Pure: an answer goes in, a value or an `ExecutorFailure` comes out. Whatever a server may say, the
key never gets into a message, and a count that makes no sense is unknown rather than believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field

from minitask.executors.chat import ChatReply
from minitask.executors.http import Answer, HttpFault, Stage
from minitask.executors.model import ExecutorFailure, FailureKind
from minitask.executors.retry import advised_seconds, should_retry
from minitask.ledger.usage import Usage
from minitask.values import dataclass

_MOST_TOKENS = 1_000_000_000
_SHOWN = 300
_MODEL_NAME = re.compile(r"[\w.:/@+-]{1,200}")
_ENDED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})
_CUT_OFF = frozenset({"length", "max_tokens", "model_length", "model_context_window_exceeded"})
_REFUSED = frozenset({"content_filter", "refusal", "safety"})
_NO_MONEY = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
    }
)
_NO_TOKENS = Usage(1, 0, 0, 0)
_UNKNOWN_TOKENS = Usage(1, None, None, None)

Object = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Wire:
    """Who was asked, the key to keep out of messages, and the Unix time of the answer."""

    name: str
    host: str
    key: str = field(repr=False)
    now: float

    def clean(self, text: str) -> str:
        """`text` without the key and with nothing that could steer a terminal."""
        bare = text.replace(self.key, "***") if self.key else text
        return " ".join("".join(c if c.isprintable() else " " for c in bare).split())[:_SHOWN]

    def redact(self, text: str) -> str:
        """`text` as it is, but for the key; a key too short to be a secret is left alone."""
        return text.replace(self.key, "***") if len(self.key) >= 8 else text

    def failure(
        self,
        kind: FailureKind,
        said: str,
        *,
        hint: str = "",
        usage: Usage = _NO_TOKENS,
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
    lost = fault.stage in {Stage.TIMEOUT, Stage.BODY}
    unsent = fault.stage is Stage.CONNECT
    return wire.failure(
        FailureKind.TRANSPORT,
        f"cannot be reached ({fault})" if unsent else str(fault),
        hint="check base_url, and that the server runs" if unsent else "",
        usage=_UNKNOWN_TOKENS if lost else _NO_TOKENS,
    )


def read_reply(answer: Answer, wire: Wire) -> ChatReply:
    """The reply in an answer, or the failure that it is."""
    parsed = _parse(answer.body)
    if not 200 <= answer.status < 300:
        raise _refusal(answer, parsed, wire)
    if parsed is None:
        raise _not_json(answer, wire)
    usage = read_usage(parsed.get("usage"))
    if parsed.get("error"):
        raise _error_in_success(parsed, wire, usage=usage)
    choices = parsed.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise wire.failure(
            FailureKind.TRANSPORT, "the answer holds no choices", usage=usage, retryable=True
        )
    text = wire.redact(_text(choice["message"].get("content")))
    _check_finish(choice, text=text, usage=usage, wire=wire)
    return ChatReply(text, usage, _served(parsed.get("model")))


def read_usage(found: object) -> Usage:
    """The counts of a `usage` object: what is missing, negative or absurd is unknown."""
    usage = _mapping(found)
    prompt = _count(usage.get("prompt_tokens"))
    cached = _count(_mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))
    if cached is None:
        cached = _count(usage.get("prompt_cache_hit_tokens"))
    if prompt is None or (cached is not None and cached > prompt):
        cached = None
    return Usage(1, prompt, cached, _count(usage.get("completion_tokens")))


def _count(value: object) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST_TOKENS else None  # type: ignore[operator,return-value]


def _parse(body: bytes) -> Object | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _mapping(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _text(content: object) -> str:
    """A message's text, whether it comes as one string or in parts."""
    if isinstance(content, list):
        return "".join(_text(_mapping(part).get("text")) for part in content)
    return content if isinstance(content, str) else ""


def _served(model: object) -> str:
    return model if isinstance(model, str) and _MODEL_NAME.fullmatch(model) else ""


def _check_finish(choice: Object, *, text: str, usage: Usage, wire: Wire) -> None:
    """Let a reply through only where it is known to be complete."""
    reason = choice.get("finish_reason")
    ended = reason.lower() if isinstance(reason, str) else ""
    refusal = _text(_mapping(choice.get("message")).get("refusal"))
    if ended in _REFUSED or (refusal and not text):
        kind, said, hint = FailureKind.REFUSED, refusal or "the reply was filtered", ""
    elif ended in _CUT_OFF:
        kind, said = FailureKind.CUT_OFF, "the reply was cut off at its token limit"
        hint = "allow more output tokens, or split the task"
    elif ended in _ENDED:
        return
    else:
        kind, hint = FailureKind.MALFORMED, ""
        said = f"the reply may be incomplete: its finish_reason is {reason!r}"
    raise wire.failure(kind, said, hint=hint, usage=usage, reply=text)


def _not_json(answer: Answer, wire: Wire) -> ExecutorFailure:
    start = answer.body[:200].lstrip()
    if start.startswith(b"<"):
        return wire.failure(
            FailureKind.TRANSPORT,
            "answered with a web page, not JSON",
            hint="check base_url: it usually ends in /v1",
            retryable=False,
        )
    said = "answered with damaged JSON" if start else "answered with nothing"
    return wire.failure(FailureKind.TRANSPORT, said, usage=_UNKNOWN_TOKENS)


def _error_in_success(parsed: Object, wire: Wire, *, usage: Usage) -> ExecutorFailure:
    """An error that a gateway wrapped in status 200; its own code says what it is."""
    message, codes = _error(parsed)
    status = next((int(code) for code in codes if code.isdecimal() and len(code) == 3), 502)
    return wire.failure(
        _kind(status, codes),
        f"answered with an error: {message}",
        usage=usage,
        retryable=should_retry(status, {}) and not codes & _NO_MONEY,
    )


def _refusal(answer: Answer, parsed: Object | None, wire: Wire) -> ExecutorFailure:
    message, codes = _error(parsed or {})
    kind = _kind(answer.status, codes)
    final = kind in {FailureKind.AUTH, FailureKind.QUOTA}
    return wire.failure(
        kind,
        f"HTTP {answer.status}" + (f": {message}" if message else ""),
        hint=_hint(answer, kind, wire),
        retryable=not final and should_retry(answer.status, answer.headers),
        retry_after_seconds=advised_seconds(answer.headers, now=wire.now),
    )


def _error(parsed: Object) -> tuple[str, frozenset[str]]:
    """An error object's message and its codes, in OpenAI's form or as a bare string."""
    error = parsed.get("error")
    if isinstance(error, str):
        return error, frozenset()
    fields = _mapping(error) or parsed
    message = fields.get("message") or fields.get("detail") or ""
    codes = frozenset(str(fields[name]) for name in ("code", "type") if fields.get(name))
    return message if isinstance(message, str) else json.dumps(message), codes


def _kind(status: int, codes: frozenset[str]) -> FailureKind:
    if codes & _NO_MONEY or status == 402:
        return FailureKind.QUOTA
    if status in {401, 403} or "invalid_api_key" in codes:
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
        return "check that the model's name is right and pulled, and that base_url ends in /v1"
    if answer.status == 413:
        return "the prompt is too large for this server: list fewer lines"
    return "the server refuses the request itself" if kind is FailureKind.BAD_REQUEST else ""
