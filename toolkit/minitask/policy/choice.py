"""Choose the route of a task, and the next tier after a failure.

Explicit requests come first, then the config's rules, then the entry tier; from there, the ladder decides which higher
tiers are worth a try. The same ledger, config and spec always give the same route.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from minitask.errors import UsageError
from minitask.ledger.record import Usage
from minitask.policy.estimates import features_of, is_agent
from minitask.policy.route import (
    MODEL_TIERS,
    NOTHING_KNOWN,
    TIERS,
    CallEstimate,
    Odds,
    Route,
    RouteOverrides,
    RoutingContext,
    Rung,
    TierChoice,
    choose_rung,
    find_script_route,
)
from minitask.policy.tier_rules import (
    check_cap,
    check_executor,
    header_request,
    how_to_add,
    match_rules,
    nearest_tier,
    review_tier,
    tier_setting,
)
from minitask.presets import AUTO
from minitask.settings import Settings, TierSetting
from minitask.spec.model import Spec, Tier
from minitask.spec.notes import moved_lines
from minitask.words import did_you_mean

PRIORS: Mapping[str, float] = {"free": 0.5, "cheap": 0.7, "balanced": 0.8, "frontier": 0.9}
"""Prior probability that a first try passes, without samples in the ledger."""
AFTER_FAILURE = 0.75
"""Factor on that probability after another tier failed, because failures correlate."""

DECLINED = "declined this spec before"
REWRITES = "an agent would write {lines:,} moved lines again"


def choose(
    spec: Spec,
    settings: Settings,
    *,
    demand: RouteOverrides,
    scripted: bool,
    context: RoutingContext = NOTHING_KNOWN,
) -> Route:
    """Return the cheapest suitable route; `scripted`: an edit script covers the spec.

    Raise `UsageError` if no executor is configured, `RefusedError` if the spec requests more than the cap.
    """
    script = find_script_route(spec, demand, scripted=scripted)
    if script is not None:
        return script
    options = spec.options
    header = header_request(spec, settings) if demand.is_empty else RouteOverrides()
    tier = options.tier.value if options.tier else header.tier
    requested_tier = demand.tier or tier
    executor = demand.executor or options.executor
    model = demand.model or options.model or header.model
    choice = _Choice(spec, settings, context)
    if executor:
        route = choice.named(executor, model, requested_tier)
    elif demand.tier or model:
        route = choice.pinned(requested_tier, model)
    else:
        route = choice.climbed(tier)
    check_cap(spec, settings, demand, route)
    return route


def next_rung(
    route: Route, settings: Settings, *, context: RoutingContext, spec: Spec, why: str = "failed"
) -> Route | None:
    """Return the route to the next tier of the ladder, or None."""
    index = TIERS.index(route.tier.value)
    above = [step for step in route.ladder if step.use and TIERS.index(step.tier) > index]
    if not above:
        return None
    choice = _Choice(spec, settings, context)
    rule_match = choice.rule_match
    start = rule_match.tier if rule_match.tier and context.failures else None
    higher = [step for step in above if start and TIERS.index(step.tier) >= TIERS.index(start)]
    step = (higher or above)[0]
    reasons = [f"{route.tier.value} {why}"]
    if higher and rule_match.tier_reason:
        reasons.append(rule_match.tier_reason)
    reasons += [
        rung.reason
        for rung in route.ladder
        if not rung.use and rung.q is not None
        if index < TIERS.index(rung.tier) < TIERS.index(step.tier)
    ]
    return choice.route(step.tier, "; ".join(reasons), ladder=route.ladder)


class _Choice:
    """A route being chosen."""

    def __init__(self, spec: Spec, settings: Settings, context: RoutingContext) -> None:
        self._spec = spec
        self._settings = settings
        self._traits = features_of(spec)
        self._context = context
        self._usages: dict[tuple[str, TierSetting], Usage] = {}
        rules, failures = settings.routing.rules, context.failures
        self.rule_match = match_rules(rules, self._traits, failures=failures)

    def named(self, executor: str, model: str | None, requested: str | None) -> Route:
        """Return the route to a requested executor."""
        settings = self._settings
        if requested and requested not in MODEL_TIERS:
            raise UsageError(f"unknown tier {requested}", hint=did_you_mean(requested, TIERS))
        check_executor(settings, executor)
        tiers = (name for name, entry in settings.tiers.items() if entry.executor == executor)
        tier = requested or next(tiers, Tier.CHEAP.value)
        entry = settings.tiers.get(tier)
        if model is None:
            if entry is None or entry.executor != executor:
                message = f"no model set for executor {executor}"
                raise UsageError(message, hint="name one with --model")
            model = entry.model
        return self.route(tier, f"executor {executor} requested", to=TierSetting(executor, model))

    def pinned(self, requested: str | None, model: str | None) -> Route:
        """Return the route to a requested tier or model; no other is tried."""
        tiers = self._settings.tiers
        if requested is None:
            match = next((name for name, entry in tiers.items() if entry.model == model), None)
            tier, why = match or self.climbed(None).tier.value, f"model {model} requested"
        else:
            tier_setting(self._settings, requested)
            tier, why = requested, f"tier {requested} requested"
        entry = tiers[tier]
        return self.route(tier, why, to=TierSetting(entry.executor, model or entry.model))

    def climbed(self, requested: str | None) -> Route:
        """Return the route to the first tier to try, from the start tier of the spec, a rule or the config."""
        start, why = self._start(requested)
        if requested:
            tier_setting(self._settings, requested)
        near = nearest_tier(self._settings, start)
        if near is None:
            raise UsageError(
                "no tier has an executor, and the spec has no edit script that covers its files",
                hint=how_to_add(self._settings),
            )
        if near != start:
            why += "" if why.endswith(start) else f"; tier {start}"
            why += f" is not configured; using {near}"
        steps = self._ladder(near, is_requested=requested is not None)
        tier = next(step.tier for step in steps if step.use)
        skipped = [_note(step) for step in steps if not step.use and _is_notable(step)]
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
        """Return the route to a tier, with the reviewer and the estimate."""
        entry = to or self._settings.tiers[tier]
        check_executor(self._settings, entry.executor)
        review, review_reason = review_tier(self._settings, self.rule_match)
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

    def _start(self, requested: str | None) -> tuple[str, str]:
        """Return the start tier and the reason: not above the cap, but above the tiers that have failed."""
        routing = self._settings.routing
        if requested:
            start, why = requested, f"tier {requested} requested"
        elif self.rule_match.tier:
            start = self.rule_match.tier
            why = f"{self.rule_match.tier_reason}: tier {start}"
        else:
            entry = routing.entry["implement"]
            start = MODEL_TIERS[0] if entry == Tier.NONE.value else entry
            why = f"default tier {entry}"
        if not requested and MODEL_TIERS.index(start) > MODEL_TIERS.index(routing.cap):
            start, why = routing.cap, f"{why}, and {routing.cap} is the cap"
        failed = [tier for tier in MODEL_TIERS if tier in self._context.failed_tiers]
        above = (self._above(failed[-1]) or failed[-1]) if failed else None
        if not requested and above and MODEL_TIERS.index(above) > MODEL_TIERS.index(start):
            top = ", and there is no higher tier" if above == failed[-1] else ""
            start, why = above, f"{failed[-1]} failed on this spec before{top}"
        return start, why

    def _above(self, tier: str) -> str | None:
        """Return the next higher tier to which a task may escalate."""
        routing = self._settings.routing
        higher = MODEL_TIERS[MODEL_TIERS.index(tier) + 1 : MODEL_TIERS.index(routing.cap) + 1]
        allowed = self._settings.tiers.keys() & set(routing.escalation)
        return next((name for name in higher if name in allowed), None)

    def _ladder(self, start: str, *, is_requested: bool) -> tuple[TierChoice, ...]:
        """Return a choice for every tier, cheapest first; those below the start or unsuitable are skipped."""
        served, left_out = [], []
        for tier in MODEL_TIERS:
            reason = self._why_not(tier, start)
            if not reason and not (is_requested and tier == start):
                reason = self._unsuited(tier)
            if reason:
                left_out.append(TierChoice(tier, use=False, reason=reason))
            else:
                served.append(tier)
        if not served:
            served, left_out = [start], [step for step in left_out if step.tier != start]
        for tier in served:  # before the first is paid
            check_executor(self._settings, self._settings.tiers[tier].executor)
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
            explores=self._context.explores,
        )

    def _why_not(self, tier: str, start: str) -> str:
        settings = self._settings
        routing = settings.routing
        index = MODEL_TIERS.index(tier)
        if index < MODEL_TIERS.index(start):
            return f"below {start}, where this task starts"
        if tier not in settings.tiers:
            return "no executor"
        if tier == start:
            return self._too_small(tier)
        if index > MODEL_TIERS.index(routing.cap):
            return f"above the cap {routing.cap}"
        if tier not in routing.escalation:
            return "not in routing.escalation"
        return self._too_small(tier)

    def _unsuited(self, tier: str) -> str:
        """Return why a tier does the task only on request, or "" if it is suitable."""
        entry = self._settings.tiers[tier]
        declined_models = [model for name, model in self._context.declined if name == tier]
        if entry.model in declined_models or (entry.model == AUTO and declined_models):
            return f"{tier} {DECLINED}"
        setting = self._settings.executors.get(entry.executor)
        lines = moved_lines(self._spec) if setting and is_agent(setting.type) else 0
        return REWRITES.format(lines=lines) if lines else ""

    def _too_small(self, tier: str) -> str:
        entry = self._settings.tiers[tier]
        model = self._settings.models.get(entry.model)
        if model is None or model.context_tokens is None:
            return ""
        usage = self._usage(tier, entry)
        needed = (usage.input_tokens or 0) // (usage.requests or 1) + (usage.output_tokens or 0)
        if needed <= model.context_tokens:
            return ""
        return f"about {needed:,} tokens exceed the {model.context_tokens:,} of {entry.model}"

    def _rung(self, tier: str) -> Rung:
        prior = PRIORS[tier]
        first, after = self._context.odds(tier, False), self._context.odds(tier, True)
        return Rung(
            tier,
            self._estimate(tier, self._settings.tiers[tier]).cost_usd,
            Odds(prior, *first),
            Odds(prior * AFTER_FAILURE, *after),
        )

    def _usage(self, tier: str, entry: TierSetting) -> Usage:
        """Return the usage of an attempt; cached, because it needs the prompt."""
        key = tier, entry
        if key not in self._usages:
            self._usages[key] = self._context.expected(tier, entry, self._traits.output_tokens)
        return self._usages[key]

    def _estimate(self, tier: str, entry: TierSetting) -> CallEstimate:
        usage = self._usage(tier, entry)
        cost = self._context.price(entry, usage)
        return CallEstimate(usage.input_tokens or 0, usage.output_tokens or 0, cost)


def _note(step: TierChoice) -> str:
    """Return why a tier is skipped, with the name of the tier."""
    return step.reason if step.tier in step.reason else f"skipped {step.tier}: {step.reason}"


def _is_notable(step: TierChoice) -> bool:
    return step.q is not None or step.reason.endswith((DECLINED, REWRITES.partition("}")[2]))
