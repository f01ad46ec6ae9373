"""The cap: the highest tier that a spec may ask for; the user may ask for more on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minitask.errors import RefusedError
from minitask.policy.named_tiers import header_request
from minitask.policy.route import MODEL_TIERS, Route, RouteOverrides
from minitask.settings import Settings, TierSetting
from minitask.spec.model import Spec


def check_cap(spec: Spec, settings: Settings, demand: RouteOverrides, route: Route) -> None:
    """Raise `RefusedError` if the spec asks for more than the config's cap, which only the user may."""
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
    """Yield the requests of a spec that no tier up to the cap meets: the field, its content, the flag that may."""
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
