"""The one door to configuration: built-in defaults, the user's file, the repository's, the environment, flags.

Each value remembers where it came from. What a repository's file says about programs, keys and the sandbox counts only
once the user has trusted that very content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import field
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, cast

from minitask import resources
from minitask.errors import UsageError
from minitask.presets import PRESETS
from minitask.values import dataclass

FILE = "minitask.yaml"
PREFIX = "MINITASK_"
GUARDED = ("preset", "executors", "sandbox", "network", "prices", "workers")
"""Keys that could run a program outside the sandbox, send a key somewhere, loosen the sandbox or hide a cost."""
NARROWED = ("budget", "limits")
"""Keys of numbers that an untrusted repository can only lower."""

DEFAULTS: Mapping[str, Any] = {
    "preset": "default",
    "executors": {},
    "tiers": {},
    "models": {},
    "prices": {},
    "context": [],
    "routing": {
        "entry": {
            "classify": "free",
            "plan": "frontier",
            "implement": "cheap",
            "review": "balanced",
            "message": "free",
        },
        "escalation": ["cheap", "balanced", "frontier"],
        "max_escalations": 2,
        "repairs": 1,
    },
    "baseline": {"cheap": "claude-haiku-4-5", "frontier": "claude-opus-5-5"},
    "target": None,
    "checks": [],
    "protected": [],
    "sandbox": "auto",
    "network": False,
    "workspace": {"share": [], "copy": [], "setup": ""},
    "limits": {"seconds": 300, "memory_mb": 4096, "processes": 400, "output_mb": 16},
    "budget": {"max_cost_usd": None},
    "concurrency": {"jobs": 2, "requests": 8},
    "workers": {"remote": ""},
}
ENVIRONMENT = {
    "MINITASK_PRESET": "preset",
    "MINITASK_TARGET": "target",
    "MINITASK_SANDBOX": "sandbox",
    "MINITASK_MAX_COST_USD": "budget.max_cost_usd",
    "MINITASK_JOBS": "concurrency.jobs",
    "MINITASK_REPAIRS": "routing.repairs",
}

NUMBERS = frozenset({"budget.max_cost_usd", "concurrency.jobs", "routing.repairs"})

Memo = Callable[[str, Callable[[], Any]], Any]
"""Gives a remembered value for a key, or makes and keeps it."""


@dataclass(frozen=True, slots=True)
class ExecutorSetting:
    """One entry of `executors`: its type, and what that type needs.

    `args` are added to an agent's command line; `command`, `usage` and `cost` are those of type
    `command`, `folder` that of type `scripted`. `env` names variables that an agent may see.
    """

    name: str
    type: str
    base_url: str = ""
    api_key_env: str = ""
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    usage: Mapping[str, str] = field(default_factory=dict)
    cost: str = ""
    folder: str = ""
    env: tuple[str, ...] = ()
    sandbox: bool = True


@dataclass(frozen=True, slots=True)
class ModelSetting:
    """What is known of a model: the form of its replies, and its sizes in tokens; None is unknown."""

    reply: str | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TierSetting:
    """What a rung of the ladder means: an executor's name and a model."""

    executor: str
    model: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, and the source of each (`a.dotted.key` → where it was set)."""

    executors: Mapping[str, ExecutorSetting]
    tiers: Mapping[str, TierSetting]
    models: Mapping[str, ModelSetting]
    context: tuple[str, ...]
    prices: Mapping[str, Mapping[str, Decimal]]
    repairs: int
    entry: Mapping[str, str]
    baseline: Mapping[str, str]
    target: str | None
    checks: tuple[str, ...]
    protected: tuple[str, ...]
    sandbox: str
    network: bool
    share: tuple[str, ...]
    copy: tuple[str, ...]
    setup: str
    limits: Mapping[str, int]
    requests: int
    jobs: int
    workers_remote: str
    max_cost_usd: Decimal | None
    values: Mapping[str, Any] = field(repr=False)
    sources: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of settings, by name, already checked against the schema."""

    name: str
    values: Mapping[str, Any]


