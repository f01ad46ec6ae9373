"""Parse the common parts of model servers' responses: text, tool calls, counts, and failures to act on.

Pure: a response goes in, a value or an `ExecutorFailure` comes out. The key never gets into a message, whatever a
server sends, and an absurd count becomes None.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.reply.tool_calls import text_of_calls
from minitask.executors.http import HttpFault, HttpResponse, Stage
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.executors.retry import reset_words
from minitask.executors.server_errors import (
    Complaint,
    Object,
    advised_seconds,
    parse_body,
    read_complaint,
    says_error,
    should_retry,
)
from minitask.executors.stream import joined_stream
from minitask.ledger.record import NO_USAGE, Usage
from minitask.patterns import lazy_pattern
from minitask.values import Redacted
from minitask.words import one_line, whole_characters

_MOST_TOKENS = 1_000_000_000
_SHOWN = 300
_MODEL_NAME = lazy_pattern(r"[\w.:/@+-]{1,200}")
_TOO_LONG = lazy_pattern(
    r"context (?:size|length|window)|prompt is too long|context the overflows|too many (?:input )?tokens",
    2,
)
_BUSY = frozenset({429, 529})
"""Status codes of rate limits and overload."""
NO_TOKENS = Usage(1, 0, 0, 0, 0, 0, 0)
UNKNOWN_TOKENS = Usage(1)
_USAGE_AFTER = {Stage.STOPPED: NO_USAGE, Stage.UNANSWERED: NO_TOKENS}
_TEXT_PARTS = frozenset({"text", "output_text", "input_text"})
"""Types of a message's parts that hold its text."""


class Wire(Redacted, frozen=True):
    """The context for judging a response: executor, URL, Unix time, and the secrets to keep out of messages.

    `base_hint` describes base URLs, `key_hint` the key's source.
    """

    HIDDEN: ClassVar[tuple[str, ...]] = ("key", "secrets")

    name: str
    url: str
    key: str
    now: float
    base_hint: str = ""
    key_hint: str = ""
    secrets: tuple[str, ...] = ()

    def clean(self, text: str) -> str:
        """Return a text without secrets and terminal control characters."""
        for secret in filter(None, (self.key, *self.secrets)):
            text = text.replace(secret, "***")
        return one_line(text, longest=_SHOWN)

    def redact(self, text: str) -> str:
        """Return a text without secrets; a key of less than 8 characters is not replaced."""
        for secret in (self.key, *self.secrets):
            text = text.replace(secret, "***") if len(secret) >= 8 else text
        return text

    def failure(
        self,
        kind: FailureKind,
        message: str,
        *,
        hint: str = "",
        usage: Usage = NO_TOKENS,
        reply: str = "",
        retryable: bool | None = None,
        retry_after_seconds: float | None = None,
    ) -> ExecutorFailure:
        """Return a failure whose message names the executor and the URL."""
        return ExecutorFailure(
            kind,
            f"{self.name} ({self.url}): {self.clean(message)}",
            hint=hint,
            usage=usage,
            reply=whole_characters(self.redact(reply)),
            retryable=retryable,
            retry_after_seconds=retry_after_seconds,
        )


def read_fault(fault: HttpFault, wire: Wire) -> ExecutorFailure:
    """Return the failure of a call without a complete response; an interrupted one may have been billed."""
    if fault.stage is Stage.CONNECT:
        hint = "check base_url, and that the server runs"
        return wire.failure(FailureKind.TRANSPORT, f"cannot be reached ({fault})", hint=hint)
    is_ended = fault.stage in {Stage.STOPPED, Stage.CANCELLED}
    return wire.failure(
        FailureKind.INTERRUPTED if is_ended else FailureKind.TRANSPORT,
        str(fault),
        usage=_USAGE_AFTER.get(fault.stage, UNKNOWN_TOKENS),
        retryable=not is_ended,
    )


def parse_answer(answer: HttpResponse, wire: Wire) -> Object:
    """Return the JSON object of a response with a 2xx status; raise the `ExecutorFailure` of any other."""
    parsed = parse_body(answer.body)
    parsed = joined_stream(answer.body) if parsed is None else parsed
    if not 200 <= answer.status < 300:
        raise _refusal(answer, parsed, wire)
    if parsed is None:
        raise _not_json(answer, wire)
    return parsed


def error_in_success(parsed: Object, wire: Wire, *, usage: Usage) -> ExecutorFailure:
    """Return the failure that a gateway sent with status 200; the error's own code determines its kind."""
    complaint = read_complaint(parsed)
    status = complaint.status(502)
    kind = complaint.kind(status)
    return wire.failure(
        kind,
        f"answered with an error: {complaint.message or 'no details'}",
        hint=_reset_hint(complaint) if kind is FailureKind.QUOTA else "",
        usage=usage,
        retryable=kind is FailureKind.TRANSPORT and should_retry(status, {}),
        retry_after_seconds=complaint.wait_seconds,
    )


def no_content(parsed: Object, wire: Wire, part: str, *, usage: Usage) -> ExecutorFailure:
    """Return the failure of a response that lacks a required part; a retry may help."""
    if says_error(parsed):
        return error_in_success(parsed, wire, usage=usage)
    return wire.failure(
        FailureKind.TRANSPORT, f"the response has no {part}", usage=usage, retryable=True
    )


class Ending(Struct, frozen=True):
    """How an API reports the end of a reply: the field, and the meaning of its values."""

    field: str
    ended: frozenset[str]
    cut_off: frozenset[str]
    refused: frozenset[str] = frozenset()


