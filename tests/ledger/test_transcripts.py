"""Transcripts of Claude Code: each answer counts once, as it ended, and nothing that is damaged stops the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.ledger.record import Usage, classes
from minitask.ledger.transcripts import (
    Transcript,
    TranscriptAnswer,
    join,
    parse_moment,
    parse_transcript,
)


def entry(message: str = "msg_1", **fields: Any) -> dict[str, Any]:
    """A line of an answer: 10 fresh tokens, 200 read from the cache, 30 written to it for an hour, 4 for less."""
    told = {
        "input_tokens": 10,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 34,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 30},
        "output_tokens": fields.pop("output", 50),
        "service_tier": "standard",
    }
    usage = {**told, **fields.pop("usage", {})}
    model = fields.pop("model", "claude-opus-4-5-20251101")
    line = {
        "type": "assistant",
        "message": {"id": message, "model": model, "role": "assistant", "usage": usage},
        "requestId": "req_1",
        "sessionId": "s-1",
        "timestamp": "2026-01-31T10:00:00.000Z",
        "isSidechain": False,
        **fields,
    }
    return {name: value for name, value in line.items() if value is not None}


def text(*lines: object) -> str:
    """A transcript; what is no text yet is written as JSON."""
    return "".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines)


def parsed(*lines: object) -> Transcript:
    return parse_transcript(text(*lines), session="the-file")


def test_usage_is_counted_as_the_ledger_counts_it() -> None:
    (answer,) = parsed(entry()).answers
    assert answer.usage == Usage(1, 244, 200, 50, 4, 30, None)
    assert classes(answer.usage).fresh_input == 10
    assert (answer.session, answer.model) == ("s-1", "claude-opus-4-5-20251101")
    assert answer.at == datetime(2026, 1, 31, 10, tzinfo=UTC)


def test_an_answer_over_several_lines_counts_once_as_the_last_one_tells_it() -> None:
    lines = [
        entry(output=1),
        entry("msg_2", output=7, timestamp="2026-01-31T10:00:01Z"),
        entry(output=2, timestamp="2026-01-31T10:00:02Z"),
        entry(output=300, timestamp="2026-01-31T10:00:03Z"),
    ]
    found = parsed(*lines)
    assert [each.usage.output_tokens for each in found.answers] == [300, 7]
    assert found.answers[0].at.second == 0, "it began with its first line"


def test_the_same_message_of_another_request_is_another_answer() -> None:
    assert len(parsed(entry(), entry(requestId="req_2")).answers) == 2


def test_a_line_that_leaves_out_the_request_is_no_answer_of_its_own() -> None:
    assert len(parsed(entry(requestId=None), entry()).answers) == 1
    assert len(parsed(entry(requestId=None), entry(requestId=None)).answers) == 1


def test_answers_without_any_id_are_told_apart_by_their_lines() -> None:
    nameless = [entry("", requestId=None, output=n) for n in (1, 2, 2)]
    assert len(parsed(*nameless).answers) == 2


@pytest.mark.parametrize(
    "line",
    [
        {"type": "user", "message": {"role": "user", "content": "hello"}},
        {"type": "summary", "summary": "x", "leafUuid": "y"},
        {"type": "some-later-kind", "message": 7},
        {"type": "assistant"},
        {"type": "assistant", "message": {"id": "m", "model": "claude"}},
        {"type": "assistant", "message": "text"},
        entry(model="<synthetic>"),
        [1, 2],
        "null",
        "",
        "   \r",
    ],
    ids=lambda line: json.dumps(line)[:30],
)
def test_what_is_no_answer_of_a_model_is_passed_over(line: object) -> None:
    assert parsed(line) == Transcript(())
    assert len(parsed(line, entry(), line).answers) == 1


@pytest.mark.parametrize(
    "line",
    [
        text(entry())[:90],
        "{",
        "no json at all",
        "[" * 100_000,
        entry(usage={"input_tokens": -1}),
        entry(usage={"input_tokens": None}),
        entry(usage={"output_tokens": "12"}),
        entry(usage={"output_tokens": True}),
        entry(usage={"output_tokens": 1.5}),
        entry(usage={"cache_read_input_tokens": 10**30}),
        entry(usage={"cache_creation": {"ephemeral_1h_input_tokens": -3}}),
        entry(timestamp="yesterday"),
        entry(timestamp=None),
        entry(timestamp="0001-01-01T00:00:00+14:00"),
        entry(model=""),
        entry(model=None),
    ],
    ids=range(16),
)
def test_a_damaged_line_is_counted_and_stops_nothing(line: object) -> None:
    found = parsed(entry("msg_0"), line, entry("msg_2"))
    assert (len(found.answers), found.damaged) == (2, 1)


def test_a_damaged_last_line_leaves_the_answer_as_the_line_before_tells_it() -> None:
    found = parsed(entry(output=8), text(entry(output=90)).rstrip()[:-3])
    assert [each.usage.output_tokens for each in found.answers] == [8]


def test_a_write_of_which_nobody_said_for_how_long_is_a_short_one() -> None:
    old = entry(usage={"cache_creation": None})
    (answer,) = parsed(old).answers
    assert (answer.usage.cache_write_tokens, answer.usage.cache_write_1h_tokens) == (34, 0)
    bare = entry()
    bare["message"]["usage"] = {"input_tokens": 3, "output_tokens": 4}
    assert parsed(bare).answers[0].usage == Usage(1, 3, 0, 4, 0, 0, None)


def test_sidechains_count_and_lines_without_a_session_are_of_the_file() -> None:
    own, aside = parsed(entry(), entry("msg_2", isSidechain=True, sessionId=None)).answers
    assert (own.is_sidechain, aside.is_sidechain) == (False, True)
    assert aside.session == "the-file"


def test_what_could_steer_a_terminal_is_taken_out_of_names() -> None:
    (answer,) = parsed(entry(sessionId="a\x1b[31m\nb\ud800", model="m\x07x")).answers
    assert (answer.session, answer.model) == ("a b", "m x")
    assert len(answer.digest) == 10


def test_line_separators_in_texts_end_no_line() -> None:
    line = json.dumps(entry(note="a\u2028b\x85c"), ensure_ascii=False)
    assert parsed(line).damaged == 0
    assert len(parsed(line).answers) == 1


def test_an_answer_that_a_fork_copied_counts_once_and_for_the_same_session_in_any_order() -> None:
    first = parsed(entry(sessionId="s-1"))
    fork = parsed(entry(sessionId="s-2", output=60), entry("msg_2", sessionId="s-2"), "{")
    either = [join([first, fork]), join([fork, first])]
    assert either[0] == either[1]
    assert [each.session for each in either[0].answers] == ["s-1", "s-2"]
    assert either[0].answers[0].usage.output_tokens == 60, "the fuller one"
    assert either[0].damaged == 1


def test_digests_tell_answers_apart_by_their_ids_alone() -> None:
    one, other = parsed(entry(output=1)).answers[0], parsed(entry(output=2)).answers[0]
    assert one.digest == other.digest
    assert parsed(entry("msg_2")).answers[0].digest != one.digest


def test_moments_are_utc_to_the_millisecond() -> None:
    assert parse_moment("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
    assert parse_moment("2026-01-31T10:00:00.123456+02:00").isoformat() == (
        "2026-01-31T08:00:00.123000+00:00"
    )


counts = st.integers(0, 10**6)
written = st.lists(
    st.builds(
        lambda message, request, session, second, output, aside: entry(
            f"msg_{message}",
            requestId=request,
            sessionId=session,
            timestamp=f"2026-01-31T10:00:0{second}Z",
            output=output,
            isSidechain=aside,
        ),
        st.integers(0, 3),
        st.sampled_from(["req_1", "req_2"]),
        st.sampled_from(["s-1", "s-2"]),
        st.integers(0, 9),
        counts,
        st.booleans(),
    ),
    max_size=8,
)


def ids(answers: tuple[TranscriptAnswer, ...]) -> list[tuple[str, str]]:
    return [(each.message, each.request) for each in answers]


@given(written)
def test_each_answer_is_there_once_as_its_last_line_has_it(lines: list[dict[str, Any]]) -> None:
    last = {(line["message"]["id"], line["requestId"]): line for line in lines}
    found = parsed(*lines).answers
    assert sorted(ids(found)) == sorted(last)
    for answer in found:
        usage = last[answer.message, answer.request]["message"]["usage"]
        assert answer.usage.output_tokens == usage["output_tokens"]
    assert [each.at for each in found] == sorted(each.at for each in found)


@given(st.tuples(written, written, written))
def test_files_are_joined_in_any_order(files: tuple[list[dict[str, Any]], ...]) -> None:
    one, two, three = (parsed(*lines) for lines in files)
    assert join([one, two, three]) == join([three, one, two])
    assert join([join([one, two]), three]) == join([one, join([two, three])])
    assert join([one, one]).answers == one.answers


@given(counts, counts, counts, counts)
def test_each_token_is_in_one_class(fresh: int, read: int, five: int, hour: int) -> None:
    told = {
        "input_tokens": fresh,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": five + hour,
        "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
    }
    found = classes(parsed(entry(usage=told)).answers[0].usage)
    assert (found.fresh_input, found.cache_read) == (fresh, read)
    assert (found.cache_write_5m, found.cache_write_1h) == (five, hour)


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_at_all_stops_the_reading(line: str) -> None:
    found = parsed(entry(), line, entry("msg_2"))
    assert [each.message for each in found.answers] == ["msg_1", "msg_2"]
