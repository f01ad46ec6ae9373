"""The meter of one attempt: reserves money for each call, prices it, and journals it on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from minitask.executors.request import ExecutorRequest, Settle
from minitask.ledger.record import NO_USAGE, Pricing, Usage, plus
from minitask.policy.prices import NOTHING, Budget, ModelPricing
from minitask.routing.requests import prompt_tokens


class MeterReading(Struct, frozen=True):
    """The amount spent so far (cost None: unknown), and the estimated usage of the call in progress."""

    usage: Usage = NO_USAGE
    spent_usd: Decimal | None = NOTHING
    under_way: Usage = NO_USAGE


LEAST_USD = Decimal("0.000001")
"""The least cost of a call, so that none is made when the budget is used up."""
BATCH_SECONDS = 26 * 3600.0
"""Timeout of a batch, which providers complete within a day."""


def unnoted(reading: MeterReading) -> None:
    """Do nothing: a batch is noted in its own journal when it is sent."""


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
        note: Callable[[MeterReading], None] = lambda _reading: None,
        unpriced: Callable[[], None],
    ) -> None:
        self._tariff = tariff
        self._budget = budget
        self._likely = likely_output_tokens
        self._note = note
        self._unpriced = unpriced
        self._lock = threading.Lock()
        self._reading = MeterReading()
        self.pricing: Pricing | None = None

    @property
    def spent_usd(self) -> Decimal | None:
        """Return the cost of all calls so far; None if one is unknown."""
        return self._reading.spent_usd

    @property
    def left_usd(self) -> Decimal | None:
        """Return the remaining budget; None if there is no limit, or a subscription pays."""
        return None if self.is_subscribed else self._budget.left_usd

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

    def fitting(self, *, input_tokens: int, output_tokens: int) -> int:
        """Return the largest output limit, up to `output_tokens`, that the remaining budget allows."""
        left_usd = self._budget.left_usd
        if left_usd is None:
            return output_tokens
        prompt = self._tariff.estimate(Usage(1, input_tokens, 0, 0, 0, 0))
        whole = self._tariff.estimate(Usage(1, input_tokens, 0, output_tokens, 0, 0))
        if prompt is None or whole is None or whole <= left_usd or whole == prompt:
            return output_tokens
        share = (left_usd - prompt) / (whole - prompt)
        return max(int(output_tokens * share), min(self._likely or 1, output_tokens), 1)

    def reserve(self, expected: Usage, *, capped: bool = False) -> Settle:
        """Reserve the usage's cost at its longest output; raise `BudgetError` if too little is left.

        For an unpriced call that its receiver caps (`capped`), reserve all that is left.
        """
        most = None
        if self._budget.left_usd is not None:
            most = self._tariff.estimate(expected)
            if most is None and capped:
                most = max(self._budget.left_usd or NOTHING, LEAST_USD)
            elif most is None:
                self._unpriced()
        self._budget.reserve(most or NOTHING)
        longest = expected.output_tokens or 0
        likely = replace(expected, output_tokens=min(self._likely or longest, longest))
        with self._lock:
            now = self._reading
            self._reading = MeterReading(now.usage, now.spent_usd, likely)
        self._note(self._reading)

        def settle(usage: Usage, *, cost_usd: Decimal | None = None) -> None:
            self._settle(usage, cost_usd, reserved=most or NOTHING)

        return settle

    def _settle(self, usage: Usage, cost_usd: Decimal | None, *, reserved: Decimal) -> None:
        listed, pricing = self._tariff.cost(usage)
        cost_usd = None if self.is_subscribed else cost_usd
        cost = listed if cost_usd is None else cost_usd
        if usage.input_tokens == 0 and usage.output_tokens == 0 and cost_usd is None:
            cost = NOTHING  # nothing was billed, whatever the price
        self._budget.settle(reserved, reserved if cost is None else cost)
        with self._lock:
            self.pricing = Pricing("executor", {}) if cost_usd is not None else pricing
            before = self._reading
            spent = None if before.spent_usd is None or cost is None else before.spent_usd + cost
            self._reading = MeterReading(plus(before.usage, usage), spent)


def metered(order: ExecutorRequest, meter: TaskMeter) -> ExecutorRequest:
    """Return the order with its meter, and an output limit within the remaining budget."""
    if order.max_output_tokens is None:
        return replace(order, meter=meter)
    fitting = meter.fitting(
        input_tokens=prompt_tokens(order), output_tokens=order.max_output_tokens
    )
    return replace(order, meter=meter, max_output_tokens=fitting)