def check_ending(
    reason: object, ending: Ending, *, text: str, usage: Usage, wire: Wire, refusal: str = ""
) -> None:
    """Raise `ExecutorFailure` unless the finish reason proves that the reply is complete."""
    word = reason.lower() if isinstance(reason, str) else ""
    hint = ""
    if word in ending.refused or refusal:
        kind, message = FailureKind.REFUSED, refusal or "the reply was filtered"
    elif word in ending.cut_off:
        kind, message = FailureKind.CUT_OFF, "the reply was cut off at its token limit"
        hint = "allow more output tokens, or split the task"
    elif word in ending.ended:
        if text.strip() or usage.output_tokens:
            return
        kind, message = FailureKind.TRANSPORT, "the reply is empty"
    else:  # an unknown reason is the server's fault, not the model's
        kind, hint = FailureKind.TRANSPORT, "the server or a gateway cut the reply off"
        message = f"the reply may be incomplete: its {ending.field} is {reason!r}"
    raise wire.failure(kind, message, hint=hint, usage=usage, reply=text)


def count(value: object, *, most: int = _MOST_TOKENS) -> int | None:
    """Return a count of tokens; None if it is missing, negative or absurd."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= most else None  # type: ignore[operator,return-value]


def believable(usage: Usage, *, text: str) -> Usage:
    """Return usage with None for a 0 that is wrong: for a prompt that was sent, or text that was received."""
    unsaid = usage.input_tokens == 0
    return replace(
        usage,
        input_tokens=usage.input_tokens or None,
        cached_input_tokens=None if unsaid else usage.cached_input_tokens,
        output_tokens=usage.output_tokens if not text or usage.output_tokens else None,
    )


def mapping(value: object) -> Object:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(content: object) -> str:
    """Return a message's text, given as a string or in parts, without reasoning."""
    if isinstance(content, dict):
        content = [content]
    if isinstance(content, list):
        return "".join(text_of(_text_of_part(part)) for part in content)
    return content if isinstance(content, str) else ""


def _text_of_part(part: object) -> object:
    """Return the text of one part; its `text` may be an object with a `value`."""
    if isinstance(part, str):
        return part
    fields = mapping(part)
    if fields.get("type", "text") not in _TEXT_PARTS or fields.get("thought"):
        return ""
    return mapping(fields.get("text")).get("value", fields.get("text"))


def served_model(model: object) -> str:
    """Return the name of the model that answered, or "" if it does not look like one."""
    return model if isinstance(model, str) and _MODEL_NAME.fullmatch(model) else ""


def _not_json(answer: HttpResponse, wire: Wire) -> ExecutorFailure:
    start = answer.body[:200].lstrip()
    if start.startswith(b"<"):
        return wire.failure(
            FailureKind.TRANSPORT,
            "answered with a web page, not JSON",
            hint=f"check base_url: {wire.base_hint}",
            retryable=False,
        )
    if start.startswith((b"data:", b"event:", b": ")):
        message = "answered with a stream, which was not requested"
    else:
        message = "answered with damaged JSON" if start else "answered with nothing"
        message = (
            f"answered with no JSON: {_plain_text(answer)}" if _plain_text(answer) else message
        )
    return wire.failure(FailureKind.TRANSPORT, message, usage=UNKNOWN_TOKENS)


def _plain_text(answer: HttpResponse) -> str:
    """Return the first line of a body that is a sentence, not JSON or a web page."""
    line = answer.body[:_SHOWN].decode("utf-8", "replace").strip().partition("\n")[0].strip('"')
    return line if line[:1].isalpha() and " " in line else ""


def _refusal(answer: HttpResponse, parsed: Object | None, wire: Wire) -> ExecutorFailure:
    complaint = read_complaint(parsed or {})
    kind = complaint.kind(answer.status)
    final = kind in {FailureKind.AUTH, FailureKind.QUOTA}
    advised = advised_seconds(answer.headers, now=wire.now)
    status = 429 if kind is FailureKind.TRANSPORT and answer.status < 404 else answer.status
    message = complaint.message if parsed else _plain_text(answer)
    failure = wire.failure(
        kind,
        f"HTTP {answer.status}: {message}".removesuffix(": "),
        hint=_hint(answer, kind, complaint, wire),
        retryable=not final and should_retry(status, answer.headers),
        retry_after_seconds=complaint.wait_seconds if advised is None else advised,
    )
    failure.throttled = int(answer.status in _BUSY and not final)
    return failure


def _hint(answer: HttpResponse, kind: FailureKind, complaint: Complaint, wire: Wire) -> str:
    if 300 <= answer.status < 400:
        target = wire.clean(answer.headers.get("location", "elsewhere"))
        return (
            f"it redirects to {target}, and keys are not forwarded: set base_url to the final URL"
        )
    if kind is FailureKind.AUTH:
        return f"check the key{wire.key_hint} and its permissions"
    if kind is FailureKind.QUOTA:
        return _reset_hint(complaint)
    if answer.status == 404 and kind is FailureKind.BAD_REQUEST:
        return f"check the model name, that it is pulled, and base_url: {wire.base_hint}"
    if answer.status == 413 or (
        kind is FailureKind.BAD_REQUEST and _TOO_LONG.search(complaint.message)
    ):
        return "the prompt is too large for this server: list fewer lines, or raise its context"
    if kind is FailureKind.BAD_REQUEST:
        return "check the executor's model and settings (minitask doctor)"
    return ""


def _reset_hint(complaint: Complaint) -> str:
    when = reset_words(complaint.message)
    if when:
        return f"run the same command again when the limit resets ({when}), or use another executor"
    return "the account has no credit left: add some, or use another executor"


ENDED = frozenset({"tool_calls", "tool_call", "function_call", "tool_use"})
"""Finish reasons of replies that end with a tool call."""


def joined(text: str, calls: object) -> str:
    """Return a message's text and its tool calls as one reply."""
    return "\n\n".join(filter(None, (text, text_of_calls(calls))))
