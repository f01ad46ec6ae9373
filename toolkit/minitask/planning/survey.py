"""Settings that a repository's own files suggest: what its workspaces share, its checks, its linters."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from minitask.git.repository import Repository

SHARE, CHECKS, LINT = "workspace.share", "checks", "lint"
RUNNERS = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun run",
    "bun.lockb": "bun run",
}
"""The lock file of each package manager that is not npm, and how it runs a script."""
NO_TEST = "no test specified"
"""Words of the test script that `npm init` writes."""
ESLINT = ("eslint.config.js", "eslint.config.mjs", "eslint.config.cjs", "eslint.config.ts")
LARGEST_BYTES = 1_000_000


class Suggestion(Struct, frozen=True):
    """A setting that a repository's files suggest: its key, one item of its list, and why."""

    key: str
    value: str
    reason: str


def survey(repository: Repository) -> tuple[Suggestion, ...]:
    """Return what a checkout suggests: the folders to share first, then checks, then linters."""
    top = repository.top
    if top is None:
        return ()
    package = _json(top / "package.json")
    found = (
        *_shared(repository, top, package),
        *_node(top, package),
        *_python(top),
        *_compiled(top),
    )
    order = (SHARE, CHECKS, LINT)
    return tuple(sorted(found, key=lambda suggestion: order.index(suggestion.key)))


def missing(repository: Repository) -> Iterator[tuple[str, str]]:
    """Yield what a checkout lacks that validations will need, with the command that brings it."""
    top = repository.top
    if top is None:
        return
    package = _json(top / "package.json")
    if (package.get("dependencies") or package.get("devDependencies")) and not (
        top / "node_modules"
    ).is_dir():
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
            yield Suggestion(SHARE, name, reason)


def _workspaces(top: Path, package: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the folders of the packages of a monorepo."""
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
        yield Suggestion(
            CHECKS, f"{_manager(top)} test", f"package.json runs `{script}` as its test"
        )
    name = next((name for name in ESLINT if (top / name).is_file()), "")
    if name:
        yield Suggestion(LINT, "npx --no-install eslint .", f"there is an {name}")


def _manager(top: Path) -> str:
    return next((run for lock, run in RUNNERS.items() if (top / lock).is_file()), "npm")


def _python(top: Path) -> Iterator[Suggestion]:
    pyproject = _toml(top / "pyproject.toml")
    tools = pyproject.get("tool")
    tables = tools if isinstance(tools, dict) else {}
    own = next((name for name in (".venv", "venv") if (top / name / "bin/python").exists()), "")
    python = f"{own}/bin/python" if own else "python3"
    has_tests = any(top.glob("tests/**/test_*.py")) or any(top.glob("test_*.py"))
    if "pytest" in tables or (top / "pytest.ini").is_file():
        yield Suggestion(CHECKS, f"{python} -m pytest -q", "pytest is configured")
    elif has_tests:
        runner = "pytest -q" if "pytest" in _text(top / "pyproject.toml") else "unittest -q"
        yield Suggestion(CHECKS, f"{python} -m {runner}", "there are test_*.py files")
    if "ruff" in tables or (top / "ruff.toml").is_file():
        program = f"{own}/bin/ruff" if own and (top / own / "bin/ruff").exists() else "ruff"
        yield Suggestion(LINT, f"{program} check .", "ruff is configured")


def _compiled(top: Path) -> Iterator[Suggestion]:
    if (top / "Cargo.toml").is_file():
        yield Suggestion(CHECKS, "cargo test --quiet --offline", "there is a Cargo.toml")
    if (top / "go.mod").is_file():
        yield Suggestion(CHECKS, "go test ./...", "there is a go.mod")


def _submodules(top: Path) -> list[str]:
    lines = _text(top / ".gitmodules").splitlines()
    pairs = (line.partition("=") for line in lines)
    return [path.strip() for key, _, path in pairs if key.strip() == "path"]


def _json(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(_text(path) or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError:
        return {}


def _text(path: Path) -> str:
    """Return a file's text; "" where there is none, or one that no person wrote."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return ""
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
