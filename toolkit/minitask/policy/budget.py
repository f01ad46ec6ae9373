"""Budgets: reserved before a call is made, settled after it, so that calls at once cannot overshoot."""

from __future__ import annotations

import threading
from decimal import Decimal

from minitask.errors import BudgetError

NOTHING = Decimal(0)


class Budget:
    """US dollars with a limit, or without one (`limit_usd` None). Safe to share between threads.

    What is reserved in a budget is reserved in its `parent` too.
    """

    def __init__(
        self,
        limit_usd: Decimal | None = None,
        *,
        parent: Budget | None = None,
        name: str = "budget",
    ) -> None:
        self._limit = limit_usd
        self._parent = parent
        self._name = name
        self._committed = NOTHING
        self._lock = threading.Lock()

    @property
    def is_limited(self) -> bool:
        """Return True if anything can run out."""
        return self._limit is not None or (self._parent is not None and self._parent.is_limited)

    @property
    def left_usd(self) -> Decimal | None:
        """Return what is neither spent nor reserved; None if there is no limit."""
        above = self._parent.left_usd if self._parent else None
        remaining = None if self._limit is None else max(NOTHING, self._limit - self._committed)
        amounts = [amount for amount in (remaining, above) if amount is not None]
        return min(amounts) if amounts else None

    def reserve(self, amount_usd: Decimal) -> None:
        """Reserve an amount; raise `BudgetError`, and reserve nothing, if less than that is left."""
        with self._lock:
            remaining = None if self._limit is None else self._limit - self._committed
            if remaining is not None and amount_usd > max(remaining, NOTHING):
                raise BudgetError(
                    f"the {self._name} is used up: the call could cost ${amount_usd:.6f}, "
                    f"${max(remaining, NOTHING):.6f} is left",
                    hint="raise the limit (--max-cost, budget.max_cost_usd or the spec's max_cost_usd)",
                )
            self._committed += amount_usd
        if self._parent is not None:
            try:
                self._parent.reserve(amount_usd)
            except BudgetError:
                with self._lock:
                    self._committed -= amount_usd
                raise

    def settle(self, reserved_usd: Decimal, spent_usd: Decimal) -> None:
        """Put what was reserved back, and take what was spent."""
        with self._lock:
            self._committed += spent_usd - reserved_usd
        if self._parent is not None:
            self._parent.settle(reserved_usd, spent_usd)
