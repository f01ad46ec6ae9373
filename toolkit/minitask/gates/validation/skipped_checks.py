"""Find added lines that skip checks: tests left out, linter and type checker exemptions, code that detects tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import basename

from minitask.gates.requested_removals import task_sentences
from minitask.gates.result import FileChange
from minitask.gates.source.grammars import SCRIPTS
from minitask.gates.validation.test_files import is_test_path
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

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


def find_skips(file: FileChange) -> Iterator[str]:
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


def find_lost_examples(file: FileChange, commands: Sequence[str]) -> Iterator[str]:
    """Yield the docstring and document examples that a change removes or skips, if a command runs doctest."""
    if any("doctest" in command for command in commands):
        rows = (line.strip() for line in (file.base or "").split("\n"))
        yield from (row for row in rows if row.startswith(">>>") and row not in file.content)
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
    r"(?s)def __eq__\(self, \w+(?:: \w+)?\)(?: -> bool)?:\s+(?:\"\"\".*?\"\"\"\s+)?return True\b"
)


def find_detections(file: FileChange) -> Iterator[str]:
    """Yield the added lines outside tests that detect a test run, or an `__eq__` that is always true."""
    pattern = _ASKS.get(file.suffix)
    if pattern is None or is_test_path(file.path):
        return
    yield from filter(lazy_pattern(pattern).search, file.added)
    equal = _EQUALS_ALL.search(file.content) if file.suffix == ".py" else None
    if equal and equal[0] not in (file.base or ""):
        yield equal[0].partition("\n")[0]


_CHECKERS = lazy_pattern(
    r"\b(?:mypy|ruff|flake8|pylint|pyright|eslint|tsc|biome|stylelint|golangci-lint|clippy|shellcheck"
    r"|pre-commit|tox|nox|make|just|npm|pnpm|yarn|bun)\b"
)
# Comments for a whole file; those for one line are often right.
_REMARK = lazy_pattern(
    r"#\s*(?:ruff|flake8)\s*:\s*noqa\s*$|#\s*mypy\s*:.*\bignore[-_]errors\b|#\s*type:\s*ignore\s*$"
    r"|#\s*pyright\s*:\s*(?:basic|off|ignore)\b|#\s*pylint\s*:\s*(?:skip-file|disable=all)\b"
    r"|/[/*]\s*@ts-nocheck\b|/\*\s*(?:eslint|stylelint)-disable\s*\*/|//\s*biome-ignore-all\b"
    r"|#\s*shellcheck disable=all\b"
    r"|#!\[allow\((?:warnings|clippy::all)\)\]"
)
_SETTINGS = lazy_pattern(
    r"\.?mypy\.ini|\.?ruff\.toml|\.flake8|\.?pylintrc|pyrightconfig\.json|tsconfig[\w.]*\.json|biome\.jsonc?"
    r"|\.eslintrc(?:\.\w+)?|\.eslintignore|eslint\.config\.\w+|\.stylelintrc(?:\.\w+)?|\.golangci\.ya?ml"
    r"|\.pre-commit-config\.yaml|setup\.cfg|tox\.ini|pyproject\.toml"
)
_NARROWS = lazy_pattern(
    r"(?i)[\"']?(?:ignore_errors[\"']?\s*[=:]\s*true|(?:strict|check[_-]untyped[_-]defs|noEmitOnError)[\"']?\s*[=:]\s*false"
    r"|(?:extend[-_])?(?:ignore|exclude|disable)(?:[-_]?(?:patterns|error[-_]code))?[\"']?\s*[=:]"
    r"|(?:extend-)?per-file-ignores\b|follow_imports\s*=\s*[\"']?skip|skip\s*:|stages\s*:\s*\[?\s*manual)"
    r"|[\"'][\w@/-]+[\"']\s*:\s*\[?\s*(?:0|[\"']off[\"'])"
)
_ASKED = lazy_pattern(
    r"(?i)\b(?:ignor\w*|exclud\w*|disabl\w*|skip\w*|suppress\w*|noqa|nocheck|relax\w*"
    r"|turn\w* off|switch\w* off|strict\w*)\b"
)


def find_switched_off(file: FileChange, commands: Sequence[str], spec: Spec) -> Iterator[str]:
    """Yield the added lines that switch a checker off for at least one file, unless the spec asks for that."""
    if not any(map(_CHECKERS.search, commands)):
        return
    if any(map(_ASKED.search, task_sentences(spec, file.path))):
        return
    name = basename(file.path).lower()
    if _SETTINGS.fullmatch(name):
        yield from filter(_NARROWS.match, file.added)
    else:
        yield from filter(_REMARK.match, file.added)
