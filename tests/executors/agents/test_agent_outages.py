"""Whose fault it is that a program made nothing: its words for a used-up plan or an absent server."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from agent_outputs import printed

from minitask.executors.agents.adapter import AgentReport, Output, without_flags
from minitask.executors.agents.faults import OutageWatch, believed, read_limits, unknown_flags
from minitask.executors.agents.programs import PROGRAMS
from minitask.executors.request import FailureKind
from minitask.executors.retry import find_reset
from minitask.ledger.record import Usage

QUOTA, TRANSPORT = FailureKind.QUOTA, FailureKind.TRANSPORT


def lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def claude(result: str, **fields: object) -> str:
    return lines({"type": "result", "subtype": "success", "result": result, **fields})


def told(name: str, words: str) -> Output:
    """The output of a program that tells in its own way of an error."""
    if name == "claude":
        return printed(claude(words, is_error=False))
    if name == "codex":
        return printed(lines({"type": "turn.failed", "error": {"message": words}}), exit_code=1)
    if name == "opencode":
        return printed(lines({"type": "error", "error": {"data": {"message": words}}}))
    if name in ("gemini", "qwen"):
        return printed(exit_code=1, stderr=json.dumps({"error": {"message": words}}))
    return printed(f"{words}\n") if name == "aider" else printed(exit_code=1, stderr=words)


PAGE = Path(__file__).parents[3] / "docs" / "limits.md"
ROWS = re.findall(
    r"^\| ([\w-]+) \| `(.+?)` \| .+ \| \d{4}-\d\d-\d\d \|$", PAGE.read_text(), re.MULTILINE
)
LIMITS: list[tuple[str, Output]] = [
    *((name, told(name, words.replace("\\|", "|"))) for name, words in ROWS),
    ("claude", printed(claude("Claude AI usage limit reached|1764428400", is_error=True))),
    ("codex", printed(lines({"type": "error", "message": "usage limit reached, try again later"}))),
    ("qwen", printed(exit_code=1, stderr="Qwen OAuth quota exceeded: Your free daily quota ended.")),
    ("mini", printed(exit_code=1, stderr="The zorp limit is used; it will reset at noon")),
]  # fmt: skip


def test_every_agents_words_are_on_the_page():
    assert {name for name, _ in ROWS} == set(PROGRAMS)


@pytest.mark.parametrize(("name", "output"), LIMITS)
def test_a_plan_that_is_used_up_is_no_failure_of_the_agent(name, output):
    report = read_limits(PROGRAMS[name].report(output), output)
    assert report.problem is QUOTA, report
    assert report.message


def test_a_busy_server_is_no_limit():
    said = "Server is temporarily limiting requests (not your usage limit)"
    output = printed(claude(f"API Error: {said}", is_error=True, api_error_status=429))
    assert read_limits(PROGRAMS["claude"].report(output), output).problem is TRANSPORT


RESETS = {
    "Claude AI usage limit reached|1790687400": "2026-09-29T15:10+02:00",
    "You've hit your limit · resets 3pm": "2026-09-29T15:00+02:00",
    "5-hour limit reached ∙ resets 2:25pm": "2026-09-29T14:25+02:00",
    "5-hour limit reached ∙ resets 2pm": "2026-09-30T14:00+02:00",
    "You've hit your session limit · resets 3:50pm (Asia/Tokyo)": "2026-09-30T15:50+09:00",
    "You've hit your weekly limit · resets Oct 2, 12am (UTC)": "2026-10-02T00:00+00:00",
    "You've hit your weekly limit · resets Jan 2 at 9am": "2027-01-02T09:00+01:00",
    "You've hit your weekly limit · resets Mon 12:00am": "2026-10-05T00:00+02:00",
    "usage limit. Try again in 5 days 22 hours 11 minutes.": "2026-10-05T12:41+02:00",
    "usage limit, or try again at Jul 5th, 2027 8:19 PM.": "2027-07-05T20:19+02:00",
    "usage limit. Try again at 3:05 PM.": "2026-09-29T15:05+02:00",
    "Your quota will reset after 18h5m30s.": "2026-09-30T08:35:30+02:00",
    "limits will reset when your monthly cycle ends on 10/2/2026.": "2026-10-02T00:00+02:00",
    "Access resets at 12:00 AM GMT.": "2026-09-30T00:00+00:00",
    "window resets 2026-09-29T18:00:00Z": "2026-09-29T18:00+00:00",
    "The zorp limit is used; it will reset at noon": None,
    "resets Feb 31, 3pm": None,
    "resets at 99:99": None,
    "resets at 2026-99-99T10:00": None,
    "Try again in 99999999999999 days": None,
    "You've hit your limit": None,
}


@pytest.mark.parametrize(("words", "at"), RESETS.items())
def test_the_end_of_a_limit_is_read_from_its_words(words, at):
    now = datetime(2026, 9, 29, 14, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert find_reset(words, now) == (at and datetime.fromisoformat(at))


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


REFUSALS = {
    "Unknown arguments: max-wall-time, maxWallTime, max-turns, maxTurns": (
        "--max-turns",
    ),  # qwen 0.15
    "error: unexpected argument '--ephemeral' found": ("--ephemeral",),  # codex 0.171
    "error: unknown option '--max-turns'": ("--max-turns",),  # claude 2.1.197
    "Unknown argument: skip-trust\nUsage: gemini [options]": ("--skip-trust",),  # gemini 0.61
    "aider: error: unrecognized arguments: --ephemeral": ("--ephemeral",),  # argparse
    "error: the file --max-turns is not there": (),
}


@pytest.mark.parametrize(("stderr", "flags"), REFUSALS.items())
def test_flags_that_a_program_does_not_know_are_read_from_its_words(stderr, flags):
    argv = ("agent", "--ephemeral", "--max-turns", "60", "--skip-trust", "turns")
    assert unknown_flags(stderr, argv) == flags
    left = {"--ephemeral": 0, "--max-turns": 1, "--skip-trust": 0}
    assert without_flags(argv, left) == ("agent", "turns")
