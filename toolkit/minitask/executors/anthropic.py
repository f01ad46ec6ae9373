"""Anthropic's messages API, with prompt caching: the beginning that many tasks share is written once, then read.

A cache mark makes the input before it cost 25% more, and 10% when it is read again within five minutes. So only the
part that other tasks send too is marked, and only if it is as long as the API's minimum.

Its `input_tokens` exclude cached ones, unlike other APIs; `Usage` includes them.
"""

from __future__ import annotations

from collections.abc import Mapping

from minitask.executors.chat import ChatReply, Message
from minitask.executors.endpoint import Call, ChatExecutor
from minitask.executors.http import HttpResponse
from minitask.executors.response import (
    ENDED,
    Ending,
    Wire,
    count,
    error_in_success,
    joined,
    mapping,
    no_content,
    parse_answer,
    text_of,
)
from minitask.ledger.record import Usage
from minitask.policy.estimates import DEFAULT_OUTPUT_TOKENS, estimate_tokens

VERSION = "2023-06-01"
_CACHED = {"type": "ephemeral"}
_LEAST_TOKENS = 1_024
"""Shortest beginning that every model caches."""


class AnthropicExecutor(ChatExecutor):
    """A Claude model at `base_url` (`https://api.anthropic.com/v1`)."""

    path = "/messages"
    ending = Ending(
        "stop_reason",
        ended=frozenset({"end_turn", "stop_sequence"}) | ENDED,
        cut_off=frozenset({"max_tokens", "model_context_window_exceeded"}),
        refused=frozenset({"refusal"}),
    )

    def key_headers(self) -> Mapping[str, str]:
        """Return the headers for the key and the API's version."""
        return {"anthropic-version": VERSION, **({"x-api-key": self.key} if self.key else {})}

    def body(self, call: Call) -> Mapping[str, object]:
        """Return the request's JSON."""
        system = [message for message in call.messages if message.role == "system"]
        turns = [message for message in call.messages if message.role != "system"]
        return {
            "model": call.model,
            "max_tokens": call.max_output_tokens or DEFAULT_OUTPUT_TOKENS,
            "system": [block for message in system for block in _blocks(message)],
            "messages": [
                {"role": turn.role, "content": _blocks(turn) if turn.shared else turn.text}
                for turn in turns
            ],
        }

    def read(self, answer: HttpResponse, call: Call, wire: Wire) -> ChatReply:
        """Return the reply in a response; raise `ExecutorFailure` if it is an error."""
        parsed = parse_answer(answer, wire)
        usage = read_usage(parsed.get("usage"))
        if parsed.get("type") == "error" or parsed.get("error"):
            raise error_in_success(parsed, wire, usage=usage)
        content = parsed.get("content")
        if not isinstance(content, list):
            raise no_content(parsed, wire, "content", usage=usage)
        texts = [part for part in content if mapping(part).get("type") == "text"]
        calls = [part for part in content if mapping(part).get("type") == "tool_use"]
        text, reason = joined(text_of(texts), calls), parsed.get("stop_reason")
        limit = call.max_output_tokens or DEFAULT_OUTPUT_TOKENS
        return self.whole_reply(parsed, text, reason=reason, usage=usage, wire=wire, limit=limit)


def _blocks(message: Message) -> list[dict[str, object]]:
    """Return a message's blocks: the part shared with other tasks, with a cache mark if that pays, and the rest."""
    shared, rest = message.text[: message.shared], message.text[message.shared :]
    if estimate_tokens(shared) < _LEAST_TOKENS:
        return [{"type": "text", "text": message.text}]
    parts: list[dict[str, object]] = [{"type": "text", "text": shared, "cache_control": _CACHED}]
    return [*parts, {"type": "text", "text": rest}] if rest else parts


def read_usage(parsed: object) -> Usage:
    """Return the counts of a `usage` object; `input_tokens` includes cache reads and writes."""
    usage = mapping(parsed)
    fresh = count(usage.get("input_tokens"))
    read = _optional(usage, "cache_read_input_tokens", others=fresh)
    written, short, long = _writes(usage, fresh=fresh)
    input_parts = [part for part in (fresh, read, written) if part is not None]
    details = mapping(usage.get("output_tokens_details"))
    return Usage(
        requests=1,
        input_tokens=sum(input_parts) if len(input_parts) == 3 else None,
        cached_input_tokens=read,
        output_tokens=count(usage.get("output_tokens")),
        cache_write_tokens=short,
        cache_write_1h_tokens=long,
        reasoning_tokens=count(details.get("thinking_tokens")),
    )


def _writes(
    usage: Mapping[str, object], *, fresh: int | None
) -> tuple[int | None, int | None, int | None]:
    """Return the cache writes: all, for five minutes, for an hour. Without a breakdown, all are for five minutes."""
    apart = mapping(usage.get("cache_creation"))
    if not apart:
        written = _optional(usage, "cache_creation_input_tokens", others=fresh)
        return written, written, None if written is None else 0
    short = _optional(apart, "ephemeral_5m_input_tokens", others=0)
    long = _optional(apart, "ephemeral_1h_input_tokens", others=0)
    total = None if short is None or long is None else short + long
    if usage.get("cache_creation_input_tokens") is None:
        return total, short, long
    written = count(usage.get("cache_creation_input_tokens"))
    if apart.get("ephemeral_5m_input_tokens") is None and written is not None and long is not None:
        short = written - long if long <= written else None
        total = written if short is not None else None
    return (written, short, long) if total == written else (written, None, None)


def _optional(usage: Mapping[str, object], name: str, *, others: int | None) -> int | None:
    """Return a count that older servers omit if it is 0; None if `others` is None."""
    if usage.get(name) is None:
        return None if others is None else 0
    return count(usage.get(name))
