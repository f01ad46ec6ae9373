"""Which test runners a command starts, and what their summaries say."""

from __future__ import annotations

import pytest

from minitask.gates.validation.sentinel import compare_runs
from minitask.gates.validation.test_runners import Runner, Suite, find_suites, is_plain, read_counts
from minitask.ledger.record import CommandRecord, SuiteCounts
from minitask.spec.model import Command

STARTED = {
    "pytest -q": Runner.PYTEST,
    "python3 -m pytest tests/test_a.py": Runner.PYTEST,
    "cd src && PYTHONPATH=. .venv/bin/python -X dev -m pytest": Runner.PYTEST,
    "uv run --frozen pytest tests": Runner.PYTEST,
    "coverage run -m pytest": Runner.PYTEST,
    "python -m coverage run -m unittest": Runner.UNITTEST,
    "timeout 60 python -m unittest discover -s tests": Runner.UNITTEST,
    "python tests/test_a.py": Runner.UNITTEST,
    "bash -c 'cd x && pytest'": Runner.PYTEST,
    "node --test": Runner.NODE,
    "node --test test/a.test.js": Runner.NODE,
    "node a.test.mjs": Runner.NODE,
    "npx jest src": Runner.JEST,
    "pnpm exec vitest run": Runner.VITEST,
    "yarn mocha": Runner.MOCHA,
    "npm test": Runner.ANY,
    "npm run test:unit": Runner.ANY,
    "make check": Runner.ANY,
    "go test ./...": Runner.GO,
    "cargo test --quiet": Runner.CARGO,
    "cargo nextest run": Runner.CARGO,
    "if true; then pytest; fi": Runner.PYTEST,
}


@pytest.mark.parametrize("command", STARTED)
def test_a_test_runner_is_known_by_how_it_is_started(command: str) -> None:
    assert [suite.runner for suite in find_suites(command)] == [STARTED[command]]


@pytest.mark.parametrize(
    "command",
    [
        "test -f tests/test_a.py",
        "grep -q pytest requirements.txt",
        "echo pytest",
        "python -c 'import pytest'",
        "python tools/make_tests.py",
        "pytest --collect-only -q",
        "cargo build",
        "cargo test --no-run",
        "go vet ./...",
        "npm run build",
        "node app.js",
        "wc -l tests/test_a.py",
        "echo 'unclosed",
    ],
)
def test_other_commands_start_none(command: str) -> None:
    assert find_suites(command) == ()


def test_what_a_runner_is_given_to_run_is_known() -> None:
    (suite,) = find_suites("pytest -q ./tests/test_a.py::test_b tests/unit/")
    assert suite.named == ("tests/test_a.py", "tests/unit")


PLAIN = {
    True: ["pytest -q", "cd a && pytest", "pytest 2>&1"],
    False: [
        "pytest || true", "! pytest", "pytest | tail -1", "pytest > log", "pytest; true", "pytest &",
        "pytest\ntrue", "(pytest)",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "plain"),
    [(command, plain) for plain, them in PLAIN.items() for command in them],
)
def test_an_exit_code_is_the_runners_own_where_nothing_stands_around_it(
    command: str, *, plain: bool
) -> None:
    assert is_plain(command) is plain


