"""Any server that speaks OpenAI's chat completions: OpenAI, OpenRouter, LiteLLM, vLLM, llama.cpp,
Ollama's `/v1`.

Nothing is streamed: a reply counts only as a whole, and only a whole answer says what it used.
"""

from __future__ import annotations

from collections.abc import Mapping

from minitask.executors.chat import ChatReply
from minitask.executors.endpoint import Call, ChatExecutor, bearer, chat_messages
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

_NEW_LIMIT_FIELD = ("api.openai.com", ".openai.azure.com")
_ENDED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})
_CUT_OFF = frozenset({"length", "max_tokens", "model_length", "model_context_window_exceeded"})
_REFUSED = frozenset({"content_filter", "refusal", "safety"})


class OpenAiDialect:
    """Chat completions; no temperature is sent, which newer models refuse."""

    path = "/chat/completions"
    base_hint = "it usually ends in /v1"

    def headers(self, key: str) -> Mapping[str, str]:
        """A bearer token."""
        return bearer(key)

    def body(self, call: Call) -> Mapping[str, object]:
        """The request's JSON."""
        payload: dict[str, object] = {
            "model": call.model,
            "messages": chat_messages(call),
            "stream": False,
        }
        if call.max_output_tokens is not None:
            payload[_limit_field(call.host)] = call.max_output_tokens
        return payload

    def read(self, answer: Answer, call: Call, wire: Wire) -> ChatReply:  # noqa: ARG002
        """The reply in an answer, or the failure that it is."""
        parsed = parse_answer(answer, wire)
        usage = read_usage(parsed.get("usage"))
        if parsed.get("error"):
            raise error_in_success(parsed, wire, usage=usage)
        choices = parsed.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise no_content(wire, "choices", usage=usage)
        text = wire.redact(text_of(choice["message"].get("content")))
        ending = Ending(choice.get("finish_reason"), _ENDED, _CUT_OFF, _REFUSED, "finish_reason")
        refusal = text_of(choice["message"].get("refusal"))
        check_ending(ending, text=text, usage=usage, wire=wire, refusal=refusal)
        return ChatReply(text, usage, served_model(parsed.get("model")))


class OpenAiExecutor(ChatExecutor):
    """A chat model at `base_url` (`https://host/v1`)."""

    dialect = OpenAiDialect()


def read_usage(found: object) -> Usage:
    """The counts of a `usage` object: what is missing, negative or absurd is unknown.

    Its details are parts of the totals. A server that counts cache reads and says nothing of
    writes has none.
    """
    usage = mapping(found)
    prompt = count(usage.get("prompt_tokens"))
    details = mapping(usage.get("prompt_tokens_details"))
    cached = count(details.get("cached_tokens"))
    if cached is None:
        cached = count(usage.get("prompt_cache_hit_tokens"))
    if prompt is None or (cached is not None and cached > prompt):
        cached = None
    written = count(details.get("cache_write_tokens", 0 if cached is not None else None))
    output = count(usage.get("completion_tokens"))
    reasoning = count(mapping(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    if reasoning is not None and reasoning > (output or 0):
        reasoning = None
    return Usage(1, prompt, cached, output, written, None if written is None else 0, reasoning)


def _limit_field(host: str) -> str:
    """OpenAI's own reasoning models refuse `max_tokens`; most other servers know nothing else."""
    name = host.partition(":")[0]
    return "max_completion_tokens" if name.endswith(_NEW_LIMIT_FIELD) else "max_tokens"
