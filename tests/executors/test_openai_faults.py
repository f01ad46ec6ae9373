"""What comes of OpenAI-compatible servers that fail in ways of their own, over real HTTP."""

from __future__ import annotations

import zlib

import pytest
from dialects import GOOD, KEY, OPENAI, Run
from model_server import ScriptedReply, completion, drip, error, raw, scripted_server, zipped
from orders import order

from minitask.executors.http import Http, HttpFault, HttpRequest, HttpResponse
from minitask.executors.openai import OpenAiExecutor
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.executors.retry import RetryPolicy
from minitask.ledger.record import Usage


def test_the_waits_grow_and_the_requests_end():
    run = Run(OPENAI, *[error(503, "queue full")] * 4)
    assert (run.requests, run.waits, run.kind) == (3, [0.5, 1.0], FailureKind.TRANSPORT)
    assert (run.failed.retryable, run.failed.exit_code) == (True, 3)
    assert run.failed.usage == Usage(3, 0, 0, 0, 0, 0, 0)
    assert "503: queue full (after 3 requests)" in str(run.failed)


def test_the_servers_word_on_retrying_wins():
    final = error(500, "final", headers={"x-should-retry": "false"})
    assert Run(OPENAI, final, GOOD).requests == 1
    again = error(400, "again", headers={"x-should-retry": "true"})
    assert Run(OPENAI, again, GOOD).work is not None


def test_an_account_without_credit_is_not_asked_again():
    headers = {"x-should-retry": "true", "retry-after": "1"}
    run = Run(OPENAI, error(429, "no credit", code="insufficient_quota", headers=headers), GOOD)
    assert (run.requests, run.kind) == (1, FailureKind.QUOTA)
    assert (run.failed.stops_run, run.failed.exit_code) == (False, 4)


def test_a_missing_model_is_met_with_the_way_out():
    said = '{"error": "model \\"x\\" not found, try pulling it first"}'
    run = Run(OPENAI, raw(said, status=404))
    assert "try pulling it first" in run.failed.message
    assert "/v1" in run.failed.hint


def test_what_a_server_says_cannot_steer_the_terminal():
    run = Run(OPENAI, error(400, "\x1b[2Jgone\r\nminitask: merged\x07" + "x" * 5000))
    assert run.failed.message.isprintable()
    assert len(run.failed.message) < 500


def test_an_error_under_status_200_is_taken_at_its_code_or_may_be_followed_by_a_reply():
    quota = error(200, "no", code="insufficient_quota")
    assert Run(OPENAI, quota, GOOD).kind is FailureKind.QUOTA
    assert Run(OPENAI, error(200, "no", code="401"), GOOD).kind is FailureKind.AUTH
    run = Run(OPENAI, error(200, "upstream died"), GOOD)
    assert run.work is not None
    assert run.work.usage == Usage(2, None, None, None), "the first may have been billed"


def test_a_web_page_is_not_asked_for_twice():
    page = raw("<!doctype html><title>Hello</title>", content_type="text/html")
    run = Run(OPENAI, page, GOOD)
    assert (run.requests, run.kind) == (1, FailureKind.TRANSPORT)
    assert "/v1" in str(run.failed)


def test_a_server_that_is_not_there_is_a_transport_failure():
    with scripted_server([]) as server:
        gone = server.base_url
    with pytest.raises(ExecutorFailure) as caught:
        OpenAiExecutor(gone, patience=RetryPolicy(requests=1)).work(order())
    assert caught.value.kind is FailureKind.TRANSPORT
    assert "base_url" in caught.value.hint


@pytest.mark.variant
def test_a_server_that_drips_its_headers_is_left_at_the_deadline_and_a_slow_one_is_waited_for():
    reply = completion(GOOD, headers={"x-filler": "y" * 2000})
    run = Run(OPENAI, drip(reply, seconds_per_byte=0.003), timeout_seconds=0.4)
    assert (run.requests, run.kind) == (1, FailureKind.TRANSPORT)
    assert run.failed.usage == Usage(1, None, None, None)
    assert "within" in str(run.failed)
    assert Run(OPENAI, drip(completion(GOOD), seconds_per_byte=0.0005)).work is not None


def ask(reply: ScriptedReply, **limits: int) -> HttpResponse:
    with scripted_server([reply]) as server:
        request = HttpRequest(server.base_url, b"{}")
        return Http(**limits).send(request, timeout_seconds=5)


def test_a_compressed_answer_of_the_very_limit_is_read():
    text = b"plain " * 1000
    assert ask(zipped(text), max_bytes=6000).body == text
    with pytest.raises(HttpFault, match="larger than 5999 bytes"):
        ask(zipped(text), max_bytes=5999)
    with pytest.raises(HttpFault, match="larger"):
        ask(raw(bytes(1001)), max_bytes=1000)


def test_an_answer_that_was_deflated_though_nobody_accepts_that_is_read():
    body = raw(zlib.compress(b"plain"), headers={"Content-Encoding": "deflate"})
    assert ask(body).body == b"plain"


def test_damaged_or_unknown_compression_is_a_fault():
    with pytest.raises(HttpFault, match="damaged gzip"):
        ask(raw("no gzip", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(HttpFault, match="'br'"):
        ask(raw("?", headers={"Content-Encoding": "br"}))


def test_a_request_never_shows_its_headers():
    assert KEY not in repr(HttpRequest("http://host", b"{}", {"Authorization": KEY}))
