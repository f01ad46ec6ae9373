"""Patterns that are compiled late: each is one, though nobody may have used it yet."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import minitask
from minitask.patterns import Lazy, lazy_pattern

PACKAGE = Path(minitask.__file__).parent
MODULES = sorted(
    f"minitask.{path.relative_to(PACKAGE).with_suffix('').as_posix().replace('/', '.')}"
    for path in PACKAGE.rglob("*.py")
    if "lazy_pattern(" in path.read_text("utf-8") and path.name != "patterns.py"
)


@pytest.mark.parametrize("module", MODULES)
def test_every_pattern_compiles(module: str) -> None:
    found = [item for item in vars(import_module(module)).values() if isinstance(item, Lazy)]
    for item in found:
        assert re.compile(item.pattern)


def test_a_late_pattern_does_what_a_pattern_does() -> None:
    late, early = lazy_pattern(r"(?P<word>a+)b", re.IGNORECASE), re.compile(r"(a+)b", re.IGNORECASE)
    for text in ("aab", "xAB aab", "b"):
        assert late.findall(text) == early.findall(text)
        assert late.sub("-", text) == early.sub("-", text)
        assert bool(late.match(text)) == bool(early.match(text))
    found = late.search("xAAb")
    assert found is not None
    assert found["word"] == "AA"
    assert [each[0] for each in late.finditer("ab aab")] == ["ab", "aab"]


def test_nothing_else_is_asked_of_it() -> None:
    with pytest.raises(AttributeError):
        lazy_pattern("a").scanner  # noqa: B018
