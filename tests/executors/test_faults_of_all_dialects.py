"""What comes of servers that fail, lie or dawdle: the same in every dialect, over real HTTP."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import pytest
from dialects import GOOD, KEY, NOW, TONGUES, Run, Tongue
from model_server import Received, cut, drip, raw, redirect, reset, scripted_server, zipped
from orders import order

from minitask.executors import http
from minitask.executors.request import ExecutorFailure, ExecutorResult, FailureKind
from minitask.ledger.record import Usage

NOTHING = Usage(1, 0, 0, 0, 0, 0, 0)
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat"}


@pytest.fixture(params=TONGUES)
def tongue(request: pytest.FixtureRequest) -> Tongue:
    return TONGUES[request.param]


def input_unknown(failure: ExecutorFailure) -> bool:
    return failure.usage.input_tokens is None and failure.usage.output_tokens is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": formatdate(NOW + 3, usegmt=True)}, 3.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "-5"}, 0.5),
        ({"retry-after": "1e400"}, 0.5),
        ({"retry-after": "nan"}, 0.5),
        ({"retry-after": "inf"}, 0.5),
        ({"retry-after": "86400"}, 0.5),
        ({"retry-after": "9" * 500}, 0.5),
        ({"retry-after": formatdate(NOW - 60, usegmt=True)}, 0.5),
        ({"retry-after": "Fri, 31 Feb 2027 99:99:99 GMT"}, 0.5),
        ({"retry-after": "tomorrow, perhaps"}, 0.5),
        ({"retry-after": ""}, 0.5),
    ],
)
def test_advice_on_waiting_is_followed_where_it_makes_sense(tongue, headers, wait):
    run = Run(tongue, tongue.error(429, "slow down", headers=headers), GOOD)
    assert run.work is not None, run.failure
    assert run.waits == [wait]


@pytest.mark.parametrize(
    ("reset_after", "wait"), [("1s", 1.0), ("12ms", 0.012), ("6.5s", 6.5), ("-1s", 0.5), ("x", 0.5)]
)
def test_the_rate_limits_own_reset_is_waited_for_where_nothing_else_is_said(reset_after, wait):
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset_after}
    tongue = TONGUES["openai"]
    run = Run(tongue, tongue.error(429, "slow down", headers=headers), GOOD)
    assert run.waits == [pytest.approx(wait)]


def test_anthropics_own_rate_limit_headers_are_heeded():
    headers = {
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": datetime.fromtimestamp(NOW + 4, UTC).isoformat(),
        "anthropic-ratelimit-tokens-remaining": "9000",
        "anthropic-ratelimit-tokens-reset": datetime.fromtimestamp(NOW + 9, UTC).isoformat(),
    }
    tongue = TONGUES["anthropic"]
    assert Run(tongue, tongue.error(429, "slow down", headers=headers), GOOD).waits == [4.0]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_a_passing_error_is_followed_by_a_good_answer(tongue, status):
    run = Run(tongue, tongue.error(status, "later"), GOOD)
    assert run.work is not None, run.failure
    assert (run.work.usage.requests, run.waits) == (2, [0.5])
    assert run.work.usage.output_tokens == 20, "an error was not billed"


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_bad_request_is_sent_once_and_costs_nothing(tongue, status):
    run = Run(tongue, tongue.error(status, "the server's own words"), GOOD)
    assert (run.requests, run.kind, run.waits) == (1, FailureKind.BAD_REQUEST, [])
    assert run.failed.usage == NOTHING
    assert f"HTTP {status}: the server's own words" in str(run.failed)
    assert (run.failed.exit_code, run.failed.stops_run) == (3, False)
    assert run.failed.hint


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_key_is_sent_once_and_stops_the_run(tongue, status):
    run = Run(tongue, tongue.error(status, "who are you?"), GOOD)
    assert (run.requests, run.kind) == (1, FailureKind.AUTH)
    assert (run.failed.exit_code, run.failed.stops_run) == (3, True)


TRANSPORT, AUTH, QUOTA = FailureKind.TRANSPORT, FailureKind.AUTH, FailureKind.QUOTA
BAD = FailureKind.BAD_REQUEST


@pytest.mark.parametrize(
    ("name", "status", "kind", "expected"),
    [
        ("anthropic", 401, "authentication_error", AUTH),
        ("anthropic", 403, "permission_error", AUTH),
        ("anthropic", 400, "invalid_request_error", BAD),
        ("anthropic", 404, "not_found_error", BAD),
        ("anthropic", 413, "request_too_large", BAD),
        ("anthropic", 429, "rate_limit_error", TRANSPORT),
        ("anthropic", 500, "api_error", TRANSPORT),
        ("anthropic", 529, "overloaded_error", TRANSPORT),
        ("anthropic", 402, "billing_error", QUOTA),
        ("anthropic", 200, "overloaded_error", TRANSPORT),
        ("anthropic", 200, "authentication_error", AUTH),
        ("anthropic", 200, "billing_error", QUOTA),
        ("anthropic", 200, "invalid_request_error", BAD),
        ("ollama", 400, None, BAD),
        ("ollama", 401, None, AUTH),
        ("ollama", 403, None, AUTH),
        ("ollama", 413, None, BAD),
        ("ollama", 429, None, TRANSPORT),
        ("ollama", 500, None, TRANSPORT),
    ],
)
def test_an_error_is_what_its_status_or_its_type_says(name, status, kind, expected):
    error = TONGUES[name].error(status, f"no {KEY}", **({"kind": kind} if kind else {}))
    run = Run(TONGUES[name], *[error] * 4)
    assert (run.requests, run.kind) == (3 if expected is TRANSPORT else 1, expected)
    assert (run.failed.retryable, run.failed.stops_run) == (expected is TRANSPORT, expected is AUTH)
    assert run.failed.exit_code == (4 if expected is QUOTA else 3)
    assert "no ***" in str(run.failed)
    assert KEY not in str(run.failed)
    if expected is BAD and status != 200:
        assert run.failed.usage == NOTHING
    if expected is TRANSPORT:
        again = Run(TONGUES[name], error, GOOD)
        assert (again.requests, again.waits) == (2, [0.5])


@pytest.mark.parametrize(
    ("name", "reason", "usage"),
    [
        *(("openai", reason, Usage(2, 200, None, 40)) for reason in ("length", "max_tokens", "MAX_TOKENS")),
        ("anthropic", "max_tokens", Usage(2, 200, 0, 40, 0, 0, None)),
        ("anthropic", "model_context_window_exceeded", Usage(2, 200, 0, 40, 0, 0, None)),
        ("ollama", "length", Usage(2, 20_000, 0, 40, 0, 0, None)),
    ],
)  # fmt: skip
def test_a_reply_that_was_cut_off_twice_is_never_applied(name, reason, usage):
    run = Run(TONGUES[name], *[TONGUES[name].ended(reason)] * 2)
    assert (run.kind, run.failed.exit_code) == (FailureKind.CUT_OFF, 1)
    assert (run.failed.usage, run.failed.reply) == (usage, GOOD)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *(("openai", reason) for reason in (None, 7, "who knows")),
        *(("anthropic", reason) for reason in ("pause_turn", None, 7, "who knows")),
        *(("ollama", reason) for reason in (None, "load", "unload", 7, "who knows")),
    ],
)
def test_a_reply_that_may_be_incomplete_is_never_applied(name, reason):
    run = Run(TONGUES[name], *[TONGUES[name].ended(reason)] * 3)
    assert run.kind is TRANSPORT, "no model is blamed for what its server leaves out"
    assert (run.requests, run.failed.usage.requests) == (3, 3), "it is asked again"
    assert run.failed.usage.input_tokens == (30_000 if name == "ollama" else 300)


def test_a_server_without_a_key_gets_none(tongue):
    with scripted_server([GOOD], speak=tongue.speak) as server:
        tongue.executor(server.origin + tongue.path).work(order())
    assert not {"authorization", "x-api-key"} & set(server.requests[0].headers)


def test_a_key_that_is_not_set_fails_before_anything_is_sent(tongue):
    with scripted_server([GOOD], speak=tongue.speak) as server:
        executor = tongue.connect(server, key=None, key_variable="SOME_KEY")
        with pytest.raises(ExecutorFailure, match="SOME_KEY") as caught:
            executor.work(order())
    assert (server.requests, caught.value.kind, caught.value.exit_code) == ([], AUTH, 3)
    assert caught.value.usage.requests == 0


def test_an_error_object_in_a_good_answer_is_a_transport_failure(tongue):
    run = Run(tongue, *[tongue.error(200, "upstream died")] * 3)
    assert (run.requests, run.kind) == (3, FailureKind.TRANSPORT)
    assert "upstream died" in str(run.failed)


@pytest.mark.parametrize("status", [200, 403, 502])
def test_a_web_page_is_never_a_reply(tongue, status):
    page = raw("<html>Just a moment…</html>", status=status, content_type="text/html")
    run = Run(tongue, *[page] * 3)
    expected = FailureKind.AUTH if status == 403 else FailureKind.TRANSPORT
    assert run.kind is expected


@pytest.mark.parametrize(
    "body", ['{"choices": [{"mess', '{"choices": []}', "", " \n", "null", "[]", "7", "\xff", "{}"]
)
def test_an_answer_without_sense_is_a_transport_failure_of_unknown_cost(tongue, body):
    run = Run(tongue, *[raw(body)] * 3)
    assert (run.requests, run.kind) == (3, FailureKind.TRANSPORT)
    assert input_unknown(run.failed) or (tongue is TONGUES["ollama"] and body == "{}")


def test_an_answer_without_sense_may_be_followed_by_a_good_one(tongue):
    run = Run(tongue, raw('{"cho'), GOOD)
    assert run.work is not None
    assert (run.work.usage.requests, run.work.usage.output_tokens) == (2, None)


def test_deeply_nested_json_is_a_transport_failure(tongue):
    assert Run(tongue, *[raw('{"a":' * 100_000)] * 3).kind is FailureKind.TRANSPORT


def test_an_answer_that_ends_early_is_never_applied(tongue):
    run = Run(tongue, *[cut(tongue.speak(GOOD), at=60)] * 3)
    assert run.kind is FailureKind.TRANSPORT
    assert input_unknown(run.failed)


def test_a_reset_is_followed_by_a_good_answer(tongue):
    run = Run(tongue, reset(), GOOD)
    assert run.work is not None, run.failure
    assert (run.work.usage.requests, run.work.usage.output_tokens) == (2, 20)


def test_resets_that_go_on_are_a_transport_failure(tongue):
    run = Run(tongue, *[reset()] * 3)
    assert (run.requests, run.kind, run.failed.retryable) == (3, FailureKind.TRANSPORT, True)


@pytest.mark.variant
def test_a_drip_is_left_at_the_deadline(tongue):
    run = Run(tongue, drip(tongue.speak(GOOD), seconds_per_byte=0.01), timeout_seconds=0.3)
    assert (run.requests, run.kind) == (1, FailureKind.TRANSPORT)
    assert input_unknown(run.failed)


@pytest.mark.parametrize("headers", [{}, {"retry-after": "3"}])
def test_retries_end_at_the_deadline(tongue, headers):
    busy = tongue.error(429, "slow down", headers=headers)
    run = Run(tongue, *[busy] * 9, timeout_seconds=0.3)
    assert (run.requests, run.kind) == (1, FailureKind.TRANSPORT)
    assert run.waits == [], "a wait that reaches past the deadline is not begun"


@pytest.mark.sampled(1)
def test_a_gzip_bomb_does_not_go_off(tongue):
    run = Run(tongue, *[zipped(bytes(80_000_000))] * 3)
    assert run.kind is FailureKind.TRANSPORT
    assert "larger than" in str(run.failed)
    assert input_unknown(run.failed)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed_and_the_key_stays_here(tongue, status):
    with scripted_server([GOOD] * 3, speak=tongue.speak) as other:
        target = f"{other.origin}/elsewhere"
        moved = redirect(target) if status == 307 else raw("", status=status, headers=at(target))
        run = Run(tongue, moved)
    assert other.requests == []
    assert (run.requests, run.kind) == (1, FailureKind.BAD_REQUEST)
    assert target in run.failed.hint


def at(location: str) -> dict[str, str]:
    return {"Location": location}


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_a_body_that_echoes_the_key_never_shows_it(tongue, status):
    run = Run(tongue, *[tongue.error(status, f"you sent {KEY}!")] * 3)
    shown = f"{run.failed} {run.failed!r} {run.failed.reply} {run.failed.hint}"
    assert KEY not in shown
    assert "you sent ***!" in shown


def test_a_redirect_that_echoes_the_key_never_shows_it(tongue):
    run = Run(tongue, redirect(f"http://127.0.0.1:1/?key={KEY}"))
    assert KEY not in f"{run.failed} {run.failed!r} {run.failed.hint}"


def test_a_reply_that_echoes_the_key_keeps_it_out_of_the_record(tongue):
    run = Run(tongue, f"Your key is {KEY}.\n\n{GOOD}")
    assert run.work is not None
    assert KEY not in run.work.reply


@pytest.mark.parametrize("name", TONGUES)
def test_orders_one_after_the_other_share_a_connection(name):
    tongue = TONGUES[name]
    with scripted_server([GOOD] * 3, speak=tongue.speak, keep_alive=True) as server:
        for _ in range(3):
            assert tongue.connect(server).work(order()).changes
    assert [request.path for request in server.requests] == [PATHS[name]] * 3
    assert server.connections == 1


def test_a_kept_connection_that_the_server_closed_meanwhile_costs_no_attempt(tongue):
    with scripted_server([GOOD] * 2, speak=tongue.speak) as server:
        server.keep_alive = True
        assert tongue.connect(server).work(order()).usage.requests == 1
        server.drop_connections()
        assert tongue.connect(server).work(order()).usage.requests == 1
    assert len(server.requests) == 2


def test_orders_at_once_have_a_connection_each_and_both_are_kept(tongue):
    meet = threading.Barrier(2, timeout=5)

    def reply(_request: Received) -> str:
        meet.wait()
        return GOOD

    def both() -> None:
        work = tongue.connect(server).work
        threads = [threading.Thread(target=work, args=(order(),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)

    with scripted_server(reply, speak=tongue.speak, keep_alive=True) as server:
        both()
        both()
    assert (len(server.requests), server.connections) == (4, 2)


class Hanging:
    """An order in a thread of its own whose server does not answer until it is let go."""

    def __init__(self, tongue: Tongue) -> None:
        self.outcome: ExecutorResult | ExecutorFailure | None = None
        self.asked, self._go = threading.Event(), threading.Event()
        self.tongue = tongue

    def reply(self, _request: Received) -> str:
        self.asked.set()
        self._go.wait(600)
        return GOOD

    def cancel(self) -> tuple[bool, int]:
        """Cancel it; return whether it ended while the server still hung, and how often that was asked."""
        with scripted_server(self.reply, speak=self.tongue.speak) as server:
            thread = threading.Thread(target=self._work, args=(server,), daemon=True)
            thread.start()
            assert self.asked.wait(5)
            http.SHARED.cancel()
            thread.join(60)
            has_ended = not thread.is_alive()
            self._go.set()
            thread.join(60)
            return has_ended, len(server.requests)

    def _work(self, server: Any) -> None:
        try:
            self.outcome = self.tongue.connect(server).work(order(timeout_seconds=60))
        except ExecutorFailure as failure:
            self.outcome = failure


def test_a_hanging_call_that_is_cancelled_ends_at_once_and_is_not_asked_again(tongue):
    hanging = Hanging(tongue)
    has_ended, requests = hanging.cancel()
    assert has_ended
    assert requests == 1
    assert isinstance(hanging.outcome, ExecutorFailure)
    assert hanging.outcome.kind is FailureKind.INTERRUPTED
    assert "it had not answered yet" in str(hanging.outcome)
    assert input_unknown(hanging.outcome), "it may have been billed"


def test_after_a_cancellation_calls_work_again(tongue):
    http.SHARED.cancel()
    assert Run(tongue, GOOD).work is not None
