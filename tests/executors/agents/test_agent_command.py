"""Programs of the user's own: places that are filled in, and pointers to what was used."""

from __future__ import annotations

import json
import shlex
from decimal import Decimal

import pytest
from agent_outputs import KEY, job, own_endpoint, printed
from hypothesis import given
from hypothesis import strategies as st

from minitask.errors import UsageError
from minitask.executors.agents.programs import CommandProgram
from minitask.executors.request import FailureKind
from minitask.ledger.record import Usage

POINTERS = {"input_tokens": "/usage/in", "output_tokens": "/usage/out", "requests": "/calls"}


def program(*template: str, **changes: object) -> CommandProgram:
    return CommandProgram(template=template or ("do",), **changes)


def test_places_are_filled_in_wherever_they_stand():
    made = program("do", "--in={workspace}", "{model}", "-f{prompt_file}", "{other}", "{}")
    assert made.invocation(job()).argv == (
        *("do", "--in=/slots/1/work", "mock-model", "-f/slots/1/home/prompt.md", "{other}", "{}"),
    )


def test_files_are_arguments_of_their_own_or_quoted_in_one():
    files = ("a b.txt", "-x.txt", "q'\".txt", "new\nline.txt")
    made = program("do", "{files}", "edit {files} now").invocation(job(writes=files))
    assert made.argv[1:5] == ("a b.txt", "./-x.txt", "q'\".txt", "new\nline.txt")
    assert shlex.split(made.argv[5]) == ["edit", *made.argv[1:5], "now"]
    assert program("do", "{files}").invocation(job(writes=())).argv == ("do",)


def test_what_was_filled_in_is_not_filled_in_again():
    made = program("do", "{model}", "{files}").invocation(job(model="{files}", writes=("{model}",)))
    assert made.argv == ("do", "{files}", "{model}")


def test_the_prompt_is_in_a_file_where_the_command_names_it_and_else_on_standard_input():
    to_file, to_stdin = program("do", "@{prompt_file}"), program("do")
    prompt = "Do it.\n"
    assert to_file.invocation(job(prompt=prompt)).files == {"prompt.md": prompt}
    assert to_file.invocation(job(prompt=prompt)).stdin == b""
    assert to_stdin.invocation(job(prompt=prompt)).stdin == prompt.encode()
    assert to_stdin.invocation(job(prompt=prompt)).files == {}


def test_extra_arguments_come_last_and_a_key_in_a_variable():
    made = program("do", "x").invocation(own_endpoint(extra_args=("--more",)))
    assert made.argv == ("do", "x", "--more")
    assert made.env == {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": KEY}


@pytest.mark.parametrize("template", [(), ("",)])
def test_a_command_without_a_program_is_refused(template):
    with pytest.raises(UsageError, match="has no program"):
        CommandProgram(template=template)


@pytest.mark.parametrize("before", ["", "starting\n", '{"usage": {"in": 7}}\n'])
def test_pointers_lead_into_the_whole_output_or_its_last_json_line(before):
    text = before + '{"usage": {"in": 1000, "out": 50}, "calls": 2, "usd": 0.125}\n'
    report = program(usage_pointers=POINTERS, cost_pointer="/usd").report(printed(text))
    assert report.usage == Usage(2, 1000, None, 50)
    assert report.cost_usd == Decimal("0.125")


def test_an_output_over_many_lines_is_read_as_a_whole():
    text = json.dumps({"usage": {"in": 3}, "usd": 2}, indent=2)
    report = program(usage_pointers=POINTERS, cost_pointer="/usd").report(printed(text))
    assert (report.usage, report.cost_usd) == (Usage(input_tokens=3), Decimal(2))


COUNTS = {
    1: ["/a~1b/m~0n"],
    3: ["/list/1"],
    None: [
        "/list/01", "/list/-", "/list/2", "/missing/x", "/true", "/minus", "/huge", "/text", "/part",
        "usage", "",
    ],
    4: ["//x"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [(pointer, expected) for expected, them in COUNTS.items() for pointer in them],
)
def test_pointers_follow_rfc_6901_and_counts_make_sense(pointer, expected):
    text = (
        '{"a/b": {"m~n": 1}, "list": [2, 3], "": {"x": 4}, "true": true, "minus": -1,'
        ' "huge": 99999999999, "text": "5", "part": 1.5}'
    )
    made = program(usage_pointers={"input_tokens": pointer})
    assert made.report(printed(text)).usage == Usage(input_tokens=expected)


def test_the_whole_document_may_be_the_count():
    assert program(usage_pointers={"input_tokens": ""}).report(printed("41\n")).usage == Usage(
        input_tokens=41
    )


def test_a_name_that_is_no_count_is_passed_over():
    assert program(usage_pointers={"nonsense": "/a"}).report(printed('{"a": 1}')).usage == Usage()


def test_a_failed_program_has_a_problem():
    report = program().report(printed(exit_code=2, stderr="error: unrecognized arguments: --x\n"))
    assert report.problem is FailureKind.BAD_REQUEST
    assert report.message == "exit code 2: error: unrecognized arguments: --x"
    assert program().report(printed(exit_code=-9)).problem is FailureKind.TRANSPORT


@given(st.text(), st.text().map(lambda text: f"/{text}"))
def test_no_output_and_no_pointer_raises(text, pointer):
    made = program(usage_pointers={"input_tokens": pointer}, cost_pointer=pointer)
    assert made.report(printed(text)).usage.output_tokens is None
