"""Real agent programs, installed from their registries, each doing one task against a model server on loopback.

    pytest -m live

They are installed once, below the folder that MINITASK_LIVE_FOLDER names (default: one in the temporary folder), and
used again by the next run. Where a program cannot be installed its test is skipped, with the reason.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from live.agent_server import AgentServer, agent_server
from world import STRENGTHS, World, in_strength

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
