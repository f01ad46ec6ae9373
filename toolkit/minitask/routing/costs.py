"""The cost of attempts, and the estimated cost of the same change by one call of a baseline model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from msgspec.structs import astuple, replace

from minitask.edits.script_model import Change
from minitask.engine.context import Context, Progress
from minitask.errors import BudgetError
from minitask.executors.http import is_loopback
from minitask.executors.request import ExecutorRequest
from minitask.ledger.usage import Usage
from minitask.policy import prices
from minitask.policy.estimates import estimate_tokens, token_scale
from minitask.policy.prices import ModelPricing
from minitask.policy.route import Route
from minitask.routing.requests import prompt_tokens
from minitask.spec.model import Tier

LOCAL_TYPES = frozenset({"ollama", "scripted"})
_FIRST_TIER = 50_000
"""Prompts up to this size cost the first rate of a list price; larger ones may cost more."""


def tariff(engine: Context, route: Route, *, batch: bool = False) -> ModelPricing:
    """Return the prices of calls on a route; a model that Ollama runs on this machine costs nothing."""
    setting = engine.settings.executors.get(route.executor)
    base_url = setting.base_url if setting else ""
    is_here = (not base_url or is_loopback(base_url)) and not route.model.endswith("-cloud")
    is_local = setting is not None and setting.type in LOCAL_TYPES and is_here
    return ModelPricing(route.model, base_url, engine.settings.prices, is_local, batch)


def meet_unpriced(engine: Context, task: str, model: str) -> None:
    """Warn that a limit cannot count a model's calls; raise `BudgetError` unless the config allows them."""
    if not engine.settings.allows_unpriced:
        raise BudgetError(
            f"{model} has no price, so the budget limit cannot cover it: add one under `prices`, "
            "or set `budget: {unpriced: allow}`"
        )
    text = f"{model} has no price, so it is not counted against the limit"
    engine.emit(Progress(task, "budget", text))


def estimate_usage(order: ExecutorRequest, changes: Sequence[Change]) -> Usage:
    """Return the estimated usage of one call of a chat model for the same change, in tokens of the common vocabulary.

    The output are the removed and the added lines, which a search-and-replace answer repeats.
    """
    input_tokens = prompt_tokens(replace(order, token_scale=1.0))
    output_tokens = 0
    for change in changes:
        old = Counter((order.read(change.path) or "").split("\n"))
        new = Counter((change.content or "").split("\n"))
        lines = [*(old - new).elements(), *(new - old).elements()]
        output_tokens += estimate_tokens("\n".join(lines))
    return Usage(1, input_tokens, 0, output_tokens)


def baseline_cost(engine: Context, usage: Usage, *, kind: str) -> Decimal | None:
    """Return the cost of a usage with the `cheap` or `frontier` baseline model; None without a price."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    model = engine.settings.baseline[kind]
    scale = token_scale(model)
    tokens_in, tokens_out = round(scale * usage.input_tokens), round(scale * usage.output_tokens)
    pricing = ModelPricing(model, prices=engine.settings.prices)
    return _likely_cost(engine, pricing, Usage(1, tokens_in, 0, tokens_out, 0, 0))


def price_of(engine: Context, executor: str, model: str, usage: Usage) -> Decimal | None:
    """Return the cost of a usage; None if the model has no price."""
    return _likely_cost(engine, tariff(engine, Route(Tier.CHEAP, executor, model, "")), usage)


def _likely_cost(engine: Context, pricing: ModelPricing, usage: Usage) -> Decimal | None:
    """Return the cost of a usage, if possible by cached rates, since reading the price list takes long."""
    listed = not pricing.is_local and pricing.model not in engine.settings.prices
    if not listed or (usage.input_tokens or 0) > _FIRST_TIER * (usage.requests or 1):
        return pricing.estimate(usage)
    rates = _cached_rates(engine, pricing)
    return prices.amount(rates, usage) if rates else None


def _cached_rates(engine: Context, pricing: ModelPricing) -> prices.Rates | None:
    """Return a model's list rates, cached as long as the price list is the same file."""
    key = f"list rates\0{pricing.model}\0{pricing.base_url}\0{_price_list_stamp()}"
    listed = engine.cache.document(key, lambda: _listed(pricing))
    return prices.Rates(*map(Decimal, listed)) if listed else None


def _listed(pricing: ModelPricing) -> list[str] | None:
    rates = prices.cost(pricing.model, Usage(1, 1000, 0, 1000), base_url=pricing.base_url).rates
    return [str(rate) for rate in astuple(rates)] if rates else None


@cache
def _price_list_stamp() -> str:
    package = PathFinder.find_spec("genai_prices")
    if package is None or package.origin is None:
        return ""
    return f"{package.origin}\0{Path(package.origin).stat().st_mtime_ns}"
