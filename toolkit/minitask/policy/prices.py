"""Prices of usage in US dollars: the config's own prices first, then the list prices of genai-
prices.

Rates are US dollars per million tokens. A model that no list knows is *unpriced* (`cost_usd` is
`None`), never free.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.errors import UsageError
from minitask.ledger.record import SUBSCRIPTION, Pricing
from minitask.ledger.usage import Usage
from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from datetime import datetime

    from genai_prices import Usage as Counted
    from genai_prices.types import PriceCalculation, TieredPrices

Overrides = Mapping[str, Mapping[str, object]]
"""The config's `prices`: model → `input`, `output` and, where they differ from `input`, `cached`,
`cache_write`, `cache_write_1h`; `batch` is the factor for work in a batch. Empty: a subscription pays for it."""

UNPRICED = "unpriced"
FROM_CONFIG = "config"
_MILLION = Decimal(1_000_000)
_SIZE_TAG = lazy_pattern(r":\d+(\.\d+)?[bm]\b", re.IGNORECASE)


class Rates(Struct, frozen=True):
    """US dollars per million tokens; `cached` is for input read from the provider's cache,
    `cache_write` and `cache_write_1h` for input kept there for five minutes and for an hour.
    """

    input: Decimal
    cached: Decimal
    output: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal


class Priced(Struct, frozen=True):
    """A cost and where it comes from.

    `cost_usd` is `None` where the model is unpriced (`rates` is `None` too) or the usage unknown
    (the rates stand). `source` is `config`, `subscription`, `genai-prices VERSION` or `unpriced`.
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
    batch: bool = False,
) -> Priced:
    """Return what `usage` of `model` costs, taken as one request: some prices depend on a prompt's size.

    An unknown cached count is priced as none cached: the cost is then an upper bound, except for
    cache writes. `base_url` picks the provider where several sell the model; `at` is when it ran
    (default now), for prices that change with the hour; `batch` that it ran in a batch. Raises
    `UsageError` for an override that is no price.
    """
    if overrides and model in overrides:
        if not overrides[model]:
            return Priced(Decimal(0), SUBSCRIPTION)
        rates = parse_rates(model, overrides[model], batch=batch)
        return Priced(amount(rates, usage), FROM_CONFIG, rates)
    return _list_price(_PriceQuery(model, base_url, at, batch=batch), usage)


def estimate_cost(
    model: str,
    *,
    input_tokens: int,
    output_tokens: int,
    overrides: Overrides | None = None,
    base_url: str = "",
) -> Priced:
    """Return what one call of this size would cost, with nothing read from a cache."""
    usage = Usage(1, input_tokens, 0, output_tokens)
    return cost(model, usage, overrides, base_url=base_url)


def parse_rates(model: str, prices: Mapping[str, object], *, batch: bool = False) -> Rates:
    """Return the rates of one entry of the config's `prices`; what it leaves out costs what `input` does.

    Without a `batch` factor, work in a batch is taken to cost the same.
    """
    factor = _rate(model, "batch", prices.get("batch", 1)) if batch else Decimal(1)

    def rate(name: str) -> Decimal:
        price = prices[name] if name in prices or name == "output" else prices.get("input")
        return _rate(model, name, price) * factor

    return Rates(
        rate("input"), rate("cached"), rate("output"), rate("cache_write"), rate("cache_write_1h")
    )


def _rate(model: str, name: str, value: object) -> Decimal:
    try:
        rate = Decimal(str(value))
    except InvalidOperation:
        rate = Decimal("NaN")
    if isinstance(value, bool) or not rate.is_finite() or rate < 0:
        raise UsageError(
            f"prices: {model}: {name} is {value!r}, which is not a price",
            hint=f"write `{name}:` as US dollars per million tokens, such as 0.25",
        )
    return rate


def amount(rates: Rates, usage: Usage) -> Decimal | None:
    """Return what usage costs at these rates, None if it is unknown: the one place that multiplies."""
    if rates.input == rates.cached == rates.output == 0:
        return Decimal(0)
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    prompt = _PromptTokens.of(usage)
    total = prompt.fresh * rates.input + prompt.read * rates.cached
    total += prompt.written * rates.cache_write + prompt.written_1h * rates.cache_write_1h
    return (total + usage.output_tokens * rates.output) / _MILLION


class _PromptTokens(Struct, frozen=True):
    """A prompt's tokens by what the cache had to do with them; what nobody counted is fresh."""

    fresh: int
    read: int
    written: int
    written_1h: int

    @classmethod
    def of(cls, usage: Usage) -> _PromptTokens:
        fresh = usage.input_tokens or 0
        parts = []
        for count in (
            usage.cached_input_tokens,
            usage.cache_write_tokens,
            usage.cache_write_1h_tokens,
        ):
            parts.append(min(count or 0, fresh))
            fresh -= parts[-1]
        return cls(fresh, *parts)


