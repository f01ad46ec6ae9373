"""What is read from the outputs of real programs, each captured from a run against a scripted model server."""

from __future__ import annotations

from decimal import Decimal

import pytest
from agent_outputs import CAPTURED, captured

from minitask.executors.agents.adapter import AgentReport
from minitask.executors.agents.programs import PROGRAMS
from minitask.executors.request import FailureKind
from minitask.ledger.record import Usage, classes

CASES = sorted(path.name.removesuffix(".rc") for path in CAPTURED.glob("*.rc"))
DONE = "All done. OK."
TURN = Usage(None, 1000, 800, 50, 50, 0, 20)
CLAUDE_CALL = Usage(None, 1000, 800, 50, 50, 0, 0)
GEMINI_CALL = Usage(1, 1000, 800, 50, None, None, 20)
STEP = Usage(1, 1000, 800, 50, 0, 0, 20)


def times(usage: Usage, factor: int) -> Usage:
    """A usage that many times over."""
    counts = (getattr(usage, name) for name in Usage.__struct_fields__)
    return Usage(*(None if value is None else value * factor for value in counts))


def read(case: str, **changes: object) -> AgentReport:
    """What the program says of a captured output."""
    return PROGRAMS[case.partition("-")[0]].report(captured(case, **changes))


@pytest.mark.parametrize(
    ("case", "usage", "cost"),
    [
        ("codex-0.169.0.success", TURN, None),
        ("codex-0.169.0.edit", times(TURN, 2), None),
        ("claude-2.1.329.success", CLAUDE_CALL, "0.0005425"),
        ("claude-2.1.329.edit", times(CLAUDE_CALL, 2), "0.001085"),
        ("opencode-1.18.33.edit", times(STEP, 2), "0.00076"),
        ("gemini-0.61.0.success", GEMINI_CALL, None),
        ("gemini-0.61.0.edit", times(GEMINI_CALL, 2), None),
        ("qwen-0.24.4.success", GEMINI_CALL, None),
        ("qwen-0.24.4.edit", times(GEMINI_CALL, 2), None),
        ("mini-2.4.6.success", times(GEMINI_CALL, 2), "0.00023999999999999998"),
    ],
)
def test_work_that_was_done_is_counted_and_has_no_problem(case, usage, cost):
    said = "" if case.startswith("mini") else DONE
    expected = None if cost is None else Decimal(cost)
    assert read(case) == AgentReport(usage, expected, final_message=said)


@pytest.mark.parametrize(
    ("case", "usage", "cost", "message"),
    [
        ("claude-2.1.329.denied", times(CLAUDE_CALL, 2), "0.001085", "denied: Write /repo/new.txt"),
        ("claude-2.1.329.max_budget", times(CLAUDE_CALL, 2), "0.001085", "budget: Reached maximum budget ($0.001)"),
        (
            "claude-2.1.329.max_turns",
            times(CLAUDE_CALL, 3),
            "0.0016275",
            "max turns: Reached maximum number of turns (3)",
        ),
        ("opencode-1.18.33.denied", times(STEP, 2), "0.00076", "denied: write /repo/new.txt"),
        ("mini-2.4.6.cost_limit", times(GEMINI_CALL, 5), "0.0006", "LimitsExceeded"),
        ("qwen-0.24.4.loop_detected", Usage(None, 4000, 3200, 200), None, "Loop detection"),
        ("qwen-0.24.4.max_tool_calls", Usage(), None, "Run aborted: tool-call budget of 2 exceeded"),
        ("qwen-0.24.4.max_turns", Usage(), None, "Reached max session turns"),
    ],
)  # fmt: skip
def test_a_limit_and_a_denial_are_said_and_are_no_problem(case, usage, cost, message):
    report = read(case)
    assert report.problem is None
    assert report.message.startswith(message)
    assert (report.usage, report.cost_usd) == (usage, None if cost is None else Decimal(cost))


@pytest.mark.parametrize(
    ("case", "kind", "usage", "message"),
    [
        ("codex-0.169.0.http401", FailureKind.AUTH, Usage(), "unexpected status 401 Unauthorized"),
        (
            "claude-2.1.329.http400",
            FailureKind.BAD_REQUEST,
            Usage(None, 0, 0, 0, 0, 0, 0),
            "API Error: 400 mock error 400",
        ),
        ("gemini-0.61.0.http400", FailureKind.BAD_REQUEST, Usage(), '{"type":"error"'),
        ("opencode-1.18.33.http400", FailureKind.BAD_REQUEST, Usage(), "mock error 400"),
        ("qwen-0.24.4.http400", FailureKind.BAD_REQUEST, Usage(None, 0, 0, 0), "[API Error: 400 mock error 400]"),
    ],
)  # fmt: skip
def test_what_the_provider_refuses_is_a_problem(case, kind, usage, message):
    report = read(case)
    assert (report.problem, report.usage) == (kind, usage)
    assert report.message.startswith(message)


@pytest.mark.parametrize("case", CASES)
def test_a_program_that_was_killed_at_its_time_is_stuck_and_its_usage_unknown(case):
    report = read(case, exit_code=None, stdout="", stderr="", files={}, timed_out=True)
    assert (report.problem, report.usage) == (FailureKind.STUCK, Usage())
    assert report.cost_usd is None


