"""Detect executors on this machine: models of local servers, and installed agent programs with versions."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from minitask.errors import MachineError
from minitask.executors.agents.adapter import VERSION_SECONDS
from minitask.executors.agents.programs import PROGRAMS
from minitask.executors.agents.reading import version
from minitask.executors.ollama import BASE_URL, OllamaExecutor
from minitask.executors.request import ExecutorFailure
from minitask.settings import Settings
from minitask.system import process


class ServedModels(Struct, frozen=True):
    """A model server: where it is, the executor that uses it (empty: none), its models; None: it does not answer."""

    url: str
    executor: str
    models: tuple[str, ...] | None
    problem: str = ""


class InstalledAgent(Struct, frozen=True):
    """An agent program: the type that the config calls it by, where it is, what it says of its version."""

    type: str
    place: str
    version: str


def ollama_servers(settings: Settings | None) -> tuple[ServedModels, ...]:
    """Return what each Ollama of the config serves, and the one at the usual place where the config names none."""
    named = {
        entry.name: entry.base_url or BASE_URL
        for entry in (settings.executors.values() if settings else ())
        if entry.type == "ollama"
    }
    found = tuple(_ask(url, name) for name, url in named.items())
    if named:
        return found
    usual = _ask(BASE_URL, "")
    return (usual,) if usual.models is not None else ()


def agents_installed(environ: Mapping[str, str], folder: Path) -> tuple[InstalledAgent, ...]:
    """Return the agent programs on PATH."""
    found = []
    for kind, program in PROGRAMS.items():
        place = shutil.which(program.program, path=environ.get("PATH", ""))
        if place is not None:
            argv = (place, *program.version_argv[1:])
            found.append(InstalledAgent(kind, place, _version(argv, environ, folder)))
    return tuple(found)


def _ask(url: str, executor: str) -> ServedModels:
    try:
        models = OllamaExecutor(url, name=executor or "ollama").models()
    except ExecutorFailure as failure:
        return ServedModels(url, executor, None, failure.message)
    return ServedModels(url, executor, models)


def _version(argv: tuple[str, ...], environ: Mapping[str, str], folder: Path) -> str:
    try:
        done = process.run(argv, cwd=folder, env=environ, timeout_seconds=VERSION_SECONDS)
    except MachineError:
        return ""
    return version(done.stdout)
