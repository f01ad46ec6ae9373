"""What usage costs in US dollars: the config's own prices first, then the list prices of genai-
prices.

Rates are US dollars per million tokens. A model that no list knows is *unpriced* (`cost_usd` is
`None`), never free.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from minitask.errors import UsageError
from minitask.ledger.usage import Usage
from minitask.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from genai_prices.types import PriceCalculation, TieredPrices

Overrides = Mapping[str, Mapping[str, object]]
"""The config's `prices`: model → `input`, `output` and, where it differs from `input`, `cached`."""

UNPRICED = "unpriced"
FROM_CONFIG = "config"
_MILLION = Decimal(1_000_000)
_SIZE_TAG = re.compile(r":\d+(\.\d+)?[bm]\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens; `cached` is for input read from the provider's cache."""

    input: Decimal
    cached: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class Priced:
    """A cost and where it comes from.

    `cost_usd` is `None` where the model is unpriced (`rates` is `None` too) or the usage unknown
    (the rates stand). `source` is `config`, `genai-prices VERSION` or `unpriced`.
    """

    cost_usd: Decimal | None
    source: str
    rates: Rates | None = None


def cost(
    model: str,
    usage: Usage,
    overrides: Overrides | None = None,
    *,
    base_url: str = "",
    at: datetime | None = None,
) -> Priced:
    """What `usage` of `model` costs.

    An unknown cached count is priced as none cached: the cost is then an upper bound. `base_url`
    picks the provider where several sell the model; `at` is when it ran (default now), for prices
    that change with the hour. Raises `UsageError` for an override that is no price.
    """
    if overrides and model in overrides:
        rates = parse_rates(model, overrides[model])
        return Priced(_amount(rates, usage), FROM_CONFIG, rates)
    return _list_price(model, usage, base_url=base_url, at=at)


def estimate_cost(
    model: str,
    *,
    input_tokens: int,
    output_tokens: int,
    overrides: Overrides | None = None,
    base_url: str = "",
) -> Priced:
    """What one call of this size would cost, with nothing read from a cache."""
    usage = Usage(1, input_tokens, 0, output_tokens)
    return cost(model, usage, overrides, base_url=base_url)


def parse_rates(model: str, prices: Mapping[str, object]) -> Rates:
    """One entry of the config's `prices`; `cached` defaults to `input`."""
    per_input = _rate(model, "input", prices.get("input"))
    return Rates(
        input=per_input,
        cached=_rate(model, "cached", prices["cached"]) if "cached" in prices else per_input,
        output=_rate(model, "output", prices.get("output")),
    )


def _rate(model: str, name: str, value: object) -> Decimal:
    try:
        rate = Decimal(str(value))
    except InvalidOperation:
        rate = Decimal("NaN")
    if isinstance(value, bool) or not rate.is_finite() or rate < 0:
        raise UsageError(
            f"prices: {model}: {name} is {value!r}, which is no price",
            hint=f"write `{name}:` as US dollars per million tokens, such as 0.25",
        )
    return rate


def _amount(rates: Rates, usage: Usage) -> Decimal | None:
    if rates.input == rates.cached == rates.output == 0:
        return Decimal(0)
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    cached = min(usage.cached_input_tokens or 0, usage.input_tokens)
    fresh = usage.input_tokens - cached
    total = fresh * rates.input + cached * rates.cached + usage.output_tokens * rates.output
    return total / _MILLION


def _list_price(model: str, usage: Usage, *, base_url: str, at: datetime | None) -> Priced:
    """The list price; weights with a size tag (`NAME:7b`) are run by their user and have none."""
    if _SIZE_TAG.search(model):
        return Priced(None, UNPRICED)
    from genai_prices import __version__

    found = _find_list_price(model, usage, base_url=base_url, at=at)
    if found is None:
        return Priced(None, UNPRICED)
    known = usage.input_tokens is not None and usage.output_tokens is not None
    rates = _list_rates(found, usage.input_tokens or 0)
    return Priced(found.total_price if known else None, f"genai-prices {__version__}", rates)


def _find_list_price(
    model: str, usage: Usage, *, base_url: str, at: datetime | None
) -> PriceCalculation | None:
    """Look the model up at `base_url`'s provider, then by its name, then as `PROVIDER/NAME`."""
    from genai_prices import Usage as Counted
    from genai_prices import calc_price

    input_tokens = usage.input_tokens or 0
    counted = Counted(
        input_tokens=input_tokens,
        cache_read_tokens=min(usage.cached_input_tokens or 0, input_tokens),
        output_tokens=usage.output_tokens or 0,
    )
    if base_url:
        try:
            return calc_price(counted, model, provider_api_url=base_url, genai_request_timestamp=at)
        except LookupError:
            pass  # a gateway of its own: the name decides
    for provider in (None, "litellm") if "/" in model else (None,):
        try:
            return calc_price(counted, model, provider_id=provider, genai_request_timestamp=at)
        except LookupError:
            continue
    return None


def _list_rates(found: PriceCalculation, input_tokens: int) -> Rates:
    price = found.model_price
    per_input = _rate_at(price.input_mtok, input_tokens) or Decimal(0)
    cached = _rate_at(price.cache_read_mtok, input_tokens)
    output = _rate_at(price.output_mtok, input_tokens) or Decimal(0)
    return Rates(per_input, per_input if cached is None else cached, output)


def _rate_at(price: Decimal | TieredPrices | None, input_tokens: int) -> Decimal | None:
    """The rate for a prompt of this size: past a tier's start, all tokens pay the tier's price."""
    if price is None or isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return reached[-1] if reached else price.base
