"""Tell from a path or a text whether a check may find anything, before the check is imported and run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from minitask.gates.source.grammars import SCRIPTS, suffix_of
from minitask.patterns import lazy_pattern
from minitask.spec.model import Command
from minitask.words import word_set

# Words and marks, one of which every phrase for omitted code contains.
_ELISION = lazy_pattern(
    r"(?i)\.\.\.|…|\. \. \.|rest\b|remain|\bother|existing|previous|original|current|same|unchanged|untouched"
    r"|unmodified|"
    r"omitted|elided|snip|not shown|intact|identical|as before|as it was|changes|(?-i:[^\x00-\x7f])"
    r"|\b(?:cut|idem|ditt?o|etc|see|as above|rest[eo]|restante?|demais|suite|existent|bestehend"
    r"|overig|pozosta|reszta|zbyl|kalan|mevcut|sisa|lainnya|loput|muu)\b"
)
_PYTHON_IMPORT = lazy_pattern(r"(?m)^[ \t]*(?:from|import)[ \t]")
_RELATIVE_PATH = lazy_pattern(r"""["'`]\.\.?(?:/|["'`])""")
_ANY_PATH = lazy_pattern(r"""\b(?:import|require|from)\b[ (]*["'`]""")
_IMPORTS = {
    ".py": _PYTHON_IMPORT,
    **dict.fromkeys(SCRIPTS, _RELATIVE_PATH),
}


IMPORTING = frozenset(_IMPORTS)
"""Endings of files whose imports are read."""


def may_elide(text: str) -> bool:
    """Return True if the text could say that code is omitted."""
    return _ELISION.search(text) is not None


def may_import(path: str, text: str) -> bool:
    """Return True if the file could import something from its own repository."""
    pattern = _IMPORTS.get(PurePosixPath(path).suffix.lower())
    return pattern is not None and pattern.search(text) is not None


_TEST_WORDS = ("test", "spec", "conftest", "check", "setup", "config", "makefile", "justfile")
_SETTINGS = word_set("""
package.json .npmrc .taprc .mocharc.json .mocharc.js .mocharc.yml pyproject.toml tox.ini setup.cfg makefile
gnumakefile justfile mypy.ini .mypy.ini ruff.toml .ruff.toml .flake8 .pylintrc biome.json .eslintrc .eslintrc.json
.eslintrc.js .eslintrc.cjs .eslintignore .golangci.yml
""")


def may_judge(path: str, commands: Sequence[Command]) -> bool:
    """Return True if the file may influence a validation: a test, settings, code, or a file that a command names."""
    name = path.rsplit("/", 1)[-1].lower()
    if name in _SETTINGS or any(word in path.lower() for word in _TEST_WORDS):
        return True
    return suffix_of(name) in _IMPORTS or any(path in command.text for command in commands)


def may_import_package(path: str, text: str) -> bool:
    """Return True if the file may import an installed package."""
    suffix = PurePosixPath(path).suffix.lower()
    pattern = _PYTHON_IMPORT if suffix == ".py" else _ANY_PATH
    return suffix in _IMPORTS and pattern.search(text) is not None


_DOCUMENTS = (".md", ".txt", ".rst", ".adoc", ".csv", ".svg")


def may_be_graded(path: str) -> bool:
    """Return False for a document, in which no faults are planted."""
    return not path.lower().endswith(_DOCUMENTS)


_RUNNERS = (
    *("pytest", "py.test", "unittest", "test_", "_test", "tests.py", "tests/"),
    *("node ", "jest", "vitest", "mocha", "ava", "npm ", "yarn ", "bun ", "go test", "cargo "),
    *("tox", "nox", "make "),
)


def may_run_tests(command: str) -> bool:
    """Return False if the command certainly starts no known test runner."""
    return any(name in command for name in _RUNNERS)


def may_be_damaged(text: str) -> bool:
    """Return True if the text contains a mark or character that is rare in text."""
    return bool(_MARKS.search(text) or (not text.isascii() and _HIDDEN.search(text)))


_MARKS = lazy_pattern(
    r"<{7}|>{7}|\|{7}|&(?:lt|gt|amp);|\\[ntu\"]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)"
)
_HIDDEN = lazy_pattern(
    "[\u00ad\u180e\u200b-\u200d\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffd\U000e0001-\U000e007f]"
)


_UNFINISHED = lazy_pattern(
    r"(?i)TODO|FIXME|XXX|TBD|placeholder|implement|\bhere\b|\bpass\b|\.\.\.|fill |stub|omitted|\breal\b"
    r"|\bto be\b|not yet|\?\?\?"
)


def may_be_unfinished(text: str) -> bool:
    """Return True if the text contains a word for unfinished work."""
    return _UNFINISHED.search(text) is not None