def user_file(environ: Mapping[str, str]) -> Path:
    """Where the user's own configuration is."""
    base = environ.get("XDG_CONFIG_HOME") or str(
        Path(environ.get("HOME", "~")).expanduser() / ".config"
    )
    return Path(base) / "minitask" / "config.yaml"


def trust_file(environ: Mapping[str, str]) -> Path:
    """Where the contents that the user trusts are pinned, by repository."""
    return user_file(environ).with_name("trusted.json")


def fingerprint(text: str) -> str:
    """What pins a repository's configuration: the SHA-256 of its text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def is_trusted(environ: Mapping[str, str], *, repository: Path, text: str) -> bool:
    """Whether the user has trusted this very content for this repository."""
    return _trusted(environ).get(str(repository)) == fingerprint(text)


def trust(environ: Mapping[str, str], *, repository: Path, text: str) -> Path:
    """Pin a repository's configuration as trusted; gives the file that records it."""
    path = trust_file(environ)
    path.parent.mkdir(parents=True, exist_ok=True)
    pins = _trusted(environ) | {str(repository): fingerprint(text)}
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(pins, indent=2, sort_keys=True) + "\n", "utf-8")
    draft.replace(path)
    return path


def parse_layer(text: str, *, name: str, memo: Memo | None = None) -> Layer:
    """Parse one configuration file; `UsageError` naming the key and the nearest one that exists."""

    def check() -> Any:
        return _checked(text, name)

    values = memo(f"config\0{name}\0{text}", check) if memo else check()
    return Layer(name, cast("Mapping[str, Any]", values))


def environment_layer(environ: Mapping[str, str], *, memo: Memo | None = None) -> Layer:
    """Settings from `MINITASK_…` variables; `UsageError` for one with an unusable value."""
    values: dict[str, Any] = {}
    for variable, key in ENVIRONMENT.items():
        if environ.get(variable):
            text = environ[variable]
            _assign(values, key, _number(text) if key in NUMBERS else text)

    def check() -> Any:
        if values:
            _check_schema(values, "environment")
        return values

    return Layer("environment", memo(f"environment\0{values!r}", check) if memo else check())


