"""Ollama's own API, as its wire facts have it, over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialects import GOOD, OLLAMA, Run
from model_server import ollama_chat, ollama_error, raw, scripted_server

from minitask.executors.ollama import OllamaExecutor
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.ledger.record import TokenClasses, Usage, classes

ENOUGH = {"prompt_eval_count": 10_000, "eval_count": 20}


def options(run: Run, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = run.received[number].json["options"]
    return found


def long_prompt(words: int) -> str:
    return "word " * words


def test_the_request_speaks_the_protocol():
    run = Run(OLLAMA, GOOD, max_output_tokens=500)
    assert run.work is not None
    [request] = run.received
    assert (request.method, request.path) == ("POST", "/api/chat")
    body = request.json
    assert (body["model"], body["stream"]) == ("some-model", False)
    assert [each["role"] for each in body["messages"]] == ["system", "user"]
    assert (body["truncate"], body["shift"]) == (False, False)
    assert body["options"]["num_predict"] == 500
    assert "num_ctx" not in body, "it is an option"


@pytest.mark.parametrize("words", [10, 3_000, 9_000, 40_000])
def test_the_context_is_a_power_of_two_that_holds_prompt_and_answer(words):
    counts = {"prompt_eval_count": 100_000, "eval_count": 20}
    reply = ollama_chat(GOOD, counts=counts)
    run = Run(OLLAMA, reply, feedback=long_prompt(words), max_output_tokens=1000)
    size = options(run)["num_ctx"]
    assert size & (size - 1) == 0
    assert size >= words + 1000
    assert size <= max(4096, 4 * (words + 2000)), "and no more than it needs"


def test_tasks_of_about_the_same_size_ask_for_the_same_context():
    sizes = {
        options(Run(OLLAMA, GOOD, feedback=long_prompt(words), max_output_tokens=1000))["num_ctx"]
        for words in (10, 50, 200)
    }
    assert len(sizes) == 1, "another context makes the server load the model anew"


def test_an_answer_has_a_limit_even_where_the_order_names_none():
    run = Run(OLLAMA, GOOD)
    assert 0 < options(run)["num_predict"] < options(run)["num_ctx"]


def test_a_known_context_is_not_exceeded():
    run = Run(OLLAMA, GOOD, max_output_tokens=3000, context_tokens=6000)
    assert options(run)["num_ctx"] <= 6000


def test_a_small_context_bounds_the_answer_and_not_the_task():
    run = Run(OLLAMA, GOOD, max_output_tokens=8192, context_tokens=8192)
    assert run.work is not None, "a prompt of 500 tokens fits a context of 8192"
    assert options(run)["num_ctx"] == 8192
    assert 1000 < options(run)["num_predict"] < 8192


def test_a_prompt_that_does_not_fit_the_model_is_not_sent():
    run = Run(OLLAMA, GOOD, feedback=long_prompt(9000), context_tokens=8192)
    assert (run.requests, run.kind) == (0, FailureKind.BAD_REQUEST)
    assert run.failed.usage.requests == 0, "nothing was asked"
    assert "8192" in str(run.failed)


def test_a_reply_that_was_cut_off_gets_more_room_once():
    run = Run(OLLAMA, ollama_chat(GOOD, done_reason="length"), GOOD, max_output_tokens=500)
    assert run.work is not None
    assert options(run, 1)["num_predict"] > options(run, 0)["num_predict"]
    assert options(run, 1)["num_ctx"] >= options(run, 1)["num_predict"]


def test_more_room_is_what_the_context_has_left():
    cut_off = ollama_chat(GOOD, done_reason="length")
    run = Run(OLLAMA, cut_off, GOOD, max_output_tokens=2500, context_tokens=8192)
    assert run.work is not None, run.failure
    assert 2500 < options(run, 1)["num_predict"] < 8192
    assert options(run, 1)["num_ctx"] == 8192


def test_a_reply_that_stays_cut_off_in_all_the_context_is_the_cut_off_reply_that_it_is():
    cut_off = ollama_chat(GOOD, done_reason="length")
    run = Run(OLLAMA, cut_off, cut_off, max_output_tokens=2500, context_tokens=8192)
    assert (run.kind, run.failed.exit_code) == (FailureKind.CUT_OFF, 1)


def test_a_reply_that_ended_by_itself_becomes_a_change():
    run = Run(OLLAMA, ollama_chat(GOOD, counts=ENOUGH))
    assert run.work is not None
    assert [change.path for change in run.work.changes] == ["src/b.py"]
    assert run.work.usage == Usage(1, 10_000, 0, 20, 0, 0, None)
    assert classes(run.work.usage) == TokenClasses(10_000, 0, 0, 0, 20, None)
    assert run.work.served == "served-model"


def test_thoughts_beside_the_content_are_no_part_of_it():
    answer = json.loads(ollama_chat(GOOD).body)
    answer["message"]["thinking"] = "```python path=src/no.py\n1\n```\n"
    run = Run(OLLAMA, raw(json.dumps(answer)))
    assert run.work is not None
    assert [change.path for change in run.work.changes] == ["src/b.py"]


def test_an_answer_that_is_not_done_is_never_applied():
    partial = ollama_chat(GOOD, counts={**ENOUGH, "done": False})
    assert Run(OLLAMA, *[partial] * 3).kind is FailureKind.TRANSPORT


@pytest.mark.parametrize("bad", [-5, 10**12, 5.5, True, "7", None])
def test_a_count_that_makes_no_sense_is_unknown_and_never_zero(bad):
    run = Run(OLLAMA, ollama_chat(GOOD, counts={**ENOUGH, "prompt_eval_count": bad}))
    assert run.work is not None
    assert (run.work.usage.input_tokens, run.work.usage.output_tokens) == (None, 20)
    run = Run(OLLAMA, ollama_chat(GOOD, counts={**ENOUGH, "eval_count": bad}))
    assert run.work is not None
    assert (run.work.usage.input_tokens, run.work.usage.output_tokens) == (10_000, None)


def test_counts_that_are_missing_are_unknown():
    run = Run(OLLAMA, ollama_chat(GOOD, counts={}))
    assert run.work is not None
    assert (run.work.usage.input_tokens, run.work.usage.output_tokens) == (None, None)


def test_a_prompt_that_the_server_cut_is_not_the_models_fault():
    cut = ollama_chat("I see no task.", counts={"prompt_eval_count": 4090, "eval_count": 9})
    run = Run(OLLAMA, cut, GOOD, feedback=long_prompt(8000))
    assert (run.requests, run.kind) == (1, FailureKind.PROMPT_CUT)
    assert run.failed.exit_code == 3, "an error, not a failure of the model"
    assert (run.failed.retryable, run.failed.stops_run) == (False, False)
    assert (run.failed.usage.input_tokens, run.failed.usage.output_tokens) == (4090, 9)
    assert "cut the prompt" in str(run.failed)
    assert "OLLAMA_CONTEXT_LENGTH" in run.failed.hint


def test_a_good_reply_to_a_prompt_that_was_cut_is_not_applied():
    cut = ollama_chat(GOOD, counts={"prompt_eval_count": 4090, "eval_count": 9})
    assert Run(OLLAMA, cut, feedback=long_prompt(8000)).kind is FailureKind.PROMPT_CUT


@pytest.mark.parametrize("counted", [1, 12, 1000, 1900, 3000])
def test_a_count_that_fills_no_context_is_what_was_not_cached(counted):
    reply = ollama_chat(GOOD, counts={"prompt_eval_count": counted, "eval_count": 20})
    assert Run(OLLAMA, reply, feedback=long_prompt(8000)).work is not None


def test_a_reply_that_was_cut_off_because_its_prompt_was_is_a_prompt_cut():
    counts = {"prompt_eval_count": 4090, "eval_count": 9}
    cut = ollama_chat("…", done_reason="length", counts=counts)
    run = Run(OLLAMA, cut, GOOD, feedback=long_prompt(8000))
    assert (run.requests, run.kind) == (1, FailureKind.PROMPT_CUT)


@pytest.mark.parametrize("share", [0.75, 1.0, 1.5])
def test_a_prompt_that_another_vocabulary_counts_differently_was_not_cut(share):
    counts = {"prompt_eval_count": int(6400 * share), "eval_count": 9}
    run = Run(OLLAMA, ollama_chat(GOOD, counts=counts), feedback=long_prompt(6000))
    assert run.work is not None, run.failure


def test_the_models_are_listed():
    listed = {"models": [{"name": "qwen2.5-coder:14b", "size": 9}, {"name": "llama3:8b"}, {}, 7]}
    with scripted_server([raw(json.dumps(listed))]) as server:
        models = OllamaExecutor(server.origin).models()
    [request] = server.requests
    assert (request.method, request.path, request.body) == ("GET", "/api/tags", b"")
    assert models == ("qwen2.5-coder:14b", "llama3:8b")


@pytest.mark.parametrize("body", ["{}", '{"models": null}', '{"models": []}', '{"models": 7}'])
def test_a_server_without_models_lists_none(body):
    with scripted_server([raw(body)]) as server:
        assert OllamaExecutor(server.origin).models() == ()


@pytest.mark.parametrize("reply", [ollama_error(500, "no"), raw("<html>"), raw("[]")])
def test_a_server_that_lists_nothing_that_can_be_read_fails(reply):
    with scripted_server([reply]) as server, pytest.raises(ExecutorFailure):
        OllamaExecutor(server.origin).models()


def test_a_model_that_is_not_pulled_is_met_with_the_way_out():
    said = 'model "some-model" not found, try pulling it first'
    run = Run(OLLAMA, ollama_error(404, said), GOOD)
    assert (run.requests, run.kind) == (1, FailureKind.BAD_REQUEST)
    assert (run.failed.retryable, run.failed.stops_run, run.failed.exit_code) == (False, False, 3)
    assert said in run.failed.message
    assert "/v1" not in run.failed.hint, "Ollama's own API is not below /v1"


def test_a_web_page_is_no_reason_to_send_an_ollama_user_to_v1():
    run = Run(OLLAMA, raw("<html></html>", content_type="text/html"))
    assert run.kind is FailureKind.TRANSPORT
    assert "/v1" not in run.failed.hint


def test_a_full_queue_is_waited_for():
    run = Run(OLLAMA, ollama_error(503, "server busy, maximum pending requests exceeded"), GOOD)
    assert (run.requests, run.waits) == (2, [0.5])
