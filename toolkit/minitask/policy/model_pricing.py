"""The price of one executor's calls of one model: nothing on this machine, else by the config's or the list's
prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.ledger.record import Pricing
from minitask.ledger.usage import Usage

if TYPE_CHECKING:
    from minitask.policy.prices import Priced

LOCAL = "local"


class ModelPricing(Struct, frozen=True):
    """An executor and a model. `is_local`: it runs here and bills nobody; `batch`: at a batch's prices."""

    model: str
    base_url: str = ""
    prices: Mapping[str, Mapping[str, Decimal]] | None = None
    is_local: bool = False
    batch: bool = False

    def cost(self, usage: Usage) -> tuple[Decimal | None, Pricing]:
        """Return what one request cost, None if that is unknown, and by which rates."""
        if self.is_local and self.model not in (self.prices or {}):
            return Decimal(0), Pricing(LOCAL, {})
        from minitask.policy import prices

        found = prices.cost(
            self.model, usage, self.prices, base_url=self.base_url, batch=self.batch
        )
        return found.cost_usd, pricing_of(found)

    def estimate(self, *, input_tokens: int, output_tokens: int) -> Decimal | None:
        """Return what one request of this size costs, with nothing read from a cache; None if it has no price."""
        return self.cost(Usage(1, input_tokens, 0, output_tokens, 0, 0))[0]


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
