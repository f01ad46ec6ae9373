"""The command that adds an extra to minitask, by its installer and its source (clone, git URL, wheel or registry)."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

NAME = "minitask"


def install_command(extra: str, environment: Path | None = None) -> str:
    """Return the command that installs minitask with an extra, by default in the running environment."""
    try:
        package = distribution(NAME)
    except PackageNotFoundError:
        return f"pip install '{NAME}[{extra}]'"
    folder = environment or Path(sys.prefix)
    return shlex.join((*_installer(package, folder), *_source(package, extra)))


def _installer(package: Distribution, environment: Path) -> tuple[str, ...]:
    """Return the command of the installer that made the environment, detected by its metadata files."""
    if (environment / "uv-receipt.toml").exists():
        return "uv", "tool", "install"
    if (environment / "pipx_metadata.json").exists():
        return "pipx", "install", "--force"
    if (package.read_text("INSTALLER") or "").strip() == "uv":
        return "uv", "pip", "install", "--python", sys.executable
    return sys.executable, "-m", "pip", "install"


def _source(package: Distribution, extra: str) -> tuple[str, ...]:
    """Return the requirement with the extra, from the source in `direct_url.json` (PEP 610)."""
    try:
        origin: dict[str, Any] = json.loads(package.read_text("direct_url.json") or "{}")
    except ValueError:
        origin = {}
    url = str(origin.get("url") or "")
    folder, commit = origin.get("dir_info"), origin.get("vcs_info")
    if url.startswith("file:") and isinstance(folder, dict):
        path = f"{unquote(urlsplit(url).path)}[{extra}]"
        return ("-e", path) if folder.get("editable") else (path,)
    if isinstance(commit, dict):
        revision = commit.get("requested_revision")
        url = f"{commit.get('vcs', 'git')}+{url}{f'@{revision}' if revision else ''}"
    return (f"{NAME}[{extra}] @ {url}" if url else f"{NAME}[{extra}]",)
