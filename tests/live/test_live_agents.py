"""Real agent programs, installed from their registries, each doing one task against a model server on loopback.

    pytest -m live

They are installed once, below the folder that MINITASK_LIVE_FOLDER names (default: one in the temporary folder), and
used again by the next run. Where a program cannot be installed its test is skipped, with the reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from live.agent_server import AgentServer, agent_server
from world import STRENGTHS, World, in_strength, run

pytestmark = pytest.mark.live

FOLDER = Path(
    os.environ.get("MINITASK_LIVE_FOLDER") or Path(tempfile.gettempdir(), "minitask-live")
)
NPM = {
    "codex": "@openai/codex",
    "claude": "@anthropic-ai/claude-code",
    "opencode": "opencode-ai",
    "qwen": "@qwen-code/qwen-code",
    "gemini": "@google/gemini-cli",
}
PYPI = {"aider": ("aider-chat", "aider"), "mini": ("mini-swe-agent", "mini")}
MODELS = {
    "codex": "some-model",
    "claude": "claude-haiku-4-5",
    "opencode": "vendor/some-model",
    "qwen": "some-model",
    "gemini": "gemini-2.5-flash",
    "aider": "some-model",
    "mini": "gpt-4o-mini",
}
WITHOUT_VERSION = ("claude", "gemini")
"""Those whose base URL ends before the API's version."""
INSTALL_SECONDS = 600


def install(name: str) -> Path:
    """The folder that holds the program; skips the test where it cannot be had."""
    folder = FOLDER / name
    programs = folder / ("node_modules/.bin" if name in NPM else "bin")
    if (programs / name).exists():
        return programs
    folder.mkdir(parents=True, exist_ok=True)
    if name in NPM:
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed")
        commands: list[tuple[str, ...]] = [
            ("npm", "install", "--no-fund", "--no-audit", "--prefix", str(folder), NPM[name])
        ]
    else:
        commands = [
            (sys.executable, "-m", "venv", str(folder)),
            (str(folder / "bin/pip"), "install", "-q", PYPI[name][0]),
        ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, timeout=INSTALL_SECONDS, check=False)
        if done.returncode:
            pytest.skip(f"{name} cannot be installed: {done.stderr.decode()[-200:]}")
    return programs


def configure(world: World, name: str, server: AgentServer, strength: str) -> dict[str, str]:
    """Configure the agent, its program behind an absolute link; the variables to run with."""
    url = server.url if name in WITHOUT_VERSION else f"{server.url}/v1"
    entry: dict[str, Any] = {"type": name, "base_url": url, "api_key_env": "LIVE_KEY"}
    env = in_strength(
        world,
        strength,
        executors={"agent": entry},
        tiers={"cheap": {"executor": "agent", "model": MODELS[name]}},
        prices={MODELS[name]: {"input": 1, "output": 5}},
    )
    programs = Path(os.environ["HOME"], ".local/bin")
    programs.mkdir(parents=True)
    (programs / name).symlink_to(install(name) / name)
    path = f"{programs}:{env.get('PATH', os.environ['PATH'])}"
    return {"PATH": path, "LIVE_KEY": "live-secret-key"}


def set_up(name: str, url: str) -> None:
    """Set up an agent in its own files, as people do for a provider of theirs; the key is `live-secret-key`."""
    home, key = Path(os.environ["HOME"]), "live-secret-key"
    (home / "key").write_text(key)
    provider = f'base_url = "{url}/v1"\nwire_api = "responses"\nenv_key = "TEAM_KEY"\n'
    files: dict[str, Any] = {
        "claude": (
            ".claude/settings.json",
            {"env": {"ANTHROPIC_BASE_URL": url, "EDITOR": "vi"}, "apiKeyHelper": "cat ~/key"},
        ),
        "codex": (
            ".codex/config.toml",
            f'model_provider = "team"\n[model_providers.team]\nname = "team"\n{provider}',
        ),
        "opencode": (
            ".config/opencode/opencode.json",
            {
                "provider": {
                    "vendor": {
                        "npm": "@ai-sdk/openai-compatible",
                        "name": "v",
                        "options": {"baseURL": f"{url}/v1", "apiKey": "{file:~/key}"},
                        "models": {"some-model": {}},
                    }
                }
            },
        ),
        "qwen": (".qwen/.env", f"OPENAI_BASE_URL={url}/v1\nOPENAI_API_KEY='{key}'\n"),
        "gemini": (".gemini/.env", f"GOOGLE_GEMINI_BASE_URL={url}\nGEMINI_API_KEY={key}\n"),
        "aider": (
            ".aider.conf.yml",
            f"openai-api-base: {url}/v1\nopenai-api-key: {key}\nauto-commits: true\n",
        ),
    }
    if name == "gemini":
        (home / ".gemini").mkdir()
        chosen = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
        (home / ".gemini/settings.json").write_text(json.dumps(chosen))
    path, content = files[name]
    (home / path).parent.mkdir(parents=True, exist_ok=True)
    (home / path).write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize("name", [name for name in (*NPM, *PYPI) if name != "mini"])
