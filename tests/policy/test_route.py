"""Which tier, executor and model a task goes to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from minitask.errors import UsageError
from minitask.executors.registry import MAKERS
from minitask.policy.choice import choose
from minitask.policy.estimates import CHAT_TYPES
from minitask.policy.route import RouteOverrides
from minitask.settings import SettingsLayer, resolve
from minitask.spec.model import Options, Spec, Tier

SPEC = Spec(path="a.md", number="1", title="t")
EXECUTORS = {
    "near": {"type": "openai", "base_url": "http://127.0.0.1:1/v1"},
    "far": {"type": "openai", "base_url": "https://far.test/v1"},
}
TIERS = {
    "free": {"executor": "near", "model": "small"},
    "balanced": {"executor": "far", "model": "middle"},
}
SETTINGS = resolve([SettingsLayer("test", {"executors": EXECUTORS, "tiers": TIERS})], trusted=True)
EMPTY = resolve([], trusted=True)


def route(spec: Spec = SPEC, *, scripted: bool = False, **demand: str) -> tuple[str, str, str]:
    """Tier, executor and model."""
    found = choose(spec, SETTINGS, demand=RouteOverrides(**demand), scripted=scripted)
    assert found.reason
    return found.tier.value, found.executor, found.model


def with_options(**options: object) -> Spec:
    """A spec with front matter."""
    return replace(SPEC, options=replace(Options(), **options))


def test_a_script_that_covers_the_spec_needs_no_model() -> None:
    assert route(scripted=True) == ("none", "script", "")


def test_without_one_the_entry_tier_or_the_nearest_above_it_serves() -> None:
    assert route() == ("balanced", "far", "middle")


def test_a_tier_asked_for_is_taken() -> None:
    assert route(tier="free") == ("free", "near", "small")
    assert route(with_options(tier=Tier.FREE)) == ("free", "near", "small")
    assert route(scripted=True, tier="free") == ("free", "near", "small")


def test_the_command_line_stands_above_the_spec() -> None:
    assert route(with_options(tier=Tier.FREE), tier="balanced") == ("balanced", "far", "middle")


def test_an_executor_asked_for_takes_the_model_of_its_tier() -> None:
    assert route(executor="near") == ("free", "near", "small")
    assert route(executor="near", model="other") == ("free", "near", "other")


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("small", ("free", "near", "small")),
        ("`small`", ("free", "near", "small")),
        ("middle", ("balanced", "far", "middle")),
        ("free", ("free", "near", "small")),
        ("Free", ("free", "near", "small")),
        ("Claude 3.5 Haiku (or GPT-4o-mini)", ("balanced", "far", "middle")),
        ("frontier", ("balanced", "far", "middle")),
    ],
)
def test_the_headers_model_counts_where_it_is_configured(
    said: str, wanted: tuple[str, str, str]
) -> None:
    assert route(replace(SPEC, model=said)) == wanted
    assert route(replace(SPEC, model=said), scripted=True)[0] == "none"
    assert route(replace(SPEC, model=said), tier="balanced") == ("balanced", "far", "middle")
    own = replace(SPEC, model=said, options=Options(tier=Tier.FREE))
    assert route(own) == ("free", "near", "small")


def test_the_script_can_be_asked_for() -> None:
    assert route(scripted=True, executor="script")[0] == "none"


@pytest.mark.parametrize(
    "demand",
    [{"tier": "frontier"}, {"executor": "nobody"}, {"tier": "none"}, {"executor": "script"}],
)
def test_what_is_not_there_is_a_usage_error(demand: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        route(**demand)
    assert caught.value.hint


def test_no_configuration_at_all_says_how_to_add_one() -> None:
    with pytest.raises(UsageError, match="no tier has an executor") as caught:
        choose(SPEC, EMPTY, demand=RouteOverrides(), scripted=False)
    assert "minitask.yaml" in caught.value.hint


def test_an_unknown_tier_on_the_command_line_is_said() -> None:
    with pytest.raises(UsageError, match="turbo"):
        route(tier="turbo")


def test_every_type_that_is_no_agent_has_a_maker() -> None:
    assert set(MAKERS) == CHAT_TYPES
