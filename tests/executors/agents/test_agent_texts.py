"""What is read from programs of which no run is captured.

aider's lines are those that aider 0.86.2 printed in a run by hand against a scripted model server; goose's and
cursor-agent's are made after their documentation.
"""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from agent_outputs import printed

from minitask.executors.agents.litellm_agents import AiderProgram
from minitask.executors.agents.result_agents import CursorProgram, GooseProgram
from minitask.executors.request import FailureKind
from minitask.ledger.record import Usage

AIDER = AiderProgram()
BANNER = "Aider v0.86.2\nModel: openai/mock with diff edit format\nAdded new.txt to the chat.\n\n"
REFUSED = "litellm.AuthenticationError: AuthenticationError: OpenAIException - no such key\n"
BUSY = (
    "litellm.RateLimitError: RateLimitError: OpenAIException - later\nRetrying in 1.0 seconds...\n"
)


@pytest.mark.parametrize(
    ("line", "usage"),
    [
        ("Tokens: 1.0k sent, 50 received.", Usage(1, 1000, None, 50)),
        ("Tokens: 999 sent, 1.2k received.", Usage(1, 999, None, 1200)),
        ("Tokens: 12k sent, 3.4k cache hit, 2 received.", Usage(1, 12000, 3400, 2)),
        ("Tokens: 12k sent, 2.0k cache write, 3.4k cache hit, 2 received.", Usage(1, 10000, 3400, 2, 2000)),
        ("Tokens: 1.5M sent, 2 received.", Usage(1, 1_500_000, None, 2)),
        ("Tokens: 1..0k sent, 2 received.", Usage(1, None, None, 2)),
        ("Tokens: many sent, 2 received.", Usage()),
        ("> Tokens: 1.0k sent, 50 received.", Usage()),
    ],
)  # fmt: skip
def test_aider_rounds_its_counts(line, usage):
    report = AIDER.report(printed(f"{BANNER}{line}\nApplied edit to new.txt\n"))
    assert (report.usage, report.cost_usd, report.problem) == (usage, None, None)


def test_aider_adds_up_its_requests_and_its_last_cost_is_that_of_all():
    text = (
        f"{BANNER}Tokens: 1.0k sent, 50 received. Cost: $0.0020 message, $0.0020 session.\n"
        "More.\nTokens: 2.0k sent, 1.0k cache write, 500 cache hit, 70 received.\n"
        "Cost: $0.0041 message, $0.0061 session.\nApplied edit to new.txt\n"
    )
    report = AIDER.report(printed(text))
    assert report.usage == Usage(2, 2000, None, 120)
    assert report.cost_usd == Decimal("0.0061")


def test_aider_names_a_cost_for_every_request_or_for_none():
    text = "Tokens: 1 sent, 1 received. Cost: $0.10 message, $0.10 session.\nTokens: 1 sent, 1 received.\n"
    assert AIDER.report(printed(text)).cost_usd is None


def test_aider_exits_with_0_on_a_refused_key_and_is_found_out():
    report = AIDER.report(printed(BANNER + REFUSED))
    assert (report.problem, report.usage) == (FailureKind.AUTH, Usage())
    assert report.message.startswith("litellm.AuthenticationError")


def test_aider_may_overcome_an_error_by_another_try():
    answered = "Tokens: 1.0k sent, 50 received.\n"
    assert AIDER.report(printed(BANNER + BUSY + answered)).problem is None
    assert AIDER.report(printed(BANNER + answered + BUSY)).problem is FailureKind.TRANSPORT


def test_a_reply_about_an_error_is_no_error():
    reply = "I now catch litellm.AuthenticationError: it means a bad key.\nTokens: 9 sent, 9 received.\n"
    assert AIDER.report(printed(BANNER + reply)).problem is None


GOOSE = GooseProgram()


def goose(*, status: str = "completed", **metadata: object) -> str:
    """A run's JSON, after a line that is none."""
    content = [{"type": "text", "text": "All "}, {"type": "text", "text": "done."}]
    messages = [{"role": "user", "content": []}, {"role": "assistant", "content": content}]
    found = {"messages": messages, "metadata": {"status": status, **metadata}}
    return "a log line\n" + json.dumps(found, indent=2) + "\n"


def test_goose_says_what_it_used_in_its_metadata():
    text = goose(input_tokens=1000, output_tokens=50, cache_read_tokens=800, cost_usd=0.25)
    report = GOOSE.report(printed(text))
    assert (report.usage, report.cost_usd) == (Usage(None, 1000, 800, 50), Decimal("0.25"))
    assert (report.final_message, report.problem) == ("All done.", None)


def test_an_older_goose_says_but_a_total():
    assert GOOSE.report(printed(goose(total_tokens=1050))).usage == Usage()


def test_an_older_goose_exits_with_0_where_it_failed():
    error = {"stderr": "Error: authentication failed: 401 Unauthorized\n"}
    assert GOOSE.report(printed(goose(status="error"), **error)).problem is FailureKind.AUTH
    assert GOOSE.report(printed(goose(status="cancelled"))).message == "status cancelled"


CURSOR = CursorProgram()
RESULT = {"type": "result", "subtype": "success", "is_error": False, "result": "All done."}


def test_cursor_says_nothing_of_what_it_used():
    report = CURSOR.report(printed(json.dumps(RESULT)))
    assert (report.usage, report.cost_usd) == (Usage(), None)
    assert (report.final_message, report.problem) == ("All done.", None)


def test_cursor_fails_with_another_code_and_without_json():
    report = CURSOR.report(printed(exit_code=1, stderr="Error: Not logged in\n"))
    assert (report.problem, report.message) == (
        FailureKind.AUTH,
        "exit code 1: Error: Not logged in",
    )


def test_cursor_may_call_its_result_an_error():
    text = json.dumps({**RESULT, "is_error": True, "result": "You've hit your usage limit"})
    assert CURSOR.report(printed(text)).problem is FailureKind.QUOTA
