"""Prices of usage in US dollars, from the config or from `genai-prices`; and budgets.

Rates are US dollars per million tokens. A model without a price is *unpriced* (`cost_usd` is `None`), never free.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from minitask.errors import UsageError
from minitask.ledger.record import SUBSCRIPTION, Pricing, Usage
from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from datetime import datetime

    from genai_prices.types import PriceCalculation, TieredPrices


Overrides = Mapping[str, Mapping[str, object]]
"""The config's `prices` by model.

Each has `input`, `output` and, if they differ from `input`, `cached`, `cache_write`, `cache_write_1h`; `batch` is the
factor for work in a batch. An empty entry means that a subscription pays for the model.
"""

UNPRICED = "unpriced"
FROM_CONFIG = "config"
_MILLION = Decimal(1_000_000)
_SIZE_TAG = lazy_pattern(r":\d+(\.\d+)?[bm]\b", re.IGNORECASE)


class Rates(Struct, frozen=True):
    """US dollars per million tokens, under the names in records.

    `cached_input` is read from the provider's cache; `cache_write` and `cache_write_1h` are stored there for five
    minutes and for an hour.
    """

    input: Decimal
    cached_input: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal
    output: Decimal


class Priced(Struct, frozen=True):
    """A cost with its source: `config`, `subscription`, `genai-prices VERSION` or `unpriced`.

    `cost_usd` is None if the model is unpriced (`rates` is None too), or if the usage is unknown.
    """

    cost_usd: Decimal | None
    source: str
    rates: Rates | None = None

    @property
    def pricing(self) -> Pricing:
        """Return the source and the rates for a record."""
        return Pricing(self.source, asdict(self.rates) if self.rates else {})


def cost(
    model: str,
    usage: Usage,
    overrides: Overrides | None = None,
    *,
    base_url: str = "",
    at: datetime | None = None,
    batch: bool = False,
) -> Priced:
    """Return the cost of a usage as one request, because some prices depend on a prompt's size.

    If cached tokens are not counted, none are assumed: the cost is then an upper bound, except for cache writes.
    `base_url` selects the provider; `at` is the time (default: now), for prices that depend on the hour. Raises
    `UsageError` if an override is invalid.
    """
    if overrides and model in overrides:
        if not overrides[model]:
            return Priced(Decimal(0), SUBSCRIPTION)
        rates = parse_rates(model, overrides[model], batch=batch)
        return Priced(amount(rates, usage), FROM_CONFIG, rates)
    is_local = _SIZE_TAG.search(
        model
    )  # weights with a size tag (`NAME:7b`) run on the user's machine
    listed = None if is_local else _list_price(model, usage, base_url=base_url, at=at, batch=batch)
    if listed is None:
        return Priced(None, UNPRICED)
    from genai_prices import __version__

    is_counted = usage.input_tokens is not None and usage.output_tokens is not None
    rates = _list_rates(listed, usage.input_tokens or 0)
    return Priced(listed.total_price if is_counted else None, f"genai-prices {__version__}", rates)


def parse_rates(model: str, prices: Mapping[str, object], *, batch: bool = False) -> Rates:
    """Return the rates of an entry of the config's `prices`; missing rates equal `input`, a missing factor is 1."""
    factor = _rate(model, "batch", prices.get("batch", 1)) if batch else Decimal(1)

    def rate(name: str) -> Decimal:
        price = prices[name] if name in prices or name == "output" else prices.get("input")
        return _rate(model, name, price) * factor

    names = ("input", "cached", "cache_write", "cache_write_1h", "output")
    return Rates(*map(rate, names))


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
    """Return the cost of a usage at these rates, or None if the usage is unknown."""
    if rates.input == rates.cached_input == rates.output == 0:
        return Decimal(0)
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    prompt = _PromptTokens.of(usage)
    total = prompt.fresh * rates.input + prompt.read * rates.cached_input
    total += prompt.written * rates.cache_write + prompt.written_1h * rates.cache_write_1h
    return (total + usage.output_tokens * rates.output) / _MILLION