@pytest.mark.parametrize("case", ["opencode-1.18.33.edit", "mini-2.4.6.cost_limit"])
def test_the_steps_before_a_kill_are_no_total(case):
    report = read(case, exit_code=None, timed_out=True)
    assert (report.problem, report.usage, report.cost_usd) == (FailureKind.STUCK, Usage(), None)


def test_a_step_that_never_finished_makes_the_sum_unknown():
    lines = captured("opencode-1.18.33.edit").stdout.splitlines()
    assert read("opencode-1.18.33.edit", stdout="\n".join(lines[:4])).usage == Usage()


def test_a_line_that_was_cut_makes_the_sum_unknown():
    text = captured("opencode-1.18.33.edit").stdout
    assert read("opencode-1.18.33.edit", stdout=text[:-20]).usage == Usage()


def test_a_cost_of_nothing_in_spite_of_tokens_is_unknown():
    free = captured("opencode-1.18.33.edit").stdout.replace('"cost":0.00038', '"cost":0')
    report = read("opencode-1.18.33.edit", stdout=free)
    assert (report.usage, report.cost_usd) == (times(STEP, 2), None)


def test_codex_says_its_last_words_in_a_file():
    report = read("codex-0.169.0.success", files={"last.txt": "From the file.\n"})
    assert report.final_message == "From the file."


def test_a_turn_that_failed_after_another_makes_the_sum_unknown():
    done = captured("codex-0.169.0.success").stdout
    failed = '{"type":"turn.failed","error":{"message":"exceeded retry limit, last status: 429"}}\n'
    report = read("codex-0.169.0.success", stdout=done + failed, exit_code=1)
    assert (report.usage, report.problem) == (Usage(), FailureKind.TRANSPORT)


def test_claude_tells_cache_writes_for_an_hour_from_those_for_five_minutes():
    text = captured("claude-2.1.329.success").stdout
    hour = text.replace(
        '"cacheCreationEphemeral1hInputTokens":0', '"cacheCreationEphemeral1hInputTokens":30'
    )
    usage = read("claude-2.1.329.success", stdout=hour).usage
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == (20, 30)
    assert classes(usage).fresh_input == 150


def test_claude_counts_every_model_that_took_part():
    text = captured("claude-2.1.329.success").stdout
    start = text.index('"modelUsage":{') + len('"modelUsage":{')
    entry = text[start : text.index("}", start) + 1]
    two = f"{text[:start]}{entry},{entry.replace('haiku', 'sonnet', 1)}{text[start + len(entry) :]}"
    assert read("claude-2.1.329.success", stdout=two).usage == times(CLAUDE_CALL, 2)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, FailureKind.AUTH),
        (402, FailureKind.QUOTA),
        (403, FailureKind.AUTH),
        (404, FailureKind.BAD_REQUEST),
        (413, FailureKind.BAD_REQUEST),
        (429, FailureKind.TRANSPORT),
        (529, FailureKind.TRANSPORT),
    ],
)
def test_a_status_says_what_kind_of_problem_it_is(status, kind):
    claude = captured("claude-2.1.329.http400").stdout
    opencode = captured("opencode-1.18.33.http400").stdout
    gemini = captured("gemini-0.61.0.http400").stderr
    assert read("claude-2.1.329.http400", stdout=claude.replace("400", f"{status}")).problem is kind
    assert (
        read("opencode-1.18.33.http400", stdout=opencode.replace("400", f"{status}")).problem
        is kind
    )
    assert read("gemini-0.61.0.http400", stderr=gemini.replace("400", f"{status}")).problem is kind


def test_an_empty_account_is_another_problem_than_too_many_requests():
    text = captured("claude-2.1.329.http400").stdout
    poor = text.replace("mock error 400", "Your credit balance is too low")
    assert read("claude-2.1.329.http400", stdout=poor).problem is FailureKind.QUOTA


def test_gemini_without_a_login_has_a_problem_with_it():
    stderr = 'Warning\n{\n "error": {"message": "Invalid auth method selected.", "code": 41}\n}\n'
    report = read("gemini-0.61.0.http400", stderr=stderr, exit_code=41)
    assert (report.problem, report.message) == (FailureKind.AUTH, "Invalid auth method selected.")


def test_qwen_at_the_end_of_its_own_time_is_stuck():
    stderr = captured("qwen-0.24.4.max_tool_calls").stderr.replace("tool-call", "wall-clock")
    assert read("qwen-0.24.4.max_tool_calls", stderr=stderr).problem is FailureKind.STUCK


def test_mini_ends_under_the_name_of_the_error_that_ended_it():
    trajectory = (
        '{"info": {"exit_status": "AuthenticationError", "model_stats": {"api_calls": 1, "instance_cost": 0.0}},'
        ' "messages": [{"role": "exit", "extra": {"exception_str": "litellm.AuthenticationError: no"}}]}'
    )
    report = read("mini-2.4.6.success", exit_code=1, files={"trajectory.json": trajectory})
    assert (report.problem, report.usage, report.cost_usd) == (FailureKind.AUTH, Usage(), None)
    assert report.message == "AuthenticationError: litellm.AuthenticationError: no"


def test_what_looks_like_a_key_is_kept_out_of_a_message():
    text = captured("claude-2.1.329.http400").stdout
    told = text.replace("mock error 400", "Incorrect API key provided: sk-abcdefghijklmnop12345")
    report = read("claude-2.1.329.http400", stdout=told)
    assert report.message == "API Error: 400 Incorrect API key provided: ***"
