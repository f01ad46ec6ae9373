"""Which tier, executor and model a task goes to, and why, in one line."""

from __future__ import annotations

from minitask.errors import UsageError
from minitask.settings import Settings
from minitask.spec.model import Spec, Tier
from minitask.values import dataclass

SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Demand:
    """What the user asked for on the command line; None leaves it to the rules."""

    tier: str | None = None
    executor: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where a task goes. `executor` names an entry of the config, or `script` for the spec's own edits."""

    tier: Tier
    executor: str
    model: str
    reason: str


def choose(spec: Spec, settings: Settings, *, demand: Demand, scripted: bool) -> Route:
    """The cheapest way that fits; `UsageError` where the config names none. `scripted`: the spec's edits cover it."""
    wanted = demand.tier or (spec.options.tier.value if spec.options.tier else None)
    executor = demand.executor or spec.options.executor
    model = demand.model or spec.options.model
    if SCRIPT in (executor, wanted) or wanted == Tier.NONE.value:
        return _script_route(scripted=scripted)
    if scripted and not (wanted or executor or model):
        return _script_route(scripted=True)
    if executor:
        return _named(settings, executor, model, wanted)
    return _by_tier(settings, wanted, model)


def _script_route(*, scripted: bool) -> Route:
    if not scripted:
        raise UsageError(
            "tier none needs an edit script that covers every file of the spec",
            hint="add one to Code Snippets, or choose another tier with --tier",
        )
    return Route(
        Tier.NONE, SCRIPT, "", "the spec's edit script covers every file: no model is needed"
    )


def _named(settings: Settings, executor: str, model: str | None, wanted: str | None) -> Route:
    if executor not in settings.executors:
        known = ", ".join(sorted(settings.executors)) or "none"
        raise UsageError(
            f"no executor is called {executor} (known: {known})", hint=_how_to_add(settings)
        )
    tier = wanted or next(
        (name for name, entry in settings.tiers.items() if entry.executor == executor),
        Tier.CHEAP.value,
    )
    entry = settings.tiers.get(tier)
    if model is None:
        if entry is None or entry.executor != executor:
            raise UsageError(
                f"no model is named for executor {executor}", hint="name one with --model"
            )
        model = entry.model
    return Route(Tier(tier), executor, model, f"executor {executor} was asked for")


def _by_tier(settings: Settings, wanted: str | None, model: str | None) -> Route:
    """The tier asked for; else the entry tier, or the next one up that the config fills."""
    if wanted:
        entry = settings.tiers.get(wanted)
        if entry is None:
            raise UsageError(f"the tier {wanted} has no executor", hint=_how_to_add(settings))
        return Route(
            Tier(wanted), entry.executor, model or entry.model, f"tier {wanted} was asked for"
        )
    start = settings.entry["implement"]
    ladder = [tier.value for tier in Tier if tier is not Tier.NONE]
    for name in ladder[ladder.index(start) :] + ladder[: ladder.index(start)][::-1]:
        entry = settings.tiers.get(name)
        if entry is not None:
            why = f"implementing starts at tier {start}"
            why += (
                ""
                if name == start
                else f", which has no executor; {name} is the nearest that has one"
            )
            return Route(Tier(name), entry.executor, model or entry.model, why)
    raise UsageError(
        "the spec has no edit script that covers its files, and no tier has an executor",
        hint=_how_to_add(settings),
    )


def _how_to_add(settings: Settings) -> str:
    ignored = next((note for note in settings.notes if "minitask trust" in note), "")
    return (
        ignored
        or "add `executors` and `tiers` to minitask.yaml (`minitask init` writes an example)"
    )
