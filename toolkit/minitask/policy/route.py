"""Routes (tier, executor, model and reviewer of a task, with reasons), edit script routes, and the ladder of tiers.

`choose_rung` chooses the tiers that are worth a try. With q the probability that a tier passes given that the ones
before it failed, c the price of a try, v that of its validation and L the cost of giving up, a ladder is expected to
cost the sum of (c + v) times the product of the earlier (1 - q). Backwards, V = L after the last tier, and V_i =
min(V_{i+1}, c + v + (1 - q) V_{i+1}): a tier is worth it if q > (c + v) / V_{i+1}. So "one tier up" may skip one.

q is the mean of a Beta posterior of the samples; below `ENOUGH_SAMPLES` it is unknown, and the whole ladder is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from msgspec import Struct, field
from msgspec.structs import replace

from minitask.errors import UsageError
from minitask.ledger.record import Usage, Verdict
from minitask.settings import TierSetting
from minitask.spec.model import Spec, Tier

SCRIPT = "script"
TIERS = tuple(tier.value for tier in Tier)
MODEL_TIERS = TIERS[1:]


class RouteOverrides(Struct, frozen=True):
    """The user's choices on the command line; None leaves a choice to the rules."""

    tier: str | None = None
    executor: str | None = None
    model: str | None = None

    @property
    def is_empty(self) -> bool:
        """Return True if the user chose nothing."""
        return self.tier is self.executor is self.model is None


class CallEstimate(Struct, frozen=True):
    """Estimate of one attempt: tokens as the model counts them, US dollars (None: unpriced)."""

    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


class Route(Struct, frozen=True):
    """The route of a task. `executor` names an entry of the config, or `script` for the spec's own edits.

    `review` is the tier that reviews the change, or "". `ladder` holds every tier, cheapest first.
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
    """Facts about a task apart from its spec: its failures so far, and statistics of its class of tasks.

    `odds` returns passes and samples at a tier, for first tries or after a failure. `expected` returns the usage of an
    attempt at a tier for a number of output tokens, `price` the cost of a usage. `declined` are the tiers and models
    that declined this spec. `explores`: the task tries a tier that is not worth it.
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
    """Return the edit script's route, if it is requested, or if there is a script (`scripted`) and no other request.

    Raises `UsageError` if it is requested without a script that covers every file.
    """
    options = spec.options
    requested_tier = demand.tier or (options.tier.value if options.tier else None)
    executor = demand.executor or options.executor
    model = demand.model or options.model
    is_requested = SCRIPT in (executor, requested_tier) or requested_tier == Tier.NONE.value
    if is_requested and not scripted:
        raise UsageError(
            "tier none needs an edit script that covers every file of the spec",
            hint="add one to Code Snippets, or choose another tier with --tier",
        )
    if not is_requested and (not scripted or requested_tier or executor or model):
        return None
    why = "the spec's edit script covers every file: no model is needed"
    return Route(
        Tier.NONE,
        SCRIPT,
        "",
        why,
        ladder=(TierChoice(Tier.NONE.value, use=True, reason=why),),
        estimate=CallEstimate(0, 0, Decimal(0)),
    )


ENOUGH_SAMPLES = 20
PRIOR_MASS = 4
EXPLORED_IN = 20
"""One task in this many (5 %) tries a tier that is not worth it, to keep its statistics current."""


class Odds(Struct, frozen=True):
    """The pass rate of tries: `passed` of `samples`, and the prior probability."""

    prior: float
    passed: int = 0
    samples: int = 0

    @property
    def mean(self) -> float:
        """Return the mean of the posterior; the prior weighs as much as `PRIOR_MASS` samples."""
        return (self.prior * PRIOR_MASS + self.passed) / (PRIOR_MASS + self.samples)

    @property
    def is_known(self) -> bool:
        """Return True if there are enough samples."""
        return self.samples >= ENOUGH_SAMPLES


class Rung(Struct, frozen=True):
    """A tier: the cost of a try (None: unpriced), and its odds as the first one and after a failure."""

    tier: str
    cost_usd: Decimal | None
    first: Odds
    after: Odds


class TierChoice(Struct, frozen=True):
    """The decision to try or skip a tier, with the reason; `q` must exceed `threshold` (both None if unknown)."""

    tier: str
    use: bool
    reason: str
    q: float | None = None
    threshold: float | None = None


