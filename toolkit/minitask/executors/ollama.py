"""Ollama's own API, whose context size a request can set; Ollama's `/v1` silently truncates a long prompt.

The requested context is a power of two, because each new size makes the server reload the model.
"""

from __future__ import annotations

from collections.abc import Mapping

from minitask.executors.address import Address, ollama_address
from minitask.executors.chat import ChatReply
from minitask.executors.endpoint import LIST_SECONDS, Call, ChatExecutor, chat_messages
from minitask.executors.http import HttpResponse
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.executors.response import (
    Ending,
    Wire,
    count,
    error_in_success,
    joined,
    no_content,
    parse_answer,
    text_of,
)
from minitask.ledger.record import Usage
from minitask.policy.estimates import DEFAULT_OUTPUT_TOKENS

SMALLEST_CONTEXT = 4_096
LEAST_ANSWER = 64
"""Tokens that a prompt must leave for the answer."""
_SLACK = 1.2
"""Factor by which a prompt may exceed its estimate, because vocabularies differ."""
_WHOLE = 0.6
"""If the server read less than this share of the estimate, it may have truncated the prompt."""
_FULL = 0.98
"""A truncated prompt fills at least this share of the server's context, a power of two."""
_LEAST_CONTEXT = 2_048


class OllamaExecutor(ChatExecutor):
    """A model that Ollama serves at `base_url` (`http://127.0.0.1:11434`); a proxy in front of it may need a key."""

    path = "/api/chat"
    base_hint = "give Ollama's address, such as http://127.0.0.1:11434"
    ending = Ending("done_reason", ended=frozenset({"stop"}), cut_off=frozenset({"length"}))

    def body(self, call: Call) -> Mapping[str, object]:
        """Return the request's JSON; raise `ExecutorFailure` if the prompt does not fit the model."""
        size, limit = _sizes(call)
        return {
            "model": call.model,
            "messages": chat_messages(call),
            "stream": False,
            "truncate": False,
            "shift": False,
            "keep_alive": "15m",
            "options": {"num_ctx": size, "num_predict": limit, "temperature": 0},
        }

    def read(self, answer: HttpResponse, call: Call, wire: Wire) -> ChatReply:
        """Return the reply in a response; raise `ExecutorFailure` if it is an error."""
        parsed = parse_answer(answer, wire)
        usage = read_usage(parsed)
        if parsed.get("error"):
            raise error_in_success(parsed, wire, usage=usage)
        message = parsed.get("message")
        if not isinstance(message, dict):
            raise no_content(parsed, wire, "message", usage=usage)
        _check_whole(call, usage, wire)
        text = joined(text_of(message.get("content")), message.get("tool_calls"))
        reason = parsed.get("done_reason") if parsed.get("done", True) else "not done"
        limit = _sizes(call)[1]
        return self.whole_reply(parsed, text, reason=reason, usage=usage, wire=wire, limit=limit)

    def addresses(self, base_url: str) -> tuple[Address, ...]:
        """Return the address of Ollama's own API."""
        return (ollama_address(base_url),)

    def models(self, *, timeout_seconds: float = LIST_SECONDS) -> tuple[str, ...]:
        """Return the models that the server lists; raise `ExecutorFailure`."""
        return self.listed("/api/tags", ("models", "name"), timeout_seconds=timeout_seconds)


def read_usage(parsed: Mapping[str, object]) -> Usage:
    """Return the counts of a response; a local server bills nothing, so billed cache tokens are 0."""
    return Usage(
        requests=1,
        input_tokens=count(parsed.get("prompt_eval_count")),
        cached_input_tokens=0,
        output_tokens=count(parsed.get("eval_count")),
        cache_write_tokens=0,
        cache_write_1h_tokens=0,
        reasoning_tokens=None,
    )


def _sizes(call: Call) -> tuple[int, int]:
    """Return the context size to request, a power of two within the model's limit, and the output limit in it."""
    prompt = int(call.prompt_tokens * _SLACK)
    limit = call.max_output_tokens or DEFAULT_OUTPUT_TOKENS
    most = call.context_tokens
    if most is None:
        return _power_of_two(prompt + limit, SMALLEST_CONTEXT), limit
    if prompt + LEAST_ANSWER > most:
        raise ExecutorFailure(
            FailureKind.BAD_REQUEST,
            f"the prompt takes about {prompt} tokens, and {call.model} has room for {most} including the answer",
            hint="list fewer lines, split the task, or use a model with more room",
        )
    limit = min(limit, most - prompt)
    return min(_power_of_two(prompt + limit, SMALLEST_CONTEXT), most), limit


def _power_of_two(tokens: int, least: int) -> int:
    """Return the smallest power of two that is at least `tokens`, and at least `least`."""
    return max(least, 1 << (tokens - 1).bit_length())


def _check_whole(call: Call, usage: Usage, wire: Wire) -> None:
    """Raise if the server truncated the prompt: it read far less than was sent, and about a full context.

    A smaller count proves nothing: some versions count only tokens that were not cached, and `truncate: false` works.
    """
    read = usage.input_tokens
    if read is None or not call.is_first or read >= _WHOLE * call.prompt_tokens:
        return
    size = _power_of_two(read, _LEAST_CONTEXT)
    if not any(_FULL * most <= read <= most for most in (size, call.context_tokens or size)):
        return
    raise wire.failure(
        FailureKind.PROMPT_CUT,
        f"the server read {read} of about {call.prompt_tokens} tokens: it cut the prompt",
        hint="raise the server's context (OLLAMA_CONTEXT_LENGTH), or list fewer lines",
        usage=usage,
        retryable=False,
    )
