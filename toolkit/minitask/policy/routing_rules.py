"""The config's rules: where tasks of a kind go, and who reviews them. The first rule that fits and says it wins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from minitask.policy.task_features import TaskFeatures
from minitask.settings import RoutingRule
from minitask.words import counted


class RuleMatch(Struct, frozen=True):
    """The result of the rules: a tier and a reviewer's tier, None if no rule says it, each with the reason."""

    tier: str | None = None
    tier_reason: str = ""
    review: str | None = None
    review_reason: str = ""


def match_rules(rules: Sequence[RoutingRule], traits: TaskFeatures, *, failures: int) -> RuleMatch:
    """Return what the rules say of a task that failed so often before."""
    fitting = [rule for rule in rules if fits(rule, traits, failures=failures)]
    tier = next((rule for rule in fitting if rule.tier), None)
    review = next((rule for rule in fitting if rule.review), None)
    return RuleMatch(
        tier=tier.tier if tier else None,
        tier_reason=reason_of(tier, traits, failures=failures) if tier else "",
        review=review.review if review else None,
        review_reason=reason_of(review, traits, failures=failures) if review else "",
    )


def fits(rule: RoutingRule, traits: TaskFeatures, *, failures: int) -> bool:
    """Return True if all that a rule names fits; lines that nobody can estimate fit no bound."""
    if rule.tags and not traits.tags & {tag.upper() for tag in rule.tags}:
        return False
    if rule.complexity and traits.complexity != rule.complexity:
        return False
    if rule.failures_from is not None and failures < rule.failures_from:
        return False
    return _is_within(rule, traits.lines)


def reason_of(rule: RoutingRule, traits: TaskFeatures, *, failures: int) -> str:
    """Return why a rule fits, in a few words: its own, else what of it fits."""
    return rule.why or ", ".join(_reasons(rule, traits, failures)) or "the rule for all tasks"


def _reasons(rule: RoutingRule, traits: TaskFeatures, failures: int) -> Iterator[str]:
    if rule.tags:
        shared = sorted(traits.tags & {tag.upper() for tag in rule.tags})
        yield f"tag {shared[0]}"
    if rule.complexity:
        yield f"complexity {rule.complexity}"
    if rule.lines_from is not None or rule.lines_below is not None:
        bounds = [
            *([f"{rule.lines_from} or more"] if rule.lines_from is not None else []),
            *([f"below {rule.lines_below}"] if rule.lines_below is not None else []),
        ]
        yield f"about {traits.lines} lines, {' and '.join(bounds)}"
    if rule.failures_from is not None:
        yield counted(failures, "failed attempt")


def _is_within(rule: RoutingRule, lines: int | None) -> bool:
    if rule.lines_from is None and rule.lines_below is None:
        return True
    if lines is None:
        return False
    above = rule.lines_from is None or lines >= rule.lines_from
    return above and (rule.lines_below is None or lines < rule.lines_below)
