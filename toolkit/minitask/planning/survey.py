"""The findings of `init`: settings that a repository's files suggest, and servers, agents and keys on this machine."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from minitask.errors import MinitaskError
from minitask.executors.address import DEFAULTS, find_base_url, is_loopback, shown_url
from minitask.git.repository import Repository
from minitask.patterns import lazy_pattern
from minitask.policy.route import MODEL_TIERS
from minitask.presets import PHASES, PRESETS

SHARE, CHECKS, LINT = "workspace.share", "checks", "lint"
RUNNERS = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun run",
    "bun.lockb": "bun run",
}
"""Commands that run a script, by the lock file of each package manager other than npm."""
COMPILED = {"Cargo.toml": "cargo test --quiet --offline", "go.mod": "go test ./..."}
"""Test commands of compiled languages, by their project file."""
MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
"""The files that make looks for, in its order."""
_TARGET = lazy_pattern(r"^([\w.-]+)[ \t]*::?(?!=)", re.MULTILINE)
NO_TEST = "no test specified"
"""Text in the test script that `npm init` writes."""
ESLINT = ("eslint.config.js", "eslint.config.mjs", "eslint.config.cjs", "eslint.config.ts")
LARGEST_BYTES = 1_000_000
LIST_SECONDS = 2.0
"""Time limit for a server's list of models."""
KEYS: Mapping[str, str] = {"ANTHROPIC_API_KEY": "anthropic", "OPENAI_API_KEY": "openai"}
"""Preset for each key."""
BETTER = ("anthropic", "openai", "claude", "codex")
"""Presets of the paid tiers, by preference: an API sees only the listed lines, an agent reads more."""


class Suggestion(Struct, frozen=True):
    """A setting that a repository's files suggest: its key, one item of its list, and the reason.

    `is_on`: it is safe to set, not only to suggest: a folder to share, or a check that passes on HEAD.
    """

    key: str
    value: str
    reason: str
    is_on: bool = False


def survey(repository: Repository) -> tuple[Suggestion, ...]:
    """Return the suggestions for a checkout: folders to share first, then checks, then linters."""
    top = repository.top
    if top is None:
        return ()
    package = _table(top / "package.json", json.loads)
    suggestions = (
        *_shared(repository, top, package),
        *_node(top, package),
        *_python(top),
        *(
            Suggestion(CHECKS, command, f"there is a {name}")
            for name, command in COMPILED.items()
            if (top / name).is_file()
        ),
    )
    if all(suggestion.key != CHECKS for suggestion in suggestions):
        suggestions = (*suggestions, *_make(top))
    order = (SHARE, CHECKS, LINT)
    return tuple(sorted(suggestions, key=lambda suggestion: order.index(suggestion.key)))


def missing(repository: Repository) -> Iterator[tuple[str, str]]:
    """Yield what a checkout lacks for validations, each with the command that installs it."""
    top = repository.top
    if top is None:
        return
    package = _table(top / "package.json", json.loads)
    needs_packages = package.get("dependencies") or package.get("devDependencies")
    if needs_packages and not (top / "node_modules").is_dir():
        manager = _manager(top).partition(" ")[0]
        yield "package.json has dependencies, and node_modules is missing", f"{manager} install"
    for path in _submodules(top):
        if not (top / path / ".git").exists():
            yield f"the submodule {path} is not filled", f"git submodule update --init {path}"


def _shared(repository: Repository, top: Path, package: Mapping[str, Any]) -> Iterator[Suggestion]:
    """Yield the folders of installed packages that git ignores."""
    git = repository.git.with_user_config(top)
    workspaces = (path.relative_to(top).as_posix() for path in _workspaces(top, package))
    folders = {
        "node_modules": "npm packages are installed there",
        ".venv": "a virtual environment",
        "venv": "a virtual environment",
        **{f"{path}/node_modules": f"packages of the workspace {path}" for path in workspaces},
    }
    for name, reason in folders.items():
        if (top / name).is_dir() and git.succeeds("check-ignore", "-q", "--", name):
            yield Suggestion(SHARE, name, reason, is_on=True)


