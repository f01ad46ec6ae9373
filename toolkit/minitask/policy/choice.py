"""The route of a task, by a model where it needs one.

What was asked for comes first, then the config's rules, then the tier that implementing starts at; from there up, the
ladder says which tiers are worth climbing. The same ledger, config and spec always give the same route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from minitask.errors import RefusedError, UsageError
from minitask.policy.ladder import Odds, Rung, TierChoice, choose_rung
from minitask.policy.named_tiers import Wish, filled, header_wish, how_to_add, review_tier
from minitask.policy.route import (
    MODEL_TIERS,
    NOTHING_KNOWN,
    TIERS,
    CallEstimate,
    Route,
    RouteOverrides,
    RoutingContext,
    find_script_route,
)
from minitask.policy.routing_rules import match_rules
from minitask.policy.task_features import TaskFeatures, features_of
from minitask.presets import AUTO
from minitask.settings import Settings, TierSetting
from minitask.spec.model import Spec, Tier

PRIORS: Mapping[str, float] = {"free": 0.5, "cheap": 0.7, "balanced": 0.8, "frontier": 0.9}
"""How likely a first try passes, as long as the ledger has nothing to say."""
AFTER_FAILURE = 0.75
"""By what factor it is less likely once another tier failed: failures come together."""

DECLINED = "declined this spec before"


def choose(
    spec: Spec,
    settings: Settings,
    *,
    demand: RouteOverrides,
    scripted: bool,
    known: RoutingContext = NOTHING_KNOWN,
) -> Route:
    """Return the cheapest way that fits; `scripted`: the spec's edits cover it.

    Raises `UsageError` where the config has nobody for it, raise `RefusedError` if the spec asks for more than it may.
    """
    script = find_script_route(spec, demand, scripted=scripted)
    if script is not None:
        return script
    options = spec.options
    asked = demand.tier or demand.executor or demand.model
    named = Wish() if asked else header_wish(spec, settings)
    tier = options.tier.value if options.tier else named.tier
    wanted = demand.tier or tier
    executor = demand.executor or options.executor
    model = demand.model or options.model or named.model
    choice = _Choice(spec, settings, features_of(spec), known)
    if executor:
        found = choice.named(executor, model, wanted)
    elif demand.tier or model:
        found = choice.pinned(wanted, model)
    else:
        found = choice.climbed(tier)
    _check_cap(spec, settings, demand, found)
    return found


def next_rung(
    route: Route, settings: Settings, *, known: RoutingContext, spec: Spec, why: str = "failed"
) -> Route | None:
    """Return the next tier above a route's that is tried; None if there is none, or the task was sent where
    it is.
    """
    place = TIERS.index(route.tier.value)
    above = [step for step in route.ladder if step.use and TIERS.index(step.tier) > place]
    if not above:
        return None
    choice = _Choice(spec, settings, features_of(spec), known)
    said = choice.said
    wanted = said.tier if said.tier and known.failures else None
    higher = [step for step in above if wanted and TIERS.index(step.tier) >= TIERS.index(wanted)]
    step = (higher or above)[0]
    reason = f"{route.tier.value} {why}"
    if higher and said.tier_reason:
        reason += f"; {said.tier_reason}"
    skipped = [
        each.reason for each in route.ladder if not each.use and _is_between(each, route, step)
    ]
    return choice.route(step.tier, "; ".join([reason, *skipped]), ladder=route.ladder)


def _is_between(each: TierChoice, route: Route, step: TierChoice) -> bool:
    low, high = TIERS.index(route.tier.value), TIERS.index(step.tier)
    return low < TIERS.index(each.tier) < high and each.q is not None


class _Choice:
    """A route being chosen."""

    def __init__(
        self, spec: Spec, settings: Settings, traits: TaskFeatures, known: RoutingContext
    ) -> None:
        self._spec = spec
        self._settings = settings
        self._traits = traits
        self._known = known
        self.said = match_rules(settings.routing.rules, traits, failures=known.failures)

    def named(self, executor: str, model: str | None, wanted: str | None) -> Route:
        """Return the route to an executor that was asked for."""
        settings = self._settings
        if wanted and wanted not in MODEL_TIERS:
            raise UsageError(f"unknown tier {wanted}", hint=f"choose from {', '.join(TIERS)}")
        if executor not in settings.executors:
            names = ", ".join(sorted(settings.executors)) or "none"
            raise UsageError(
                f"no executor named {executor} (known: {names})", hint=how_to_add(settings)
            )
        held = (name for name, entry in settings.tiers.items() if entry.executor == executor)
        tier = wanted or next(held, Tier.CHEAP.value)
        entry = settings.tiers.get(tier)
        if model is None:
            if entry is None or entry.executor != executor:
                raise UsageError(
                    f"no model set for executor {executor}", hint="name one with --model"
                )
            model = entry.model
        why = f"executor {executor} requested"
        return self.route(tier, why, to=TierSetting(executor, model))

    def pinned(self, wanted: str | None, model: str | None) -> Route:
        """Return the route to a tier or a model that was asked for: no other is tried."""
        if wanted is None:
            tiers = self._settings.tiers
            own = next((name for name, each in tiers.items() if each.model == model), None)
            tier = own or self.climbed(None).tier.value
            entry = tiers[tier]
            why = f"model {model} requested"
            return self.route(tier, why, to=TierSetting(entry.executor, model or entry.model))
        entry = self._entry(wanted)
        to = TierSetting(entry.executor, model or entry.model)
        return self.route(wanted, f"tier {wanted} requested", to=to)

    def climbed(self, asked: str | None) -> Route:
        """Return the first tier that is tried, from the tier that the spec, a rule or the config starts at."""
        start, why = self._start(asked)
        if asked:
            self._entry(asked)
        near = filled(self._settings, start)
        if near is None:
            raise UsageError(
                "the spec has no edit script that covers its files, and no tier has an executor",
                hint=how_to_add(self._settings),
            )
        if near != start:
            why += f" is not configured; using {near}"
        steps = self._ladder(near, is_asked=asked is not None)
        used = [step for step in steps if step.use]
        skipped = [step.reason for step in steps if not step.use and _is_to_say(step)]
        tier = used[0].tier
        notes = [why, *skipped] if tier != near else [why]
        return self.route(tier, "; ".join(notes), ladder=steps)

    def route(
        self,
        tier: str,
        reason: str,
        *,
        to: TierSetting | None = None,
        ladder: tuple[TierChoice, ...] = (),
    ) -> Route:
        """Return the route to a tier, with who reviews what comes of it."""
        entry = to or self._settings.tiers[tier]
        review, review_reason = review_tier(self._settings, self.said)
        return Route(
            Tier(tier),
            entry.executor,
            entry.model,
            reason,
            review=review,
            review_reason=review_reason,
            task_class=self._traits.task_class,
            ladder=ladder or (TierChoice(tier, use=True, reason=reason),),
            estimate=self._estimate(tier, entry),
        )

    def _start(self, asked: str | None) -> tuple[str, str]:
        """Return the tier to start at, and why; no higher than the cap, no lower than what failed already."""
        routing = self._settings.routing
        if asked:
            start, why = asked, f"tier {asked} requested"
        elif self.said.tier:
            start, why = self.said.tier, f"{self.said.tier_reason}: tier {self.said.tier}"
        else:
            start = routing.entry["implement"]
            start, why = _model_tier(start), f"default tier {start}"
        if not asked and MODEL_TIERS.index(start) > MODEL_TIERS.index(routing.cap):
            start, why = routing.cap, f"{why}, and {routing.cap} is the cap"
        failed = [tier for tier in MODEL_TIERS if tier in self._known.failed_tiers]
        above = (self._above(failed[-1]) or failed[-1]) if failed else None
        if not asked and above and MODEL_TIERS.index(above) > MODEL_TIERS.index(start):
            top = ", and there is no higher tier" if above == failed[-1] else ""
            start, why = above, f"{failed[-1]} failed on this spec before{top}"
        return start, why

    def _above(self, tier: str) -> str | None:
        """Return the next tier that may be tried to."""
        routing = self._settings.routing
        rest = MODEL_TIERS[MODEL_TIERS.index(tier) + 1 : MODEL_TIERS.index(routing.cap) + 1]
        return next(
            (each for each in rest if each in self._settings.tiers and each in routing.escalation),
            None,
        )

    def _ladder(self, start: str, *, is_asked: bool) -> tuple[TierChoice, ...]:
        """Every tier, cheapest first: those below the start and those that do not serve are left out, and why."""
        served, left_out = [], []
        for tier in MODEL_TIERS:
            reason = self._why_not(tier, start)
            if not reason and not (is_asked and tier == start) and self._has_declined(tier):
                reason = f"{tier} {DECLINED}"
            if reason:
                left_out.append(TierChoice(tier, use=False, reason=reason))
            else:
                served.append(tier)
        if not served:
            served, left_out = [start], [step for step in left_out if step.tier != start]
        steps = (*left_out, *self._climbed(served))
        return tuple(sorted(steps, key=lambda step: MODEL_TIERS.index(step.tier)))

    def _climbed(self, tiers: list[str]) -> tuple[TierChoice, ...]:
        routing = self._settings.routing
        rungs = [self._rung(tier) for tier in tiers]
        dearest = max((rung.cost_usd or Decimal(0) for rung in rungs), default=Decimal(0))
        loss = 2 * dearest if routing.giving_up_usd is None else routing.giving_up_usd
        return choose_rung(
            rungs,
            loss_usd=loss + routing.validation_usd,
            validation_usd=routing.validation_usd,
            explores=self._known.explores,
        )

    def _why_not(self, tier: str, start: str) -> str:
        settings = self._settings
        routing = settings.routing
        place = MODEL_TIERS.index(tier)
        if place < MODEL_TIERS.index(start):
            return f"below {start}, where this task starts"
        if tier not in settings.tiers:
            return "no executor"
        if tier == start:
            return self._too_small(tier)
        if place > MODEL_TIERS.index(routing.cap):
            return f"above the cap {routing.cap}"
        if tier not in routing.escalation:
            return "not in routing.escalation"
        return self._too_small(tier)

    def _has_declined(self, tier: str) -> bool:
        model = self._settings.tiers[tier].model
        known = self._known.declined
        return (tier, model) in known or (model == AUTO and any(tier == each for each, _ in known))

    def _too_small(self, tier: str) -> str:
        entry = self._settings.tiers[tier]
        held = self._settings.models.get(entry.model)
        estimate = self._estimate(tier, entry)
        needed = estimate.input_tokens + estimate.output_tokens
        if held is None or held.context_tokens is None or needed <= held.context_tokens:
            return ""
        return f"about {needed:,} tokens exceed the {held.context_tokens:,} of {entry.model}"

    def _rung(self, tier: str) -> Rung:
        prior = PRIORS[tier]
        first, after = self._known.odds(tier, False), self._known.odds(tier, True)
        return Rung(
            tier,
            self._estimate(tier, self._settings.tiers[tier]).cost_usd,
            Odds(prior, *first),
            Odds(prior * AFTER_FAILURE, *after),
        )

    def _estimate(self, tier: str, entry: TierSetting) -> CallEstimate:
        input_tokens = self._known.prompt_tokens(tier, entry)
        output_tokens = self._traits.output_tokens
        cost = self._known.price(entry, input_tokens, output_tokens)
        return CallEstimate(input_tokens, output_tokens, cost)

    def _entry(self, tier: str) -> TierSetting:
        entry = self._settings.tiers.get(tier)
        if entry is None:
            raise UsageError(f"the tier {tier} has no executor", hint=how_to_add(self._settings))
        return entry


def _is_to_say(step: TierChoice) -> bool:
    return step.q is not None or step.reason.endswith(DECLINED)


def _check_cap(spec: Spec, settings: Settings, demand: RouteOverrides, route: Route) -> None:
    """Refuse a spec that asks for more than the config's cap; the user himself may."""
    cap = settings.routing.cap
    if cap == MODEL_TIERS[-1]:
        return
    allowed = MODEL_TIERS[: MODEL_TIERS.index(cap) + 1]
    for field, asked, flag in _beyond(spec, settings, demand, route, allowed):
        raise RefusedError(
            f"the spec asks for {asked}, above the cap {cap}",
            where=f"{spec.path}:{spec.line_of(f'options.{field}')}",
            hint=f"remove it, raise routing.cap, or pass {flag}",
        )


def _beyond(
    spec: Spec, settings: Settings, demand: RouteOverrides, route: Route, allowed: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield what of a spec's own wishes no tier up to the cap has: the field, what it asks for, the flag that may."""
    options = spec.options
    known = {settings.tiers[tier] for tier in allowed if tier in settings.tiers}
    header = header_wish(spec, settings)
    if (options.tier or header.tier) and not demand.tier and route.tier.value not in allowed:
        yield "tier", f"tier {route.tier.value}", f"--tier {route.tier.value}"
    by_spec = options.executor and not (demand.executor or demand.model)
    if by_spec and TierSetting(route.executor, route.model) not in known:
        yield "executor", f"{route.model} of {route.executor}", f"--executor {route.executor}"
    model = options.model or (None if demand.tier or demand.executor else header.model)
    if model and not demand.model and model not in {each.model for each in known}:
        yield "model", f"model {model}", f"--model {model}"


def _model_tier(tier: str) -> str:
    return MODEL_TIERS[0] if tier == Tier.NONE.value else tier