NODE = "# tests 3\n# suites 0\n# pass 1\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n"
SUMMARIES = [
    (Runner.PYTEST, "===== 3 passed in 0.05s =====", (3, 3, 0, 0)),
    (Runner.PYTEST, "1 failed, 2 passed, 1 skipped, 1 xfailed in 61.05s (0:01:01)", (5, 2, 1, 2)),
    (Runner.PYTEST, "\x1b[31m\x1b[1m1 failed\x1b[0m, \x1b[32m2 passed\x1b[0m in 0.1s", (3, 2, 1, 0)),
    (Runner.PYTEST, "no tests ran in 0.00s", (0, 0, 0, 0)),
    (Runner.PYTEST, "==== 1 error in 0.10s ====", (1, 0, 1, 0)),
    (Runner.PYTEST, "1 passed in 0.1s\n2 passed in 0.2s", (3, 3, 0, 0)),
    (Runner.PYTEST, "collected 3 items\n\ntests/test_a.py ..", None),
    (Runner.UNITTEST, "...\n-----\nRan 3 tests in 0.001s\n\nOK\n", (3, 3, 0, 0)),
    (Runner.UNITTEST, "Ran 3 tests in 0.001s\n\nOK (skipped=1)\n", (3, 2, 0, 1)),
    (Runner.UNITTEST, "Ran 3 tests in 0s\n\nFAILED (failures=1, errors=1)\n", (3, 1, 2, 0)),
    (Runner.UNITTEST, "Ran 0 tests in 0.000s\n\nNO TESTS RAN\n", (0, 0, 0, 0)),
    (Runner.UNITTEST, "Ran 3 tests in 0.001s\n", None),
    (Runner.NODE, NODE, (3, 1, 1, 1)),
    (Runner.NODE, NODE.replace("#", "ℹ"), (3, 1, 1, 1)),
    (Runner.NODE, "TAP version 13\nok 1 - a\n", None),
    (Runner.JEST, "Tests:       1 failed, 3 passed, 4 total\n", (4, 3, 1, 0)),
    (Runner.VITEST, "      Tests  1 failed | 3 passed | 1 skipped (5)\n", (5, 3, 1, 1)),
    (Runner.MOCHA, "  3 passing (5ms)\n  1 pending\n  2 failing\n", (6, 3, 2, 1)),
    (Runner.AVA, "  2 tests passed\n  1 test failed\n", (3, 2, 1, 0)),
    (
        Runner.CARGO,
        (
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0s\n"
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0s"
        ),
        (5, 4, 0, 1),
    ),
    (Runner.CARGO, "     Summary [   0.005s] 3 tests run: 2 passed, 1 failed, 0 skipped", (3, 2, 1, 0)),
    (Runner.GO, "ok  \texample.org/a\t0.002s\n?   \texample.org/b\t[no test files]\n", (1, 1, 0, 0)),
    (Runner.GO, "ok  \texample.org/a\t0.002s [no tests to run]\n", (0, 0, 0, 0)),
    (Runner.GO, "--- PASS: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\nFAIL\n", (2, 1, 1, 0)),
    (Runner.ANY, "> x@1 test\n> jest\n\nTests:       3 passed, 3 total\n", (3, 3, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("runner", "output", "counts"), SUMMARIES)
def test_a_summary_says_how_many_tests_ran(
    runner: Runner, output: str, counts: tuple[int, ...] | None
) -> None:
    expected = SuiteCounts(*counts) if counts else None
    assert read_counts([Suite(runner)], output.encode()) == expected


def a_run(counts: tuple[int, int, int, int]) -> CommandRecord:
    """A run of pytest with these counts."""
    tests = SuiteCounts(*counts)
    return CommandRecord(
        1, "pytest", int(tests.failed > 0), tests.failed == 0, 0.1, "", tests=tests
    )


@pytest.mark.parametrize(
    ("before", "after", "is_doubted"),
    [
        ((2, 1, 1, 0), (2, 2, 0, 0), False),
        ((2, 1, 1, 0), (2, 1, 0, 1), True),  # the one that failed is skipped
        ((2, 2, 0, 0), (2, 1, 0, 1), True),
        ((2, 1, 1, 0), (3, 2, 0, 1), False),  # a new one is skipped
        ((2, 1, 1, 0), (1, 1, 0, 0), True),
        ((2, 0, 0, 2), (2, 0, 0, 2), True),  # all are skipped
    ],
)
def test_fewer_tests_than_on_the_base_are_a_doubt(
    before: tuple[int, int, int, int], after: tuple[int, int, int, int], is_doubted: bool
) -> None:
    commands = (Command("pytest", line=1),)
    found = compare_runs([a_run(before)], [a_run(after)], commands=commands, may_lose=False)
    assert bool(found.doubts) is is_doubted
