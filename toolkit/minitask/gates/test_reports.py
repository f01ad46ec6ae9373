"""Count the tests that a run collected and passed, from the summary that its runner prints last."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from minitask.gates.test_runners import Runner, Suite
from minitask.ledger.evidence import SuiteCounts
from minitask.patterns import lazy_pattern

LONGEST = 1_000_000
"""Bytes at the end of an output that are looked at."""
_COLOUR = lazy_pattern(r"\x1b\[[0-9;?]*[A-Za-z]")
_PYTEST = lazy_pattern(
    r"^=*[ ]?((?:\d+ (?:passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?|rerun)(?:, )?)+"
    r"|no tests ran|no tests collected.*?) in [\d.]+ ?s\b",
    re.MULTILINE,
)
_UNITTEST = lazy_pattern(
    r"^Ran (\d+) tests? in [^\n]*\n\s*(OK|FAILED|NO TESTS RAN)(?: \(([^)\n]*)\))?[ \t\r]*$",
    re.MULTILINE,
)
_TAP = lazy_pattern(
    r"^(?:#|ℹ) (tests|pass|fail|cancelled|skipped|todo) (\d+)[ \t\r]*$", re.MULTILINE
)
_JEST = lazy_pattern(r"^Tests:[ ]+(.*\btotal)\b", re.MULTILINE)
_VITEST = lazy_pattern(r"^[ ]*Tests[ ]{2,}(.*?)\(\d+\)[ \t\r]*$", re.MULTILINE)
_MOCHA = lazy_pattern(r"^[ ]+(\d+) (passing|failing|pending)\b", re.MULTILINE)
_AVA = lazy_pattern(
    r"^[ ]+(\d+) (?:tests? |known )?(passed|failed|skipped|failures?)\b", re.MULTILINE
)
_CARGO = lazy_pattern(
    r"^test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; \d+ measured; (\d+) filtered out",
    re.MULTILINE,
)
_NEXTEST = lazy_pattern(r"^[ ]+Summary \[[^\]]*\][ ]+(?:\d+/)?\d+ tests? run: (.*)$", re.MULTILINE)
_GO_TEST = lazy_pattern(r"^[ ]*--- (PASS|FAIL|SKIP): ", re.MULTILINE)
_GO_EVENT = lazy_pattern(r'^\{.*"Action":"(pass|fail|skip)".*"Test":', re.MULTILINE)
_GO_PACKAGE = lazy_pattern(
    r"^(ok|FAIL|---)[ ]*\t\S+(?:\t[^\n\[]*)?(\[no tests? (?:to run|files)\])?", re.MULTILINE
)
_COUNT = lazy_pattern(r"(\d+) ([a-z]+)")
_MEANS = {
    **dict.fromkeys(("passed", "pass", "passing", "xpassed", "ok"), "passed"),
    **dict.fromkeys(("failed", "fail", "failing", "cancelled", "failures", "failure"), "failed"),
    **dict.fromkeys(("error", "errors"), "failed"),
    **dict.fromkeys(("skipped", "skip", "todo", "pending", "ignored", "xfailed"), "skipped"),
}


def read_counts(suites: Sequence[Suite], output: bytes) -> SuiteCounts | None:
    """Return the sum of all summaries in an output; None where it holds none."""
    text = _COLOUR.sub("", output[-LONGEST:].decode("utf-8", "replace"))
    runners = dict.fromkeys(suite.runner for suite in suites)
    if Runner.ANY in runners:
        runners = dict.fromkeys(_READERS)
    suite_counts = [counts for runner in runners if (counts := _READERS[runner](text)) is not None]
    return _sum(suite_counts)


def _pytest(text: str) -> SuiteCounts | None:
    return _sum(_tallied(_pairs(match[1])) for match in _PYTEST.finditer(text))


def _unittest(text: str) -> SuiteCounts | None:
    return _sum(map(_unittest_run, _UNITTEST.finditer(text)))


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
    if not {"tests", "pass", "fail"} <= {name for name, _ in tallies}:
        return None
    return _tallied(tallies)


def _jest(text: str) -> SuiteCounts | None:
    return _sum(_tallied(_pairs(match[1])) for match in _JEST.finditer(text))


def _vitest(text: str) -> SuiteCounts | None:
    return _sum(_tallied(_pairs(match[1])) for match in _VITEST.finditer(text))


def _words(pattern: re.Pattern[str], text: str) -> SuiteCounts | None:
    tallies = [(match[2], int(match[1])) for match in pattern.finditer(text)]
    return _tallied(tallies) if tallies else None


def _cargo(text: str) -> SuiteCounts | None:
    runs = [tuple(map(int, match.groups())) for match in _CARGO.finditer(text)]
    suite_counts = [SuiteCounts(p + f + i, p, f, i) for p, f, i, _ in runs]
    suite_counts += [_tallied(_pairs(match[1])) for match in _NEXTEST.finditer(text)]
    return _sum(suite_counts)


def _go(text: str) -> SuiteCounts | None:
    """Tests where they are told by name (`-v`, `-json`), packages with tests otherwise."""
    tallies = [(match[1].lower(), 1) for match in _GO_TEST.finditer(text)]
    tallies = tallies or [(match[1], 1) for match in _GO_EVENT.finditer(text)]
    if tallies:
        return _tallied(tallies)
    packages = [match for match in _GO_PACKAGE.finditer(text) if match[1] != "---"]
    return (
        _tallied([(match[1].lower(), 0 if match[2] else 1) for match in packages])
        if packages
        else None
    )


_READERS: Mapping[Runner, Callable[[str], SuiteCounts | None]] = {
    Runner.PYTEST: _pytest,
    Runner.UNITTEST: _unittest,
    Runner.NODE: _tap,
    Runner.JEST: _jest,
    Runner.VITEST: _vitest,
    Runner.MOCHA: lambda text: _words(_MOCHA, text),
    Runner.AVA: lambda text: _words(_AVA, text),
    Runner.CARGO: _cargo,
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
    runs = list(suite_counts)
    if not runs:
        return None
    return SuiteCounts(
        sum(run.collected for run in runs),
        sum(run.passed for run in runs),
        sum(run.failed for run in runs),
        sum(run.skipped for run in runs),
    )
