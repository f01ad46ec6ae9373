"""Folders of the user's that tools expect below HOME: version managers, and packages that were fetched before.

A command has a home of its own, so each is named by the variable that its tool knows. All can only be read. No folder
that holds a key is among them, and no settings file in which a key is set.
"""

# This runs before every session, and strings are several times faster.
# ruff: noqa: PTH110, PTH113, PTH123

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from minitask.patterns import lazy_pattern
from minitask.sandbox.policy import SandboxPolicy, lies_in

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
"""The variable of each, and its folder below HOME where the variable is not set."""
NEEDED_BY = {"RUSTUP_HOME": ".cargo/bin", "MISE_GLOBAL_CONFIG_FILE": ".local/share/mise"}
"""What a PATH leads to where that is not the folder itself."""
_KEY = lazy_pattern(
    r"""(?:token|secret|passw|key)[\w-]*["']?\s*=\s*["'{]|https?://[^/\s"']+@""", re.IGNORECASE
)
"""What a settings file holds that sets a key, or an address with a password in it."""
UV_KEEPS = {"UV_NO_SYNC": "1"}
"""An environment that was shared is tested as it is: uv would install the project anew, over the network."""


class PackageCache(Struct, frozen=True):
    """Packages that a tool has fetched: its variable, the folder below HOME, and the parts that are shown of it.

    `offline` are variables for commands without network: the tool then says what is missing, instead of trying.
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
)
"""Maven finds the user's home by itself. npm, pip and uv write to their caches: what they installed can be shared."""


class UserFolders(Struct, frozen=True):
    """Folders and files that can be read, and the variables that name them."""

    roots: tuple[str, ...]
    env: Mapping[str, str]


def user_folders(room: SandboxPolicy) -> UserFolders:
    """Return what there is for a session; nothing that is the home, or above it."""
    roots: list[str] = []
    env: dict[str, str] = {}
    for variable, folder in _managers(room):
        roots.append(folder)
        env[variable] = folder
    for cache in CACHES:
        folder = room.environ.get(cache.variable) or f"{room.home}/{cache.folder}"
        parts = [f"{folder}/{part}".rstrip("/") for part in cache.parts]
        present = [part for part in parts if _may_show(part, room.home)]
        if present:
            roots += present
            env |= {cache.variable: folder} if cache.variable else {}
            env |= {} if room.network or room.listeners else cache.offline
    if (room.workspace / ".venv").is_dir():
        env |= UV_KEEPS
    return UserFolders(tuple(roots), env)


def _managers(room: SandboxPolicy) -> Iterator[tuple[str, str]]:
    """Yield the version managers in use: named by their variable, or on the PATH."""
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
    """Return True for a file in which a key is set, or that cannot be read."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return _KEY.search(stream.read()) is not None
    except OSError:
        return True
