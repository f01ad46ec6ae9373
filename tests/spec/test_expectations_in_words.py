"""Numbers in plain words beside commands and in criteria: enforced, or reported; never shown and judged by nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.sandbox.commands import Status, find_fault
from minitask.spec.expectations import parse_expectation, render_expectation
from minitask.spec.model import Command, Expectation, ExpectationKind, Fence
from minitask.spec.parse import parse_file
from minitask.spec.vacuous_commands import CommandStrength, strength
from minitask.spec.validation_commands import split_commands

# A command with a remark, an output that must pass, and one that must not.
ENFORCED = [
    ("python3 -c 'print(a.x())'  # prints \"r 5\"", "r 5", "r 4"),
    ('python3 -c \'print("five" if a.x() else "other")\'  # Expected: five', "five", "other"),
    ('python3 -c \'print("five" if a.x() else "other")\'  # Output: five', "five", "other"),
    ('python3 a.py  # Expected: "hello world"', "hello world", "hello"),
    ("cat a.txt  # Expected: `hello world`.", "hello world", "hello"),
    ("python3 -c 'print(\"hello world\")'  # Expected: hello world", "hello world", "hello"),
    ("python3 -c 'print(a.x())'  # Expected: True", "True", "False"),
    ("python3 -c 'print(a.x())'  # Expected: None", "None", "1"),
    ("python3 -c 'print(a.x())'  # -> [1, 'a']", "[1, 'a']", "[1]"),
    ("grep -q x a.py && echo there || echo gone  # -> there", "there", "gone"),
    ("cat a.txt  # Expected: 5", "5", "4"),
    ("grep -v x a.txt || true  # (no output)", "", "y"),
    ("wc -l a.py  # Should be ~600 lines", "598 a.py", "1 a.py"),
    ("wc -l a.py  # Should be ~600 lines", "540 a.py", "539 a.py"),
    ("wc -l < a.py  # should be about 600 lines", "660", "661"),
    ("wc -l a.py  # Should be ~600 lines (±50)", "650 a.py", "651 a.py"),
    ("wc -l a.py  # should be 600 ± 5 % lines", "630 a.py", "631 a.py"),
    ("wc -l a.py  # Should be 600 lines", "545 a.py", "500 a.py"),
    ("wc -l a.py  # Should be exactly 600 lines", "600 a.py", "601 a.py"),
    ("wc -l a.py  # Should be ~400-500 lines", "520 a.py", "340 a.py"),
    ("wc -l a.py  # Should be between 400 and 500 lines", "400 a.py", "399 a.py"),
    ("wc -l a.py  # Should be at least 300 lines", "300 a.py", "299 a.py"),
    ("wc -l a.py  # should be 300+ lines", "9000 a.py", "299 a.py"),
    ("wc -l a.py  # must be under 500 lines", "499 a.py", "500 a.py"),
    ("wc -l a.py  # no more than 500 lines", "500 a.py", "501 a.py"),
    ("wc -l a.py  # no more than 650, no less than 550", "550 a.py", "549 a.py"),
    ("wc -l a.py  # fewer than 700 and more than 500", "699 a.py", "500 a.py"),
    ("wc -l a.py  # Should be at least 5 lines and at most 9 lines", "5 a.py", "4 a.py"),
    ("wc -l a.py  # should be ~2,088", "2100 a.py", "88 a.py"),
    ("wc -l a.py  # should be ~2 088 lines", "2100 a.py", "2 a.py"),
    ("python a.py  # should print -5", "-5", "-50"),
    ("wc -l a.py  # Expected: ~600", "600 a.py", "1 a.py"),
    ("wc -l a.py  # Expected line count: 600", "600 a.py", "1 a.py"),
    ("wc -l a.py  # ~600 lines", "600 a.py", "1 a.py"),
    ("wc -l a.py  # 600 lines", "600 a.py", "1 a.py"),
    ("wc -l a.py  # Line count should be around 600", "600 a.py", "1 a.py"),
    ("wc -l a.py  # → 600", "600 a.py", "1 a.py"),
    ("# Should be ~400 lines\nwc -l a.py", "401 a.py", "1 a.py"),
    ("# File length\nwc -l a.py\n# Should be ~400 lines", "401 a.py", "1 a.py"),
    ("wc -l a.py b.py | tail -1  # Should be ~900 lines in total", "900 total", "1 total"),
    ("cd src && wc -l a.py  # Should be ~600 lines", "600 a.py", "1 a.py"),
    ("wc -l < a.py | tr -d ' '  # Should be ~600 lines", "600", "1"),
    ("grep -c 'def ' a.py  # Should be 12", "12", "11"),
    ("grep -c 'def ' a.py  # Should show 12 functions", "12", "13"),
    ("cat a.py | grep -c TODO  # there should be 3 matches", "3", "4"),
    ("ls src | wc -l  # Should be 6 files", "6", "7"),
    ("python3 -c 'print(len(x))'  # Should print 5", "5", "6"),
    ("jq '.items | length' a.json  # expected: 3", "3", "2"),
    ("./count.sh  # Expected output: 42", "42", "41"),
    ("./hello.sh  # Expected output: `hello, world`", "hello, world\n", "hello\n"),
    ('./hello.sh  # Should output "hello"', "hello\n", "bye\n"),
    ("grep -q x a.py && echo OK  # Should print OK", "OK\n", ""),
    ("git status --porcelain  # Should be empty", "", " M a.py"),
    ("./quiet.sh\n# Expected: No output (all is well)", "", "warning"),
]
REPORTED = [
    "wc -l a.py  # returns 600",
    "test $(grep -c old a.py) -eq 0  # should be zero",
    "./count.sh  # prints ~40 rows",
    "ls -la a.py  # Should be ~10 KB",
    "wc -l a.py b.py  # Should be ~600 lines each",
    "wc -l src/*.py  # Should be ~600 lines",
    "pytest -q  # Should be 12 passed",
    "python --version  # Should be 3.8+",
    "time ./run.sh  # Should take ~5 seconds",
    "cat a.py\n\n# Should be ~600 lines\n\nls",
    "if true; then\n  wc -l a.py  # Should be ~600 lines\nfi",
    "./tool --help  # Should output the usage text",
    "grep -c a b.py\n# Should be 3\ngrep -c c d.py",
]
IGNORED = [
    'pytest -q  # Expected: "all tests pass"',
    'grep -q "foo bar" a.py  # Expected: "foo bar"',
    'python3 a.py  # Expected: "success"',
    "python3 -c 'assert a.x() == \"five\"'  # Expected: five",
    'node -e \'assert.equal(a(), "x y")\'  # Expected: "x y"',
    "ls a.py  # Expected: file exists",
    "python3 a.py --mode fast  # Expected: fast",
    "pytest -q  # -> green",
    "# File should exist\ntest -f a.py",
    "# Should contain TodoistAgent class\ngrep -q TodoistAgent a.py",
    "# 1. Check the file\ntest -f a.py",
    "# Count the 47 methods\ngrep -q x a.py",
    "pytest -q  # Should pass",
    "pytest -q  # Expected: PASS",
    "# step 2 of 3\nls a.py",
    "# Test basic instantiation (will fail on API call, but should import)\npython3 a.py",
    "python3 -m http.server 8000 &  # port 8000",
]


@pytest.mark.parametrize(("script", "right", "wrong"), ENFORCED, ids=lambda text: text[:50])
def test_a_number_in_words_binds(script: str, right: str, wrong: str) -> None:
    commands, problems = split_commands(Fence("bash", f"{script}\n"))
    assert problems == ()
    assert [find_fault(command, Status(0), right.encode()) for command in commands] == [""]
    assert find_fault(commands[0], Status(0), wrong.encode())


# A command with a remark, an exit code that must pass, and one that must not.
TO_FAIL = [
    ("grep -q old a.py  # should find nothing", 1, 0),
    ("grep -q old a.py  # must not match", 1, 2),
    ("grep -q old a.py  # Should be empty", 1, 0),
    ("grep -n old a.py  # no matches", 1, 0),
    ("git grep old  # Old should be gone", 1, 0),
    ("grep -rn old src | grep -v tests  # should not be found anymore", 1, 0),
    ("test -e old.py  # Should not exist", 1, 0),
    ("ls old.py  # should not exist", 2, 0),
    ("grep -q old a.py  # should fail: it was removed", 1, 0),
    ("python3 -c 'import old'  # should fail with ImportError", 1, 127),
    ("./check.sh bad.json  # should exit non-zero", 3, 0),
    ("./check.sh bad.json  # exit 3", 3, 0),
    ("diff a b  # should differ", 1, 0),
    ("grep -q old a.py; test $? -eq 1", 1, 0),
    ('./check.sh bad.json\n[ "$?" -ne 0 ]', 3, 0),
    ("./check.sh bad.json; echo $?  # 3", 3, 0),
    ('./check.sh bad.json\necho "exit: $?"  # Expected: 3', 3, 0),
    ("./check.sh bad.json\necho $?  # expect: output 3", 3, 0),
    ("./check.sh bad.json\n[[ $? == 3 ]] && echo OK", 3, 0),
    ("./check.sh  # expect: fails", 1, 126),
    ("./check.sh  # expect: exit non-zero", 9, 0),
]
NOT_TO_FAIL = [
    "! grep -q old a.py  # should not match",
    "test ! -e old.py  # should be gone",
    "grep -v old a.py  # should not match",
    "grep -q old a.py || exit 1  # should fail",
    "pytest -q  # should fail until the change is made",
    "python3 a.py  # fails on API call",
    "test $(grep -c old a.py) -eq 0  # should fail if it is there",
]


@pytest.mark.parametrize(("script", "right", "wrong"), TO_FAIL, ids=lambda text: str(text)[:50])
def test_a_command_that_is_to_fail_is_held_to_that(script: str, right: int, wrong: int) -> None:
    (command, *_), problems = split_commands(Fence("bash", f"{script}\n"))
    assert problems == ()
    assert find_fault(command, Status(right), b"") == ""
    assert find_fault(command, Status(wrong), b"")
    assert strength(command) is CommandStrength.CHECK


@pytest.mark.parametrize("script", NOT_TO_FAIL)
def test_a_command_that_turns_its_status_round_is_not(script: str) -> None:
    (command,), problems = split_commands(Fence("bash", f"{script}\n"))
    assert (command.expectations, problems) == ((), ())


@pytest.mark.parametrize("script", REPORTED)
def test_a_number_that_cannot_be_enforced_is_reported(script: str) -> None:
    commands, problems = split_commands(Fence("bash", f"{script}\n"))
    assert [problem.code for problem in problems] == ["W414"]
    assert all(command.expectations == () for command in commands)


@pytest.mark.parametrize("script", IGNORED)
def test_other_remarks_stay_remarks(script: str) -> None:
    commands, problems = split_commands(Fence("bash", f"{script}\n"))
    assert problems == ()
    assert all(command.expectations == () for command in commands)


@pytest.mark.parametrize("program", ["grep -c", "grep -rn", "rg"])
def test_a_search_that_should_find_nothing_may_end_with_1(program: str) -> None:
    wanted = "0" if "-c" in program else "empty"
    commands, _ = split_commands(Fence("bash", f"{program} old a.py  # Should be {wanted}\n"))
    nothing = b"0\n" if "-c" in program else b""
    assert find_fault(commands[0], Status(1), nothing) == ""
    assert find_fault(commands[0], Status(0), b"3: old\n")
    assert find_fault(commands[0], Status(2), b"")


def test_an_expect_comment_wins_over_words() -> None:
    script = "wc -l a.py  # Should be ~600 lines\n# expect: output 5\nwc -l b.py  # about 9 lines\n"
    commands, problems = split_commands(Fence("bash", script))
    assert problems == ()
    assert commands[1].expectations == (Expectation(ExpectationKind.NUMBER, 5),)


def test_of_remarks_each_above_its_command_none_speaks_of_the_one_before() -> None:
    script = "# Expected: 40\nwc -l a.py\n# Expected: 50\nwc -l b.py\n"
    commands, problems = split_commands(Fence("bash", script))
    assert problems == ()
    assert [[e.number for e in command.expectations] for command in commands] == [[40], [50]]


SPEC = """# Mini-Task 1: Split

