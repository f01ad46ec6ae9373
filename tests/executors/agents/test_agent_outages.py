"""Whose fault it is that a program made nothing: its words for a used-up plan or an absent server."""

from __future__ import annotations

import json

import pytest
from agent_outputs import printed

from minitask.executors.agents.adapter import AgentReport, Output
from minitask.executors.agents.faults import OutageWatch, believed, read_limits
from minitask.executors.agents.programs import PROGRAMS
from minitask.executors.request import FailureKind
from minitask.ledger.usage import Usage

QUOTA, TRANSPORT = FailureKind.QUOTA, FailureKind.TRANSPORT


def lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def claude(result: str, **fields: object) -> str:
    return lines({"type": "result", "subtype": "success", "result": result, **fields})


LIMITS: list[tuple[str, Output]] = [
    ("claude", printed(claude("Claude AI usage limit reached|1764428400", is_error=True))),
    ("claude", printed(claude("You've hit your limit · resets 3pm (Europe/Berlin)"))),
    ("claude", printed(claude("5-hour limit reached ∙ resets 3pm", is_error=False))),
    (
        "codex",
        printed(
            lines({"type": "turn.failed", "error": {"message": "You've hit your usage limit."}}),
            exit_code=1,
        ),
    ),
    (
        "codex",
        printed(lines({"type": "error", "message": "usage limit reached, try again at 3:05 PM"})),
    ),
    (
        "aider",
        printed(
            "litellm.RateLimitError: You exceeded your current quota, please check your plan\n"
        ),
    ),
    (
        "gemini",
        printed(
            exit_code=1,
            stderr='{"error": {"message": "You have exhausted your daily quota on this model."}}',
        ),
    ),
    (
        "qwen",
        printed(exit_code=1, stderr="Qwen OAuth quota exceeded: Your free daily quota is over."),
    ),
    ("goose", printed(exit_code=1, stderr="error: credit balance is too low")),
    (
        "opencode",
        printed(
            lines(
                {
                    "type": "error",
                    "error": {"data": {"message": "Weekly limit reached, resets on Monday"}},
                }
            )
        ),
    ),
    ("cursor-agent", printed(exit_code=1, stderr="You've hit your usage limit for this model")),
    ("mini", printed(exit_code=1, stderr="litellm.RateLimitError: insufficient_quota")),
    ("mini", printed(exit_code=1, stderr="The zorp limit is used; it will reset at noon")),
]


@pytest.mark.parametrize(("name", "output"), LIMITS)
def test_a_plan_that_is_used_up_is_no_failure_of_the_agent(name, output):
    report = read_limits(PROGRAMS[name].report(output), output)
    assert report.problem is QUOTA, report
    assert report.message


def test_an_answer_about_limits_is_no_limit():
    said = "I made the usage limit configurable.\nIt resets at midnight, as the spec says."
    output = printed(claude(said))
    assert read_limits(PROGRAMS["claude"].report(output), output).problem is None


KILLED: list[tuple[str, str, FailureKind, str]] = [
    ("", "", FailureKind.STUCK, "time limit reached"),
    ("", "thinking about the tests\n", FailureKind.STUCK, "thinking about the tests"),
    ("", "Error: connect ECONNREFUSED 127.0.0.1:9\n", TRANSPORT, "ECONNREFUSED"),
    ("", "429 Too Many Requests, retrying in 30 s\n", TRANSPORT, "429"),
    ("attempt 9: rate limit, retrying\n", "", TRANSPORT, "rate limit"),
    ("I now write the rate limit test\n", "", FailureKind.STUCK, "rate limit test"),
    ("", "Error: 401 unauthorized\n", FailureKind.AUTH, "401"),
    ("", "You've hit your usage limit, resets 3pm\n", QUOTA, "resets 3pm"),
]


@pytest.mark.parametrize(("stdout", "stderr", "kind", "words"), KILLED)
def test_a_program_that_was_killed_is_judged_by_its_last_words(stdout, stderr, kind, words):
    output = printed(stdout, stderr=stderr, exit_code=None, timed_out=True)
    report = PROGRAMS["cursor-agent"].report(output)
    assert (report.problem, words in report.message) == (kind, True), report.message


def test_a_program_that_only_retries_a_server_that_is_not_there_is_not_waited_for():
    watch = OutageWatch(patience_seconds=60.0)
    assert watch(b"reading files\n") == float("inf")
    assert watch(b"connect ECONNREFUSED 127.0.0.1:9\n") <= 60.0
    assert watch(b"retrying in 5 s (attempt 2)\n") <= 60.0
    assert watch(b"writing a.txt\n") == float("inf"), "it is at work again"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(1, 0, 0, 0, 0, 0, 0), Usage(1)),
        (Usage(1, 5, 0, 0), Usage(1, 5, 0, 0)),
        (Usage(1, None, None, None), Usage(1)),
    ],
)
def test_a_program_that_counts_no_tokens_has_said_nothing(usage, expected):
    assert believed(AgentReport(usage)).usage == expected
    problem = AgentReport(Usage(1, 0, 0, 0), problem=TRANSPORT)
    assert believed(problem) == problem, "nothing was answered, so nothing was billed"
