"""What an attempt cost, and what a frontier model would have cost once for the same change: the latter an estimate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from minitask.edits.model import Change
from minitask.errors import BudgetError
from minitask.executors.model import Order
from minitask.ledger.usage import Usage
from minitask.policy.route import Route
from minitask.policy.tariff import Tariff
from minitask.policy.tokens import estimate_tokens
from minitask.run.engine import Engine, Progress
from minitask.spec.model import Tier

LOCAL_TYPES = frozenset({"ollama", "scripted"})
OLLAMA_URL = "http://127.0.0.1:11434"
INSTRUCTION_TOKENS = 150
MILLION = Decimal(1_000_000)


def tariff(engine: Engine, route: Route, *, batch: bool = False) -> Tariff:
    """What calls on a route cost by; a model that Ollama runs on this machine bills nobody."""
    setting = engine.settings.executors.get(route.executor)
    base_url = setting.base_url if setting else ""
    here = setting is not None and setting.type in LOCAL_TYPES and _is_here(base_url, route.model)
    return Tariff(
        model=route.model,
        base_url=base_url,
        prices=engine.settings.prices,
        is_local=here,
        batch=batch,
    )


def meet_unpriced(engine: Engine, task: str, model: str) -> None:
    """Say that a limit cannot count a model's calls; raises `BudgetError` unless the config allows them."""
    if not engine.settings.allows_unpriced:
        raise BudgetError(
            f"{model} has no price, so the budget's limit cannot hold for it: give it one under `prices`, "
            "or set `budget: {unpriced: allow}`"
        )
    engine.emit(Progress(task, "budget", f"{model} has no price, so the limit cannot count it"))


def _is_here(base_url: str, model: str) -> bool:
    from minitask.executors.http import is_loopback

    return is_loopback(base_url or OLLAMA_URL) and not model.endswith("-cloud")


def estimate_usage(order: Order, changes: Sequence[Change]) -> Usage:
    """An estimate of one call of a chat model that answers with the same change.

    Input: the spec, the listed lines and 150 tokens of instructions. Output: the lines taken out and put in, as a
    search-and-replace answer repeats them.
    """
    listed = "\n".join(excerpt.text for excerpt in order.excerpts)
    input_tokens = INSTRUCTION_TOKENS + estimate_tokens(
        order.spec.task + order.spec.context + listed
    )
    output_tokens = sum(estimate_tokens(_differing(change, order)) for change in changes)
    return Usage(1, input_tokens, 0, output_tokens)


def baseline_cost(engine: Engine, usage: Usage, *, kind: str) -> Decimal | None:
    """What that much of the `cheap` or the `frontier` baseline model costs; None where it has no price."""
    rates = _rates(engine, engine.settings.baseline[kind])
    if rates is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    return (usage.input_tokens * rates[0] + usage.output_tokens * rates[1]) / MILLION


def price_of(
    engine: Engine, *, executor: str, model: str, input_tokens: int, output_tokens: int
) -> Decimal | None:
    """What one call of this size costs by the usual rates, nothing cached; None where the model has no price."""
    whose = tariff(engine, Route(Tier.CHEAP, executor, model, ""))
    if whose.is_local and model not in engine.settings.prices:
        return Decimal(0)
    rates = _rates(engine, model)
    if rates is None:
        return None
    return (input_tokens * rates[0] + output_tokens * rates[1]) / MILLION


def _differing(change: Change, order: Order) -> str:
    old = Counter((order.read(change.path) or "").split("\n"))
    new = Counter((change.content or "").split("\n"))
    return "\n".join([*(old - new).elements(), *(new - old).elements()])


def _rates(engine: Engine, model: str) -> tuple[Decimal, Decimal] | None:
    """Input and output rates of a model, remembered for as long as the price list is the same file."""
    configured = engine.settings.prices.get(model)
    if configured:
        return configured["input"], configured["output"]
    found = engine.cache.document(f"rates\0{model}\0{_price_list_stamp()}", lambda: _listed(model))
    return (Decimal(found[0]), Decimal(found[1])) if found else None


def _listed(model: str) -> list[str] | None:
    from minitask.policy.prices import estimate_cost

    rates = estimate_cost(model, input_tokens=1000, output_tokens=1000).rates
    return [str(rates.input), str(rates.output)] if rates else None


@cache
def _price_list_stamp() -> str:
    package = PathFinder.find_spec("genai_prices")
    if package is None or package.origin is None:
        return ""
    return f"{package.origin}\0{Path(package.origin).stat().st_mtime_ns}"