def _workspaces(top: Path, package: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the package folders of a monorepo."""
    import yaml

    listed = package.get("workspaces")
    patterns = listed.get("packages") if isinstance(listed, dict) else listed
    text = _text(top / "pnpm-workspace.yaml")
    if text:
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError:
            document = None
        patterns = document.get("packages") if isinstance(document, dict) else patterns
    for pattern in patterns if isinstance(patterns, list) else ():
        name = str(pattern).strip("/")
        if name and not name.startswith(("!", "..")):
            yield from sorted(path for path in top.glob(name) if (path / "package.json").is_file())


def _node(top: Path, package: Mapping[str, Any]) -> Iterator[Suggestion]:
    scripts = package.get("scripts")
    script = str(scripts.get("test", "")) if isinstance(scripts, dict) else ""
    if script and NO_TEST not in script:
        reason = f"package.json runs `{script}` as its test"
        yield Suggestion(CHECKS, f"{_manager(top)} test", reason)
    if name := next((name for name in ESLINT if (top / name).is_file()), ""):
        yield Suggestion(LINT, "npx --no-install eslint .", f"there is an {name}")


def _manager(top: Path) -> str:
    return next((run for lock, run in RUNNERS.items() if (top / lock).is_file()), "npm")


def _python(top: Path) -> Iterator[Suggestion]:
    pyproject = _table(top / "pyproject.toml", tomllib.loads)
    tools = pyproject.get("tool")
    tables = tools if isinstance(tools, dict) else {}
    venv = next((name for name in (".venv", "venv") if (top / name / "bin/python").exists()), "")
    python = f"{venv}/bin/python" if venv else "python3"
    if "pytest" in tables or (top / "pytest.ini").is_file():
        yield Suggestion(CHECKS, f"{python} -m pytest -q", "pytest is configured")
    elif any(top.glob("tests/**/test_*.py")) or any(top.glob("test_*.py")):
        runner = "pytest -q" if "pytest" in _text(top / "pyproject.toml") else "unittest -q"
        yield Suggestion(CHECKS, f"{python} -m {runner}", "there are test_*.py files")
    if "ruff" in tables or (top / "ruff.toml").is_file():
        program = f"{venv}/bin/ruff" if venv and (top / venv / "bin/ruff").exists() else "ruff"
        yield Suggestion(LINT, f"{program} check .", "ruff is configured")


def _make(top: Path) -> Iterator[Suggestion]:
    """Yield the target of a Makefile that runs the tests."""
    name = next((name for name in MAKEFILES if (top / name).is_file()), "")
    targets = _TARGET.findall(_text(top / name)) if name else []
    if target := next((target for target in ("test", "check") if target in targets), ""):
        yield Suggestion(CHECKS, f"make {target}", f"{name} has the target {target}")


def _submodules(top: Path) -> list[str]:
    lines = _text(top / ".gitmodules").splitlines()
    pairs = (line.partition("=") for line in lines)
    return [path.strip() for key, _, path in pairs if key.strip() == "path"]


def _table(path: Path, parse: Callable[[str], Any]) -> Mapping[str, Any]:
    """Return the table in a file; empty if the file is missing or damaged."""
    try:
        document = parse(_text(path))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(path: Path) -> str:
    """Return a file's text; "" if it is missing or too large to be hand-written."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return ""
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


class Server(Struct, frozen=True):
    """A model server that answered: its executor's name and type, its URL, and the text models that it lists."""

    kind: str
    url: str
    models: tuple[str, ...]


class Discovery(Struct, frozen=True):
    """Available executors: servers that list models, agents with and without a login, variables that hold keys."""

    servers: tuple[Server, ...]
    agents: tuple[str, ...]
    logged_out: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def better(self) -> str:
        """Return the preset of the paid tiers, or ""."""
        listed = {server.kind for server in self.servers}
        usable = {KEYS[key] for key in self.keys} - listed | set(self.agents)
        return next((name for name in BETTER if name in usable), "")

    def settings(self) -> dict[str, Any]:
        """Return settings for executors, tiers and routing; empty if nothing is available."""
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
            entry = dict.fromkeys(phases, "free")
            settings["routing"] = {"entry": entry, "escalation": ["free", *paid]}
        settings["tiers"] = {tier: tiers[tier] for tier in MODEL_TIERS if tier in tiers}
        return settings if executors else {}

    def _add_server(self, server: Server, settings: dict[str, Any]) -> None:
        """Add a server as the tier `free` if it is local or Ollama, else `cheap`; the first server keeps its tier."""
        from minitask.routing.route_task import pick

        model = pick(server.models)
        assert model is not None  # noqa: S101 - only servers with models are added
        is_local = is_loopback(server.url)
        tier = "free" if is_local or server.kind == "ollama" else "cheap"
        settings["executors"][server.kind] = entry = {"type": server.kind}
        if server.url != DEFAULTS[server.kind] and server.url == shown_url(server.url):
            entry["base_url"] = server.url  # without the variable, the prompts would go elsewhere
        if server.kind == "openai" and "OPENAI_API_KEY" in self.keys:
            entry["api_key_env"] = "OPENAI_API_KEY"
        settings["tiers"].setdefault(tier, {"executor": server.kind, "model": model})
        if is_local and server.kind == "openai":
            settings["prices"] = {model: {"input": 0, "output": 0}}


def discover(environ: Mapping[str, str]) -> Discovery:
    """Return the executors available here, at no cost: models are only listed, logins are found by their files."""
    from minitask.executors.agents.programs import PROGRAMS
    from minitask.executors.agents.setups import has_login

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
    """Return the Ollama server at OLLAMA_HOST, or on this machine; None if it does not answer."""
    from minitask.executors.ollama import OllamaExecutor

    url = find_base_url("ollama", environ)[0] or DEFAULTS["ollama"]
    return _listed("ollama", url, OllamaExecutor(url))


def _openai(environ: Mapping[str, str]) -> Server | None:
    """Return the server at OPENAI_BASE_URL, unless that is OpenAI's own."""
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
    from minitask.routing.route_task import text_models

    return Server(kind, url, text_models(models))
