"""Find the test runners that a validation command starts and the files it names, and read test counts of summaries."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from posixpath import basename

from msgspec import Struct

from minitask.gates.source.prefilters import may_run_tests
from minitask.ledger.record import SuiteCounts
from minitask.patterns import lazy_pattern
from minitask.words import word_set


class Runner(StrEnum):
    """A test runner whose summary can be read; `ANY` is started by a script, such as `npm test`."""

    PYTEST = "pytest"
    UNITTEST = "unittest"
    NODE = "node --test"
    JEST = "jest"
    VITEST = "vitest"
    MOCHA = "mocha"
    AVA = "ava"
    GO = "go test"
    CARGO = "cargo test"
    ANY = "a script"


class Suite(Struct, frozen=True):
    """One start of a test runner, with its arguments."""

    runner: Runner
    arguments: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[str, ...]:
        """The arguments that may name files or folders, without pytest's `::name`."""
        plain = (word.partition("::")[0] for word in self.arguments if not word.startswith("-"))
        return tuple(
            word.removeprefix("./").rstrip("/") for word in plain if word not in {"--", "."}
        )


_ASSIGNMENT = lazy_pattern(r"^[A-Za-z_][A-Za-z0-9_]*\+?=")
_OPERATORS = "();<>|&"
_KEYWORDS = frozenset({"!", "if", "then", "elif", "else", "while", "until", "do", "time", "{"})
_WRAPPERS = word_set("env exec command nice nohup npx bunx timeout xvfb-run stdbuf")
_RUN = frozenset({"uv", "poetry", "pipenv", "pdm", "hatch", "rye", "coverage", "conda", "pixi"})
"""Programs whose `run` command starts the program that follows."""
_LISTS = word_set("""
--collect-only --co --fixtures --markers --setup-plan --setup-only --help -h --version -V --list -list --listTests
--no-run list
""")
"""Arguments with which a runner runs no test."""
_BY_NAME = {
    "pytest": Runner.PYTEST,
    "py.test": Runner.PYTEST,
    "jest": Runner.JEST,
    "vitest": Runner.VITEST,
    "mocha": Runner.MOCHA,
    "ava": Runner.AVA,
    "tox": Runner.ANY,
    "nox": Runner.ANY,
}
_SCRIPTS = {"npm", "pnpm", "yarn", "bun", "make"}
_TEST_SCRIPT = lazy_pattern(r"^(?:t|tst|check|(?:[\w:-]*[:-])?tests?(?:[:-][\w:-]*)?)$")
_TEST_FILE = lazy_pattern(r"(?:^|/)(?:test_[^/]*|[^/]*_test|tests?)\.py$")
_NODE_FILE = lazy_pattern(r"(?:\.|^|/|-|_)(?:test|spec)\.[cm]?[jt]sx?$")


def find_suites(text: str) -> tuple[Suite, ...]:
    """Return the test runners that a command starts; empty if that is not certain."""
    if not may_run_tests(text):
        return ()
    return tuple(
        suite
        for command in _commands(text)
        if (suite := _suite(command)) is not None and _LISTS.isdisjoint(suite.arguments)
    )


def is_plain(text: str) -> bool:
    """Return True if the exit code is certainly that of the last program, without a pipe."""
    return _has_only(text, {"&&"})


def may_mask(text: str) -> bool:
    """Return True if the command may pass although its test runner fails."""
    return not _has_only(text, {"&&", "|", ">", ">>", "<", "(", ")"})