**Files to Create**:
- `src/base.py`
{files}
## Acceptance Criteria

- [ ] {criterion}

## Validation

```bash
{validation}
```
"""


def spec_of(criterion: str, *, files: str = "", validation: str = "test -f src/base.py"):
    text = SPEC.format(criterion=criterion, files=files, validation=validation)
    return parse_file(text, path="x.md")


@pytest.mark.parametrize(
    ("criterion", "number", "tolerance"),
    [("Line count is approximately 600 lines (±50)", 600, 50), ("Line count: ~480", 480, 48),
     ("Line count is approximately 600 (±50)", 600, 50), ("The file has about 400 lines.", 400, 40),
     ("`base.py` is ~400 lines long", 400, 40), ("File is 600 lines", 600, 60),
     ("The new module holds between 350 and 450 lines", 400, 50)],
)  # fmt: skip
def test_a_length_in_the_criteria_is_a_command(criterion: str, number: int, tolerance: int) -> None:
    found = spec_of(criterion)
    assert found.diagnostics == ()
    expectation = Expectation(ExpectationKind.NUMBER, number, tolerance)
    first = found.specs[0].commands[0]
    assert (first.text, first.expectations) == ("wc -l < src/base.py", (expectation,))


def test_a_length_in_the_criteria_joins_the_command_that_counts() -> None:
    found = spec_of("Line count is ~600 lines", validation="wc -l src/base.py")
    assert [c.text for c in found.specs[0].commands] == ["wc -l src/base.py"]
    assert found.specs[0].commands[0].expectations[0].number == 600
    stated = spec_of("Line count is ~600 lines", validation="wc -l src/base.py  # ~700 lines")
    assert [e.number for e in stated.specs[0].commands[0].expectations] == [700]


@pytest.mark.parametrize(
    ("criterion", "files"),
    [("Line count is ~600 lines", "- `src/other.py`\n"), ("Removes about 30 lines", ""),
     ("`elsewhere.py` is ~400 lines", "")],
)  # fmt: skip
def test_a_length_of_no_one_file_is_reported(criterion: str, files: str) -> None:
    found = spec_of(criterion, files=files)
    assert [(d.line, d.code) for d in found.diagnostics] == [(8 + bool(files), "W414")]


@pytest.mark.parametrize(
    "criterion",
    ["Lines 10-20 are removed", "No function is over 50 lines", "Contains the methods listed above",
     "file contains 3 lines of imports", "All 12 tests pass", "No blank lines at the end"],
)  # fmt: skip
def test_other_criteria_are_for_people(criterion: str) -> None:
    found = spec_of(criterion)
    assert found.diagnostics == ()
    assert [c.text for c in found.specs[0].commands] == ["test -f src/base.py"]


@given(
    number=st.integers(1, 9_999),
    about=st.sampled_from(["~", "about ", "approximately ", "around ", "roughly ", "≈"]),
    intro=st.sampled_from(["Should be ", "should have ", "Expected: ", "Expect ", "Must be ", ""]),
    tolerance=st.one_of(st.none(), st.integers(0, 500)),
    off=st.integers(-2_000, 2_000),
)
def test_an_approximate_number_of_lines_is_judged_by_its_tolerance(
    number: int, about: str, intro: str, tolerance: int | None, off: int
) -> None:
    margin = "" if tolerance is None else f" (±{tolerance})"
    script = f"wc -l a.py  # {intro}{about}{number:,} lines{margin}\n"
    commands, problems = split_commands(Fence("bash", script))
    assert problems == ()
    allowed = max(1, -(-number // 10)) if tolerance is None else tolerance
    printed = max(0, number + off)
    fault = find_fault(commands[0], Status(0), f"{printed} a.py\n".encode())
    assert (fault == "") is (abs(printed - number) <= allowed)


@given(
    st.builds(
        Expectation,
        kind=st.sampled_from(
            [ExpectationKind.NUMBER, ExpectationKind.AT_LEAST, ExpectationKind.AT_MOST]
        ),
        number=st.integers(0, 10**6),
    )
    | st.just(Expectation(ExpectationKind.FAILS))
    | st.builds(Expectation, kind=st.just(ExpectationKind.EXIT), number=st.integers(0, 255))
    | st.builds(Expectation, kind=st.just(ExpectationKind.CONTAINS), text=st.text(min_size=1))
    | st.builds(
        Expectation,
        kind=st.just(ExpectationKind.NUMBER),
        number=st.integers(0, 10**6),
        tolerance=st.integers(0, 99),
    )
)
def test_what_the_prompt_says_of_an_expectation_is_its_own_form(expectation: Expectation) -> None:
    assert parse_expectation(render_expectation(expectation)) == expectation


def test_a_command_without_remarks_is_as_before() -> None:
    assert split_commands(Fence("bash", "wc -l a.py\n"))[0] == (Command("wc -l a.py"),)


def test_a_search_in_a_pipeline_may_find_nothing_where_zero_is_expected() -> None:
    (command,), _ = split_commands(Fence("bash", "grep old a.py | wc -l  # Should be 0\n"))

    assert find_fault(command, Status(1), b"0\n") == ""
    assert find_fault(command, Status(0), b"2\n")
    assert find_fault(command, Status(2), b"0\n")


@pytest.mark.parametrize(
    ("text", "codes"),
    [("Expected output: 2", ["W414"]), ("**Expected**: `5`", ["W414"]), ("Expected: PASS", []),
     ("Expected output:\n\n```\n2\n```", ["N416"])],
)  # fmt: skip
def test_an_output_that_is_stated_below_a_fence_is_reported(text: str, codes: list[str]) -> None:
    body = f"# Mini-Task 1: X\n\n**Files to Edit**: `a.py`\n\n## Validation\n\n```bash\ncat a.py\n```\n\n{text}\n"
    found = parse_file(body, path="x.md").diagnostics
    assert [item.code for item in found if item.code in {"W414", "N416"}] == codes
