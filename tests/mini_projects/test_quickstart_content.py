"""The quickstart: its first task needs no model, its second says no to what is not right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from worked_example import PROJECTS, apply_spec, failed_commands, load_specs, read_tree, write_tree

from minitask.edits.grammar import covers, parse_script
from minitask.spec.project import check_project
from minitask.spec.quality import check_quality

if TYPE_CHECKING:
    from pathlib import Path

BASE = read_tree(PROJECTS / "quickstart" / "base")
WITH_LANGUAGES = '''\
"""Greet people by name."""

import sys

WORDS = {"en": "Hello", "de": "Hallo", "fr": "Bonjour"}


def greet(name, language="en"):
    """Return a greeting for a name."""
    if language not in WORDS:
        raise ValueError(f"no greeting in {language}")
    return f"{WORDS[language]}, {name.strip() or 'stranger'}!"


if __name__ == "__main__":
    print(greet(" ".join(sys.argv[1:])))
'''


def test_the_specs_are_without_a_diagnostic():
    specs = load_specs("quickstart")
    assert check_project(specs) == ()
    assert [found for spec in specs for found in check_quality(spec)] == []


def test_the_page_tells_how_to_make_the_file_that_the_specs_work_on():
    page = (PROJECTS / "quickstart" / "README.md").read_text("utf-8")
    lines = (f"    {line}".rstrip() for line in BASE["greet.py"].splitlines())
    assert "\n".join(lines) in page


@pytest.mark.variant
def test_the_first_task_needs_no_model_and_proves_itself(tmp_path: Path):
    spec, _ = load_specs("quickstart")
    script = parse_script(spec.snippets, source=spec.path)
    assert covers(script, {ref.path for ref in spec.writes()})
    assert len(failed_commands(spec, write_tree(BASE, tmp_path / "before"))) == 2
    result = apply_spec(spec, original=BASE, present=BASE)
    assert failed_commands(spec, write_tree(result, tmp_path / "after")) == []


@pytest.mark.variant
def test_the_second_task_needs_a_model_and_can_be_proven(tmp_path: Path):
    first, second = load_specs("quickstart")
    assert parse_script(second.snippets, source=second.path).edits == ()
    before = apply_spec(first, original=BASE, present=BASE)
    assert len(failed_commands(second, write_tree(before, tmp_path / "before"))) == 3
    after = write_tree({"greet.py": WITH_LANGUAGES}, tmp_path / "after")
    assert failed_commands(second, after) == []