class _PriceQuery(Struct, frozen=True):
    """A query for a list price: the model, its server, and when it ran."""

    model: str
    base_url: str
    at: datetime | None
    batch: bool


def _list_price(query: _PriceQuery, usage: Usage) -> Priced:
    """Return the list price; weights with a size tag (`NAME:7b`) are run by their user and have none."""
    if _SIZE_TAG.search(query.model):
        return Priced(None, UNPRICED)
    from genai_prices import __version__

    calculation = _find_list_price(query, usage)
    if calculation is None:
        return Priced(None, UNPRICED)
    is_counted = usage.input_tokens is not None and usage.output_tokens is not None
    rates = _list_rates(calculation, usage.input_tokens or 0)
    return Priced(
        calculation.total_price if is_counted else None, f"genai-prices {__version__}", rates
    )


def _find_list_price(query: _PriceQuery, usage: Usage) -> PriceCalculation | None:
    """Return the price of the model at `base_url`'s provider, then by its name, then as `PROVIDER/NAME`."""
    from genai_prices import calc_price

    counted = _counted(usage)
    context = {"processing": "batch"} if query.batch else None
    providers: list[dict[str, str | None]] = [{"provider_id": None}]
    if query.base_url:  # a gateway of its own is not on the list: then the name decides
        providers.insert(0, {"provider_api_url": query.base_url})
    if "/" in query.model:
        providers.append({"provider_id": "litellm"})
    for provider in providers:
        try:
            return calc_price(
                counted,
                query.model,
                genai_request_timestamp=query.at,
                price_context=context,
                **provider,
            )
        except LookupError:
            continue
    return None


def _counted(usage: Usage) -> Counted:
    """Return the usage as the price list counts it: cache reads and all writes are parts of the input."""
    from genai_prices import Usage as Counts

    prompt = _PromptTokens.of(usage)
    return Counts(
        input_tokens=usage.input_tokens or 0,
        cache_read_tokens=prompt.read,
        cache_write_tokens=prompt.written + prompt.written_1h,
        cache_write_1h_tokens=prompt.written_1h,
        output_tokens=usage.output_tokens or 0,
    )


def _list_rates(calculation: PriceCalculation, input_tokens: int) -> Rates:
    price = calculation.model_price
    per_input = _rate_at(price.input_mtok, input_tokens) or Decimal(0)

    def rate(listed: Decimal | TieredPrices | None, otherwise: Decimal) -> Decimal:
        found_rate = _rate_at(listed, input_tokens)
        return otherwise if found_rate is None else found_rate

    written = rate(price.cache_write_mtok, per_input)
    return Rates(
        input=per_input,
        cached=rate(price.cache_read_mtok, per_input),
        output=rate(price.output_mtok, Decimal(0)),
        cache_write=written,
        cache_write_1h=rate(price.cache_write_1h_mtok, written),
    )


def _rate_at(price: Decimal | TieredPrices | None, input_tokens: int) -> Decimal | None:
    """Return the rate for a prompt of this size: past a tier's start, all tokens pay the tier's price."""
    if price is None or isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return reached[-1] if reached else price.base


LOCAL = "local"


class ModelPricing(Struct, frozen=True):
    """An executor and a model. `is_local`: it runs here and bills nobody; `batch`: at a batch's prices."""

    model: str
    base_url: str = ""
    prices: Mapping[str, Mapping[str, Decimal]] | None = None
    is_local: bool = False
    batch: bool = False

    @property
    def is_subscribed(self) -> bool:
        """Return True if a plan pays for the model, whatever its calls are said to cost."""
        return self.prices is not None and self.prices.get(self.model) == {}

    def cost(self, usage: Usage) -> tuple[Decimal | None, Pricing]:
        """Return what one request cost, None if that is unknown, and by which rates."""
        if self.is_local and self.model not in (self.prices or {}):
            return Decimal(0), Pricing(LOCAL, {})
        priced = cost(self.model, usage, self.prices, base_url=self.base_url, batch=self.batch)
        return priced.cost_usd, pricing_of(priced)

    def estimate(self, usage: Usage) -> Decimal | None:
        """Return what this usage costs, in requests of equal size; None if it has no price."""
        requests = usage.requests or 1
        if requests == 1 or self.is_local:
            return self.cost(usage)[0]
        one = Usage(1, (usage.input_tokens or 0) // requests, 0, 0, 0, 0)
        priced = cost(self.model, one, self.prices, base_url=self.base_url, batch=self.batch)
        return priced.cost_usd if priced.rates is None else amount(priced.rates, usage)


def pricing_of(priced: Priced) -> Pricing:
    """Return the rates of a price, under the names that records have for them."""
    rates = priced.rates
    if rates is None:
        return Pricing(priced.source, {})
    listed = {
        "input": rates.input,
        "cached_input": rates.cached,
        "cache_write": rates.cache_write,
        "cache_write_1h": rates.cache_write_1h,
        "output": rates.output,
    }
    return Pricing(priced.source, listed)
