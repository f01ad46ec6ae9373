"""The tiers and models that a header, a rule or the settings name: for the work, and for its review."""

from __future__ import annotations

from msgspec import Struct

from minitask.errors import UsageError
from minitask.policy.route import MODEL_TIERS, TIERS
from minitask.policy.routing_rules import RuleMatch, match_rules
from minitask.policy.task_features import features_of
from minitask.settings import Settings, TierSetting
from minitask.spec.model import Spec, Tier
from minitask.words import did_you_mean


class HeaderRequest(Struct, frozen=True):
    """The tier or the model that a spec's header asks for."""

    tier: str | None = None
    model: str | None = None


def header_request(spec: Spec, settings: Settings) -> HeaderRequest:
    """Return what `**Model**` of the header asks for, where it names a configured tier or model; else it is a note."""
    options = spec.options
    if options.tier or options.executor or options.model or not spec.model:
        return HeaderRequest()
    name = spec.model.strip().strip("`").strip()
    if name.casefold() in settings.tiers:
        return HeaderRequest(tier=name.casefold())
    is_model = name in {entry.model for entry in settings.tiers.values()}
    return HeaderRequest(model=name) if is_model else HeaderRequest()


def reviewer_of(spec: Spec, settings: Settings) -> tuple[str, str]:
    """Return the tier that reviews what comes of a spec, empty for none, and why."""
    return review_tier(settings, match_rules(settings.routing.rules, features_of(spec), failures=0))


def review_tier(settings: Settings, rule_match: RuleMatch) -> tuple[str, str]:
    """Return the tier that reviews a change, empty for none, and why."""
    if rule_match.review:
        tier = "" if rule_match.review == Tier.NONE.value else rule_match.review
        return tier, rule_match.review_reason
    if "review" not in settings.gates:
        return "", "no configured gate requests a review"
    tier = settings.routing.entry["review"]
    return ("" if tier == Tier.NONE.value else tier), f"default review tier {tier}"


def tier_setting(settings: Settings, tier: str) -> TierSetting:
    """Return who does tasks of a tier; raise `UsageError` if nobody does, or if there is no such tier."""
    if tier not in TIERS:
        raise UsageError(f"unknown tier {tier}", hint=did_you_mean(tier, TIERS))
    entry = settings.tiers.get(tier)
    if entry is None:
        raise UsageError(f"the tier {tier} has no executor", hint=how_to_add(settings))
    return entry


def nearest_tier(settings: Settings, tier: str) -> str | None:
    """Return the tier itself if it has an executor, else the nearest above it that has, else the nearest below."""
    index = MODEL_TIERS.index(tier)
    order = (*MODEL_TIERS[index:], *reversed(MODEL_TIERS[:index]))
    return next((name for name in order if name in settings.tiers), None)


def how_to_add(settings: Settings) -> str:
    """Return how the config gets executors: by trusting the file whose executors are ignored, or by naming some."""
    if any("executors" in note for note in settings.notes):
        return "minitask trust"
    return "set `executors` and `tiers` in minitask.yaml: `minitask init` writes them for what it finds"
