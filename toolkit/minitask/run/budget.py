"""A call is made only where its cost fits what is left: checked before anything is sent."""

from __future__ import annotations

from decimal import Decimal

from minitask.errors import BudgetError
from minitask.executors.model import Order
from minitask.executors.registry import make_executor
from minitask.policy.route import SCRIPT, Route
from minitask.policy.tokens import estimate_tokens
from minitask.run.engine import Engine, Progress


def check_affordable(
    engine: Engine, order: Order, route: Route, *, limit_usd: Decimal | None
) -> None:
    """Raise `BudgetError` where the prompt alone, by estimate, costs more than is left.

    What the answer will cost nobody knows yet; what the spec estimates for it is counted. A model without a price is
    let through, and said: a limit cannot count it.
    """
    own = order.spec.options.max_cost_usd
    limits = [limit for limit in (limit_usd, own) if limit is not None]
    if route.executor == SCRIPT or not limits:
        return
    cost = _estimate(engine, order, route)
    if cost is None:
        engine.emit(
            Progress("", "budget", f"{route.model} has no price, so the limit cannot count it")
        )
    elif cost > min(limits) or (cost > 0 and min(limits) <= 0):
        raise BudgetError(
            f"the budget is spent: the call would cost about ${cost:.6f}, and ${min(limits):.6f} is left",
            hint="raise the limit (--max-cost, budget.max_cost_usd or the spec's max_cost_usd)",
        )


def _estimate(engine: Engine, order: Order, route: Route) -> Decimal | None:
    from minitask.policy.prices import estimate_cost

    described = make_executor(route.executor, engine.settings, engine.environ).describe(order)
    return estimate_cost(
        route.model,
        input_tokens=estimate_tokens(described.prompt),
        output_tokens=order.spec.estimate.output_tokens or 0,
        overrides=engine.settings.prices,
    ).cost_usd
