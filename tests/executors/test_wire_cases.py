"""Answers as servers and gateways send them: what each is, whose fault it is, and what it is billed at. No HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from minitask.executors.anthropic import AnthropicExecutor
from minitask.executors.chat import ChatReply, Message
from minitask.executors.endpoint import Call
from minitask.executors.http import HttpResponse
from minitask.executors.ollama import OllamaExecutor
from minitask.executors.openai import OpenAiExecutor, read_usage
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.executors.response import Wire
from minitask.executors.server_errors import amended, is_spent, wait_seconds

TRANSPORT, AUTH, QUOTA = FailureKind.TRANSPORT, FailureKind.AUTH, FailureKind.QUOTA
REFUSED, CUT_OFF, BAD = FailureKind.REFUSED, FailureKind.CUT_OFF, FailureKind.BAD_REQUEST
CALL = Call("m", (Message("system", "s"), Message("user", "u")), 100, prompt_tokens=10)
URL = "http://127.0.0.1:1"
WIRE = Wire("s", "host", "sk-0123456789", 1_800_000_000.0)
USED = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def read(executor: Any, body: object, status: int = 200) -> ChatReply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply: ChatReply = executor.read(HttpResponse(status, {}, raw), CALL, WIRE)
    return reply


def failed(executor: Any, body: object, status: int = 200) -> ExecutorFailure:
    with pytest.raises(ExecutorFailure) as caught:
        read(executor, body, status)
    return caught.value


def choice(
    content: object = "text", finish: object = "stop", *, usage: object = USED, **more: Any
) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    return {"choices": [{"finish_reason": finish, "message": message, **more}], "usage": usage}


OPENAI_FAULTS: list[tuple[object, int, FailureKind, str]] = [
    (choice("", "error", error={"code": 502, "message": "upstream"}), 200, TRANSPORT, "upstream"),
    (choice("half", "error"), 200, TRANSPORT, "'error'"),
    (choice("half", None, error="upstream gone"), 200, TRANSPORT, "upstream gone"),
    (choice("", "stop", message={"error": {"message": "boom"}}), 200, TRANSPORT, "boom"),
    (choice("", None, error={"code": 429, "message": "slow down"}), 200, TRANSPORT, "slow down"),
    (choice("", None, error={"code": 401, "message": "no key"}), 200, AUTH, "no key"),
    (choice("", "error", error={"code": 402, "message": "pay"}), 200, QUOTA, "pay"),
    (choice("half", "insufficient_system_resource"), 200, TRANSPORT, "incomplete"),
    (choice("half", "abort"), 200, TRANSPORT, "incomplete"),
    (choice("half", ""), 200, TRANSPORT, "incomplete"),
    (choice("half", {"type": "stop"}), 200, TRANSPORT, "incomplete"),
    (choice("half", "length"), 200, CUT_OFF, "token limit"),
    (choice("half", "MAX_TOKENS"), 200, CUT_OFF, "token limit"),
    (choice("", "content_filter"), 200, REFUSED, "filtered"),
    (choice("half", "SAFETY"), 200, REFUSED, "filtered"),
    (choice("", "RECITATION"), 200, REFUSED, "filtered"),
    (choice(None, "stop", message={"refusal": "I will not."}), 200, REFUSED, "will not"),
    (choice("", "stop", usage=None), 200, TRANSPORT, "empty"),
    (choice(" \n", "stop", usage={"completion_tokens": 0}), 200, TRANSPORT, "empty"),
    ({"choices": []}, 200, TRANSPORT, "no choices"),
    ({"choices": None}, 200, TRANSPORT, "no choices"),
    ({"choices": [None]}, 200, TRANSPORT, "no choices"),
    ({"error": {"message": "died", "code": None}, "choices": []}, 200, TRANSPORT, "died"),
    ({"error": "rate limited, try again in 5s"}, 200, TRANSPORT, "rate limited"),
    ({"error": ["queue full"]}, 200, TRANSPORT, ""),
    ({"detail": "model is loading"}, 200, TRANSPORT, "model is loading"),
    ({"object": "error", "message": "no such model", "code": 404}, 200, BAD, "no such model"),
    ({"code": "InvalidApiKey", "msg": "Invalid API key", "status": 401}, 200, AUTH, "Invalid API"),
    ([{"error": {"code": 503, "message": "overloaded"}}], 200, TRANSPORT, "overloaded"),
    ([{"error": {"code": 503, "message": "overloaded"}}], 503, TRANSPORT, "overloaded"),
    ([{"error": {"message": "API key not valid. Pass a valid one."}}], 400, AUTH, "not valid"),
    ([{"error": {"message": "no", "details": [{"reason": "API_KEY_INVALID"}]}}], 400, AUTH, "no"),
    ({"error": json.dumps({"error": {"message": "inner", "code": 401}})}, 500, AUTH, "inner"),
    ({"error": {"message": "upstream", "metadata": {"raw": '{"code":"insufficient_quota"}'}}}, 429, QUOTA, "upstream"),
    ({"error": {"message": "Usage limit reached, resets at 3pm"}}, 429, QUOTA, "resets at 3pm"),
    ({"error": {"message": "You exceeded your current quota."}}, 429, QUOTA, "quota"),
    (
        {
            "error": {
                "message": "You exceeded your current quota.",
                "details": [{"retryDelay": "34s"}],
            }
        },
        429,
        TRANSPORT,
        "quota",
    ),
    ({"error": "invalid_token", "error_description": "The token expired"}, 401, AUTH, "invalid_token: The token"),
    ({"__type": "ValidationException", "Message": "The model is unknown."}, 400, BAD, "model is unknown"),
    ({"fault": {"faultstring": "Invalid key", "detail": {"errorcode": "v2.Key"}}}, 401, AUTH, "Invalid key"),
    ({"error": {"error": {"message": "deep down"}}}, 400, BAD, "deep down"),
    ({"error": {"message": "Unsupported", "param": "max_tokens"}}, 400, BAD, "Unsupported (max_tokens)"),
    (b'"the model does not exist"', 404, BAD, "HTTP 404: the model does not exist"),
    (b"<!doctype html><h1>Bad gateway</h1>", 200, TRANSPORT, "web page"),
    (b"", 200, TRANSPORT, "nothing"),
    (b'data: {"choices": []}\n\n', 200, TRANSPORT, "stream"),
    (b'{"choices": [{"message": {"content": "ha', 200, TRANSPORT, "damaged"),
    (b"", 502, TRANSPORT, "HTTP 502"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "kind", "words"), OPENAI_FAULTS)
def test_what_a_server_did_wrong_is_told_from_what_a_model_did(body, status, kind, words):
    failure = failed(OpenAiExecutor(URL), body, status)
    assert (failure.kind, words in str(failure)) == (kind, True), str(failure)
    assert failure.exit_code == {REFUSED: 1, CUT_OFF: 1, QUOTA: 4}.get(kind, 3)


@pytest.mark.parametrize(
    "finish", ["stop", "STOP", "eos", "tool_calls", "COMPLETE", "completed", "FINISH_REASON_STOP"]
)
def test_a_reply_that_ended_by_itself_is_taken(finish):
    assert read(OpenAiExecutor(URL), choice("text", finish)).text == "text"


def streamed(*chunks: object) -> bytes:
    lines = (chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks)
    return b": PROCESSING\n\n" + "".join(f"data: {line}\n\n" for line in lines).encode()


def test_a_stream_that_nobody_requested_is_the_reply_that_its_chunks_make():
    body = streamed(
        {
            "model": "m-1",
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": "te"}}],
        },
        {"choices": [{"index": 0, "delta": {"reasoning_content": "draft"}}], "usage": None},
        {"choices": [{"index": 0, "delta": {"content": "xt"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": USED},
        "[DONE]",
    )
    reply = read(OpenAiExecutor(URL), body)
    assert (reply.text, reply.served) == ("text", "m-1")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (10, 5)
    function = {"name": "write_file", "arguments": '{"path": "a.txt", '}
    calls = streamed(
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": function}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": '"content": "A"}'}}]}}]},
        {"choices": [{"delta": {}, "finish_reason": "tool_calls", "usage": USED}]},
    )  # fmt: skip
    reply = read(OpenAiExecutor(URL), calls)
    assert (reply.text, reply.usage.output_tokens) == ("```path=a.txt\nA\n```\n", 5)


@pytest.mark.parametrize(
    "part",
    [
        {"delta": {"content": "text"}},
        {"text": "text"},
        {"message": "text"},
        {"message": {"content": {"type": "text", "text": "text"}}},
    ],
)
def test_a_reply_is_read_where_its_server_puts_it(part):
    body = {"choices": [{"index": 0, "finish_reason": "stop", **part}], "usage": USED}
    assert read(OpenAiExecutor(URL), body).text == "text"


def test_what_a_server_refused_as_a_call_of_a_tool_is_the_models_reply():
    error = {"code": "tool_use_failed", "message": "no tool", "failed_generation": "<function=x>"}
    reply = read(OpenAiExecutor(URL), {"error": error}, 400)
    assert (reply.text, reply.usage.input_tokens) == ("<function=x>", None)


def test_a_prompt_that_is_too_long_is_told_as_that():
    said = {"error": {"message": "the request exceeds the available context size", "code": 400}}
    assert "list fewer lines" in failed(OpenAiExecutor(URL), said, 400).hint


def test_a_wait_that_the_body_asks_for_is_heeded():
    body = {"error": {"message": "Rate limit reached on TPM. Please try again in 1m30s."}}
    assert failed(OpenAiExecutor(URL), body, 429).retry_after_seconds == 90.0


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 5100}, (1000, 4100)),
        ({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 900}, (1000, 100)),
        ({"prompt_tokens": 1000, "total_tokens": 1500}, (1000, 500)),
        ({"completion_tokens": 500, "total_tokens": 1500}, (1000, 500)),
        ({"total_tokens": 1500}, (None, None)),
        ({"prompt_tokens": 0, "completion_tokens": 100, "total_tokens": 1100}, (1000, 100)),
        ({"prompt_tokens": 1000, "completion_tokens": 100, "reasoning_tokens": 4000}, (1000, 4100)),
        ({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": "many"}, (1000, 100)),
        ({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": -1}, (1000, 100)),
        ({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 10**9}, (1000, 100)),
        ({"prompt_tokens": 10**9, "completion_tokens": 100}, (None, 100)),
        ({"prompt_tokens": "12", "completion_tokens": None}, (None, None)),
    ],
)
def test_counts_that_disagree_are_billed_by_the_larger_reading(usage, expected):
    found = read_usage(usage)
    assert (found.input_tokens, found.output_tokens) == expected


def test_thoughts_that_are_more_than_the_output_were_counted_beside_it():
    details = {"completion_tokens_details": {"reasoning_tokens": 700}}
    found = read_usage({"prompt_tokens": 10, "completion_tokens": 100, **details})
    assert (found.output_tokens, found.reasoning_tokens) == (800, 700)


def test_counts_are_read_by_the_names_of_other_apis_too() -> None:
    details = {"cached_tokens": 90}
    named = {"input_tokens": 100, "output_tokens": 7, "input_tokens_details": details}
    usual = {"prompt_tokens": 100, "completion_tokens": 7, "cached_tokens": 90}
    for body in (named, usual):
        usage = read_usage(body)
        counts = (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens)
        assert counts == (100, 90, 7), body


def test_cache_reads_beyond_the_prompt_come_on_top_of_it():
    found = read_usage({"prompt_tokens": 10, "completion_tokens": 1, "prompt_cache_hit_tokens": 90})
    assert (found.input_tokens, found.cached_input_tokens) == (100, 90)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 6, "cache_creation_tokens": 3}}, (9, 6, 3)),
        ({"prompt_tokens": 99, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30}, (99, 60, 30)),
        ({"prompt_tokens": 3, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 90}, (93, 0, 90)),
        ({"prompt_tokens": 50, "total_tokens": 91, "prompt_tokens_details": {"cached_tokens": 40}}, (90, 40, 0)),
        ({"prompt_tokens": 50, "total_tokens": 51, "prompt_tokens_details": {"cached_tokens": 40}}, (50, 40, 0)),
        ({"prompt_tokens": 0, "input_tokens": 50, "total_tokens": 51}, (50, None, None)),
        ({"prompt_tokens": 50.0, "cached_tokens": 40.0}, (50, 40, 0)),
        ({"prompt_tokens": 50.5}, (None, None, None)),
    ],
)  # fmt: skip
def test_cached_tokens_count_once_wherever_a_server_counts_them(usage, expected):
    found = read_usage({"completion_tokens": 1, **usage})
    counts = (found.input_tokens, found.cached_input_tokens, found.cache_write_tokens)
    assert (*counts, found.output_tokens) == (*expected, 1)


ZEROES = {
    "openai": (OpenAiExecutor(URL), choice(usage={"prompt_tokens": 0, "completion_tokens": 0})),
    "anthropic": (
        AnthropicExecutor(URL),
        {
            "content": [{"type": "text", "text": "text"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 0, "output_tokens": 0},
        },
    ),
    "ollama": (
        OllamaExecutor(URL),
        {
            "message": {"content": "text"},
            "done_reason": "stop",
            "prompt_eval_count": 0,
            "eval_count": 0,
        },
    ),
}


@pytest.mark.parametrize("name", ZEROES)
def test_a_reply_that_its_server_counts_as_nothing_is_of_unknown_size(name):
    usage = read(*ZEROES[name]).usage
    assert (usage.input_tokens, usage.output_tokens) == (None, None)


SPENT = """\
Claude AI usage limit reached|1764428400
You've hit your limit · resets 3pm (Europe/Berlin)
5-hour limit reached ∙ resets 3pm
Session limit reached, resets at 15:00
You've hit your usage limit. Upgrade to Pro or try again at 3:05 PM.
You've hit your usage limit. Try again in 2 hours 13 minutes.
Weekly limit reached ∙ resets Oct 9 at 5pm
You've reached your session limit. Resets in 3h
Quota exceeded for quota metric 'Requests' and limit 'per day'
You have exhausted your daily quota on this model.
You have exhausted your capacity on this model. Your quota will reset after 3h12m.
Free allocated quota exceeded.
Your credit balance is too low to access the API
You've hit your usage limit for this model. Get more with a plan
Limit hit - will reset tomorrow at 9am
litellm.BudgetExceededError: over
Insufficient credits. Add more.
Your free daily quota has been reached: quota exceeded
You are out of extra usage · resets 4am
Opus limit reached
you have reached your monthly spending limit
The zorp limit of your account is used; it resets on Monday.
Rate limit reached. Resets at 3pm"""
PASSING = """\
Rate limit reached for m on tokens per min (TPM): Limit 30000, Used 29000. Please try again in 2.5s.
429 Too Many Requests, rate limit resets in 12s
This request would exceed your rate limit of 50 requests per minute
connection reset by peer
Overloaded
max_tokens is over the limit
You exceeded your current quota. Please retry in 34.5s."""


@pytest.mark.parametrize("text", SPENT.splitlines())
def test_a_plan_that_is_used_up_is_known_by_its_wording(text):
    assert is_spent(text)


@pytest.mark.parametrize("text", PASSING.splitlines())
def test_a_limit_that_passes_in_minutes_is_no_plan_that_is_used_up(text):
    assert not is_spent(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("try again in 1m30s", 90.0),
        ("try again in 250ms", 0.25),
        ("Try again in 2 hours 13 minutes.", 7980.0),
        ("try again at 3:05 PM", None),
        ("resets 3pm", None),
        ("retry", None),
    ],
)
def test_a_wait_is_read_where_it_is_one(text, seconds):
    assert wait_seconds(text) == seconds


REFUSALS: list[tuple[str, dict[str, int] | None]] = [
    ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", {"max_completion_tokens": 8192}),
    ("max_tokens: Extra inputs are not permitted", {"max_completion_tokens": 8192}),
    ("max_tokens is too large: 8192. This model supports at most 4096 completion tokens.", {"max_tokens": 4096}),
    ("Invalid max_tokens value, the valid range of max_tokens is [1, 4096]", {"max_tokens": 4096}),
    ("max_tokens: 8192 > 4096, which is the maximum allowed number", {"max_tokens": 4096}),
    ("This model's maximum context length is 8192 tokens. However, you requested 8692 tokens.", {"max_tokens": 7567}),
    ("model 'm' not found", None),
    ("the prompt is too long: maximum context length is 400 tokens", None),
]  # fmt: skip


@pytest.mark.parametrize(("message", "expected"), REFUSALS)
def test_a_refused_limit_is_sent_as_the_server_wants_it(message, expected):
    sent = {"model": "m", "max_tokens": 8192}
    wanted = None if expected is None else {"model": "m", **expected}
    assert amended(sent, message, prompt_tokens=500) == wanted
