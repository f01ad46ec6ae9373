"""The Python environment that belongs to a checkout and lies outside it: of poetry, pipenv, uv, conda, or activated.

Poetry names an environment after a hash of the project's path, which is another in a workspace; the others keep a note,
a name or a variable. So the environment is found for the checkout, and named to the tools by the variables they know.
"""

# This runs before every session, and strings are several times faster.
# ruff: noqa: PTH110, PTH119, PTH120, PTH123, PTH207

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from glob import escape, glob
from pathlib import Path

from minitask.patterns import lazy_pattern
from minitask.sandbox.policy import SandboxPolicy, lies_in

MARKS = ("pyvenv.cfg", "conda-meta")
CONDA_ROOTS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".conda")
ENVIRONMENT_FILES = ("environment.yml", "environment.yaml")
_NAME = lazy_pattern(r"^name:\s*[\"']?([\w.-]+)", re.MULTILINE)
_MINOR = r"\[{}\]\s*minor\s*=\s*\"([\d.]+)\""
"""What poetry notes of the Python that `poetry env use` chose for an environment."""


def find_environments(place: Path | None, room: SandboxPolicy) -> dict[str, str]:
    """Return the environments outside a checkout that its commands use, by the variables that tell tools of them.

    One that the user has activated or named comes first; the workspace's own `.venv` before one that was looked for.
    """
    if place is None:
        return {}
    checkout, home, environ = str(place), room.home, room.environ
    virtual = [environ.get("VIRTUAL_ENV", "")]
    if not (room.workspace / ".venv").is_dir():
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
    """Return True for an environment that is neither in the checkout nor holds the home."""
    is_apart = folder.startswith("/") and not lies_in(folder, [checkout])
    if not is_apart or (home and lies_in(home, [folder])):
        return False
    return any(os.path.exists(f"{folder}/{mark}") for mark in MARKS)


def _of_poetry(checkout: str, home: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield poetry's environments of a checkout: the one that it was told to use, else the newest first."""
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
    """Yield the environments that say whose they are, as those of pipenv and virtualenvwrapper do."""
    data = environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    for folder in (environ.get("WORKON_HOME", ""), f"{data}/virtualenvs", f"{home}/.virtualenvs"):
        for note in glob(f"{escape(folder)}/*/.project") if folder else ():
            owner = _read(note).strip()
            if owner and os.path.realpath(owner) == os.path.realpath(checkout):
                yield os.path.dirname(note)


def _of_conda(checkout: str, home: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the environment that the checkout's file names, then the active one if it is not conda's own."""
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
