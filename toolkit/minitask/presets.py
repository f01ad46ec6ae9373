"""Built-in settings below the user's and the repository's files: defaults, presets and workflows.

A preset sets executors and tiers, a workflow sets gates and routing; both are ordinary settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AUTO = "auto"
"""Model name for whichever model the executor serves."""


def _tiers(executor: str, **models: str) -> dict[str, Any]:
    return {tier: {"executor": executor, "model": model} for tier, model in models.items()}


CLAUDE_MODELS = {
    "cheap": "claude-haiku-5-5",
    "balanced": "claude-sonnet-5-5",
    "frontier": "claude-opus-5-5",
}
PHASES = ("classify", "plan", "implement", "review", "message")
_OLLAMA: Mapping[str, Any] = {
    "executors": {"ollama": {"type": "ollama"}},
    "tiers": _tiers("ollama", free=AUTO),
    "routing": {"entry": dict.fromkeys(PHASES, "free"), "escalation": ["free"]},
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "local": _OLLAMA,
    "ollama": _OLLAMA,
    "anthropic": {
        "executors": {"anthropic": {"type": "anthropic", "api_key_env": "ANTHROPIC_API_KEY"}},
        "tiers": _tiers("anthropic", **CLAUDE_MODELS),
    },
    "openai": {
        "executors": {"openai": {"type": "openai", "api_key_env": "OPENAI_API_KEY"}},
        "tiers": _tiers(
            "openai", cheap="gpt-6-luna", balanced="gpt-5.4-mini", frontier="gpt-6.1-sol"
        ),
    },
    "claude": {
        "executors": {"claude": {"type": "claude"}},
        "tiers": _tiers("claude", **CLAUDE_MODELS),
    },
    "codex": {
        "executors": {"codex": {"type": "codex"}},
        "tiers": _tiers(
            "codex", cheap="gpt-6-luna", balanced="gpt-5.4-mini", frontier="gpt-6.1-sol"
        ),
    },
}
"""Settings of each preset. Model names are those of the price list."""

RULES: tuple[Mapping[str, Any], ...] = (
    {"when": {"tags": ["ARCH", "SECURITY"]}, "tier": "frontier"},
    {"when": {"complexity": "high"}, "tier": "frontier"},
)
"""The default routing rules."""

WORKFLOWS: Mapping[str, Mapping[str, Any]] = {
    "delegate": {},
    "draft-review": {
        "gates": ["scope", "lint", "validate", "review"],
        "routing": {
            "entry": {"implement": "free", "review": "balanced", "apply": "cheap"},
            "rules": [
                {
                    "when": {"tags": ["ARCH", "SECURITY", "ALGORITHM", "RIGHT-FIRST-TIME"]},
                    "tier": "frontier",
                    "review": "none",
                },
                {"when": {"complexity": "high"}, "tier": "frontier", "review": "none"},
                {"when": {"lines_from": 500}, "tier": "free", "review": "frontier"},
                {"when": {"lines_from": 200}, "tier": "free", "review": "balanced"},
                {"when": {"lines_from": 50}, "tier": "free", "review": "cheap"},
                {"when": {"lines_below": 50}, "tier": "cheap", "review": "none"},
            ],
            "escalation": ["free", "cheap", "balanced", "frontier"],
        },
    },
    "gated": {
        "gates": ["classify", "plan", "scope", "lint", "validate", "review", "message"],
        "routing": {
            "entry": {
                "classify": "free",
                "plan": "free",
                "implement": "cheap",
                "review": "balanced",
                "message": "free",
            },
            "rules": [
                *RULES,
                {"when": {"failures_from": 2}, "tier": "frontier", "review": "frontier"},
                {"when": {"failures_from": 1}, "tier": "balanced"},
            ],
            "repairs": 0,
        },
    },
    "batches": {
        "routing": {"entry": {"plan": "frontier", "implement": "cheap"}, "repairs": 1},
        "concurrency": {"jobs": 4, "requests": 16},
    },
}
"""Settings of each workflow.

`delegate`: plan, implement, validate; `draft-review`: a better model reviews a free draft; `gated`: a model per gate;
`batches`: all tasks at once, in batches.
"""


DEFAULTS: Mapping[str, Any] = {
    "preset": "default",
    "workflow": "delegate",
    "gates": ["scope", "lint", "validate"],
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
            "apply": "cheap",
            "message": "free",
        },
        "rules": list(RULES),
        "escalation": ["cheap", "balanced", "frontier"],
        "at_limit": [],
        "cap": "frontier",
        "max_escalations": 2,
        "repairs": 1,
        "review_rounds": 1,
        "validation_usd": 0,
        "giving_up_usd": None,
    },
    "baseline": {"cheap": "claude-haiku-4-5", "frontier": "claude-opus-5-5"},
    "target": None,
    "landing": {"style": "merge", "push": ""},
    "review": "none",
    "review_aims": [],
    "lint": [],
    "checks": [],
    "grade": "note",
    "imports": "note",
    "protected": [],
    "sandbox": "auto",
    "network": False,
    "workspace": {"share": [], "copy": [], "setup": "", "read": [], "build_cache": False},
    "limits": {"seconds": 300, "memory_mb": 4096, "processes": 400, "output_mb": 16},
    "budget": {"max_cost_usd": None, "unpriced": "refuse"},
    "concurrency": {"jobs": 2, "requests": 8},
    "workers": {"remote": ""},
    "forge": {
        "type": "",
        "url": "",
        "repository": "",
        "remote": "",
        "token_env": "",
        "comment": False,
    },
}
"""Default value of every key."""
