"""The settings in force: defaults, presets, the user's file, the repository's, the environment, flags.

Each value records its source. A repository's settings for programs, keys and the sandbox apply only after the user has
trusted exactly that content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct, field

from minitask.patterns import lazy_pattern
from minitask.presets import DEFAULTS, PRESETS, WORKFLOWS
from minitask.values import Redacted

FILE = "minitask.yaml"
MISNAMED = ("minitask.yml", ".minitask.yaml", ".minitask.yml")
GUARDED = ("preset", "executors", "sandbox", "network", "prices", "workers", "forge")
GUARDED_BELOW = {"workspace": "read", "landing": "push"}
"""Keys that could run a program outside the sandbox, send a key elsewhere, loosen the sandbox or hide a cost."""
NARROWED = ("budget", "limits")  # of numbers that an untrusted repository can only lower
HEADER_VARIABLE = lazy_pattern(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")  # in a header's value
RUNGS = ("none", "free", "cheap", "balanced", "frontier")

LISTS = ("context", "gates", "review_aims", "lint", "checks", "protected")
AS_GIVEN = ("baseline", "target", "review", "sandbox", "limits")
BUILD_CACHES = ("GOCACHE", "MYPY_CACHE_DIR", "CARGO_BUILD_BUILD_DIR")
"""Variables of tools that compare content, or rebuild on a different time stamp."""
MERGE = "merge"
"""The landing style with a merge commit; the others put the task's commit on the tip."""
FORGE_TOKENS = ("GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN")
"""Variables of a forge's token if no setting names one."""
OFF, NOTE, FAIL = "off", "note", "fail"
"""Levels of `grade` and `imports`. A numeric `grade` is the percentage of planted faults that must be detected."""


def stricter_grade(first: str | int, second: str | int | None) -> str | int:
    """Return the stricter of two grades; the first if they are equal."""
    ranks: dict[str | int | None, int] = {None: -1, OFF: -1, NOTE: 0}
    rank = {
        level: level if isinstance(level, int) else ranks.get(level, 0) for level in (first, second)
    }
    return second if second is not None and rank[second] > rank[first] else first


class ExecutorSetting(Struct, frozen=True):
    """An entry of `executors`: its type and the type's options.

    `headers` are sent with every API request. `args` are appended to an agent's command line. `command`, `usage` and
    `cost` belong to type `command`, `folder` to type `scripted`. `env` names variables that an agent may see.
    """

    name: str
    type: str
    base_url: str = ""
    api_key_env: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    usage: Mapping[str, str] = field(default_factory=dict)
    cost: str = ""
    folder: str = ""
    env: tuple[str, ...] = ()
    sandbox: bool = True

    @property
    def key_variables(self) -> tuple[str, ...]:
        """Return the names of the variables that hold its key and its headers' secrets."""
        named = HEADER_VARIABLE.findall("\n".join(self.headers.values()))
        return tuple(filter(None, (self.api_key_env, *named)))


class ModelSetting(Struct, frozen=True):
    """A model's reply format, and its limits in tokens (None: unknown)."""

    reply: str | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None


class TierSetting(Struct, frozen=True):
    """A tier: executor name and model."""

    executor: str
    model: str


class RoutingRule(Struct, frozen=True):
    """A routing rule: if all its conditions match, it sets a tier, a reviewer's tier, or both.

    `tags` match if the task has any of them; `lines_from` and `lines_below` bound the estimated lines, `failures_from`
    the failed attempts at this version of the spec. `review` of `none` removes the review.
    """

    tier: str | None = None
    review: str | None = None
    tags: tuple[str, ...] = ()
    complexity: str | None = None
    lines_from: int | None = None
    lines_below: int | None = None
    failures_from: int | None = None
    why: str = ""


class Routing(Struct, frozen=True):
    """Routing: entry tiers of the phases, rules that take precedence, and what follows a failure.

    `at_limit`: tiers to use instead of one whose executor is at its limit. `cap`: the highest tier a spec can get.
    Amounts are in US dollars: the value of a validation, and the cost of giving up a task (None: twice the cost of an
    attempt on the dearest tier).
    """

    entry: Mapping[str, str]
    rules: tuple[RoutingRule, ...]
    escalation: tuple[str, ...]
    cap: str
    at_limit: tuple[str, ...]
    max_escalations: int
    review_rounds: int
    validation_usd: Decimal
    giving_up_usd: Decimal | None


