"""Guidance of the config for reviewers, besides the spec."""

from __future__ import annotations

from minitask.gates.review import Guidance, criteria_of, review_prompt
from minitask.spec.model import Criterion, Spec

SPEC = Spec(path="p/01.md", number="1", title="Do it", task="1. Do.", criteria=(Criterion("done"),))


def test_aims_are_judged_after_the_specs_own_criteria() -> None:
    aims = ("security", "error handling")
    assert len(criteria_of(SPEC, aims)) == 3
    prompt = review_prompt(SPEC, "+x", passed=(), guidance=Guidance("STYLE.md:\nshort names", aims))
    assert prompt.startswith("STYLE.md:\nshort names"), "the stable part comes first"
    assert "1. done\n2. security: " in prompt
    assert "3. error handling: " in prompt


def test_without_settings_the_prompt_is_what_it_was() -> None:
    prompt = review_prompt(SPEC, "+x", passed=())
    assert prompt.startswith("# Do it")
    assert criteria_of(SPEC) == ("done",)
