"""What comes of servers that fail, lie or dawdle, over real HTTP."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from model_server import (
    ScriptedReply,
    completion,
    cut,
    drip,
    error,
    raw,
    redirect,
    reset,
    scripted_server,
    zipped,
)
from orders import order

from minitask.executors.http import Http, HttpFault, HttpRequest, HttpResponse
from minitask.executors.openai import OpenAiExecutor
from minitask.executors.request import ExecutorFailure, ExecutorResult, FailureKind
from minitask.executors.retry import RetryPolicy
from minitask.ledger.usage import Usage

GOOD = "```python path=src/b.py\nx = 1\n```\n"
NOW = 1_800_000_000.0
KEY = "sk-very-secret-key"


class Run:
    """One order against a script: what came of it, how often it was asked, what was slept."""

    def __init__(self, *replies: ScriptedReply, timeout_seconds: float = 10.0) -> None:
        self.waits: list[float] = []
        self.work: ExecutorResult | None = None
        self.failure: ExecutorFailure | None = None
        patience = RetryPolicy(sleep=self.waits.append, now=lambda: NOW, jitter=lambda: 0.0)
        with scripted_server(replies) as server:
            executor = OpenAiExecutor(
                server.base_url, key=KEY, key_variable="KEY", patience=patience
            )
            try:
                self.work = executor.work(order(timeout_seconds=timeout_seconds))
            except ExecutorFailure as failure:
                self.failure = failure
        self.requests = len(server.requests)

    @property
    def kind(self) -> FailureKind | None:
        return self.failure.kind if self.failure else None


def busy(**headers: str) -> ScriptedReply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error(429, "slow down", code="rate_limit_exceeded", headers=named)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_passing_error_is_followed_by_another_request(status):
    run = Run(error(status, "later"), GOOD)
    assert run.work is not None
    assert run.work.usage == Usage(2, 100, None, 20)
    assert run.waits == [0.5]


def test_the_waits_grow_and_the_requests_end():
    run = Run(*[error(503, "queue full")] * 4)
    assert (run.requests, run.waits) == (3, [0.5, 1.0])
    assert run.kind is FailureKind.TRANSPORT
    assert run.failure is not None
    assert run.failure.retryable
    assert run.failure.exit_code == 3
    assert run.failure.usage == Usage(3, 0, 0, 0, 0, 0, 0)
    assert "503: queue full (after 3 requests)" in str(run.failure)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "2"}, 2.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": formatdate(NOW + 3, usegmt=True)}, 3.0),
        ({"retry_after_ms": "250", "retry_after": "7"}, 0.25),
        ({"retry_after": "-5"}, 0.5),
        ({"retry_after": "1e400"}, 0.5),
        ({"retry_after": "nan"}, 0.5),
        ({"retry_after": "999999999999"}, 0.5),
        ({"retry_after": formatdate(NOW - 60, usegmt=True)}, 0.5),
        ({"retry_after": "tomorrow, perhaps"}, 0.5),
    ],
)
def test_the_servers_advice_is_followed_where_it_fits_the_deadline(headers, wait):
    run = Run(busy(**headers), GOOD)
    assert run.work is not None
    assert run.waits == [wait]


def test_no_wait_reaches_past_the_deadline():
    run = Run(busy(), GOOD, timeout_seconds=0.4)
    assert (run.requests, run.waits) == (1, [])
    assert run.kind is FailureKind.TRANSPORT


def test_the_servers_word_on_retrying_wins():
    assert Run(error(500, "final", headers={"x-should-retry": "false"}), GOOD).requests == 1
    assert Run(error(400, "again", headers={"x-should-retry": "true"}), GOOD).work is not None


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_key_stops_the_run(status):
    run = Run(error(status, f"Incorrect API key provided: {KEY}", code="invalid_api_key"), GOOD)
    assert run.requests == 1
    assert run.failure is not None
    assert (run.kind, run.failure.exit_code) == (FailureKind.AUTH, 3)
    assert run.failure.stops_run
    assert KEY not in str(run.failure)
    assert "***" in str(run.failure)


def test_an_account_without_credit_is_not_asked_again():
    headers = {"x-should-retry": "true", "retry-after": "1"}
    run = Run(error(429, "no credit", code="insufficient_quota", headers=headers), GOOD)
    assert (run.requests, run.kind) == (1, FailureKind.QUOTA)
    assert run.failure is not None
    assert run.failure.stops_run
    assert run.failure.exit_code == 3


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_bad_request_is_not_repeated_and_quotes_the_server(status):
    run = Run(error(status, "model 'some-model' not found"), GOOD)
    assert (run.requests, run.kind) == (1, FailureKind.BAD_REQUEST)
    assert run.failure is not None
    assert f"HTTP {status}: model 'some-model' not found" in str(run.failure)
    assert run.failure.hint
    assert run.failure.usage == Usage(1, 0, 0, 0, 0, 0, 0)


def test_a_missing_model_is_met_with_the_way_out():
    run = Run(raw('{"error": "model \\"x\\" not found, try pulling it first"}', status=404))
    assert run.failure is not None
    assert "try pulling it first" in run.failure.message
    assert "/v1" in run.failure.hint


def test_what_a_server_says_cannot_steer_the_terminal():
    run = Run(error(400, "\x1b[2Jgone\r\nminitask: merged\x07" + "x" * 5000))
    assert run.failure is not None
    assert run.failure.message.isprintable()
    assert len(run.failure.message) < 500


def test_an_error_under_status_200_is_a_transport_failure():
    run = Run(*[error(200, "upstream died")] * 3)
    assert (run.requests, run.kind) == (3, FailureKind.TRANSPORT)
    assert "upstream died" in str(run.failure)


def test_an_error_under_status_200_may_be_followed_by_a_reply():
    run = Run(error(200, "upstream died"), GOOD)
    assert run.work is not None
    assert run.work.usage == Usage(2, None, None, None), "the first may have been billed"


def test_an_error_under_status_200_is_taken_at_its_code():
    assert Run(error(200, "no", code="insufficient_quota"), GOOD).kind is FailureKind.QUOTA
    assert Run(error(200, "no", code="401"), GOOD).kind is FailureKind.AUTH


def test_a_web_page_is_not_asked_for_twice():
    page = raw("<!doctype html><title>Hello</title>", content_type="text/html")
    run = Run(page, GOOD)
    assert (run.requests, run.kind) == (1, FailureKind.TRANSPORT)
    assert "/v1" in str(run.failure)


@pytest.mark.parametrize("body", ['{"choices": [{"mess', "", "{}", '{"choices": []}', "\xff"])
def test_an_answer_without_sense_is_a_transport_failure_of_unknown_cost(body):
    run = Run(*[raw(body)] * 3)
    assert (run.requests, run.kind) == (3, FailureKind.TRANSPORT)
    assert run.failure is not None
    assert run.failure.usage == Usage(3, None, None, None)


def test_an_answer_that_ends_early_is_never_applied():
    run = Run(*[cut(completion(GOOD), at=60)] * 3)
    assert run.kind is FailureKind.TRANSPORT
    assert run.failure is not None
    assert run.failure.usage == Usage(3, None, None, None)


def test_a_connection_that_is_reset_is_tried_again():
    run = Run(reset(), GOOD)
    assert run.work is not None
    assert run.work.usage == Usage(2, 100, None, 20)


def test_a_server_that_is_not_there_is_a_transport_failure():
    with scripted_server([]) as server:
        gone = server.base_url
    patience = RetryPolicy(requests=1)
    with pytest.raises(ExecutorFailure) as caught:
        OpenAiExecutor(gone, patience=patience).work(order())
    assert caught.value.kind is FailureKind.TRANSPORT
    assert "base_url" in caught.value.hint


@pytest.mark.parametrize("at", ["headers", "body"])
def test_a_server_that_drips_is_left_at_the_deadline(at):
    reply = completion(GOOD, headers={"x-filler": "y" * 2000} if at == "headers" else None)
    run = Run(drip(reply, seconds_per_byte=0.003), timeout_seconds=0.4)
    assert (run.requests, run.kind) == (1, FailureKind.TRANSPORT)
    assert run.failure is not None
    assert run.failure.usage == Usage(1, None, None, None)
    assert "within" in str(run.failure)


def test_a_slow_server_within_the_deadline_is_waited_for():
    assert Run(drip(completion(GOOD), seconds_per_byte=0.0005)).work is not None


def test_a_redirect_is_not_followed():
    with scripted_server([GOOD]) as other:
        run = Run(redirect(f"{other.base_url}/chat/completions"))
    assert other.requests == []
    assert (run.requests, run.kind) == (1, FailureKind.BAD_REQUEST)
    assert run.failure is not None
    assert other.base_url in run.failure.hint


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_body_that_echoes_the_key_never_shows_it(status):
    run = Run(*[error(status, f"you sent Authorization: Bearer {KEY}!")] * 3)
    assert run.failure is not None
    assert KEY not in str(run.failure) + repr(run.failure) + run.failure.reply
    assert "Bearer ***!" in str(run.failure)


def ask(reply: ScriptedReply, **limits: int) -> HttpResponse:
    with scripted_server([reply]) as server:
        request = HttpRequest(server.base_url, b"{}")
        return Http(**limits).send(request, timeout_seconds=5)


def test_a_compressed_answer_is_read():
    assert ask(zipped(b"plain " * 1000)).body == b"plain " * 1000


def test_a_bomb_does_not_go_off():
    with pytest.raises(HttpFault, match="larger than 1000000 bytes"):
        ask(zipped(bytes(50_000_000)), max_bytes=1_000_000)


def test_an_answer_of_the_very_limit_is_read():
    assert len(ask(zipped(bytes(1000)), max_bytes=1000).body) == 1000
    with pytest.raises(HttpFault, match="larger"):
        ask(raw(bytes(1001)), max_bytes=1000)


def test_damaged_or_unknown_compression_is_a_fault():
    with pytest.raises(HttpFault, match="damaged gzip"):
        ask(raw("no gzip", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(HttpFault, match="'br'"):
        ask(raw("?", headers={"Content-Encoding": "br"}))


def test_a_request_never_shows_its_headers():
    assert KEY not in repr(HttpRequest("http://host", b"{}", {"Authorization": KEY}))