class ForgeSetting(Struct, frozen=True):
    """The forge of pull requests, as far as the remote does not imply it.

    `token_env` names the token's variable. `comment`: comment on issues when their tasks have merged.
    """

    type: str = ""
    url: str = ""
    repository: str = ""
    remote: str = ""
    token_env: str = ""
    comment: bool = False


class Settings(Redacted, frozen=True):
    """The settings in force, and the source of each (`a.dotted.key` → source)."""

    HIDDEN: ClassVar[tuple[str, ...]] = ("values", "sources")

    executors: Mapping[str, ExecutorSetting]
    tiers: Mapping[str, TierSetting]
    models: Mapping[str, ModelSetting]
    context: tuple[str, ...]
    prices: Mapping[str, Mapping[str, Decimal]]
    repairs: int
    routing: Routing
    gates: tuple[str, ...]
    baseline: Mapping[str, str]
    target: str | None
    review: str
    review_aims: tuple[str, ...]
    lint: tuple[str, ...]
    checks: tuple[str, ...]
    grade: str | int
    imports: str
    protected: tuple[str, ...]
    sandbox: str
    network: bool | tuple[str, ...]
    share: tuple[str, ...]
    copy: tuple[str, ...]
    setup: str
    build_cache: tuple[str, ...]
    limits: Mapping[str, int]
    requests: int
    jobs: int
    workers_remote: str
    merges: bool
    push: str
    forge: ForgeSetting
    max_cost_usd: Decimal | None
    allows_unpriced: bool
    values: Mapping[str, Any]
    sources: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def secrets(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the secret values of the executors and the forge, by variable name."""
        names = [name for entry in self.executors.values() for name in entry.key_variables]
        names += FORGE_TOKENS if not self.forge.token_env else [self.forge.token_env]
        return {name: environ[name] for name in names if environ.get(name)}


class SettingsLayer(Struct, frozen=True):
    """A named source of settings, already validated against the schema."""

    name: str
    values: Mapping[str, Any]


def resolve(layers: Sequence[SettingsLayer], *, trusted: bool) -> Settings:
    """Merge the layers, the last one wins; drop an untrusted repository's guarded keys, with a note."""
    values: dict[str, Any] = {}
    sources, notes = dict[str, str](), list[str]()
    named = _named(layers, "preset", PRESETS, trusted)
    named += _named(layers, "workflow", WORKFLOWS, trusted)
    for layer in [SettingsLayer("default", DEFAULTS), *named, *layers]:
        allowed = layer.values
        if layer.name == FILE and not trusted:
            ignored = [key for key in GUARDED if key in allowed]
            inner = (item for item in GUARDED_BELOW.items() if item[1] in allowed.get(item[0], ()))
            ignored += map(".".join, inner)
            allowed = {key: value for key, value in allowed.items() if key not in GUARDED}
            allowed = {key: _lowered(values, key, value) for key, value in allowed.items()}
            if keys := ", ".join(ignored):
                notes.append(f"{FILE}: {keys} ignored until you run `minitask trust` here")
        _merge(values, allowed, source=layer.name, sources=sources)
    return _typed(values, sources, tuple(notes))


def _named(
    layers: Sequence[SettingsLayer], key: str, table: Mapping[str, Mapping[str, Any]], trusted: bool
) -> tuple[SettingsLayer, ...]:
    """Return the preset or workflow of the last layer that names one, as a layer below all others."""
    counts = trusted or key not in GUARDED
    counted = (layer.values for layer in layers if counts or layer.name != FILE)
    names = [values[key] for values in counted if key in values]
    return (SettingsLayer(f"{key} {names[-1]}", table[names[-1]]),) if names else ()


def _lowered(values: Mapping[str, Any], key: str, proposed: Any) -> Any:
    """Return an untrusted repository's value, cut down for some keys to what is stricter than the current value."""
    now = values.get(key)
    if key in GUARDED_BELOW:
        return {name: proposed[name] for name in proposed if name != GUARDED_BELOW[key]}
    if key == "review":
        return now if now == "required" else proposed
    if key == "grade":
        return stricter_grade(_grade(now), _grade(proposed))
    if key == "imports":
        return max(now or OFF, proposed or OFF, key=(OFF, NOTE, FAIL).index)
    if key == "gates":
        return proposed if set(now or ()) <= set(proposed) else now
    if key == "routing" and "cap" in proposed:
        cap = min(proposed["cap"], now["cap"] if now else proposed["cap"], key=RUNGS.index)
        return {**proposed, "cap": cap}
    if key not in NARROWED or now is None:
        return proposed
    return {name: entry for name, entry in proposed.items() if _is_narrower(entry, now.get(name))}


def _is_narrower(value: Any, now: Any) -> bool:
    """Return True for a lower number, or for the word `refuse`."""
    if isinstance(value, str):
        return value == "refuse"
    return value is not None and (now is None or value < now)


def _grade(value: str | int | None) -> str | int:
    """Return a grade from its YAML value, where `off` is false."""
    return NOTE if value is True else value or OFF


def _typed(values: dict[str, Any], sources: dict[str, str], notes: tuple[str, ...]) -> Settings:
    limit = values["budget"]["max_cost_usd"]
    workspace, network = values["workspace"], values["network"]
    simple: dict[str, Any] = {name: values[name] for name in AS_GIVEN}
    simple |= {name: tuple(values[name]) for name in LISTS}
    return Settings(
        **simple,
        executors={name: _executor(name, entry) for name, entry in values["executors"].items()},
        tiers={
            name: TierSetting(**entry)
            for name, entry in values["tiers"].items()
            if not notes or entry.get("executor") in values["executors"]  # ignored until trusted
        },
        models={name: ModelSetting(**entry) for name, entry in values["models"].items()},
        prices={
            model: {kind: Decimal(str(rate)) for kind, rate in rates.items()}
            if isinstance(rates, Mapping)
            else {}
            for model, rates in values["prices"].items()
        },
        repairs=int(values["routing"]["repairs"]),
        routing=_routing(values["routing"]),
        grade=_grade(values["grade"]),
        imports=values["imports"] or OFF,
        network=tuple(network) if isinstance(network, list) else bool(network),
        share=tuple(workspace["share"]),
        copy=tuple(workspace["copy"]),
        setup=workspace["setup"],
        build_cache=_build_cache(workspace["build_cache"]),
        merges=values["landing"]["style"] == MERGE,
        push=values["landing"]["push"],
        forge=ForgeSetting(**values["forge"]),
        requests=int(values["concurrency"]["requests"]),
        jobs=int(values["concurrency"]["jobs"]),
        workers_remote=values["workers"]["remote"],
        max_cost_usd=None if limit is None else Decimal(str(limit)),
        allows_unpriced=values["budget"]["unpriced"] == "allow",
        values=values,
        sources=sources,
        notes=notes,
    )


def _build_cache(value: bool | list[str]) -> tuple[str, ...]:
    """Return the variables that name build cache folders."""
    return (
        (BUILD_CACHES if value else ()) if isinstance(value, bool) else tuple(dict.fromkeys(value))
    )


def _routing(values: Mapping[str, Any]) -> Routing:
    lost = values["giving_up_usd"]
    return Routing(
        entry=values["entry"],
        rules=tuple(_rule(entry) for entry in values["rules"]),
        escalation=tuple(values["escalation"]),
        cap=values["cap"],
        at_limit=tuple(values["at_limit"]),
        max_escalations=int(values["max_escalations"]),
        review_rounds=int(values["review_rounds"]),
        validation_usd=Decimal(str(values["validation_usd"])),
        giving_up_usd=None if lost is None else Decimal(str(lost)),
    )


def _rule(entry: Mapping[str, Any]) -> RoutingRule:
    when = dict(entry.get("when", {}))
    tags = tuple(when.pop("tags", ()))
    consequences = {key: entry[key] for key in ("tier", "review", "why") if key in entry}
    return RoutingRule(tags=tags, **when, **consequences)


def _executor(name: str, entry: Mapping[str, Any]) -> ExecutorSetting:
    lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
    return ExecutorSetting(name=name, **{**entry, **lists})


def _merge(
    into: dict[str, Any], values: Mapping[str, Any], *, source: str, sources: dict[str, str]
) -> None:
    """Merge mappings by key, named tables (`executors` …) included; replace all other values."""
    stack: list[tuple[dict[str, Any], Mapping[str, Any], str]] = [(into, values, "")]
    while stack:
        target, new, prefix = stack.pop()
        for key, value in new.items():
            name = f"{prefix}{key}"
            if isinstance(value, Mapping):
                below = target.setdefault(key, {})
                stack.append((below, value, f"{name}."))
            else:
                target[key] = value
                sources[name] = source
