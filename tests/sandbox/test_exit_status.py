"""When a command passes, as a table."""

from __future__ import annotations

import pytest

from minitask.sandbox.commands import (
    Status,
    find_fault,
    first_number,
    is_one_pipeline,
    read_status,
)
from minitask.spec.model import Command, Expectation, ExpectationKind

EXIT, NUMBER, CONTAINS = ExpectationKind.EXIT, ExpectationKind.NUMBER, ExpectationKind.CONTAINS
NO_OUTPUT, FAILS_BEFORE = ExpectationKind.NO_OUTPUT, ExpectationKind.FAILS_BEFORE


def fault(*expectations: Expectation, code: int = 0, output: str = "") -> str:
    return find_fault(Command("x", expectations), Status(code), output.encode())


@pytest.mark.parametrize(
    ("expectation", "code", "output", "expected"),
    [
        (Expectation(EXIT, number=1), 1, "", ""),
        (Expectation(EXIT, number=1), 0, "", "exit code 0, expected 1"),
        (Expectation(EXIT, number=1), 2, "", "exit code 2, expected 1"),
        (Expectation(NUMBER, number=600, tolerance=50), 0, "  650 src/a.py\n", ""),
        (Expectation(NUMBER, number=600, tolerance=50), 0, "550", ""),
        (Expectation(NUMBER, number=600, tolerance=50), 0, "651", "printed 651, expected 600 ±50"),
        (Expectation(NUMBER, number=600), 0, "601", "printed 601, expected 600"),
        (Expectation(NUMBER, number=1234), 0, "total 1,234 lines", ""),
        (Expectation(NUMBER, number=3), 0, "none", "printed no number, expected 3"),
        (Expectation(NUMBER, number=3), 1, "3", "exit code 1"),
        (Expectation(CONTAINS, text="2 passed"), 0, "== 2 passed in 1 s", ""),
        (Expectation(CONTAINS, text="2 passed"), 0, "1 passed", 'the output does not contain "2 passed"'),
        (Expectation(NO_OUTPUT), 0, "", ""),
        (Expectation(NO_OUTPUT), 0, "\n", ""),
        (Expectation(NO_OUTPUT), 0, "x\n", "printed something, expected no output"),
        (Expectation(FAILS_BEFORE), 0, "anything", ""),
        (Expectation(FAILS_BEFORE), 1, "", "exit code 1"),
    ],
)  # fmt: skip
def test_an_expectation_holds_or_says_what_is_wrong(
    expectation: Expectation, code: int, output: str, expected: str
) -> None:
    assert fault(expectation, code=code, output=output) == expected


def test_without_an_expectation_exit_code_0_passes() -> None:
    assert fault() == ""
    assert fault(code=2) == "exit code 2"


def test_all_expectations_of_a_command_must_hold() -> None:
    both = (Expectation(EXIT, number=1), Expectation(NO_OUTPUT))
    assert fault(*both, code=1) == ""
    assert fault(*both, code=0) == "exit code 0, expected 1"
    assert fault(*both, code=1, output="x") == "printed something, expected no output"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("  7 files", 7),
        ("-3 degrees", -3),
        ("a-3", 3),
        ("12,345", 12345),
        ("1,234,567 and 8", 1234567),
        ("1_000", 1000),
        ("1,2,3", 1),
        ("1,2345", 1),
        ("12345,678", 12345),
        ("3.75", 3),
        ("no digits", None),
        ("", None),
    ],
)
def test_the_first_whole_number_of_a_text(text: str, number: int | None) -> None:
    assert first_number(text) == number


@pytest.mark.parametrize(
    ("text", "code", "pipeline", "exit_code"),
    [
        ("yes | head -1", 141, (141, 0), 0),
        ("yes | cat | head -1", 141, (141, 141, 0), 0),
        ("cat a | grep -q x", 141, (141, 0), 0),
        ("yes | false", 1, (141, 1), 1),
        ("false | yes | head -1", 141, (1, 141, 0), 141),
        ("yes | head -1 | sh -c 'kill -PIPE $$'", 141, (141, 0, 141), 141),
        ("kill -PIPE $$", 141, (141,), 141),
        ("yes | head -1 && check", 141, (141, 0), 141),
        ("if yes | head -1; then check; fi", 0, (141, 0), 141),
        ("! yes | grep -q y", 0, (141, 0), 1),
        ("! nowhere -q x a.py", 0, (127,), 127),
        ("! nowhere x | grep -q y", 0, (127, 1), 127),
        ("! ./gone.sh", 0, (127,), 0),
        ("! grep -q x missing.py", 0, (2,), 0),
        ("! cat a | grep -q x", 0, (0, 1), 0),
        ("if", 2, (), 2),
    ],
)
def test_dying_of_sigpipe_is_forgiven_to_a_lone_pipeline_only(
    text: str, code: int, pipeline: tuple[int, ...], exit_code: int
) -> None:
    assert read_status(text, code=code, pipeline=pipeline).exit_code == exit_code


def test_a_sigpipe_that_is_not_forgiven_is_explained() -> None:
    status = read_status("yes | head -1 && check", code=141, pipeline=(141, 0))
    assert "put the pipeline in a separate command" in find_fault(Command("x"), status, b"")


@pytest.mark.parametrize(
    "text",
    [
        "yes | head -1",
        "git log 2>&1 | grep -q 'a; b && c'",
        'awk "{print; exit}" a | head',
        "cat $(ls) | head",
        "diff <(sort a) <(sort b) | head",
        "cat a \\\n  | head",
        "X=1 yes |& head -1 >/dev/null",
    ],
)
def test_a_lone_pipeline_is_known(text: str) -> None:
    assert is_one_pipeline(text)


@pytest.mark.parametrize(
    "text",
    [
        *("a | b && c", "a | b || c", "a | b; c", "a | b &", "a & b | c"),
        *("a | b\nc", "(a | b)", "{ a | b; }", "! a | b", "if a | b; then c; fi"),
        *("while a | b; do c; done", "a#b | c && d", 'echo \\" | a && b \\"', "a 'open | b", ""),
    ],
)
def test_whatever_may_be_more_than_a_lone_pipeline_is_not_one(text: str) -> None:
    assert not is_one_pipeline(text)
