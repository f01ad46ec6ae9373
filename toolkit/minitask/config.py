"""Configuration files and variables, and trust by content hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from minitask.config_file import check_schema, read_values, where_is
from minitask.errors import MachineError, UsageError
from minitask.settings import SettingsLayer
from minitask.words import did_you_mean, nearest

ENVIRONMENT = {
    "MINITASK_PRESET": "preset",
    "MINITASK_TARGET": "target",
    "MINITASK_SANDBOX": "sandbox",
    "MINITASK_MAX_COST_USD": "budget.max_cost_usd",
    "MINITASK_JOBS": "concurrency.jobs",
    "MINITASK_REPAIRS": "routing.repairs",
}

PREFIX = "MINITASK_"
VARIABLES = frozenset({*ENVIRONMENT, "MINITASK_DEBUG", "MINITASK_RESULT"})
"""All `MINITASK_` variables that are read or set."""
NUMBERS = frozenset({"budget.max_cost_usd", "concurrency.jobs", "routing.repairs"})

Memo = Callable[[str, Callable[[], Any]], Any]
"""Returns the remembered value of a key, or computes and stores it."""


def user_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the user's configuration file; one that does not exist for a user without a home."""
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - raises nothing
    known_home = home if home != "~" else "/nonexistent"
    base = environ.get("XDG_CONFIG_HOME") or f"{known_home}/.config"
    return Path(base) / "minitask" / "config.yaml"


def trust_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the file that pins trusted content by repository."""
    return user_file(environ).with_name("trusted.json")


def fingerprint(text: str) -> str:
    """Return the SHA-256 of a configuration's text, which pins it."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def is_trusted(environ: Mapping[str, str], *, repository: Path, text: str) -> bool:
    """Return True if the user has trusted exactly this content for this repository."""
    return _trusted(environ).get(str(repository)) == fingerprint(text)


def trust(environ: Mapping[str, str], *, repository: Path, text: str) -> Path:
    """Pin a repository's configuration as trusted; return the path of the trust file, or raise `MachineError`."""
    path = trust_file(environ)
    pins = _trusted(environ) | {str(repository): fingerprint(text)}
    draft = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(pins, indent=2, sort_keys=True) + "\n", "utf-8")
        draft.replace(path)
    except OSError as error:
        message = f"{path}, which says what you trust, cannot be written: {error.strerror}"
        hint = "set XDG_CONFIG_HOME to a folder of yours, then: minitask trust"
        raise MachineError(message, hint=hint) from None
    return path


def parse_layer(text: str, *, name: str, memo: Memo | None = None) -> SettingsLayer:
    """Parse a configuration file; raise `UsageError` for an unknown key, naming the nearest known one."""

    def check() -> Any:
        return _checked(text, name)

    values = memo(f"config\0{name}\0{text}", check) if memo else check()
    return SettingsLayer(name, cast("Mapping[str, Any]", values))


def environment_layer(environ: Mapping[str, str], *, memo: Memo | None = None) -> SettingsLayer:
    """Return the settings of the `MINITASK_…` variables; raise `UsageError` for an unusable value."""
    unknown = [name for name in environ if name.startswith(PREFIX) and name not in VARIABLES]
    if unknown and nearest(unknown[0], ENVIRONMENT):
        raise UsageError(
            f"there is no variable {unknown[0]}",
            where="environment",
            hint=did_you_mean(unknown[0], ENVIRONMENT),
        )
    given = {
        variable: _number(environ[variable]) if key in NUMBERS else environ[variable]
        for variable, key in ENVIRONMENT.items()
        if environ.get(variable)
    }
    values: dict[str, Any] = {}
    for variable, value in given.items():
        _assign(values, ENVIRONMENT[variable], value)

    def check() -> Any:
        for variable, value in given.items():
            own: dict[str, Any] = {}
            _assign(own, ENVIRONMENT[variable], value)
            check_schema(own, variable)
        return values

    return SettingsLayer(
        "environment", memo(f"environment\0{values!r}", check) if memo else check()
    )


