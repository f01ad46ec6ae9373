"""Folders of the user that tools expect below HOME: version managers and fetched packages.

Commands have another home, so each folder is passed in its tool's variable, and is read-only. Excluded are folders that
hold a key, and settings files that set one.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from glob import escape, glob
from pathlib import Path

from msgspec import Struct, field

from minitask.patterns import lazy_pattern
from minitask.sandbox.policy import SandboxPolicy, lies_in

# This runs before every session, and strings are several times faster.
# ruff: noqa: PTH110, PTH113, PTH119, PTH120, PTH123, PTH207

VERSION_MANAGERS = {
    "RUSTUP_HOME": ".rustup",
    "PYENV_ROOT": ".pyenv",
    "RBENV_ROOT": ".rbenv",
    "NODENV_ROOT": ".nodenv",
    "NVM_DIR": ".nvm",
    "VOLTA_HOME": ".volta",
    "ASDF_DIR": ".asdf",
    "ASDF_DATA_DIR": ".asdf",
    "MISE_DATA_DIR": ".local/share/mise",
    "MISE_GLOBAL_CONFIG_FILE": ".config/mise/config.toml",
    "SDKMAN_DIR": ".sdkman",
    "BUN_INSTALL": ".bun",
    "DOTNET_ROOT": "",
    "JAVA_HOME": "",
    "GOROOT": "",
}
"""Variables of version managers, and their default folders below HOME."""
NEEDED_BY = {"RUSTUP_HOME": ".cargo/bin", "MISE_GLOBAL_CONFIG_FILE": ".local/share/mise"}
"""Folders on `PATH` that show that a manager is in use, if not its own folder."""
_KEY = lazy_pattern(
    r"""(?:token|secret|passw|key)[\w-]*["']?\s*=\s*["'{]|https?://[^/\s"']+@""", re.IGNORECASE
)
"""Text of a settings file that sets a key, or has a URL with a password."""
UV_KEEPS = {"UV_NO_SYNC": "1"}
"""A shared environment is tested as it is: uv would reinstall the project over the network."""


class PackageCache(Struct, frozen=True):
    """A tool's package cache: its variable, its default folder below HOME, and the parts (or patterns) to show.

    `offline`: variables for commands without network, so that the tool reports what is missing instead of trying.
    """

    variable: str
    folder: str
    parts: tuple[str, ...] = ("",)
    offline: Mapping[str, str] = field(default_factory=dict)


CACHES = (
    PackageCache(
        "CARGO_HOME",
        ".cargo",
        ("registry", "git", "config.toml", "config"),
        {"CARGO_NET_OFFLINE": "true"},
    ),
    PackageCache("GOMODCACHE", "go/pkg/mod", offline={"GOPROXY": "off", "GOTOOLCHAIN": "local"}),
    PackageCache("GRADLE_RO_DEP_CACHE", ".gradle/caches", ("modules-2",)),
    PackageCache("NUGET_FALLBACK_PACKAGES", ".nuget/packages"),
    PackageCache("", ".m2/repository"),
    PackageCache("PYTHONUSERBASE", ".local", ("lib/python3*/site-packages",)),
)
"""Maven finds the home itself. npm, pip and uv write to their caches, so share their installed packages instead."""
MARKS = ("pyvenv.cfg", "conda-meta")
CONDA_ROOTS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".conda")
ENVIRONMENT_FILES = ("environment.yml", "environment.yaml")
_NAME = lazy_pattern(r"^name:\s*[\"']?([\w.-]+)", re.MULTILINE)
_MINOR = r"\[{}\]\s*minor\s*=\s*\"([\d.]+)\""
"""Poetry's note of the Python version chosen by `poetry env use`."""
LOOKED_SECONDS = 1.0
"""Seconds for which results are cached: a run starts many sessions a second."""


class UserFolders(Struct, frozen=True):
    """Readable folders and files, the variables that name them, and Python environments by variable."""

    roots: tuple[str, ...]
    env: Mapping[str, str]
    environments: Mapping[str, str] = {}


def user_folders(room: SandboxPolicy, checkout: Path | None = None) -> UserFolders:
    """Return the folders for a session on a checkout, excluding the home and anything above it."""
    return _look(
        room.workspace,
        tuple(room.environ.items()),
        checkout=checkout,
        has_venv=(room.workspace / ".venv").is_dir(),
        has_network=bool(room.network or room.listeners),
        moment=int(time.monotonic() / LOOKED_SECONDS),
    )


@lru_cache(maxsize=64)
def _look(
    workspace: Path,
    environ: tuple[tuple[str, str], ...],
    *,
    checkout: Path | None,
    has_venv: bool,
    has_network: bool,
    moment: int,  # noqa: ARG001 - expires the cache
) -> UserFolders:
    room = SandboxPolicy(workspace, dict(environ))
    roots: list[str] = []
    env: dict[str, str] = {}
    for variable, folder in _managers(room):
        roots.append(folder)
        env[variable] = folder
    for cache in CACHES:
        folder = room.environ.get(cache.variable) or f"{room.home}/{cache.folder}"
        parts = [path for part in cache.parts for path in _matching(folder, part)]
        present = [part for part in parts if _may_show(part, room.home)]
        if present:
            roots += present
            env |= {cache.variable: folder} if cache.variable else {}
            env |= {} if has_network else cache.offline
    environments = _environments(str(checkout), room, has_venv=has_venv) if checkout else {}
    if has_venv or "UV_PROJECT_ENVIRONMENT" in environments:
        env |= UV_KEEPS
    return UserFolders(tuple(roots), env, environments)