class _PromptTokens(Struct, frozen=True):
    """A prompt's tokens by their use of the cache; uncounted tokens are fresh."""

    fresh: int
    read: int
    written: int
    written_1h: int

    @classmethod
    def of(cls, usage: Usage) -> _PromptTokens:
        fresh = usage.input_tokens or 0
        parts = []
        counts = (usage.cached_input_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens)
        for count in counts:
            parts.append(min(count or 0, fresh))
            fresh -= parts[-1]
        return cls(fresh, *parts)


def _list_price(
    model: str, usage: Usage, *, base_url: str, at: datetime | None, batch: bool
) -> PriceCalculation | None:
    """Return the price of the model at `base_url`'s provider, or by its name, or as `PROVIDER/NAME`."""
    from genai_prices import Usage as ListedUsage
    from genai_prices import calc_price

    prompt = _PromptTokens.of(usage)
    counts = ListedUsage(
        input_tokens=usage.input_tokens or 0,
        cache_read_tokens=prompt.read,
        cache_write_tokens=prompt.written + prompt.written_1h,
        cache_write_1h_tokens=prompt.written_1h,
        output_tokens=usage.output_tokens or 0,
    )
    context = {"processing": "batch"} if batch else None
    providers: list[dict[str, str | None]] = [{"provider_id": None}]
    if base_url:  # a private gateway is not listed, so fall back to the name
        providers.insert(0, {"provider_api_url": base_url})
    if "/" in model:
        providers.append({"provider_id": "litellm"})
    for provider in providers:
        with suppress(LookupError):
            return calc_price(
                counts, model, genai_request_timestamp=at, price_context=context, **provider
            )
    return None


def _list_rates(calculation: PriceCalculation, input_tokens: int) -> Rates:
    price = calculation.model_price
    per_input = _rate_at(price.input_mtok, input_tokens) or Decimal(0)

    def rate(listed: Decimal | TieredPrices | None, otherwise: Decimal) -> Decimal:
        listed_rate = _rate_at(listed, input_tokens)
        return otherwise if listed_rate is None else listed_rate

    written = rate(price.cache_write_mtok, per_input)
    return Rates(
        input=per_input,
        cached_input=rate(price.cache_read_mtok, per_input),
        cache_write=written,
        cache_write_1h=rate(price.cache_write_1h_mtok, written),
        output=rate(price.output_mtok, Decimal(0)),
    )


def _rate_at(price: Decimal | TieredPrices | None, input_tokens: int) -> Decimal | None:
    """Return the rate for a prompt of this size; above a tier's start, all tokens cost the tier's price."""
    if price is None or isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return reached[-1] if reached else price.base


LOCAL = "local"


class ModelPricing(Struct, frozen=True):
    """A model with its prices. `is_local`: it runs on this machine at no cost; `batch`: at batch prices."""

    model: str
    base_url: str = ""
    prices: Mapping[str, Mapping[str, Decimal]] | None = None
    is_local: bool = False
    batch: bool = False

    @property
    def is_subscribed(self) -> bool:
        """Return True if a subscription pays for the model, even if its calls report costs."""
        return self.prices is not None and self.prices.get(self.model) == {}

    def cost(self, usage: Usage) -> tuple[Decimal | None, Pricing]:
        """Return the cost of one request (None if unknown), and the rates."""
        if self.is_local and self.model not in (self.prices or {}):
            return Decimal(0), Pricing(LOCAL, {})
        priced = cost(self.model, usage, self.prices, base_url=self.base_url, batch=self.batch)
        return priced.cost_usd, priced.pricing

    def estimate(self, usage: Usage) -> Decimal | None:
        """Return the cost of a usage, in requests of equal size, or None without a price."""
        requests = usage.requests or 1
        if requests == 1 or self.is_local:
            return self.cost(usage)[0]
        one = Usage(1, (usage.input_tokens or 0) // requests, 0, 0, 0, 0)
        priced = cost(self.model, one, self.prices, base_url=self.base_url, batch=self.batch)
        return priced.cost_usd if priced.rates is None else amount(priced.rates, usage)
