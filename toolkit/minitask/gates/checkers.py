"""Find comments and settings that make a linter or type checker skip code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from posixpath import basename

from minitask.gates.requested_removals import task_sentences
from minitask.gates.result import FileVersions
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

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
    r"[\"']?(?:ignore_errors[\"']?\s*[=:]\s*true|(?:strict|check[_-]untyped[_-]defs|noEmitOnError)[\"']?\s*[=:]\s*false"
    r"|(?:extend[-_])?(?:ignore|exclude|disable)(?:[-_]?(?:patterns|error[-_]code))?[\"']?\s*[=:]"
    r"|(?:extend-)?per-file-ignores\b|follow_imports\s*=\s*[\"']?skip|skip\s*:|stages\s*:\s*\[?\s*manual)"
    r"|[\"'][\w@/-]+[\"']\s*:\s*\[?\s*(?:0|[\"']off[\"'])",
    re.IGNORECASE,
)
_ASKED = lazy_pattern(
    r"\b(?:ignor\w*|exclud\w*|disabl\w*|skip\w*|suppress\w*|noqa|nocheck|relax\w*"
    r"|turn\w* off|switch\w* off|strict\w*)\b",
    2,
)


def find_switched_off(file: FileVersions, commands: Sequence[str], spec: Spec) -> Iterator[str]:
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