def _matching(folder: str, part: str) -> list[str]:
    """Return the paths of a part of a folder, which may be a pattern."""
    if "*" in part:
        return sorted(glob(f"{escape(folder)}/{part}"))
    return [f"{folder}/{part}".rstrip("/")]


def _managers(room: SandboxPolicy) -> Iterator[tuple[str, str]]:
    """Yield the version managers in use: set in their variable, or on the `PATH`."""
    entries = f":{room.path}:".replace(":", "/:")
    for variable, name in VERSION_MANAGERS.items():
        folder = room.environ.get(variable, "")
        if not folder and name and f":{room.home}/{NEEDED_BY.get(variable, name)}/" in entries:
            folder = f"{room.home}/{name}"
        if folder and _may_show(folder, room.home):
            yield variable, folder


def _may_show(path: str, home: str) -> bool:
    is_apart = path.startswith("/") and not lies_in(home or "/", [path])
    return is_apart and os.path.exists(path) and not _holds_key(path)


def _holds_key(path: str) -> bool:
    """Return True for a file that sets a key, or is unreadable."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return _KEY.search(stream.read()) is not None
    except OSError:
        return True


def _environments(checkout: str, room: SandboxPolicy, *, has_venv: bool) -> dict[str, str]:
    """Return the environments outside a checkout that its commands use, by variable.

    Activated or configured ones come first; the workspace's `.venv` precedes detected ones.
    """
    home, environ = room.home, room.environ
    virtual = [environ.get("VIRTUAL_ENV", "")]
    if not has_venv:
        virtual += _of_poetry(checkout, home, environ)
        virtual += _of_pipenv(checkout, home, environ)
    named = {
        "VIRTUAL_ENV": virtual,
        "UV_PROJECT_ENVIRONMENT": [environ.get("UV_PROJECT_ENVIRONMENT", "")],
        "CONDA_PREFIX": _of_conda(checkout, home, environ),
    }
    environments = {}
    for variable, folders in named.items():
        apart = (path.rstrip("/") for path in folders if _may_be_read(path, checkout, home))
        if folder := next(apart, ""):
            environments[variable] = folder
    return environments


def _may_be_read(folder: str, checkout: str, home: str) -> bool:
    """Return True for an environment that is outside the checkout and does not contain the home."""
    is_apart = folder.startswith("/") and not lies_in(folder, [checkout])
    if not is_apart or (home and lies_in(home, [folder])):
        return False
    return any(os.path.exists(f"{folder}/{mark}") for mark in MARKS)


def _of_poetry(checkout: str, home: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield poetry's environments of a checkout: the chosen one, then the newest first."""
    cache = environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    caches = [environ.get("POETRY_CACHE_DIR") or f"{cache}/pypoetry"]
    caches += [f"{home}/Library/Caches/pypoetry"]
    digest = hashlib.sha256(os.fsencode(os.path.realpath(checkout))).digest()
    key = base64.urlsafe_b64encode(digest).decode()[:8]
    above = [
        environ.get("POETRY_VIRTUALENVS_PATH", ""),
        *(f"{path}/virtualenvs" for path in caches),
    ]
    for folder in filter(None, above):
        present = glob(f"{escape(folder)}/*-{escape(key)}-py*")
        present.sort(key=os.path.getmtime, reverse=True)
        notes = _read(f"{folder}/envs.toml")
        for path in present:
            base, _, minor = os.path.basename(path).rpartition("-py")
            chosen = re.search(_MINOR.format(re.escape(base)), notes)
            if chosen and chosen[1] == minor:
                yield path
        yield from present


def _of_pipenv(checkout: str, home: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the environments whose `.project` file names the checkout, as with pipenv and virtualenvwrapper."""
    data = environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    for folder in (environ.get("WORKON_HOME", ""), f"{data}/virtualenvs", f"{home}/.virtualenvs"):
        for note in glob(f"{escape(folder)}/*/.project") if folder else ():
            owner = _read(note).strip()
            if owner and os.path.realpath(owner) == os.path.realpath(checkout):
                yield os.path.dirname(note)


def _of_conda(checkout: str, home: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the environment named by the checkout's file, then the active one unless it is conda's base."""
    roots = [os.path.dirname(os.path.dirname(environ.get("CONDA_EXE", "")))]
    roots += [environ.get("MAMBA_ROOT_PREFIX", ""), *(f"{home}/{name}" for name in CONDA_ROOTS)]
    for file in ENVIRONMENT_FILES:
        if name := _NAME.search(_read(f"{checkout}/{file}")):
            yield from (f"{root}/envs/{name[1]}" for root in roots if root)
    if environ.get("CONDA_DEFAULT_ENV") != "base":
        yield environ.get("CONDA_PREFIX", "")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(1 << 16)
    except OSError:
        return ""
