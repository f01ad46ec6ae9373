"""Presets: whole settings by name, beneath what the user's and the repository's own files say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AUTO = "auto"
"""As a model's name: whichever the executor serves."""


def _tiers(executor: str, **models: str) -> dict[str, Any]:
    return {tier: {"executor": executor, "model": model} for tier, model in models.items()}


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "local": {
        "executors": {"ollama": {"type": "ollama"}},
        "tiers": _tiers("ollama", free=AUTO),
        "routing": {
            "entry": dict.fromkeys(("classify", "plan", "implement", "review", "message"), "free"),
            "escalation": ["free"],
        },
    },
    "anthropic": {
        "executors": {"anthropic": {"type": "anthropic", "api_key_env": "ANTHROPIC_API_KEY"}},
        "tiers": _tiers(
            "anthropic",
            cheap="claude-haiku-5-5",
            balanced="claude-sonnet-5-5",
            frontier="claude-opus-5-5",
        ),
    },
    "openai": {
        "executors": {
            "openai": {
                "type": "openai",
                "base_url": "https://api.openai.com/v1",
                "api_key_env": "OPENAI_API_KEY",
            }
        },
        "tiers": _tiers(
            "openai", cheap="gpt-6-luna", balanced="gpt-5.4-mini", frontier="gpt-6.1-sol"
        ),
    },
    "codex": {
        "executors": {"codex": {"type": "codex"}},
        "tiers": _tiers(
            "codex", cheap="gpt-6-luna", balanced="gpt-5.4-mini", frontier="gpt-6.1-sol"
        ),
    },
}
"""What each preset sets. Models are names of the list that prices come from."""