def choose_rung(
    rungs: Sequence[Rung],
    *,
    loss_usd: Decimal,
    validation_usd: Decimal = Decimal(0),
    explores: bool = False,
) -> tuple[TierChoice, ...]:
    """Return the tiers to try, cheapest first, at least one; `explores` adds one that is not worth it."""
    left_out: list[TierChoice] = []
    remaining = tuple(rungs)
    while remaining:
        steps = _climbed(remaining, loss_usd=loss_usd, validation_usd=validation_usd)
        if steps[0].use or len(remaining) == 1:
            break
        left_out.append(steps[0])
        remaining = remaining[1:]
    if not remaining:
        return ()
    choices = [*left_out, *steps]
    if not any(step.use for step in choices):
        best = max(range(len(choices)), key=lambda index: (choices[index].q or 0.0, -index))
        why = "no tier is worth its cost; this one is likeliest to pass"
        choices[best] = replace(choices[best], use=True, reason=why)
    elif explores and not all(step.use for step in choices):
        index = next(index for index, step in enumerate(choices) if not step.use)
        why = f"explored, like one task in {EXPLORED_IN} ({choices[index].reason})"
        choices[index] = replace(choices[index], use=True, reason=why)
    return tuple(choices)


def _climbed(
    rungs: Sequence[Rung], *, loss_usd: Decimal, validation_usd: Decimal
) -> tuple[TierChoice, ...]:
    """Return the choices for a ladder that starts at the first tier."""
    expected_cost = loss_usd
    steps: list[TierChoice] = []
    for index in range(len(rungs) - 1, -1, -1):
        rung = rungs[index]
        odds = rung.after if index else rung.first
        price = (rung.cost_usd or Decimal(0)) + validation_usd
        threshold = float(price / expected_cost) if expected_cost else 1.0
        step = _step(rung, odds, threshold)
        steps.append(step)
        if step.use:
            expected_cost = min(expected_cost, price + Decimal(1 - odds.mean) * expected_cost)
    return tuple(reversed(steps))


def _step(rung: Rung, odds: Odds, threshold: float) -> TierChoice:
    q = odds.mean
    if rung.cost_usd is None:
        return TierChoice(rung.tier, use=True, reason="price unknown", q=q)
    if not odds.is_known:
        why = f"too little history ({odds.samples} of {ENOUGH_SAMPLES}), trying every tier"
    elif q > threshold:
        why = f"q {_short(q)} > {_short(threshold)}"
    else:
        why = f"skipped {rung.tier}: q {_short(q)} < {_short(threshold)}"
    use = q > threshold or not odds.is_known
    return TierChoice(rung.tier, use=use, reason=why, q=q, threshold=threshold)


def _short(probability: float) -> str:
    """Return a probability with two decimals, as in `.41`; a number above 1 keeps its digits."""
    text = f"{probability:.2f}"
    return text[1:] if text.startswith("0.") else text


_CAPABILITY = frozenset({"scope", "lint", "validate", "review"})
"""Gates whose failure says something about the model."""
SAME_WAY = "fails the same way without the change"
"""Text in the reason of a failure that the change did not cause."""
UNLISTED = "the network is at fault, not the change"
"""Text in the reason of a failure at a host that the commands may not reach."""
_UNABLE = ("malformed", "stuck", "out of scope")
"""Start of the reason if the model was unable to make any change."""
_UNWILLING = "refused"
"""Start of the reason if the model declined, or its provider filtered the reply: another model may do it."""


def is_beyond_change(reason: str) -> bool:
    """Return True for a failure that the change did not cause, and that no other change can fix."""
    return SAME_WAY in reason or UNLISTED in reason


def counts_against_model(route: Route, verdict: Verdict, gate: str, reason: str) -> bool:
    """Return True if an outcome shows what a model can do: it passed, or failed through its own work."""
    if route.executor == SCRIPT:
        return False
    if verdict.is_good:
        return True
    if verdict not in (Verdict.FAILED, Verdict.REFUSED) or is_beyond_change(reason):
        return False
    return gate in _CAPABILITY or (gate == "implement" and reason.startswith(_UNABLE))


def may_be_for_another(route: Route, verdict: Verdict, gate: str, reason: str) -> bool:
    """Return True if another model may do what this one could not or would not do."""
    if counts_against_model(route, verdict, gate, reason):
        return True
    return route.executor != SCRIPT and has_declined(verdict, gate, reason)


def has_declined(verdict: Verdict, gate: str, reason: str) -> bool:
    """Return True if a model declined a task, or its provider filtered the reply."""
    declined = gate == "implement" and reason.startswith(f"{_UNWILLING}:")
    return declined and verdict is Verdict.FAILED
