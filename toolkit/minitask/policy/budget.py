"""Budgets of calls, and meters that price calls: amounts are reserved before a call and settled after it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import BudgetError, StoppedError
from minitask.ledger.record import NO_USAGE, Pricing, Usage, plus
from minitask.policy.prices import ModelPricing

NOTHING = Decimal(0)


class Budget:
    """A budget in US dollars (`limit_usd` None: unlimited), reserved before a call and settled after it.

    Amounts are reserved in the `parent`, too. Thread-safe: concurrent calls cannot exceed the limit. If it is shared by
    parallel calls (`is_shared`), one that does not fit waits for those in flight, which may cost less than reserved.
    """

    def __init__(
        self,
        limit_usd: Decimal | None = None,
        *,
        parent: Budget | None = None,
        name: str = "budget",
        is_shared: bool = False,
    ) -> None:
        self._limit = limit_usd
        self._parent = parent
        self._name = name
        self._is_shared = is_shared
        self._spent = self._reserved = NOTHING
        self._in_flight = 0
        self._closed_by = ""
        self._changed = threading.Condition()

    @property
    def left_usd(self) -> Decimal | None:
        """Return the amount neither spent nor reserved, or None without a limit."""
        above = self._parent.left_usd if self._parent else None
        return _least(self._left(), above)

    @property
    def unspent_usd(self) -> Decimal | None:
        """Return the amount not spent, whatever is reserved, or None without a limit."""
        above = self._parent.unspent_usd if self._parent else None
        own = None if self._limit is None else max(NOTHING, self._limit - self._spent)
        return _least(own, above)

    def wait_for(self, amount_usd: Decimal | None) -> None:
        """Wait until the amount is left, or no call is in flight (None: wait for the latter), if calls are parallel.

        Raises `StoppedError` once the budget is closed.
        """
        if self._parent is not None:
            self._parent.wait_for(amount_usd)
        with self._changed:
            self._wait(amount_usd)

    def reserve(self, amount_usd: Decimal) -> None:
        """Reserve an amount; raise `BudgetError`, and reserve nothing, if less is left."""
        with self._changed:
            self._wait(amount_usd)
            left_usd = self._left()
            if left_usd is not None and amount_usd > left_usd:
                cost, rest = (
                    f"${usd:.6f}".rstrip("0").rstrip(".") for usd in (amount_usd, left_usd)
                )
                raise BudgetError(
                    f"the {self._name} does not cover the call: it could cost {cost}, and {rest} is left",
                    hint="raise the limit (--max-cost, budget.max_cost_usd or the spec's max_cost_usd)",
                )
            self._reserved += amount_usd
            self._in_flight += 1
        if self._parent is not None:
            try:
                self._parent.reserve(amount_usd)
            except (BudgetError, StoppedError):
                self._release(amount_usd, NOTHING)
                raise

    def close(self, why: str) -> None:
        """Make no further calls wait: they raise `StoppedError`."""
        with self._changed:
            self._closed_by = self._closed_by or why
            self._changed.notify_all()

    def settle(self, reserved_usd: Decimal, spent_usd: Decimal) -> None:
        """Replace a reserved amount by the amount spent."""
        self._release(reserved_usd, spent_usd)
        if self._parent is not None:
            self._parent.settle(reserved_usd, spent_usd)

    def _left(self) -> Decimal | None:
        if self._limit is None:
            return None
        return max(NOTHING, self._limit - self._spent - self._reserved)

    def _wait(self, amount_usd: Decimal | None) -> None:
        """Wait with the lock released; return at once if calls are not parallel."""

        def goes_on() -> bool:
            left_usd = self._left()
            fits = left_usd is None or (amount_usd is not None and amount_usd <= left_usd)
            return fits or not self._in_flight or bool(self._closed_by)

        if self._is_shared and not goes_on():
            self._changed.wait_for(goes_on)
            if self._closed_by:
                raise StoppedError(f"the run was stopped: {self._closed_by}")

    def _release(self, reserved_usd: Decimal, spent_usd: Decimal) -> None:
        with self._changed:
            self._reserved -= reserved_usd
            self._spent += spent_usd
            self._in_flight -= 1
            self._changed.notify_all()


def _least(*amounts: Decimal | None) -> Decimal | None:
    return min((amount for amount in amounts if amount is not None), default=None)


class Settle(Protocol):
    """Records the actual usage of a call with a reservation."""

    def __call__(self, usage: Usage, *, cost_usd: Decimal | None = None) -> None:
        """Charge `usage` at the price list's rates, or at `cost_usd` in US dollars if known."""
        ...


