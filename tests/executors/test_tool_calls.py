"""Replies in parts, and tool calls that nobody offered: what each says as Markdown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from minitask.executors.anthropic import AnthropicExecutor
from minitask.executors.chat import ChatReply, Message
from minitask.executors.endpoint import Call
from minitask.executors.http import HttpResponse
from minitask.executors.ollama import OllamaExecutor
from minitask.executors.openai import OpenAiExecutor
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.executors.response import Wire, text_of, text_of_calls

CALL = Call("m", (Message("system", "s"), Message("user", "u")), 100, prompt_tokens=10)
URL = "http://127.0.0.1:1"
WIRE = Wire("s", "host", "sk-0123456789", 1_800_000_000.0)
CUT = "```text path=a.txt\nA\n"
WHOLE = "```path=a.txt\nA\n```\n"
BLOCK = "```path=a.txt parts\n<<<<<<< SEARCH\nA\n=======\nB\n>>>>>>> REPLACE\n```\n"
PATCH = "*** Begin Patch\n*** Add File: a.txt\n+A\n*** End Patch\n"


def read(executor: Any, body: object) -> ChatReply:
    reply: ChatReply = executor.read(HttpResponse(200, {}, json.dumps(body).encode()), CALL, WIRE)
    return reply


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"text": "a"}, "b"], "ab"),
        ([{"type": "output_text", "text": "a"}], "a"),
        ([{"type": "text", "text": {"value": "a"}}], "a"),
        ([{"type": "reasoning", "text": "draft"}, {"type": "text", "text": "a"}], "a"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "draft"}]}, {"text": "a"}], "a"),
        ([{"text": "draft", "thought": True}, {"text": "a"}], "a"),
        (None, ""),
    ],
)  # fmt: skip
def test_the_text_of_a_message_is_that_of_its_parts_but_for_thoughts(
    content: object, text: str
) -> None:
    assert text_of(content) == text


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("write_file", {"path": "a.txt", "content": "A\n"}, WHOLE),
        ("create_file", {"file_path": "a.txt", "contents": "A"}, WHOLE),
        ("str_replace_editor", {"command": "create", "path": "a.txt", "file_text": "A\n"}, WHOLE),
        ("edit", {"path": "a.txt", "old_string": "A", "new_string": "B"}, BLOCK),
        ("apply_patch", {"input": PATCH}, f"```patch\n{PATCH}```\n"),
        ("shell", {"command": ["apply_patch", PATCH]}, f"```patch\n{PATCH}```\n"),
    ],
)
@pytest.mark.parametrize("executor", ["openai", "ollama", "anthropic"])
def test_a_call_that_means_one_edit_is_that_edit(
    name: str, arguments: dict[str, Any], text: str, executor: str
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    if executor == "openai":
        call = {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"finish_reason": "tool_calls", "message": message}
        reply = read(OpenAiExecutor(URL), {"choices": [choice], "usage": usage})
    elif executor == "ollama":
        message = {
            "content": "",
            "tool_calls": [{"function": {"name": name, "arguments": arguments}}],
        }
        reply = read(
            OllamaExecutor(URL), {"message": message, "done_reason": "stop", "eval_count": 5}
        )
    else:
        part = {"type": "tool_use", "name": name, "input": arguments}
        body = {"content": [part], "stop_reason": "tool_use", "usage": {"output_tokens": 5}}
        reply = read(AnthropicExecutor(URL), body)
    assert reply.text == text


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("append_to_file", {}),
        ("write_file", {"mode": "a"}),
        ("write_file", {"offset": 10}),
        ("edit_lines", {"start_line": 1, "end_line": 2}),
        ("editor", {"command": "insert", "insert_line": 3}),
    ],
)
def test_a_call_that_writes_a_part_of_a_file_is_not_the_whole_file(
    name: str, more: dict[str, Any]
) -> None:
    call = {"name": name, "input": {"path": "a.txt", "content": "A\n", **more}}
    assert text_of_calls([call]).startswith("(a call of the tool")


@pytest.mark.parametrize("executor", ["openai", "ollama", "anthropic"])
def test_a_reply_of_all_tokens_that_it_may_have_and_without_an_end_was_cut(executor: str) -> None:
    message = {"content": CUT}
    choice = {"message": message, "finish_reason": "stop"}
    bodies: dict[str, tuple[Any, object]] = {
        "openai": (OpenAiExecutor, {"choices": [choice], "usage": {"completion_tokens": 100}}),
        "ollama": (OllamaExecutor, {"message": message, "done_reason": "stop", "eval_count": 100}),
        "anthropic": (
            AnthropicExecutor,
            {
                "content": [{"type": "text", "text": CUT}],
                "stop_reason": "end_turn",
                "usage": {"output_tokens": 100},
            },
        ),
    }
    kind, body = bodies[executor]
    with pytest.raises(ExecutorFailure) as caught:
        read(kind(URL), body)
    assert caught.value.kind is FailureKind.CUT_OFF


def test_a_reply_of_all_tokens_that_it_may_have_is_whole_where_it_ends_like_one() -> None:
    choice = {"message": {"content": WHOLE}, "finish_reason": "stop"}
    body = {"choices": [choice], "usage": {"completion_tokens": 100}}
    assert read(OpenAiExecutor(URL), body).text == WHOLE


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ({"message": {"content": WHOLE, "refusal": "I cannot."}}, FailureKind.REFUSED),
        ({"message": {"content": [{"text": WHOLE}, {"type": "refusal", "refusal": "No."}]}}, FailureKind.REFUSED),
        ({"message": {"content": WHOLE}, "native_finish_reason": "MAX_TOKENS"}, FailureKind.CUT_OFF),
    ],
)  # fmt: skip
def test_a_reply_that_its_own_fields_take_back_is_none(
    choice: dict[str, Any], kind: FailureKind
) -> None:
    with pytest.raises(ExecutorFailure) as caught:
        read(OpenAiExecutor(URL), {"choices": [{"finish_reason": "stop", **choice}]})
    assert caught.value.kind is kind


def test_any_other_call_is_shown_so_that_it_goes_back() -> None:
    assert "read_file" in text_of_calls([{"function": {"name": "read_file", "arguments": "{"}}])
    assert text_of_calls([{"name": "x", "input": {"path": "a"}}]).startswith(
        "(a call of the tool x"
    )