def test_a_real_agent_works_with_the_users_own_set_up(name: str, world: World) -> None:
    with agent_server("b.txt", "b\n", folder=workspace(world)) as server:
        env = {**configure(world, name, server, "strong"), "TEAM_KEY": "live-secret-key"}
        set_up(name, server.url)
        model = "openai/some-model" if name == "aider" else MODELS[name]
        world.configure(
            executors={"agent": {"type": name}},
            tiers={"cheap": {"executor": "agent", "model": model}},
        )
        world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
        outcome = world.minitask("exec", "p/01-b", "--json", env=env)
        shown = world.minitask("exec", "p/01-b", "--again", "--dry-run", env=env).stdout
    assert server.asked, outcome.text
    assert outcome.json["verdict"] == "merged", outcome.text
    assert "brings " in shown
    assert "live-secret-key" not in outcome.text + shown


def workspace(world: World) -> str:
    """Where the first agent works, as `minitask clean` would name it."""
    digest = hashlib.sha256(os.fsencode(world.root / ".git")).hexdigest()[:16]
    return f"{os.environ['HOME']}/.cache/minitask/{digest}/agent-0/tree"


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("name", [*NPM, *PYPI])
def test_a_real_agent_does_a_task(name: str, strength: str, world: World) -> None:
    with agent_server("b.txt", "b\n", folder=workspace(world)) as server:
        env = configure(world, name, server, strength)
        world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
        outcome = world.minitask("exec", "p/01-b", "--json", env=env)
    assert server.asked, outcome.text
    result = outcome.json
    assert (outcome.code, result["verdict"]) == (0, "merged"), outcome.text
    (record,) = world.records("p/01-b")
    attempt = record["attempt"]
    assert attempt["version"], "the program's version is on record"
    assert attempt["usage"]["input_tokens"], attempt
    assert attempt["cost_usd"] not in (None, "0"), attempt
    assert world.git("status", "--porcelain") == ""
    assert "live-secret-key" not in outcome.text


@pytest.mark.parametrize("name", [*NPM, *PYPI])
def test_a_real_agent_that_writes_another_file_lands_nothing(name: str, world: World) -> None:
    with agent_server("c.txt", "c\n", folder=workspace(world)) as server:
        env = configure(world, name, server, "strong")
        world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
        tip = world.tip()
        outcome = world.minitask("exec", "p/01-b", "--json", env=env)
    assert outcome.json["verdict"] in ("refused", "failed"), outcome.text
    assert world.tip() == tip


def test_claude_code_installs_the_plugin(world: World) -> None:
    claude, top = str(install("claude") / "claude"), Path(__file__).parents[2]
    for arguments in (
        ("validate", str(top)),
        ("marketplace", "add", str(top)),
        ("install", "minitask@minitask"),
    ):
        run((claude, "plugin", *arguments), cwd=world.root)
    details = run((claude, "plugin", "details", "minitask"), cwd=world.root).stdout
    assert "Skills (2)  minitask, run" in details


def test_claude_code_runs_a_task_through_the_tools(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    server = {"command": sys.executable, "args": ["-m", "minitask", "mcp"]}
    options = ("--strict-mcp-config", "--allowedTools", "mcp__minitask__exec", "--model", "haiku")
    with agent_server("", "", folder="") as models:
        models.tool = ("mcp__minitask__exec", {"task": "p/01-b"})
        env = {
            "ANTHROPIC_BASE_URL": models.url,
            "ANTHROPIC_API_KEY": "live-secret-key",
            "MCP_CONNECTION_NONBLOCKING": "0",
        }
        done = run(
            (
                str(install("claude") / "claude"),
                *("-p", "run p/01-b"),
                *("--mcp-config", json.dumps({"mcpServers": {"minitask": server}})),
                *options,
            ),
            cwd=world.root,
            env=env,
        )
    assert models.asked, done.text
    assert world.has("b.txt"), done.text
