"""Nothing that a program prints makes its reader raise, and nothing that cannot be true is believed."""

from __future__ import annotations

import json
import time
from decimal import Decimal

import pytest
from agent_outputs import CAPTURED, captured, printed
from hypothesis import given
from hypothesis import strategies as st

from minitask.executors.agents.adapter import (
    amount,
    free_or_unknown,
    is_whole,
    last_value,
    parse,
    records,
    total,
    trailing_object,
)
from minitask.executors.agents.faults import clean, find_kind
from minitask.executors.agents.programs import PROGRAMS
from minitask.executors.request import FailureKind
from minitask.executors.response import count
from minitask.ledger.record import Usage

CASES = sorted(path.name.removesuffix(".rc") for path in CAPTURED.glob("*.rc"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("type", "part", "usage", "modelUsage", "stats"),
                    *("models", "tokens", "metadata", "error"),
                )
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
TYPES = ("result", "turn.completed", "turn.failed", "error", "step_finish", "tool_use", "text")


@pytest.mark.parametrize("name", sorted(PROGRAMS))
@pytest.mark.parametrize(
    "text", ["", "\n", "no JSON\n", "{", "[]", "null", "[[[", '{"type": "result"}']
)
def test_an_output_that_says_nothing_leaves_all_unknown(name, text):
    report = PROGRAMS[name].report(printed(text, files={"trajectory.json": text}))
    assert (report.usage, report.cost_usd) == (Usage(), None)


@pytest.mark.parametrize("case", CASES)
def test_a_report_cut_off_anywhere_never_counts_more_than_the_whole(case):
    program, whole = PROGRAMS[case.partition("-")[0]], captured(case)
    full = program.report(whole).usage.input_tokens or 0
    for end in range(0, len(whole.stdout), 97):
        files = {name: text[:end] for name, text in whole.files.items()}
        cut = program.report(captured(case, stdout=whole.stdout[:end], files=files))
        assert (cut.usage.input_tokens or 0) <= full


@pytest.mark.variant
@given(st.text(), st.text(), st.integers(-20, 300) | st.none(), st.booleans())
def test_no_text_makes_a_program_raise(stdout, stderr, code, timed_out):
    output = printed(
        stdout,
        stderr=stderr,
        exit_code=code,
        timed_out=timed_out,
        files={"trajectory.json": stdout},
    )
    for program in PROGRAMS.values():
        assert (program.report(output).problem is FailureKind.STUCK) or not timed_out


@given(st.lists(st.tuples(st.sampled_from(TYPES), JSON), max_size=4))
def test_no_json_makes_a_program_raise(found):
    events = [
        {"type": kind, **(body if isinstance(body, dict) else {"usage": body, "part": body})}
        for kind, body in found
    ]
    lines = "\n".join(json.dumps(event) for event in events)
    for text in (lines, json.dumps(events), json.dumps({"metadata": events, "info": events[:1]})):
        for program in PROGRAMS.values():
            program.report(printed(text, stderr=text, files={"trajectory.json": text}))


@pytest.mark.parametrize(
    "value", ["-1", "1e400", "99999999999", "true", '"7"', "1.5", "null", "[]"]
)
def test_a_count_that_cannot_be_true_is_unknown(value):
    text = captured("codex-0.169.0.success").stdout.replace(
        '"input_tokens":1000', f'"input_tokens":{value}'
    )
    usage = PROGRAMS["codex"].report(printed(text)).usage
    assert (usage.input_tokens, usage.output_tokens) == (None, 50)


@pytest.mark.parametrize(
    "value", ["-1", "1e999999999999999999999", "true", '"7"', "NaN", "Infinity"]
)
def test_a_cost_that_cannot_be_true_is_unknown(value):
    text = captured("claude-2.1.329.success").stdout.replace(
        '"total_cost_usd":0.0005425', f'"total_cost_usd":{value}'
    )
    assert PROGRAMS["claude"].report(printed(text)).cost_usd is None


def test_numbers_are_counts_or_amounts_or_nothing():
    assert [count(value) for value in (0, 10**9, 10**9 + 1, -1, True, 1.0, "1", None)] == [
        *(0, 10**9),
        *[None] * 6,
    ]
    assert [amount(value) for value in (0, Decimal("0.5"), Decimal(-1), True, 0.5, "1")] == [
        *(Decimal(0), Decimal("0.5")),
        *[None] * 4,
    ]
    assert (total((1, 2)), total((1, None)), total(())) == (3, None, 0)


def test_nothing_for_nothing_is_a_cost():
    assert free_or_unknown(Decimal(0), Usage(input_tokens=0, output_tokens=0)) == 0
    assert free_or_unknown(Decimal(0), Usage(input_tokens=1, output_tokens=0)) is None
    assert free_or_unknown(Decimal(0), Usage()) is None
    assert free_or_unknown(Decimal(1), Usage(input_tokens=1)) == 1


def test_decimals_are_exact():
    assert parse("0.00023999999999999998") == Decimal("0.00023999999999999998")


def test_objects_are_found_whole_in_an_array_or_line_by_line():
    assert records('{"a":\n1}') == ({"a": 1},)
    assert records('[{"a": 1}, 2, {"b": 3}]') == ({"a": 1}, {"b": 3})
    assert records('log\n{"a": 1}\r\n[2]\n{"b":') == ({"a": 1},)
    assert is_whole('{"a":') is False
    assert is_whole('x\n{"a": 1}\n\n') is True


def test_the_last_object_may_stand_over_many_lines_after_anything():
    assert trailing_object('x {\n{"no": 1}\nmore\n{\n "a": {\n"b": 1}\n}\n') == {"a": {"b": 1}}
    assert trailing_object('{"a": 1}') == {"a": 1}
    assert trailing_object('{"a": 1}\nmore') == {}
    assert last_value("x\n5\n") == 5


def test_an_output_full_of_beginnings_is_read_in_no_time():
    started = time.process_time()
    assert trailing_object("\n{" * 300_000) == {}
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("exceeded retry limit, last status: 429 Too Many Requests", FailureKind.TRANSPORT),
        ("429 insufficient_quota", FailureKind.QUOTA),
        ("stream disconnected before completion: error sending request", FailureKind.TRANSPORT),
        ("connect ECONNREFUSED 127.0.0.1:1", FailureKind.TRANSPORT),
        ("[API Error: 404 status code (no body)]", FailureKind.BAD_REQUEST),
        ("Not logged in · Please run /login", FailureKind.AUTH),
        ("API key not valid. Please pass a valid API key.", FailureKind.AUTH),
        ("litellm.ContextWindowExceededError: too much", FailureKind.BAD_REQUEST),
        ("edited 401 lines", None),
    ],
)
def test_errors_are_known_by_their_words(text, kind):
    assert find_kind(text) is kind


def test_a_message_is_one_short_line_without_control_characters():
    assert clean("a\n\x1b[31mb\t" + "c" * 999) == "a b " + "c" * 296