def _has_only(text: str, operators: set[str]) -> bool:
    line = text.strip().replace("\\\n", " ").replace("2>&1", "")
    tokens = _tokens(line)
    used = {word for word in tokens if set(word) <= set(_OPERATORS)}
    return "\n" not in line and tokens[:1] != ["!"] and used <= operators


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the simple commands in a text, as words."""
    for line in text.replace("\\\n", " ").split("\n"):
        command: list[str] = []
        for token in [*_tokens(line), ";"]:
            if set(token) <= set(_OPERATORS):
                if command:
                    yield command
                command = []
            else:
                command.append(token)


def _tokens(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return line.split()


def _suite(command: Sequence[str]) -> Suite | None:
    command = _unwrapped(command)
    if not command:
        return None
    name, argv = basename(command[0]), tuple(command[1:])
    if name in {"bash", "sh"} and "-c" in argv[:-1]:
        return next(iter(find_suites(argv[argv.index("-c") + 1])), None)
    if name.startswith("python") or name == "pypy3":
        return _python(argv)
    if name in _BY_NAME:
        return Suite(_BY_NAME[name], _without(argv, "run") if name == "vitest" else argv)
    if name == "node":
        return _node(argv)
    if name == "go" and argv[:1] == ("test",):
        return Suite(Runner.GO, argv[1:])
    if name == "cargo":
        return _cargo(argv)
    return _script(argv) if name in _SCRIPTS else None


def _unwrapped(command: Sequence[str]) -> list[str]:
    """Return the command without leading assignments and wrapper programs."""
    remaining = list(command)
    while remaining:
        name = basename(remaining[0])
        if _ASSIGNMENT.match(remaining[0]) or remaining[0] in _KEYWORDS:
            remaining = remaining[1:]
        elif name in _WRAPPERS or (
            remaining[0] in {"pnpm", "yarn"} and remaining[1:2] in (["exec"], ["dlx"])
        ):
            remaining = remaining[1 if name in _WRAPPERS else 2 :]
            while remaining and (remaining[0].startswith("-") or remaining[0][:1].isdigit()):
                remaining = remaining[1:]
        elif name in _RUN and remaining[1:2] == ["run"]:
            remaining = remaining[2:]
            if name == "coverage":
                return ["python", *remaining]
            while remaining and remaining[0].startswith("-"):
                remaining = remaining[1:]
        elif remaining[0] in {"pnpm", "yarn", "bun"} and remaining[1:] and remaining[1] in _BY_NAME:
            remaining = remaining[1:]
        else:
            return remaining
    return remaining


def _python(argv: tuple[str, ...]) -> Suite | None:
    for index, word in enumerate(argv):
        if index and argv[index - 1] in {"-W", "-X"}:
            continue
        if word == "-m":
            module, arguments = "".join(argv[index + 1 : index + 2]), argv[index + 2 :]
            if module == "coverage" and arguments[:1] == ("run",):
                return _python(arguments[1:])
            runner = {"pytest": Runner.PYTEST, "unittest": Runner.UNITTEST}.get(module)
            return Suite(runner, _without(arguments, "discover")) if runner else None
        if not word.startswith("-"):
            is_test = _TEST_FILE.search(word) is not None
            return Suite(Runner.UNITTEST, argv[index:]) if is_test else None
        if word == "-c":
            return None
    return None


def _node(argv: tuple[str, ...]) -> Suite | None:
    files = [word for word in argv if not word.startswith("-")]
    if "--test" in argv or (files and _NODE_FILE.search(files[0])):
        return Suite(Runner.NODE, tuple(word for word in argv if word != "--test"))
    return None


def _cargo(argv: tuple[str, ...]) -> Suite | None:
    arguments = [word for word in argv if not word.startswith("+")]
    if arguments[:1] in (["test"], ["t"]):
        return Suite(Runner.CARGO, tuple(arguments[1:]))
    if arguments[:2] in (["nextest", "run"], ["nextest", "r"]):
        return Suite(Runner.CARGO, tuple(arguments[2:]))
    return None


def _script(argv: tuple[str, ...]) -> Suite | None:
    arguments = [word for word in _without(argv, "run") if not word.startswith("-")]
    return Suite(Runner.ANY) if arguments and _TEST_SCRIPT.match(arguments[0]) else None


def _without(arguments: tuple[str, ...], first: str) -> tuple[str, ...]:
    return arguments[1:] if arguments[:1] == (first,) else arguments


LONGEST = 1_000_000
"""Bytes at the end of an output that are read."""
_COLOUR = lazy_pattern(r"\x1b\[[0-9;?]*[A-Za-z]")
_PYTEST = lazy_pattern(
    r"(?m)^=*[ ]?((?:\d+ (?:passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?|rerun)(?:, )?)+"
    r"|no tests ran|no tests collected.*?) in [\d.]+ ?s\b"
)
_UNITTEST = lazy_pattern(
    r"(?m)^Ran (\d+) tests? in [^\n]*\n\s*(OK|FAILED|NO TESTS RAN)(?: \(([^)\n]*)\))?[ \t\r]*$"
)
_TAP = lazy_pattern(r"(?m)^(?:#|ℹ) (tests|pass|fail|cancelled|skipped|todo) (\d+)[ \t\r]*$")
_JEST = lazy_pattern(r"(?m)^Tests:[ ]+(.*\btotal)\b")
_VITEST = lazy_pattern(r"(?m)^[ ]*Tests[ ]{2,}(.*?)\(\d+\)[ \t\r]*$")
_MOCHA = lazy_pattern(r"(?m)^[ ]+(\d+) (passing|failing|pending)\b")
_AVA = lazy_pattern(r"(?m)^[ ]+(\d+) (?:tests? |known )?(passed|failed|skipped|failures?)\b")
_CARGO = lazy_pattern(
    r"(?m)^test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; \d+ measured; (\d+) filtered out"
)
_NEXTEST = lazy_pattern(r"(?m)^[ ]+Summary \[[^\]]*\][ ]+(?:\d+/)?\d+ tests? run: (.*)$")
_GO_TEST = lazy_pattern(r"(?m)^[ ]*--- (PASS|FAIL|SKIP): ")
_GO_EVENT = lazy_pattern(r'(?m)^\{.*"Action":"(pass|fail|skip)".*"Test":')
_GO_PACKAGE = lazy_pattern(
    r"(?m)^(ok|FAIL|---)[ ]*\t\S+(?:\t[^\n\[]*)?(\[no tests? (?:to run|files)\])?"
)
_COUNT = lazy_pattern(r"(\d+) ([a-z]+)")
_MEANS = {
    **dict.fromkeys(("passed", "pass", "passing", "xpassed", "ok"), "passed"),
    **dict.fromkeys(("failed", "fail", "failing", "cancelled", "failures", "failure"), "failed"),
    **dict.fromkeys(("error", "errors"), "failed"),
    **dict.fromkeys(("skipped", "skip", "todo", "pending", "ignored", "xfailed"), "skipped"),
}


def read_counts(suites: Sequence[Suite], output: bytes) -> SuiteCounts | None:
    """Return the sum of all summaries in an output, or None if it has none."""
    text = _COLOUR.sub("", output[-LONGEST:].decode("utf-8", "replace"))
    runners = dict.fromkeys(suite.runner for suite in suites)
    if Runner.ANY in runners:
        runners = dict.fromkeys(_READERS)
    suite_counts = [counts for runner in runners if (counts := _READERS[runner](text)) is not None]
    return _sum(suite_counts)


def _runs(pattern: re.Pattern[str], text: str) -> SuiteCounts | None:
    """Return the sum of all matches, each of which lists `NUMBER WORD` pairs."""
    return _sum(_tallied(_pairs(match[1])) for match in pattern.finditer(text))


def _unittest_run(match: re.Match[str]) -> SuiteCounts:
    total = int(match[1])
    counts = dict(re.findall(r"([a-z ]+)=(\d+)", match[3] or ""))
    counts = {name.strip(): int(number) for name, number in counts.items()}
    failed = sum(counts.get(name, 0) for name in ("failures", "errors", "unexpected successes"))
    skipped = counts.get("skipped", 0) + counts.get("expected failures", 0)
    total = max(total, failed + skipped)
    return SuiteCounts(total, total - failed - skipped, failed, skipped)


def _tap(text: str) -> SuiteCounts | None:
    tallies = [(match[1], int(match[2])) for match in _TAP.finditer(text)]
    is_whole = {"tests", "pass", "fail"} <= {name for name, _ in tallies}
    return _tallied(tallies) if is_whole else None


def _words(pattern: re.Pattern[str], text: str) -> SuiteCounts | None:
    tallies = [(match[2], int(match[1])) for match in pattern.finditer(text)]
    return _tallied(tallies) if tallies else None


def _cargo_counts(text: str) -> SuiteCounts | None:
    runs = [tuple(map(int, match.groups())) for match in _CARGO.finditer(text)]
    suite_counts = [SuiteCounts(p + f + i, p, f, i) for p, f, i, _ in runs]
    suite_counts += [_tallied(_pairs(match[1])) for match in _NEXTEST.finditer(text)]
    return _sum(suite_counts)


def _go(text: str) -> SuiteCounts | None:
    """Count tests if the output names them (`-v`, `-json`), otherwise packages with tests."""
    tallies = [(match[1].lower(), 1) for match in _GO_TEST.finditer(text)]
    tallies = tallies or [(match[1], 1) for match in _GO_EVENT.finditer(text)]
    if tallies:
        return _tallied(tallies)
    packages = [match for match in _GO_PACKAGE.finditer(text) if match[1] != "---"]
    tallies = [(match[1].lower(), 0 if match[2] else 1) for match in packages]
    return _tallied(tallies) if tallies else None


_READERS: Mapping[Runner, Callable[[str], SuiteCounts | None]] = {
    Runner.PYTEST: partial(_runs, _PYTEST),
    Runner.UNITTEST: lambda text: _sum(map(_unittest_run, _UNITTEST.finditer(text))),
    Runner.NODE: _tap,
    Runner.JEST: partial(_runs, _JEST),
    Runner.VITEST: partial(_runs, _VITEST),
    Runner.MOCHA: partial(_words, _MOCHA),
    Runner.AVA: partial(_words, _AVA),
    Runner.CARGO: _cargo_counts,
    Runner.GO: _go,
}


def _pairs(text: str) -> list[tuple[str, int]]:
    return [(name, int(number)) for number, name in _COUNT.findall(text)]


def _tallied(tallies: Iterable[tuple[str, int]]) -> SuiteCounts:
    sums = {"passed": 0, "failed": 0, "skipped": 0}
    for name, number in tallies:
        if name in _MEANS:
            sums[_MEANS[name]] += number
    return SuiteCounts(sum(sums.values()), **sums)


def _sum(suite_counts: Iterable[SuiteCounts]) -> SuiteCounts | None:
    runs = [(run.collected, run.passed, run.failed, run.skipped) for run in suite_counts]
    return SuiteCounts(*map(sum, zip(*runs, strict=True))) if runs else None
