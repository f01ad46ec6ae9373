"""Files that ship with the toolkit: schemas, templates, worked examples, pages of rules.

They are at the top of a checkout or inside the wheel; only this module needs to know which.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from minitask.errors import MachineError, UsageError

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT = {
    "schemas": "schemas",
    "templates": "templates",
    "mini-projects": "mini-projects",
    "rules": "docs/rules",
}


def path(kind: str, name: str = "") -> Path:
    """Return the path of the file or folder `name` of a kind; without a name, of the kind's folder.

    Raise `UsageError` for a name that leaves the folder or does not exist, `MachineError` if the installation is
    broken.
    """
    folder = _folder(kind)
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise UsageError(f"{kind} has no {name!r}", hint="give the bare name of a file there")
    file = folder / relative
    if not file.exists():
        raise UsageError(f"{kind} has no {name!r}", hint=f"it has: {', '.join(_names(folder))}")
    return file


@cache
def schema(name: str) -> dict[str, Any]:
    """Return the JSON schema `name` (`spec`, `config`, `record`): a shared value, not to be modified."""
    text = path("schemas", f"{name}.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _folder(kind: str) -> Path:
    if kind not in _IN_CHECKOUT:
        raise UsageError(f"no resources of kind {kind!r}", hint=f"use {', '.join(_IN_CHECKOUT)}")
    for folder in (_PACKAGE / "_data" / kind, _PACKAGE.parents[1] / _IN_CHECKOUT[kind]):
        if folder.is_dir():
            return folder
    raise MachineError(f"the toolkit's {kind} are missing", hint="install minitask again")


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
