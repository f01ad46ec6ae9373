"""Servers with OpenAI's chat completions API: OpenAI, OpenRouter, LiteLLM, vLLM, llama.cpp, Ollama's `/v1`.

Responses are not streamed: only a complete reply is usable, and only a complete response states its usage.
"""

from __future__ import annotations

from collections.abc import Mapping

from minitask.executors.chat import ChatReply
from minitask.executors.endpoint import LIST_SECONDS, Call, ChatExecutor, chat_messages
from minitask.executors.http import HttpResponse
from minitask.executors.response import (
    ENDED,
    UNKNOWN_TOKENS,
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
from minitask.executors.server_errors import failed_generation
from minitask.ledger.record import Usage

_MOST_OF_A_REQUEST = 20_000_000
_BAD_REQUEST = 400
_CACHED = ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
_WRITTEN = frozenset({"cache_write_tokens", "cache_creation_tokens"})
_NEW_LIMIT_FIELD = ("api.openai.com", ".openai.azure.com")


class OpenAiExecutor(ChatExecutor):
    """A chat model at `base_url` (`https://host/v1`); no temperature is sent, because newer models refuse it."""

    path = "/chat/completions"
    ending = Ending(
        "finish_reason",
        ended=frozenset(
            {
                *("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete", "finished"),
                *("completed", "normal", "end", "finish_reason_stop"),
            }
        )
        | ENDED,
        cut_off=frozenset(
            {
                *("length", "max_tokens", "model_length", "model_context_window_exceeded"),
                *("max_output_tokens", "finish_reason_max_tokens"),
            }
        ),
        refused=frozenset(
            {
                *("content_filter", "refusal", "safety", "recitation", "prohibited_content"),
                *("blocklist", "spii", "sensitive"),
            }
        ),
    )

    def key_headers(self) -> Mapping[str, str]:
        """Return the key as a bearer token, or in the header of Azure's classic API."""
        if self.key and self.address.has_api_version:
            return {"api-key": self.key}
        return super().key_headers()

    def body(self, call: Call) -> Mapping[str, object]:
        """Return the request's JSON."""
        payload: dict[str, object] = {
            "model": call.model,
            "messages": chat_messages(call),
            "stream": False,
        }
        if call.max_output_tokens is not None:
            # OpenAI's own reasoning models refuse `max_tokens`; most other servers know only that
            is_new = self.host.partition(":")[0].endswith(_NEW_LIMIT_FIELD)
            name = "max_completion_tokens" if is_new else "max_tokens"
            payload[name] = call.max_output_tokens
        return payload

    def read(self, answer: HttpResponse, call: Call, wire: Wire) -> ChatReply:
        """Return the reply in a response; raise `ExecutorFailure` if it is an error."""
        generation = failed_generation(answer.body) if answer.status == _BAD_REQUEST else ""
        if generation:
            return ChatReply(wire.redact(generation), UNKNOWN_TOKENS)
        parsed = parse_answer(answer, wire)
        choices = parsed.get("choices")
        choice = mapping(choices[0] if isinstance(choices, list) and choices else None)
        usage = read_usage(parsed.get("usage") or choice.get("usage"))
        if parsed.get("error"):
            raise error_in_success(parsed, wire, usage=usage)
        message = _message(choice)
        for part in (choice, mapping(message)):
            if part.get("error"):
                raise error_in_success(part, wire, usage=usage)
        if message is None:
            raise no_content(parsed, wire, "choices", usage=usage)
        calls = message.get("tool_calls") or message.get("function_call")
        content, native = message.get("content"), str(choice.get("native_finish_reason")).lower()
        is_native = native in self.ending.cut_off | self.ending.refused
        return self.whole_reply(
            parsed,
            joined(text_of(content), calls),
            reason=native if is_native else choice.get("finish_reason"),
            usage=usage,
            wire=wire,
            limit=call.max_output_tokens,
            refusal=text_of(message.get("refusal")) or _refusal(content),
        )

    def models(self, *, timeout_seconds: float = LIST_SECONDS) -> tuple[str, ...]:
        """Return the models that the server lists; raise `ExecutorFailure`."""
        return self.listed("/models", ("data", "id"), timeout_seconds=timeout_seconds)


def _message(choice: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the choice's message; some servers call it `delta`, or give its text alone."""
    for found in (choice.get("message"), choice.get("delta")):
        if isinstance(found, dict):
            return found
    text = choice.get("text", choice.get("message"))
    return {"content": text} if isinstance(text, str) else None


def _refusal(content: object) -> str:
    """Return the text of the parts of a message that refuse."""
    parts = map(mapping, content) if isinstance(content, list) else ()
    return "".join(text_of(part.get("refusal")) for part in parts)


def read_usage(parsed: object) -> Usage:
    """Return the counts of a `usage` object; missing, negative or absurd ones are None.

    If counts disagree, the larger reading is used, because that is what is billed: reasoning tokens that only the total
    includes, or that exceed the completion, are added to the output; cached tokens that exceed the prompt, or that the
    total has beside it, are added to it. A server that counts cache reads but not writes has no writes.
    """
    usage = mapping(parsed)
    prompt = _first_count(usage, "prompt_tokens", "input_tokens")
    output = _first_count(usage, "completion_tokens", "output_tokens")
    details = mapping(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    cached = _count(details, "cached_tokens")
    if cached is None:
        cached = _first_count(usage, *_CACHED)
    written = _first_count(details, *_WRITTEN)
    if not written:
        written = _first_count(usage, "cache_creation_input_tokens", otherwise=written)
    details_out = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    reasoning = _count(mapping(details_out) or usage, "reasoning_tokens")
    total, apart = _count(usage, "total_tokens"), (cached or 0) + (written or 0)
    if prompt is not None and (apart > prompt or apart == (total or 0) - prompt - (output or 0)):
        prompt += apart
    if output is not None and reasoning is not None and reasoning > output:
        output += reasoning
    prompt, output = _with_total(prompt, output, total)
    if prompt is None:
        cached = None
    if written is None and cached is not None and not _WRITTEN.intersection(details):
        written = 0
    if output is None:
        reasoning = None
    return Usage(1, prompt, cached, output, written, None if written is None else 0, reasoning)


def _with_total(
    prompt: int | None, output: int | None, total: int | None
) -> tuple[int | None, int | None]:
    """Return prompt and output counts, completed from the total; an excess of the total is output."""
    if total is None or (prompt is None and output is None):
        return prompt, output
    if not prompt:
        return (total - output if output and total > output else None), output
    if output is None or total > prompt + output:
        return prompt, (total - prompt if total > prompt else output)
    return prompt, output


def _first_count(
    fields: Mapping[str, object], *names: str, otherwise: int | None = None
) -> int | None:
    """Return the first count of these fields that is not 0, or else the first: servers differ in their names."""
    counts = [number for name in names if (number := _count(fields, name)) is not None]
    return next(filter(None, counts), next(iter(counts), otherwise))


def _count(fields: Mapping[str, object], name: str) -> int | None:
    """Return a count of one request; more than some millions is absurd."""
    value = fields.get(name)
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    return count(value, most=_MOST_OF_A_REQUEST)
