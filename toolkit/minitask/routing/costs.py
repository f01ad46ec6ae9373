"""The cost of an attempt, and the estimated cost of the same change by one call of a frontier model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.engine.context import Context, Progress
from minitask.errors import BudgetError
from minitask.executors.request import ExecutorRequest
from minitask.ledger.usage import Usage
from minitask.policy import prices
from minitask.policy.prices import ModelPricing
from minitask.policy.route import Route
from minitask.policy.tokens import estimate_tokens, token_scale
from minitask.routing.requests import prompt_tokens
from minitask.spec.model import Tier

LOCAL_TYPES = frozenset({"ollama", "scripted"})
_FIRST_TIER = 50_000
"""Prompts up to this size cost what a list price says first; some models cost more beyond."""
_RATES = ("input", "cached", "output", "cache_write", "cache_write_1h")


def tariff(engine: Context, route: Route, *, batch: bool = False) -> ModelPricing:
    """Return what calls on a route cost by; a model that Ollama runs on this machine bills nobody."""
    setting = engine.settings.executors.get(route.executor)
    base_url = setting.base_url if setting else ""
    is_local = (
        setting is not None and setting.type in LOCAL_TYPES and _is_here(base_url, route.model)
    )
    return ModelPricing(
        model=route.model,
        base_url=base_url,
        prices=engine.settings.prices,
        is_local=is_local,
        batch=batch,
    )


def meet_unpriced(engine: Context, task: str, model: str) -> None:
    """Say that a limit cannot count a model's calls; raises `BudgetError` unless the config allows them."""
    if not engine.settings.allows_unpriced:
        raise BudgetError(
            f"{model} has no price, so the budget limit cannot cover it: add one under `prices`, "
            "or set `budget: {unpriced: allow}`"
        )
    engine.emit(
        Progress(task, "budget", f"{model} has no price, so it is not counted against the limit")
    )


def _is_here(base_url: str, model: str) -> bool:
    from minitask.executors.http import is_loopback

    return (not base_url or is_loopback(base_url)) and not model.endswith("-cloud")


def estimate_usage(order: ExecutorRequest, changes: Sequence[Change]) -> Usage:
    """Return an estimate of one call of a chat model that answers with the same change, in tokens of the common
    vocabulary.

    Input: the prompt of the order. Output: the lines taken out and put in, as a search-and-replace answer repeats them.
    """
    input_tokens = prompt_tokens(replace(order, token_scale=1.0))
    output_tokens = sum(estimate_tokens(_differing(change, order)) for change in changes)
    return Usage(1, input_tokens, 0, output_tokens)


def baseline_cost(engine: Context, usage: Usage, *, kind: str) -> Decimal | None:
    """Return what that much of the `cheap` or `frontier` baseline model costs, as it counts; None if it has no
    price.
    """
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    model = engine.settings.baseline[kind]
    scale = token_scale(model)
    counted = Usage(
        1, round(scale * usage.input_tokens), 0, round(scale * usage.output_tokens), 0, 0
    )
    return _likely_cost(engine, ModelPricing(model, prices=engine.settings.prices), counted)


def price_of(engine: Context, executor: str, model: str, usage: Usage) -> Decimal | None:
    """Return what the usage costs; None if the model has no price."""
    return _likely_cost(engine, tariff(engine, Route(Tier.CHEAP, executor, model, "")), usage)


def _likely_cost(engine: Context, pricing: ModelPricing, usage: Usage) -> Decimal | None:
    """Return what the usage costs: by rates that are kept, for reading the price list takes longer than all else
    here.
    """
    listed = not pricing.is_local and pricing.model not in engine.settings.prices
    if not listed or (usage.input_tokens or 0) > _FIRST_TIER * (usage.requests or 1):
        return pricing.estimate(usage)
    rates = _kept_rates(engine, pricing)
    if rates is None:
        return None
    return prices.amount(rates, usage)


def _differing(change: Change, order: ExecutorRequest) -> str:
    old = Counter((order.read(change.path) or "").split("\n"))
    new = Counter((change.content or "").split("\n"))
    return "\n".join([*(old - new).elements(), *(new - old).elements()])


def _kept_rates(engine: Context, pricing: ModelPricing) -> prices.Rates | None:
    """Return a model's list rates, remembered for as long as the price list is the same file."""
    key = f"rates\0{pricing.model}\0{pricing.base_url}\0{_price_list_stamp()}"
    listed = engine.cache.document(key, lambda: _listed(pricing))
    return prices.Rates(*map(Decimal, listed)) if listed else None


def _listed(pricing: ModelPricing) -> list[str] | None:
    rates = prices.estimate_cost(
        pricing.model, input_tokens=1000, output_tokens=1000, base_url=pricing.base_url
    ).rates
    return [str(getattr(rates, name)) for name in _RATES] if rates else None


@cache
def _price_list_stamp() -> str:
    package = PathFinder.find_spec("genai_prices")
    if package is None or package.origin is None:
        return ""
    return f"{package.origin}\0{Path(package.origin).stat().st_mtime_ns}"
