"""What a spec says of its task, and which rules fit it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from minitask.policy.estimates import TaskFeatures, estimated_lines, features_of
from minitask.policy.tier_rules import fits, match_rules
from minitask.settings import RoutingRule
from minitask.spec.model import Criterion, Estimate, FileAction, FileRef, LineRange, Options, Spec

SPEC = Spec(path="a.md", number="1", title="t")


def edit(*ranges: tuple[int, int]) -> FileRef:
    return FileRef("a.py", FileAction.EDIT, tuple(LineRange(*each) for each in ranges))


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, None),
        ({"extra": (("Estimated Lines", "about 1,200"),)}, 1_200),
        ({"estimate": Estimate(output_tokens=6_000)}, 600),
        ({"criteria": (Criterion("The file has ~400 lines"),)}, 400),
        ({"files": (edit((10, 19), (30, 34)),)}, 15),
        ({"estimate": Estimate(output_tokens=1)}, 1),
    ],
)
def test_the_lines_are_estimated_by_what_the_spec_says(
    changes: dict[str, Any], lines: int | None
) -> None:
    assert estimated_lines(replace(SPEC, **changes)) == lines


def test_a_class_is_what_is_done_and_how_hard_it_is() -> None:
    assert features_of(SPEC).task_class == "edit/unrated"
    made = replace(
        SPEC,
        files=(FileRef("b.py", FileAction.CREATE),),
        options=replace(Options(), complexity="low", tags=("api", "Security")),
    )
    assert features_of(made).task_class == "create/low"
    assert features_of(made).tags == {"API", "SECURITY"}


def traits(**changes: Any) -> TaskFeatures:
    given = {
        "tags": frozenset(),
        "complexity": None,
        "lines": None,
        "output_tokens": 1,
        "kind": "edit",
    }
    return TaskFeatures(**{**given, **changes})


@pytest.mark.parametrize(
    ("rule", "those", "failures", "fit"),
    [
        (RoutingRule(tags=("security",)), {"tags": frozenset({"SECURITY"})}, 0, True),
        (RoutingRule(tags=("security",)), {}, 0, False),
        (RoutingRule(complexity="high"), {"complexity": "high"}, 0, True),
        (RoutingRule(lines_from=50, lines_below=200), {"lines": 50}, 0, True),
        (RoutingRule(lines_from=50, lines_below=200), {"lines": 200}, 0, False),
        (RoutingRule(lines_from=0), {"lines": None}, 0, False),
        (RoutingRule(failures_from=2), {}, 1, False),
        (RoutingRule(failures_from=2), {}, 2, True),
        (RoutingRule(tags=("a",), complexity="high"), {"tags": frozenset({"A"})}, 0, False),
        (RoutingRule(), {}, 0, True),
    ],
)
def test_a_rule_fits_where_all_that_it_names_does(
    rule: RoutingRule, those: dict[str, Any], failures: int, fit: bool
) -> None:
    assert fits(rule, traits(**those), failures=failures) is fit


def test_the_first_rule_that_says_it_wins_for_tier_and_review_apart() -> None:
    rules = (
        RoutingRule(review="cheap"),
        RoutingRule(tier="free", why="house rule"),
        RoutingRule(tier="cheap", review="none"),
    )
    said = match_rules(rules, traits(), failures=0)
    assert (said.tier, said.review) == ("free", "cheap")
    assert said.tier_reason == "house rule"