def _checked(text: str, name: str) -> Any:
    values = read_values(text, name)
    _check_gates(values.get("gates"), where_is(name, text, ["gates"]))
    return _with_plain_paths(_without_aliases(values))


def _with_plain_paths(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with paths as they stand in git, without a `./` before them and a `/` behind."""
    workspace = values.get("workspace", {})
    plain = {
        key: [name.removeprefix("./").rstrip("/") or name for name in workspace[key]]
        for key in ("share", "copy")
        if key in workspace
    }
    return {**values, "workspace": {**workspace, **plain}} if plain else values


def _check_gates(gates: list[str] | None, name: str) -> None:
    """Reject gates that could land an unproven change, or have a model judge before the required gates."""
    if gates is None:
        return
    missing = [gate for gate in ("scope", "validate") if gate not in gates]
    if missing:
        raise UsageError(
            f"gates: {missing[0]} is missing",
            where=name,
            hint="scope and validate are required gates",
        )
    order = [gate for gate in GATE_ORDER if gate in gates]
    if _phased(gates) != _phased(order):
        raise UsageError(
            f"gates: {', '.join(gates)} is not a valid order",
            where=name,
            hint=f"the order is {', '.join(order)}; only lint and validate may change places",
        )


def _phased(gates: list[str]) -> list[str]:
    """Return the gates with lint and validate as one phase, since either may come first."""
    return ["lint and validate" if gate in ("lint", "validate") else gate for gate in gates]


GATE_ORDER = ("classify", "plan", "scope", "lint", "validate", "review", "message")
ENTRY_ALIASES = {
    "entryModelClassify": "classify",
    "entryModelPlan": "plan",
    "entryModelDraft": "message",
    "entryModelImplement": "implement",
    "entryModelReview": "review",
}
LAST_RUNG, MOST_ESCALATIONS = "escalationModel", "maxEscalationsPerTicket"
"""Other tools' names for `routing` keys."""


def _without_aliases(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with aliases of `routing` keys resolved; raise `UsageError` if both names are used."""
    values = dict(values)
    elsewhere = values.pop("llmOps", {}).get("routing", {})
    routing = dict(values.get("routing", {}))
    for name, value in {**elsewhere, **_popped(routing)}.items():
        for key, meant in _meant(name, value).items():
            _give(routing, key, meant, alias=name)
    return {**values, "routing": routing} if routing or "routing" in values else values


def _popped(routing: dict[str, Any]) -> dict[str, Any]:
    names = (*ENTRY_ALIASES, LAST_RUNG, MOST_ESCALATIONS)
    return {name: routing.pop(name) for name in names if name in routing}


def _meant(name: str, value: Any) -> dict[str, Any]:
    if name in ENTRY_ALIASES:
        return {"entry": {ENTRY_ALIASES[name]: value}}
    if name == LAST_RUNG:
        rungs = ("free", "cheap", "balanced", "frontier")
        return {"escalation": list(rungs[min(1, rungs.index(value)) : rungs.index(value) + 1])}
    return {"max_escalations": value}


def _give(routing: dict[str, Any], key: str, meant: Any, *, alias: str) -> None:
    current = routing.get(key)
    if isinstance(meant, dict):
        both = [name for name in meant if name in (current or {})]
        routing[key] = {**(current or {}), **meant}
    else:
        both = [key] if current is not None else []
        routing[key] = meant
    if both:
        raise UsageError(f"{alias} and routing.{key} set the same key", hint=f"leave {alias} out")


def _assign(values: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[last] = value


def _number(text: str) -> Any:
    """Return the text as a number, or unchanged if it is not one, so that the schema rejects it."""
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


def _trusted(environ: Mapping[str, str]) -> dict[str, str]:
    try:
        hashes = json.loads(trust_file(environ).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return hashes if isinstance(hashes, dict) else {}
