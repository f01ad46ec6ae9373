"""Anthropic's messages API, as its wire facts have it, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from dialects import ANTHROPIC, GOOD, KEY, Run
from model_server import claude_error, claude_message, raw
from msgspec.structs import replace
from orders import EXCERPTS

from minitask.executors.request import FailureKind
from minitask.ledger.record import TokenClasses, Usage, classes

EPHEMERAL = {"type": "ephemeral"}
NOTHING = Usage(1, 0, 0, 0, 0, 0, 0)


def usage_of(counts: Any) -> Usage:
    run = Run(ANTHROPIC, claude_message(GOOD, usage=counts))
    assert run.work is not None, run.failure
    return run.work.usage


def counted(**counts: Any) -> dict[str, Any]:
    return {"input_tokens": 100, "output_tokens": 20, **counts}


def test_the_request_speaks_the_protocol():
    run = Run(ANTHROPIC, GOOD, max_output_tokens=500)
    [request] = run.received
    assert (request.method, request.path) == ("POST", "/v1/messages")
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert (request.json["model"], request.json["max_tokens"]) == ("some-model", 500)


def test_an_answer_always_has_a_limit_for_the_api_requires_one():
    [request] = Run(ANTHROPIC, GOOD).received
    assert isinstance(request.json["max_tokens"], int)
    assert request.json["max_tokens"] > 0


RULES = "House rules: short names.\n" * 300
LARGE = replace(EXCERPTS[0], text="# Style, line by line\n" * 400, shared=True)


@pytest.mark.parametrize(
    ("fields", "marks"),
    [
        ({}, []),
        ({"shared": "House rules: short names."}, []),
        ({"shared": RULES}, ["system"]),
        ({"excerpts": (LARGE, *EXCERPTS[1:])}, ["user"]),
        ({"excerpts": (replace(LARGE, shared=False), *EXCERPTS[1:])}, []),
        ({"excerpts": (replace(EXCERPTS[0], shared=True), *EXCERPTS[1:])}, []),
        ({"shared": RULES, "excerpts": (LARGE, *EXCERPTS[1:])}, ["system", "user"]),
        ({"shared": RULES, "excerpts": (LARGE, *EXCERPTS[1:]), "in_batch": True}, []),
    ],
)
def test_a_mark_stands_behind_what_other_tasks_share_where_it_pays(
    fields: dict[str, object], marks: list[str]
) -> None:
    [request] = Run(ANTHROPIC, GOOD, **fields).received
    body = request.json
    assert "cache_control" not in body, "the end of a prompt is read by nobody again"
    parts = [("system", part) for part in body["system"]]
    for message in body["messages"]:
        if isinstance(message["content"], list):
            parts += [(message["role"], part) for part in message["content"]]
    assert [role for role, part in parts if "cache_control" in part] == marks
    for _, part in parts:
        assert part.get("cache_control", EPHEMERAL) == EPHEMERAL
        assert "Rename one" not in part["text"] or "cache_control" not in part


def test_the_system_is_no_message_and_the_user_speaks_first():
    [request] = Run(ANTHROPIC, GOOD).received
    assert [each["role"] for each in request.json["messages"]] == ["user"]
    assert "Rename one" in request.json["messages"][0]["content"]


def test_what_newer_models_refuse_is_not_sent():
    [request] = Run(ANTHROPIC, GOOD).received
    assert {"temperature", "top_p", "top_k"} & set(request.json) == set()
    assert not request.json.get("stream")


def test_a_second_round_continues_the_conversation_on_the_same_beginning():
    run = Run(ANTHROPIC, "No edits here.", GOOD)
    first, second = (request.json for request in run.received)
    assert [each["role"] for each in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][0] == first["messages"][0]
    assert second["system"] == first["system"]
    assert second["messages"][1]["content"] == "No edits here."


def test_a_reply_in_several_blocks_is_joined_and_thoughts_are_no_part_of_it():
    blocks = [
        {"type": "thinking", "thinking": "```python path=src/no.py\n1\n```\n", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": GOOD[:12]},
        {"type": "text", "text": GOOD[12:]},
    ]
    run = Run(ANTHROPIC, claude_message(blocks))
    assert run.work is not None
    assert run.work.reply == GOOD
    assert [change.path for change in run.work.changes] == ["src/b.py"]
    assert run.work.served == "served-model"


@pytest.mark.parametrize("reason", ["end_turn", "stop_sequence"])
def test_a_reply_that_ended_by_itself_is_applied(reason):
    assert Run(ANTHROPIC, claude_message(GOOD, stop_reason=reason)).work is not None


def test_a_reply_that_was_cut_off_gets_more_room_once():
    cut_off = claude_message(GOOD, stop_reason="max_tokens")
    run = Run(ANTHROPIC, cut_off, GOOD, max_output_tokens=500)
    assert run.work is not None
    first, second = (request.json["max_tokens"] for request in run.received)
    assert second > first == 500


def test_a_refusal_is_final():
    run = Run(ANTHROPIC, claude_message("I will not.", stop_reason="refusal"), GOOD)
    assert (run.requests, run.kind) == (1, FailureKind.REFUSED)
    assert not run.failed.retryable
    assert not run.failed.stops_run


def test_a_reply_without_content_is_a_transport_failure():
    run = Run(ANTHROPIC, *[raw('{"type": "message", "role": "assistant"}')] * 3)
    assert run.kind is FailureKind.TRANSPORT


def test_usage_is_in_disjoint_classes_with_writes_for_five_minutes_and_an_hour_apart():
    usage = usage_of(
        counted(
            cache_read_input_tokens=200,
            cache_creation_input_tokens=50,
            cache_creation={"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 20},
        )
    )
    assert usage.input_tokens == 350, "Anthropic's input_tokens leave the cache out"
    assert classes(usage) == TokenClasses(100, 200, 30, 20, 20, None)
    assert usage.output_tokens == 20


def test_writes_that_are_not_told_apart_are_for_five_minutes():
    usage = usage_of(counted(cache_read_input_tokens=0, cache_creation_input_tokens=50))
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == (50, 0)
    assert classes(usage).fresh_input == 100


@pytest.mark.parametrize("counts", [None, {}, "many", 7, []])
def test_usage_that_is_missing_is_unknown_and_never_zero(counts):
    assert usage_of(counts) == Usage(1)


@pytest.mark.parametrize("bad", [-5, 10**12, 5.5, True, "7"])
def test_a_count_that_makes_no_sense_is_unknown(bad):
    assert usage_of(counted(input_tokens=bad)).input_tokens is None
    assert usage_of(counted(output_tokens=bad)).output_tokens is None
    assert usage_of(counted(cache_read_input_tokens=bad)).cached_input_tokens is None
    written = usage_of(counted(cache_creation_input_tokens=bad))
    assert (written.cache_write_tokens, written.cache_write_1h_tokens) == (None, None)
    assert written.input_tokens is None


@pytest.mark.parametrize("bad", [-5, 10**12, 60, "7"])
def test_long_writes_that_make_no_sense_are_unknown_and_not_priced_as_short_ones(bad):
    counts = counted(
        cache_creation_input_tokens=50, cache_creation={"ephemeral_1h_input_tokens": bad}
    )
    usage = usage_of(counts)
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == (None, None)


def test_writes_that_are_told_apart_alone_are_not_lost():
    apart = {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 20}
    usage = usage_of(counted(cache_creation=apart))
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) in ((30, 20), (None, None))
    assert usage.input_tokens in (150, None)


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
@pytest.mark.parametrize("where", ["details", "code", "type"])
def test_a_spend_limit_is_no_rate_limit_though_it_comes_as_429(code, where):
    """`details.error_code` is where Anthropic puts it (platform.claude.com, rate limits)."""
    fields: dict[str, Any] = {
        "details": {"details": {"error_code": code}},
        "code": {"code": code},
        "type": {"kind": code},
    }[where]
    reply = claude_error(429, "usage limits reached", **{"kind": "rate_limit_error", **fields})
    run = Run(ANTHROPIC, reply, GOOD)
    assert (run.requests, run.kind) == (1, FailureKind.QUOTA)
    assert (run.failed.exit_code, run.failed.retryable) == (4, False)