class MeterReading(Struct, frozen=True):
    """The amount spent so far (cost None: unknown), and the estimated usage of the call in progress."""

    usage: Usage = NO_USAGE
    spent_usd: Decimal | None = NOTHING
    under_way: Usage = NO_USAGE


LEAST_USD = Decimal("0.000001")
"""The least cost of a call, so that none is made when the budget is used up."""


class TaskMeter:
    """A meter that reserves from a budget at one tariff; `note` receives every reading before a call.

    `likely_output_tokens` is the expected length of a reply; the limit is reserved. `unpriced` is called if a budget is
    limited but the call has no price; it raises `BudgetError` if the call is forbidden.
    """

    def __init__(
        self,
        tariff: ModelPricing,
        budget: Budget,
        *,
        likely_output_tokens: int | None = None,
        note: Callable[[MeterReading], None],
        unpriced: Callable[[], None],
    ) -> None:
        self._tariff = tariff
        self._budget = budget
        self._likely = likely_output_tokens
        self._note = note
        self._unpriced = unpriced
        self._lock = threading.Lock()
        self._reading = MeterReading()
        self._held = NOTHING
        self.pricing: Pricing | None = None

    @property
    def spent_usd(self) -> Decimal | None:
        """Return the cost of all calls so far; None if one is unknown."""
        return self._reading.spent_usd

    @property
    def left_usd(self) -> Decimal | None:
        """Return what the call may cost, its reservation included; None if unlimited, or a subscription pays."""
        left_usd = self._budget.left_usd
        return None if self.is_subscribed or left_usd is None else left_usd + self._held

    @property
    def is_subscribed(self) -> bool:
        """Return True if a subscription pays, so that costs reported by an agent do not count."""
        return self._tariff.is_subscribed

    def renewed(self, *, note: Callable[[MeterReading], None]) -> TaskMeter:
        """Return a meter for another attempt at the same task, on the same budget."""
        return TaskMeter(
            self._tariff,
            self._budget,
            likely_output_tokens=self._likely,
            note=note,
            unpriced=self._unpriced,
        )

    def fitting(self, *, input_tokens: int, output_tokens: int, waits: bool) -> int:
        """Return the largest output limit, up to `output_tokens`, that the budget allows.

        With `waits`, wait first until all fits, or the other calls of the budget have ended; else assume that they are
        free.
        """
        prompt = self._tariff.estimate(Usage(1, input_tokens, 0, 0, 0, 0))
        whole = self._tariff.estimate(Usage(1, input_tokens, 0, output_tokens, 0, 0))
        if waits:
            self._budget.wait_for(whole or NOTHING)
        left_usd = self._budget.left_usd if waits else self._budget.unspent_usd
        if left_usd is None or prompt is None or whole is None:
            return output_tokens
        if whole <= left_usd or whole == prompt:
            return output_tokens
        share = (left_usd - prompt) / (whole - prompt)
        return max(int(output_tokens * share), min(self._likely or 1, output_tokens), 1)

    def reserve(self, expected: Usage, *, capped: bool = False) -> Settle:
        """Reserve the usage's cost at its longest output; raise `BudgetError` if too little is left.

        For an unpriced call that its receiver caps (`capped`), reserve all that is left.
        """
        most = NOTHING
        if self._budget.left_usd is not None:
            estimate = self._tariff.estimate(expected)
            if estimate is None and capped:
                self._budget.wait_for(None)
                estimate = max(self._budget.left_usd, LEAST_USD)
            elif estimate is None:
                self._unpriced()
            most = estimate or NOTHING
        self._budget.reserve(most)
        longest = expected.output_tokens or 0
        likely = replace(expected, output_tokens=min(self._likely or longest, longest))
        with self._lock:
            now = self._reading
            self._reading = MeterReading(now.usage, now.spent_usd, likely)
            self._held = most
        self._note(self._reading)
        return partial(self._settle, reserved=most)

    def _settle(self, usage: Usage, *, cost_usd: Decimal | None = None, reserved: Decimal) -> None:
        listed, pricing = self._tariff.cost(usage)
        cost_usd = None if self.is_subscribed else cost_usd
        cost = listed if cost_usd is None else cost_usd
        if usage.input_tokens == 0 and usage.output_tokens == 0 and cost_usd is None:
            cost = NOTHING  # nothing was billed, whatever the price
        self._budget.settle(reserved, reserved if cost is None else cost)
        with self._lock:
            self._held = NOTHING
            self.pricing = Pricing("executor", {}) if cost_usd is not None else pricing
            before = self._reading
            spent = None if before.spent_usd is None or cost is None else before.spent_usd + cost
            self._reading = MeterReading(plus(before.usage, usage), spent)
