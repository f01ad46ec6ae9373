"""Tiers for the work and its review, by the spec's header, the rules and the settings; and the cap on specs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from minitask.errors import RefusedError, UsageError
from minitask.policy.estimates import TaskFeatures, features_of
from minitask.policy.route import MODEL_TIERS, TIERS, Route, RouteOverrides
from minitask.settings import RoutingRule, Settings, TierSetting
from minitask.spec.model import Spec, Tier
from minitask.words import counted, did_you_mean, nearest


def header_request(spec: Spec, settings: Settings) -> RouteOverrides:
    """Return the configured tier or model in the header's `**Model**`; any other text there is a note."""
    options = spec.options
    if options.tier or options.executor or options.model or not spec.model:
        return RouteOverrides()
    name = spec.model.strip().strip("`").strip()
    if name.casefold() in settings.tiers:
        return RouteOverrides(tier=name.casefold())
    is_model = name in {entry.model for entry in settings.tiers.values()}
    return RouteOverrides(model=name if is_model else None)


def reviewer_of(spec: Spec, settings: Settings) -> tuple[str, str]:
    """Return the tier that reviews a spec's change ("" for none), and the reason."""
    return review_tier(settings, match_rules(settings.routing.rules, features_of(spec), failures=0))


def review_tier(settings: Settings, rule_match: RuleMatch) -> tuple[str, str]:
    """Return the tier that reviews a change ("" for none), and the reason."""
    if rule_match.review:
        tier = "" if rule_match.review == Tier.NONE.value else rule_match.review
        return tier, rule_match.review_reason
    if "review" not in settings.gates:
        return "", "no configured gate requests a review"
    tier = settings.routing.entry["review"]
    return ("" if tier == Tier.NONE.value else tier), f"default review tier {tier}"


def tier_setting(settings: Settings, tier: str) -> TierSetting:
    """Return the executor and model of a tier; raise `UsageError` if it has none, or is unknown."""
    if tier not in TIERS:
        raise UsageError(f"unknown tier {tier}", hint=did_you_mean(tier, TIERS))
    entry = settings.tiers.get(tier)
    if entry is None:
        raise UsageError(f"the tier {tier} has no executor", hint=how_to_add(settings))
    return entry


def nearest_tier(settings: Settings, tier: str) -> str | None:
    """Return the tier if it has an executor, else the nearest above with one, else the nearest below."""
    index = MODEL_TIERS.index(tier)
    order = (*MODEL_TIERS[index:], *reversed(MODEL_TIERS[:index]))
    return next((name for name in order if name in settings.tiers), None)


def how_to_add(settings: Settings) -> str:
    """Return how to configure executors: trust the file whose executors are ignored, or define some."""
    if any("executors" in note for note in settings.notes):
        return "minitask trust"
    return "set `executors` and `tiers` in minitask.yaml: `minitask init` writes them for what it finds"


def check_executor(settings: Settings, executor: str) -> None:
    """Raise `UsageError` for an executor that is not configured."""
    if executor in settings.executors:
        return
    names = ", ".join(sorted(settings.executors)) or "none"
    near = nearest(executor, settings.executors)
    raise UsageError(
        f"no executor named {executor} (known: {names})",
        hint=f"did you mean {near}?" if near else how_to_add(settings),
    )


class RuleMatch(Struct, frozen=True):
    """The result of the rules: a tier and a reviewer's tier with reasons; None if no rule names one."""

    tier: str | None = None
    tier_reason: str = ""
    review: str | None = None
    review_reason: str = ""


def match_rules(rules: Sequence[RoutingRule], traits: TaskFeatures, *, failures: int) -> RuleMatch:
    """Return the tiers of the first matching rules that name one; `failures` is the task's count."""
    fitting = [rule for rule in rules if fits(rule, traits, failures=failures)]
    tier = next((rule for rule in fitting if rule.tier), None)
    review = next((rule for rule in fitting if rule.review), None)

    def reason(rule: RoutingRule) -> str:
        return rule.why or ", ".join(_reasons(rule, traits, failures)) or "the rule for all tasks"

    return RuleMatch(
        tier=tier.tier if tier else None,
        tier_reason=reason(tier) if tier else "",
        review=review.review if review else None,
        review_reason=reason(review) if review else "",
    )


def fits(rule: RoutingRule, traits: TaskFeatures, *, failures: int) -> bool:
    """Return True if a task meets all conditions of a rule; an unknown number of lines meets no limit."""
    if rule.tags and not traits.tags & {tag.upper() for tag in rule.tags}:
        return False
    if rule.complexity and traits.complexity != rule.complexity:
        return False
    if rule.failures_from is not None and failures < rule.failures_from:
        return False
    low, high = rule.lines_from, rule.lines_below
    if traits.lines is None:
        return low is None and high is None
    return (low is None or traits.lines >= low) and (high is None or traits.lines < high)


def _reasons(rule: RoutingRule, traits: TaskFeatures, failures: int) -> Iterator[str]:
    if rule.tags:
        shared = sorted(traits.tags & {tag.upper() for tag in rule.tags})
        yield f"tag {shared[0]}"
    if rule.complexity:
        yield f"complexity {rule.complexity}"
    if rule.lines_from is not None or rule.lines_below is not None:
        low = f"{rule.lines_from} or more" if rule.lines_from is not None else ""
        high = f"below {rule.lines_below}" if rule.lines_below is not None else ""
        yield f"about {traits.lines} lines, {' and '.join(filter(None, (low, high)))}"
    if rule.failures_from is not None:
        yield counted(failures, "failed attempt")


def check_cap(spec: Spec, settings: Settings, demand: RouteOverrides, route: Route) -> None:
    """Raise `RefusedError` if the spec requests more than the config's cap, which only the user may exceed."""
    cap = settings.routing.cap
    if cap == MODEL_TIERS[-1]:
        return
    allowed = MODEL_TIERS[: MODEL_TIERS.index(cap) + 1]
    for field, request, flag in _beyond(spec, settings, demand, route, allowed):
        raise RefusedError(
            f"the spec asks for {request}, above the cap {cap}",
            where=f"{spec.path}:{spec.line_of(f'options.{field}')}",
            hint=f"remove it, raise routing.cap, or pass {flag}",
        )


def _beyond(
    spec: Spec, settings: Settings, demand: RouteOverrides, route: Route, allowed: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield each request of a spec above the cap: its field, its content, and the option that allows it."""
    options = spec.options
    allowed_settings = {settings.tiers[tier] for tier in allowed if tier in settings.tiers}
    header = header_request(spec, settings)
    if (options.tier or header.tier) and not demand.tier and route.tier.value not in allowed:
        yield "tier", f"tier {route.tier.value}", f"--tier {route.tier.value}"
    by_spec = options.executor and not (demand.executor or demand.model)
    if by_spec and TierSetting(route.executor, route.model) not in allowed_settings:
        yield "executor", f"{route.model} of {route.executor}", f"--executor {route.executor}"
    model = options.model or (None if demand.tier or demand.executor else header.model)
    if model and not demand.model and model not in {setting.model for setting in allowed_settings}:
        yield "model", f"model {model}", f"--model {model}"
