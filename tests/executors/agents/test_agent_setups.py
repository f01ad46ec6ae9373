"""What is brought of the user's own set-up of an agent: provider and login, and nothing else."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from minitask.executors.agents.setups import KEY_COMMAND, NO_SETUP, find_setup, merged

CODEX = """
model = "gpt-6"
model_provider = "team"
approval_policy = "never"
[model_providers.team]
base_url = "https://llm.example/v1"
env_key = "TEAM_KEY"
query_params = {"api-version" = "2026-01-01"}
env_http_headers = {"X-Team" = "TEAM_NAME"}
[model_providers.other]
base_url = "https://other.example"
[mcp_servers.x]
command = "rm"
"""
OPENCODE = """{
  // a comment
  "provider": {"team": {"options":
    {"baseURL": "https://llm.example", "apiKey": "{env:TEAM_KEY}", "other": "{file:~/key}"}}},
  "plugin": ["evil"], "mcp": {"x": {}}, "permission": {"*": "allow"}
}"""
CASES: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, str], tuple[str, ...]]] = {
    "claude": (
        {
            ".claude/settings.json": json.dumps(
                {
                    "env": {
                        "ANTHROPIC_BASE_URL": "https://x",
                        "CLAUDE_CODE_USE_BEDROCK": 1,
                        "PATH": "/evil",
                    },
                    "apiKeyHelper": "op read key",
                    "hooks": {"PreToolUse": []},
                    "permissions": {"allow": ["Bash"]},
                }
            )
        },
        {
            "env": {"ANTHROPIC_BASE_URL": "https://x", "CLAUDE_CODE_USE_BEDROCK": "1"},
            "apiKeyHelper": KEY_COMMAND,
        },
        {},
        (),
    ),
    "codex": (
        {".codex/config.toml": CODEX},
        {
            "model_provider": "team",
            "model_providers": {
                "team": {
                    "base_url": "https://llm.example/v1",
                    "env_key": "TEAM_KEY",
                    "query_params": {"api-version": "2026-01-01"},
                    "env_http_headers": {"X-Team": "TEAM_NAME"},
                }
            },
        },
        {},
        ("TEAM_KEY", "TEAM_NAME"),
    ),
    "opencode": (
        {".config/opencode/opencode.json": OPENCODE, "key": 'a"secret\n'},
        {
            "provider": {
                "team": {
                    "options": {
                        "baseURL": "https://llm.example",
                        "apiKey": "{env:TEAM_KEY}",
                        "other": 'a"secret',
                    }
                }
            }
        },
        {},
        ("TEAM_KEY",),
    ),
    "qwen": (
        {
            ".qwen/settings.json": '{"security": {"auth": {"selectedType": "openai"}}, "tools": {"x": 1}}',
            ".qwen/.env": "# mine\nexport OPENAI_API_KEY='sk-1'\nPS1=x\nOPENAI_BASE_URL=https://x\n",
            ".env": "OPENAI_API_KEY=other\n",
        },
        {"security": {"auth": {"selectedType": "openai"}}},
        {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://x"},
        (),
    ),
    "gemini": (
        {
            ".gemini/settings.json": '{"selectedAuthType": "vertex-ai", "mcpServers": {}}',
            ".env": "GOOGLE_CLOUD_PROJECT=p\nSECRET=s\n",
        },
        {"selectedAuthType": "vertex-ai"},
        {"GOOGLE_CLOUD_PROJECT": "p"},
        (),
    ),
    "aider": (
        {
            ".aider.conf.yml": "openai-api-base: https://x\nanthropic-api-key: k\nauto-commits: true\n"
        },
        {"openai-api-base": "https://x", "anthropic-api-key": "k"},
        {},
        (),
    ),
}
READERS = {".json": json.loads, ".toml": tomllib.loads, ".yml": yaml.safe_load}


@pytest.mark.parametrize("kind", CASES)
def test_provider_and_login_are_brought_and_nothing_else(kind: str, tmp_path: Path) -> None:
    files, kept, env, names = CASES[kind]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    setup = find_setup(kind, tmp_path)
    [(name, text)] = setup.files.items()
    assert READERS[Path(name).suffix](text) == kept
    assert (setup.env, setup.names) == (env, names)
    assert setup.brought
    assert "secret" not in repr(setup) + "".join(setup.brought)
    for name in files:
        (tmp_path / name).write_text("{ damaged")
    assert find_setup(kind, tmp_path) == NO_SETUP, "a damaged file says nothing"


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("codex", ".codex/config.toml", 'model_provider = ["team"]\nmodel_providers = 3\n'),
        ("codex", ".codex/config.toml", 'model_provider = "a"\nmodel_providers.a.env_http_headers = 3'),
        ("claude", ".claude/settings.json", '{"env": 3, "apiKeyHelper": ["rm"]}'),
        ("gemini", ".gemini/settings.json", '{"security": [{"auth": 3}], "env": "A=1"}'),
        ("opencode", ".config/opencode/opencode.json", '{"provider": ["{file:~/.binary}"]}'),
        ("aider", ".aider.conf.yml", "- openai-api-key"),
    ],
)  # fmt: skip
def test_settings_of_another_shape_say_nothing(
    kind: str, name: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    (tmp_path / ".binary").write_bytes(b"\xff")
    assert find_setup(kind, tmp_path).names == ()


def test_our_own_settings_stand_over_the_users() -> None:
    mine = '{"security": {"auth": {"selectedType": "openai"}}, "privacy": {"usage": true}}'
    both = json.loads(merged(mine, '{"privacy": {"usage": false}}'))
    assert both == {"security": {"auth": {"selectedType": "openai"}}, "privacy": {"usage": False}}
