"""What usage costs; the list prices are those of the installed genai-prices."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from minitask.errors import UsageError
from minitask.ledger.record import Usage
from minitask.policy.prices import Rates, cost, parse_rates

LISTED = "claude-haiku-4-5"
OPENROUTER = "https://openrouter.ai/api/v1"


def test_cached_tokens_are_part_of_the_input_and_cheaper():
    priced = cost(LISTED, Usage(1, 10_000, 2_000, 1_000))
    assert priced.cost_usd == Decimal("0.0132")
    assert priced.rates == Rates(
        Decimal(1), Decimal("0.1"), Decimal("1.25"), Decimal(2), Decimal(5)
    )
    assert priced.source.startswith("genai-prices ")


def test_the_configs_price_wins_over_the_list():
    overrides = {LISTED: {"input": "0.25", "output": 1.25, "cached": 0}}
    priced = cost(LISTED, Usage(1, 1_000_000, 200_000, 1_000_000), overrides)
    assert priced.cost_usd == Decimal("1.45")
    assert priced.source == "config"


@pytest.mark.parametrize(
    ("usage", "price", "expected"),
    [
        pytest.param((1_000_000, 1_000_000, 0), (1, 2), "1", id="without a cached rate all input is alike"),
        pytest.param((1, 0, 1), (0.1, 0.2), "3E-7", id="money is exact"),
        pytest.param((None, None, None), (0, 0), "0", id="what is declared free is, whatever it used"),
        pytest.param((1_000_000, None, 0), None, "1", id="an unknown cached count gives the upper bound"),
        pytest.param((1_000_000, 9_000_000, 0), None, "0.1", id="more cached than sent is no discount"),
        pytest.param((6_000, 0, 1_500), None, "0.0135", id="an estimate has nothing cached"),
    ],
)  # fmt: skip
def test_usage_costs(usage, price, expected):
    model = "mine" if price else LISTED
    overrides = {"mine": dict(zip(("input", "output"), price, strict=True))} if price else {}
    assert cost(model, Usage(1, *usage), overrides).cost_usd == Decimal(expected)


@pytest.mark.parametrize("model", ["qwen2.5-coder:14b", "deepseek-r1:7b", "no-such-model", ""])
def test_a_model_on_no_list_is_unpriced_and_not_free(model):
    priced = cost(model, Usage(1, 10, 0, 10))
    assert (priced.cost_usd, priced.source, priced.rates) == (None, "unpriced", None)


@pytest.mark.parametrize("usage", [Usage(1, None, 0, 5), Usage(1, 5, 0, None), Usage()])
def test_unknown_usage_has_no_cost_but_its_rates_stand(usage):
    for overrides in ({}, {LISTED: {"input": 1, "output": 5}}):
        priced = cost(LISTED, usage, overrides)
        assert priced.cost_usd is None
        assert priced.rates is not None


def test_a_large_prompt_pays_its_own_tier():
    small = cost("claude-haiku-5-5", Usage(1, 100_000, 0, 0))
    large = cost("claude-haiku-5-5", Usage(1, 100_001, 0, 0))
    assert small.rates is not None
    assert large.rates is not None
    assert large.rates.input == 5 * small.rates.input
    assert large.cost_usd == 100_001 * large.rates.input / 1_000_000


def test_the_hour_decides_where_prices_have_peaks():
    usage = Usage(1, 1_000_000, 0, 0)
    costs = {
        cost("deepseek-v4-flash", usage, at=datetime(2026, 11, 20, hour, 30, tzinfo=UTC)).cost_usd
        for hour in range(24)
    }
    assert len(costs) == 2


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("anthropic/claude-haiku-4.5", OPENROUTER),
        ("anthropic/claude-haiku-4-5", ""),
        (LISTED, "https://a-gateway.example/v1"),
    ],
)
def test_a_model_is_found_by_its_provider_or_its_name(model, base_url):
    assert cost(model, Usage(1, 1_000_000, 0, 0), base_url=base_url).cost_usd == 1


@pytest.mark.parametrize("bad", [None, "cheap", -1, True, "inf", "nan", [1]])
def test_what_is_no_price_is_named(bad):
    with pytest.raises(UsageError, match="prices: mine: output"):
        parse_rates("mine", {"input": 1, "output": bad})
