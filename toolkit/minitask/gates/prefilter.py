"""What a file must have for a check to be worth its while: most have nothing of it, and need no closer look."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from minitask.patterns import lazy_pattern
from minitask.spec.model import Command

JUDGED = frozenset(
    {
        *(".json", ".ipynb", ".geojson", ".webmanifest", ".mk"),
        *(".py", ".pyi", ".toml", ".yaml", ".yml", ".go", ".rs", ".java"),
        *(".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"),
    }
)
"""The endings of files whose syntax can be told."""
SUFFIXES_BY_NAME = {
    **dict.fromkeys(("makefile", "gnumakefile"), ".mk"),
    **dict.fromkeys(("composer.lock", "pipfile.lock"), ".json"),
    **dict.fromkeys(("cargo.lock", "poetry.lock", "uv.lock", "pdm.lock", "pipfile"), ".toml"),
}
"""The endings that files have whose names alone say their language."""
# A word or mark that every phrase has which stands for code that is left out.
_ELISION = lazy_pattern(
    r"\.\.\.|…|\. \. \.|rest\b|remain|\bother|existing|previous|original|current|same|unchanged|untouched|unmodified|"
    r"omitted|elided|snipped|not shown|intact|identical|as before|as it was|changes",
    re.IGNORECASE,
)
_PYTHON_IMPORT = lazy_pattern(r"^[ \t]*(?:from|import)[ \t]", re.MULTILINE)
_RELATIVE_PATH = lazy_pattern(r"""["'`]\.\.?(?:/|["'`])""")
_ANY_PATH = lazy_pattern(r"""\b(?:import|require|from)\b[ (]*["'`]""")
_IMPORTS = {
    ".py": _PYTHON_IMPORT,
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"), _RELATIVE_PATH),
}


def suffix_of(path: str) -> str:
    """Return the ending that says the language of a file."""
    name = PurePosixPath(path).name.lower()
    return SUFFIXES_BY_NAME.get(name) or PurePosixPath(name).suffix


def may_elide(text: str) -> bool:
    """Whether a text could say that code is left out."""
    return _ELISION.search(text) is not None


def may_import(path: str, text: str) -> bool:
    """Whether a file could import something of its own repository."""
    pattern = _IMPORTS.get(PurePosixPath(path).suffix.lower())
    return pattern is not None and pattern.search(text) is not None


_TEST_WORDS = ("test", "spec", "conftest", "check", "setup", "config", "makefile", "justfile")
_SETTINGS = frozenset({"package.json", "pyproject.toml", "tox.ini", ".mocharc.json", ".mocharc.js"})


def may_judge(path: str, commands: Sequence[Command]) -> bool:
    """Return True for a file that may decide how a validation goes: tests, settings, code, what a command names."""
    name = path.rsplit("/", 1)[-1].lower()
    if name in _SETTINGS or any(word in path.lower() for word in _TEST_WORDS):
        return True
    return suffix_of(name) in _IMPORTS or any(path in command.text for command in commands)


def may_import_package(path: str, text: str) -> bool:
    """Return True if a file may import something that is installed."""
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
    """Return False where a command surely starts no test runner that is known here."""
    return any(name in command for name in _RUNNERS)


def may_be_damaged(text: str) -> bool:
    """Whether a text has a mark or a byte that text seldom has."""
    marks = any(mark in text for mark in ("\0", "<<<<<<<", ">>>>>>>", "|||||||"))
    return marks or (not text.isascii() and _HIDDEN.search(text) is not None)


_HIDDEN = lazy_pattern(
    "[\u00ad\u180e\u200b-\u200d\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffd\U000e0001-\U000e007f]"
)


_UNFINISHED = lazy_pattern(
    r"TODO|FIXME|XXX|TBD|placeholder|implement|\bhere\b|\bpass\b|\.\.\.|fill |stub|omitted|\breal\b|\bto be\b|not yet",
    re.IGNORECASE,
)


def may_be_unfinished(text: str) -> bool:
    """Whether a text has a word that stands for work left out."""
    return _UNFINISHED.search(text) is not None
