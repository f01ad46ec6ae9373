"""The quick look at a value: whatever it accepts, the schema library accepts too."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from minitask import resources
from minitask.resources import fast_check
from minitask.settings import DEFAULTS

OPTIONS = resources.schema("spec")["$defs"]["options"]
CONFIG = resources.schema("config")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=True),
    st.decimals(-3, 3, places=2),
    st.sampled_from(["", "low", "none", "required", "0.05", "a b", "..", "main~3", "openai"]),
    st.text(max_size=5),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["input", "output", "type", "base_url", "entry", "free", "share"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


def _documents(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    keys = st.sampled_from([*schema["properties"], "unknown"])
    return st.dictionaries(keys, VALUES, max_size=3)


@pytest.mark.variant
@given(_documents(OPTIONS))
def test_options_taken_at_a_glance_are_valid(document: dict[str, Any]) -> None:
    if fast_check(OPTIONS)(document):
        assert Draft202012Validator(OPTIONS).is_valid(document)


@given(_documents(CONFIG))
def test_a_config_taken_at_a_glance_is_valid(document: dict[str, Any]) -> None:
    if fast_check(CONFIG)(document):
        assert Draft202012Validator(CONFIG).is_valid(document)


@pytest.mark.parametrize(
    "document",
    [
        {"id": "02-extract-base", "depends_on": ["01-a", "p/02"], "tags": "ARCH"},
        {"complexity": "low", "tier": "none", "timeout_seconds": 60, "network": False},
        {"network": ["a.org", "*.b.org:443", "127.0.0.1:5432", "[::1]:80", "localhost:99", "10.0.0.5"]},
        {"max_cost_usd": Decimal("0.05"), "review": None, "protected": [], "proof": "none"},
    ],
)  # fmt: skip
def test_usual_front_matter_needs_no_library(document: dict[str, Any]) -> None:
    assert fast_check(OPTIONS)(document)


def test_the_defaults_need_no_library() -> None:
    document = json.loads(json.dumps({key: value for key, value in DEFAULTS.items() if value}))
    assert fast_check(CONFIG)(document)


@pytest.mark.parametrize(
    "document",
    [
        {"unknown": 1},
        {"id": ".."},
        {"id": 7},
        {"timeout_seconds": 0},
        {"timeout_seconds": True},
        {"tags": ["a", "a"]},
        {"tags": [""]},
        {"tier": "gold"},
        {"network": 0},
        {"network": ["http://a.org"]},
        {"network": ["*"]},
        {"network": ["127.0.0.1"]},
        {"network": ["localhost."]},
        {"network": ["[::1]"]},
        {"network": ["a.org:x"]},
        {"max_cost_usd": Decimal(-1)},
    ],
)
def test_what_is_wrong_is_left_to_the_library(document: dict[str, Any]) -> None:
    assert not fast_check(OPTIONS)(document)


def test_a_keyword_that_is_not_known_is_left_to_the_library() -> None:
    assert not fast_check({"format": "date"})("a")
    assert not fast_check({"patternProperties": {"a": {"type": "string"}}})({"a": 1})
    assert not fast_check({"items": False})([1])
    assert not fast_check({"properties": {"a": {"$ref": "#/$defs/a"}}})({"a": 1})
