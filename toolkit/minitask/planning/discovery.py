"""What a machine has that can do tasks (Ollama, servers, agents, keys), and the settings that `init` writes for it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from minitask.errors import MinitaskError
from minitask.executors.address import DEFAULTS, find_base_url
from minitask.executors.agents.programs import PROGRAMS
from minitask.executors.agents.setups import has_login
from minitask.executors.http import is_loopback
from minitask.policy.route import MODEL_TIERS
from minitask.presets import PHASES, PRESETS
from minitask.routing.route_task import pick, text_models

LIST_SECONDS = 2.0
"""Time that a server may take to list its models."""
KEYS: Mapping[str, str] = {"ANTHROPIC_API_KEY": "anthropic", "OPENAI_API_KEY": "openai"}
"""The preset that each key is for."""
BETTER = ("anthropic", "openai", "claude", "codex")
"""Presets of the paid tiers, by preference: an API is sent the listed lines alone, an agent reads more."""


class Server(Struct, frozen=True):
    """A model server that answered: its executor's name and type, its URL, and the models it lists that write text."""

    kind: str
    url: str
    models: tuple[str, ...]


class Discovery(Struct, frozen=True):
    """What was found: servers that list models, agents with and without a login, and variables that hold keys."""

    servers: tuple[Server, ...]
    agents: tuple[str, ...]
    logged_out: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def better(self) -> str:
        """Return the preset of the paid tiers; empty for none."""
        listed = {server.kind for server in self.servers}
        usable = {KEYS[key] for key in self.keys} - listed | set(self.agents)
        return next((name for name in BETTER if name in usable), "")

    def settings(self) -> dict[str, Any]:
        """Return executors, tiers and routing for what was found; empty for nothing."""
        executors: dict[str, Any] = {name: {"type": name} for name in self.agents}
        tiers: dict[str, Any] = {}
        settings: dict[str, Any] = {"executors": executors, "tiers": tiers}
        if self.better:
            executors |= PRESETS[self.better]["executors"]
            tiers |= PRESETS[self.better]["tiers"]
        for server in self.servers:
            if server.models:
                self._add_server(server, settings)
        if "free" in tiers:
            paid = [tier for tier in ("cheap", "balanced", "frontier") if tier in tiers]
            phases = ("implement",) if paid else PHASES
            settings["routing"] = {
                "entry": dict.fromkeys(phases, "free"),
                "escalation": ["free", *paid],
            }
        settings["tiers"] = {tier: tiers[tier] for tier in MODEL_TIERS if tier in tiers}
        return settings if executors else {}

    def _add_server(self, server: Server, settings: dict[str, Any]) -> None:
        """Add a server as the tier `free` if it is on this machine, else as `cheap`; the first one keeps its tier."""
        model = pick(server.models)
        assert model is not None  # noqa: S101 - only servers with models are found
        is_local = is_loopback(server.url)
        tier = "free" if is_local or server.kind == "ollama" else "cheap"
        settings["executors"][server.kind] = {"type": server.kind}
        if server.kind == "openai" and "OPENAI_API_KEY" in self.keys:
            settings["executors"][server.kind]["api_key_env"] = "OPENAI_API_KEY"
        settings["tiers"].setdefault(tier, {"executor": server.kind, "model": model})
        if is_local and server.kind == "openai":
            settings["prices"] = {model: {"input": 0, "output": 0}}


def discover(environ: Mapping[str, str]) -> Discovery:
    """Return what can do tasks here. Nothing is spent: models are listed, logins are looked for in their files."""
    installed = [
        name
        for name, program in PROGRAMS.items()
        if shutil.which(program.program, path=environ.get("PATH", ""))
    ]
    agents = tuple(name for name in installed if has_login(PROGRAMS[name], environ))
    return Discovery(
        servers=tuple(filter(None, (_ollama(environ), _openai(environ)))),
        agents=agents,
        logged_out=tuple(name for name in installed if name not in agents),
        keys=tuple(name for name in KEYS if environ.get(name)),
    )


def _ollama(environ: Mapping[str, str]) -> Server | None:
    """Return the Ollama that OLLAMA_HOST names, else the one on this machine; None if it does not answer."""
    from minitask.executors.ollama import OllamaExecutor

    url = find_base_url("ollama", environ)[0] or DEFAULTS["ollama"]
    return _listed("ollama", url, OllamaExecutor(url))


def _openai(environ: Mapping[str, str]) -> Server | None:
    """Return the server that OPENAI_BASE_URL names, unless that is OpenAI's own."""
    from minitask.executors.openai import OpenAiExecutor

    url, _ = find_base_url("openai", environ)
    if not url or url.startswith("https://api.openai.com"):
        return None
    return _listed("openai", url, OpenAiExecutor(url, key=environ.get("OPENAI_API_KEY")))


def _listed(kind: str, url: str, executor: Any) -> Server | None:
    try:
        models = executor.models(timeout_seconds=LIST_SECONDS)
    except MinitaskError:
        return None
    return Server(kind, url, text_models(models))
