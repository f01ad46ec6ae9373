"""The price of recorded usage: by the configured prices, by the session bill, or a subscription."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from minitask.engine.context import Context
from minitask.ledger.record import (
    PLAN,
    Pricing,
)
from minitask.ledger.savings import total
from minitask.ledger.transcripts import TranscriptAnswer
from minitask.ledger.usage import Usage
from minitask.patterns import lazy_pattern

ELSEWHERE = "elsewhere"
FREE = (Decimal(0), Pricing("subscription", {}))


SUBSCRIBED = "a flat subscription, so no extra cost"


DATED = lazy_pattern(r"-\d{8}$")


Price = tuple[Decimal | None, Pricing]


class UsageTerms(Struct, frozen=True):
    """As what to book: the project and the phase, who did it, and whether a subscription paid.

    `tier` None: that of the config whose model it is, else frontier. With `dry` nothing is written.
    """

    project: str
    phase: str = PLAN
    executor: str = ELSEWHERE
    tier: str | None = None
    note: str = ""
    subscription: bool = False
    dry: bool = False

    @property
    def task(self) -> str:
        """Return the name that the records go by."""
        return f"{self.project}/@{self.phase}"


def listed(model: str, names: Iterable[str]) -> str:
    """Return the name that the config has for a model: transcripts tell the day of its release, configs seldom do."""
    short = DATED.sub("", model)
    configured = set(names)
    return short if model not in configured and short in configured else model


def billed_price(amount: Decimal) -> Price:
    """Return a price that the bill of a session gives."""
    return amount, Pricing("billed", {})


def price_all(engine: Context, terms: UsageTerms, answers: Sequence[TranscriptAnswer]) -> Price:
    """Return what answers of one model cost, each by itself: some prices depend on a prompt's size, and all on the
    day.
    """
    if terms.subscription:
        return FREE
    prices = [price_of(engine, answer.model, answer.usage, answer.at) for answer in answers]
    costs = [cost for cost, _ in prices]
    return (None if None in costs else total(costs)), prices[-1][1]


def price_of(engine: Context, model: str, usage: Usage, at: datetime) -> Price:
    """Return what usage of a model cost by the config's prices, else by the list's; None if neither knows it."""
    from minitask.policy.prices import cost

    configured = engine.settings.prices
    name = listed(model, configured)
    requests = usage.requests or 1
    per_request, remainder = _shares(usage, requests)
    last = cost(name, remainder, configured, at=at)
    priced = cost(name, per_request, configured, at=at) if requests > 1 else last
    pricing = last.pricing
    if priced.cost_usd is None or last.cost_usd is None:
        return None, pricing
    return priced.cost_usd * (requests - 1) + last.cost_usd, pricing


def _shares(usage: Usage, requests: int) -> tuple[Usage, Usage]:
    """Return the usage of each of so many requests of one size, and of the last, which has what is left over."""
    cached = (
        usage.cached_input_tokens or 0,
        usage.cache_write_tokens or 0,
        usage.cache_write_1h_tokens or 0,
    )
    parts = ((usage.input_tokens or 0) - sum(cached), *cached, usage.output_tokens or 0)
    per_request = [part // requests for part in parts]
    remainder = [
        part - (requests - 1) * share for part, share in zip(parts, per_request, strict=True)
    ]
    one_request, last = (
        Usage(1, sum(share[:4]), share[1], share[4], share[2], share[3])
        for share in (per_request, remainder)
    )
    return one_request, last
