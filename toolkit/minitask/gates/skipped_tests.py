"""Find lines of a change that leave tests out, remove examples, or let code detect that it is tested."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from minitask.gates.grammars import SCRIPTS
from minitask.gates.result import FileVersions
from minitask.gates.test_files import is_test_path
from minitask.patterns import lazy_pattern

_SKIP_MARKS = {
    ".py": r"@(?:pytest\.mark|unittest)\.(?:skip|xfail|expectedFailure)\b|pytestmark\s*=.*\b(?:skip|xfail)"
    r"|allow_module_level\s*=\s*True|__test__\s*=\s*False",
    ".go": r"//go:build\s|// \+build\s",
    ".rs": r"#!?\[cfg\((?:any\(\)|FALSE|never)|#\[ignore",
    **dict.fromkeys((".java", ".kt", ".groovy", ".scala"), r"@(?:Disabled|Ignore)\b"),
    ".cs": r"\[(?:Ignore\b|(?:Fact|Theory|Test)\(.*\b(?:Skip|Ignore)\b)",
    ".rb": r"(?:skip|pending|xit|xdescribe|xcontext)\b",
    ".php": r"\$this->markTest(?:Skipped|Incomplete)|#\[\w*Skip",
    ".swift": r"throw XCTSkip",
    **dict.fromkeys(SCRIPTS, r"(?:\w+\.(?:only|skip)|fit|fdescribe|xit|xtest|xdescribe)\s*\("),
}
"""Marks of skipped tests, at the start of a line of a test file."""


def find_skips(file: FileVersions) -> Iterator[str]:
    """Yield the added lines of a test file that leave tests out."""
    pattern = _SKIP_MARKS.get(file.suffix)
    if pattern is None:
        return
    if is_test_path(file.path) or file.suffix in {".rs", ".java", ".kt", ".cs"}:
        compiled = lazy_pattern(pattern)
        added = (line for line in file.added if compiled.match(line))
        if file.base is None:  # the author of a new file may restrict where it runs
            added = (line for line in added if file.suffix != ".go" and "skipif" not in line)
        yield from added


def find_lost_examples(file: FileVersions, commands: Sequence[str]) -> Iterator[str]:
    """Yield the docstring and document examples that a change removes or skips, if a command runs doctest."""
    if any("doctest" in command for command in commands):
        rows = (line.strip() for line in (file.base or "").split("\n"))
        yield from (row for row in rows if row.startswith(">>>") and row not in file.now)
        yield from (line for line in file.added if "doctest:" in line and "+SKIP" in line)


_ASKS = {
    ".py": r"PYTEST_CURRENT_TEST|[\"'](?:pytest|unittest)[\"']\s+(?:not\s+)?in\s+sys\.(?:modules|argv)"
    r"|sys\.modules\.get\(\s*[\"'](?:pytest|unittest)|(?:inspect\.(?:stack|currentframe)|sys\._getframe)\(.*test",
    ".go": r"\btesting\.Testing\(\)|\bflag\.Lookup\(\"test\.|\bos\.Args\[0\].*\.test\"",
    ".rs": r"\bcfg!\((?:not\()?test\)|#\[cfg\(not\(test\)\)\]",
    **dict.fromkeys(
        SCRIPTS,
        r"\bprocess\.env\.(?:JEST_WORKER_ID|VITEST\w*|NODE_TEST_CONTEXT)\b|\bNODE_ENV[\"'\])]*\s*[!=]==?\s*[\"'`]test[\"'`]"
        r"|\btypeof\s+(?:jest|describe|it|test|expect)\s*[!=]==?",
    ),
}
"""Code that asks whether a test runs it."""
_EQUALS_ALL = lazy_pattern(
    r"def __eq__\(self, \w+(?:: \w+)?\)(?: -> bool)?:\s+(?:\"\"\".*?\"\"\"\s+)?return True\b",
    re.DOTALL,
)


def find_detections(file: FileVersions) -> Iterator[str]:
    """Yield the added lines outside tests that detect a test run, or an `__eq__` that is always true."""
    pattern = _ASKS.get(file.suffix)
    if pattern is None or is_test_path(file.path):
        return
    yield from filter(lazy_pattern(pattern).search, file.added)
    equal = _EQUALS_ALL.search(file.now) if file.suffix == ".py" else None
    if equal and equal[0] not in (file.base or ""):
        yield equal[0].partition("\n")[0]