def resolve(layers: list[Layer], *, trusted: bool) -> Settings:
    """Settle every key: later layers win; an untrusted repository's guarded keys are left out, and said."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    notes: list[str] = []
    for layer in [Layer("default", DEFAULTS), *_preset(layers, trusted=trusted), *layers]:
        held = layer.values
        if layer.name == FILE and not trusted:
            ignored = [key for key in GUARDED if key in held]
            held = {key: value for key, value in held.items() if key not in GUARDED}
            held = {key: _lowered(values, key, value) for key, value in held.items()}
            if ignored:
                notes.append(
                    f"{FILE}: {', '.join(ignored)} ignored until you run `minitask trust` in this repository"
                )
        _merge(values, held, source=layer.name, sources=sources)
    return _typed(values, sources, tuple(notes))


def _preset(layers: list[Layer], *, trusted: bool) -> list[Layer]:
    """The preset that the last source names, as a layer beneath them all."""
    named = [
        layer.values["preset"]
        for layer in layers
        if "preset" in layer.values and (trusted or layer.name != FILE)
    ]
    return [Layer(f"preset {named[-1]}", PRESETS[named[-1]])] if named else []


def _lowered(values: Mapping[str, Any], key: str, held: Any) -> Any:
    """A table of numbers with only those that are lower than what is in force; anything else as it is."""
    if key not in NARROWED:
        return held
    now = values[key]
    return {
        name: number
        for name, number in held.items()
        if number is not None and (now.get(name) is None or number < now[name])
    }


def _typed(values: dict[str, Any], sources: dict[str, str], notes: tuple[str, ...]) -> Settings:
    limit = values["budget"]["max_cost_usd"]
    workspace = values["workspace"]
    return Settings(
        executors={name: _executor(name, entry) for name, entry in values["executors"].items()},
        tiers={name: TierSetting(**entry) for name, entry in values["tiers"].items()},
        models={name: ModelSetting(**entry) for name, entry in values["models"].items()},
        context=tuple(values["context"]),
        prices={
            model: {kind: Decimal(str(rate)) for kind, rate in rates.items()}
            for model, rates in values["prices"].items()
        },
        repairs=int(values["routing"]["repairs"]),
        entry=values["routing"]["entry"],
        baseline=values["baseline"],
        target=values["target"],
        checks=tuple(values["checks"]),
        protected=tuple(values["protected"]),
        sandbox=values["sandbox"],
        network=bool(values["network"]),
        share=tuple(workspace["share"]),
        copy=tuple(workspace["copy"]),
        setup=workspace["setup"],
        limits=values["limits"],
        requests=int(values["concurrency"]["requests"]),
        jobs=int(values["concurrency"]["jobs"]),
        workers_remote=values["workers"]["remote"],
        max_cost_usd=None if limit is None else Decimal(str(limit)),
        values=values,
        sources=sources,
        notes=notes,
    )


def _executor(name: str, entry: Mapping[str, Any]) -> ExecutorSetting:
    lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
    return ExecutorSetting(name=name, **{**entry, **lists})


def _merge(
    into: dict[str, Any], values: Mapping[str, Any], *, source: str, sources: dict[str, str]
) -> None:
    """Merge mappings key by key, everything else whole; named tables (`executors` …) merge by name."""
    stack: list[tuple[dict[str, Any], Mapping[str, Any], str]] = [(into, values, "")]
    while stack:
        here, new, prefix = stack.pop()
        for key, value in new.items():
            name = f"{prefix}{key}"
            if isinstance(value, Mapping):
                below = here.setdefault(key, {})
                stack.append((below, value, f"{name}."))
            else:
                here[key] = value
                sources[name] = source


def _checked(text: str, name: str) -> Any:
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise UsageError(
            f"not valid YAML: {problem}", where=where, hint="mend the line that it names"
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(
            "the configuration must be a mapping of keys", where=name, hint="see `minitask init`"
        )
    _check_schema(values, name)
    return values


def _check_schema(values: Mapping[str, Any], name: str) -> None:
    endless = _not_finite(values)
    if endless:
        raise UsageError(f"{endless} is no finite number", where=name, hint="write a plain number")
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    validator = Draft202012Validator(resources.schema("config"))
    error = best_match(validator.iter_errors(values))
    if error is None:
        return
    key = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        raise _unknown_key(error.instance, error.schema, where=name, prefix=key)
    raise UsageError(
        f"{key or 'the configuration'}: {error.message}",
        where=name,
        hint="see `minitask config show`",
    )


def _not_finite(values: Any, prefix: str = "") -> str:
    """The dotted key of the first number that is none, or infinite; empty where all are fine."""
    if isinstance(values, Mapping):
        found = (
            _not_finite(value, f"{prefix}.{key}" if prefix else str(key))
            for key, value in values.items()
        )
        return next(filter(None, found), "")
    return prefix if isinstance(values, float) and not isfinite(values) else ""


def _unknown_key(instance: Any, schema: Any, *, where: str, prefix: str) -> UsageError:
    from difflib import get_close_matches

    known = sorted(schema.get("properties", {}))
    unknown = next(key for key in instance if key not in known)
    near = get_close_matches(str(unknown), known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
    return UsageError(
        f"unknown key `{prefix + '.' if prefix else ''}{unknown}`", where=where, hint=hint
    )


def _assign(values: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[last] = value


def _number(text: str) -> Any:
    """A plain number; the text as it is where it is none, for the schema to refuse."""
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


def _trusted(environ: Mapping[str, str]) -> dict[str, str]:
    try:
        found = json.loads(trust_file(environ).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
