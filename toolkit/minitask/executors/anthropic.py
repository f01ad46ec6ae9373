"""Anthropic's messages API, with prompt caching: the stable beginning of a prompt is paid for once.

Its `input_tokens` leave cached ones out, unlike everybody else's; `Usage` counts them in.
"""

from __future__ import annotations

from collections.abc import Mapping

from minitask.executors.chat import ChatReply
from minitask.executors.endpoint import Call, ChatExecutor
from minitask.executors.http import Answer
from minitask.executors.wire import (
    Ending,
    Wire,
    check_ending,
    count,
    error_in_success,
    mapping,
    no_content,
    parse_answer,
    served_model,
    text_of,
)
from minitask.ledger.usage import Usage

BASE_URL = "https://api.anthropic.com/v1"
VERSION = "2023-06-01"
DEFAULT_LIMIT = 8_192
"""The most tokens of an answer where the order names no limit: the API requires one."""
_CACHED = {"type": "ephemeral"}
_ENDED = frozenset({"end_turn", "stop_sequence"})
_CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded"})
_REFUSED = frozenset({"refusal"})


class AnthropicDialect:
    """Messages; caching is automatic, with a mark behind the part that all tasks share."""

    path = "/messages"

    def headers(self, key: str) -> Mapping[str, str]:
        """The key and the version of the API."""
        return {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}

    def body(self, call: Call) -> Mapping[str, object]:
        """The request's JSON."""
        system = {"type": "text", "text": call.system, "cache_control": _CACHED}
        return {
            "model": call.model,
            "max_tokens": call.max_output_tokens or DEFAULT_LIMIT,
            "cache_control": _CACHED,
            "system": [system],
            "messages": [
                {"role": each.role, "content": each.text}
                for each in call.messages
                if each.role != "system"
            ],
        }

    def read(self, answer: Answer, call: Call, wire: Wire) -> ChatReply:  # noqa: ARG002
        """The reply in an answer, or the failure that it is."""
        parsed = parse_answer(answer, wire)
        usage = read_usage(parsed.get("usage"))
        if parsed.get("type") == "error" or parsed.get("error"):
            raise error_in_success(parsed, wire, usage=usage)
        content = parsed.get("content")
        if not isinstance(content, list):
            raise no_content(wire, "content", usage=usage)
        texts = [part for part in content if mapping(part).get("type") == "text"]
        text = wire.redact(text_of(texts))
        ending = Ending(parsed.get("stop_reason"), _ENDED, _CUT_OFF, _REFUSED, "stop_reason")
        check_ending(ending, text=text, usage=usage, wire=wire)
        return ChatReply(text, usage, served_model(parsed.get("model")))


class AnthropicExecutor(ChatExecutor):
    """A Claude model at `base_url` (`https://api.anthropic.com/v1`)."""

    dialect = AnthropicDialect()


def read_usage(found: object) -> Usage:
    """The counts of a `usage` object; input that was read from or written to the cache is added."""
    usage = mapping(found)
    fresh = count(usage.get("input_tokens"))
    read = _optional(usage, "cache_read_input_tokens", known=fresh)
    written = _optional(usage, "cache_creation_input_tokens", known=fresh)
    for_an_hour = count(mapping(usage.get("cache_creation")).get("ephemeral_1h_input_tokens")) or 0
    parts = (fresh, read, written)
    known = [part for part in parts if part is not None]
    total = sum(known) if len(known) == len(parts) else None
    short = None if written is None or for_an_hour > written else written - for_an_hour
    details = mapping(usage.get("output_tokens_details"))
    return Usage(
        requests=1,
        input_tokens=total,
        cached_input_tokens=read,
        output_tokens=count(usage.get("output_tokens")),
        cache_write_tokens=short,
        cache_write_1h_tokens=None if short is None else for_an_hour,
        reasoning_tokens=count(details.get("thinking_tokens")),
    )


def _optional(usage: Mapping[str, object], name: str, *, known: int | None) -> int | None:
    """A count that older servers leave out where it is 0; unknown where the others are, too."""
    if usage.get(name) is None:
        return None if known is None else 0
    return count(usage.get(name))
