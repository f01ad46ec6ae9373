"""The route of a task: its tier, executor, model and reviewer, each with the reason in one line.

The values, and the way that needs no model; `choice` has all others.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct, field

from minitask.errors import UsageError
from minitask.ledger.usage import Usage
from minitask.policy.ladder import TierChoice
from minitask.settings import TierSetting
from minitask.spec.model import Spec, Tier

SCRIPT = "script"
TIERS = tuple(tier.value for tier in Tier)
MODEL_TIERS = TIERS[1:]


class RouteOverrides(Struct, frozen=True):
    """The user's choices on the command line; None leaves it to the rules."""

    tier: str | None = None
    executor: str | None = None
    model: str | None = None

    @property
    def is_empty(self) -> bool:
        """Return True if the user chose nothing."""
        return self.tier is self.executor is self.model is None


class CallEstimate(Struct, frozen=True):
    """The estimate of one attempt: tokens as the model counts them, US dollars (None: unpriced)."""

    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


class Route(Struct, frozen=True):
    """The route of a task. `executor` names an entry of the config, or `script` for the spec's own edits.

    `review` is the tier of the model that reviews the change, empty for none. `ladder` holds every tier, cheapest
    first, with whether it is tried and why.
    """

    tier: Tier
    executor: str
    model: str
    reason: str
    review: str = ""
    review_reason: str = ""
    task_class: str = ""
    ladder: tuple[TierChoice, ...] = ()
    estimate: CallEstimate | None = None


class RoutingContext(Struct, frozen=True):
    """Facts about a task besides its spec: how it fared before, and what the ledger knows of tasks of its class.

    `odds` gives passes and samples at a tier, as the first one tried or after a failure. `expected` gives what an
    attempt at a tier takes whose answer has so many tokens; `price` what that usage costs. `explores`: it is its turn
    to. `declined` are the tiers and models that would not do this very spec.
    """

    failures: int = 0
    failed_tiers: frozenset[str] = frozenset()
    declined: frozenset[tuple[str, str]] = frozenset()
    expected: Callable[[str, TierSetting, int], Usage] = field(
        default=lambda _tier, _entry, output: Usage(1, 0, 0, output, 0, 0)
    )
    odds: Callable[[str, bool], tuple[int, int]] = field(default=lambda _tier, _after: (0, 0))
    price: Callable[[TierSetting, Usage], Decimal | None] = field(
        default=lambda _entry, _usage: None
    )
    explores: bool = False


NOTHING_KNOWN = RoutingContext()


def find_script_route(spec: Spec, demand: RouteOverrides, *, scripted: bool) -> Route | None:
    """Return the way that needs no model, where it was asked for or nothing else was; `scripted`: the spec's edits
    cover it.

    Raises `UsageError` where it was asked for and they do not.
    """
    options = spec.options
    requested_tier = demand.tier or (options.tier.value if options.tier else None)
    executor = demand.executor or options.executor
    model = demand.model or options.model
    if SCRIPT in (executor, requested_tier) or requested_tier == Tier.NONE.value:
        return _script_route(scripted=scripted)
    free = scripted and not (requested_tier or executor or model)
    return _script_route(scripted=True) if free else None


def _script_route(*, scripted: bool) -> Route:
    if not scripted:
        raise UsageError(
            "tier none needs an edit script that covers every file of the spec",
            hint="add one to Code Snippets, or choose another tier with --tier",
        )
    why = "the spec's edit script covers every file: no model is needed"
    return Route(
        Tier.NONE,
        SCRIPT,
        "",
        why,
        ladder=(TierChoice(Tier.NONE.value, use=True, reason=why),),
        estimate=CallEstimate(0, 0, Decimal(0)),
    )
