"""A Python environment outside the repository tests the commit, and stays byte for byte what it was."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from world import STRENGTHS, World, in_strength, run, write_program

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
TOOL = """\
#!/bin/sh
exec "${VIRTUAL_ENV:-$CONDA_PREFIX}/bin/python" "$@"
"""
"""Starts the environment's Python as `poetry run python` does: by the variable that names the environment."""


def of_poetry(world: World, home: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(os.path.realpath(world.root))).digest()
    key = base64.urlsafe_b64encode(digest).decode()[:8]
    above = home / ".cache/pypoetry/virtualenvs"
    older = above / f"shop-{key}-py3.8"
    (older / "bin").mkdir(parents=True)
    (older / "pyvenv.cfg").touch()
    (above / "envs.toml").write_text(f'[shop-{key}]\nminor = "{VERSION}"\npatch = "{VERSION}.1"\n')
    return above / f"shop-{key}-py{VERSION}"


def of_pipenv(world: World, home: Path) -> Path:
    folder = home / ".local/share/virtualenvs/shop-abc"
    folder.mkdir(parents=True)
    (folder / ".project").write_text(str(world.root))
    return folder


def of_conda(world: World, home: Path) -> Path:
    world.commit({"environment.yml": "name: shop\ndependencies: [python]\n"})
    folder = home / "miniforge3/envs/shop"
    (folder / "conda-meta").mkdir(parents=True)
    return folder


def of_uv(world: World, home: Path) -> Path:
    return home / "environments/shop"


PLACES: dict[str, tuple[Callable[[World, Path], Path], str]] = {
    "poetry": (of_poetry, "tool"),
    "pipenv": (of_pipenv, "tool"),
    "conda": (of_conda, "tool"),
    "uv": (of_uv, '"$UV_PROJECT_ENVIRONMENT/bin/python"'),
}


def state(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_mtime_ns, status.st_size)
    return found


def assert_it_tests_the_commit(world: World, python: str, env: Mapping[str, str]) -> None:
    validation = f"{python} -c 'import shop; assert shop.RATE == 2, shop.RATE'"
    for name, rate, verdict in (("wrong", 3, "failed"), ("right", 2, "merged")):
        whole = {"src/shop.py": f"RATE = {rate}\n"}
        world.task(f"p/{name}", whole=whole, validation=validation)
        outcome = world.exec(f"p/{name}", env=env)
        assert outcome.json["verdict"] == verdict, outcome.text


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("manager", PLACES)
def test_an_environment_elsewhere_tests_the_commit(
    world: World, home: Path, manager: str, strength: str
) -> None:
    if manager != "poetry" and strength == "none":
        pytest.skip("covered by poetry's: nothing is hidden there")
    place, start = PLACES[manager]
    folder = place(world, home)
    venv.create(folder, symlinks=True)
    packages = folder / f"lib/python{VERSION}/site-packages"
    (packages / "shop.pth").write_text(f"{world.root}/src\n")
    (home / "bin").mkdir()
    write_program(home / "bin/tool", TOOL)
    world.commit({"src/shop.py": "RATE = 1\n"})
    before = state(folder)
    env = in_strength(world, strength, grade="off")
    env["PATH"] = f"{home}/bin{os.pathsep}{env.get('PATH', os.environ['PATH'])}"
    env |= {"UV_PROJECT_ENVIRONMENT": str(folder)} if manager == "uv" else {}
    assert_it_tests_the_commit(world, start, env)
    assert state(folder) == before


def manager_program(name: str, folder: Path) -> Path:
    """A package manager from its registry."""
    venv.create(folder, with_pip=True, symlinks=True)
    subprocess.run((folder / "bin/pip", "install", "-q", name), check=True, timeout=600)
    return folder / "bin" / name


@pytest.fixture(scope="session")
def poetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manager_program("poetry", tmp_path_factory.mktemp("tools"))


@pytest.fixture(scope="session")
def uv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manager_program("uv", tmp_path_factory.mktemp("tools"))


@pytest.mark.live
@pytest.mark.parametrize("strength", STRENGTHS)
def test_poetry_itself_tests_the_commit(
    world: World, home: Path, poetry: Path, strength: str
) -> None:
    (home / ".local/bin").mkdir(parents=True)
    (home / ".local/bin/poetry").symlink_to(poetry)
    project = (
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
        '[tool.poetry]\npackages = [{include = "shop.py", from = "src"}]\n'
        '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
    )
    world.commit({"pyproject.toml": project, "src/shop.py": "RATE = 1\n"})
    run((f"{home}/.local/bin/poetry", "install", "-n"), cwd=world.root)
    folder = home / ".cache/pypoetry/virtualenvs"
    before = state(folder)
    env = in_strength(world, strength, grade="off")
    env["PATH"] = f"{home}/.local/bin{os.pathsep}{env.get('PATH', os.environ['PATH'])}"
    assert_it_tests_the_commit(world, "poetry run python", env)
    assert state(folder) == before


@pytest.mark.live
@pytest.mark.parametrize("inside", [True, False], ids=["inside", "outside"])
@pytest.mark.parametrize("options", ["", " --no-sync"], ids=["synced", "as-it-is"])
@pytest.mark.parametrize("strength", STRENGTHS)
def test_uv_itself_tests_the_commit(
    world: World, home: Path, uv: Path, strength: str, options: str, inside: bool
) -> None:
    (home / ".local/bin").mkdir(parents=True)
    (home / ".local/bin/uv").symlink_to(uv)
    project = (
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    )
    files = {"pyproject.toml": project, "src/shop/__init__.py": "RATE = 1\n"}
    world.commit({**files, ".gitignore": ".venv\n"})
    place = {} if inside else {"UV_PROJECT_ENVIRONMENT": str(home / "environments/shop")}
    run((f"{home}/.local/bin/uv", "sync"), cwd=world.root, env=place)
    world.git("add", "uv.lock")
    world.git("commit", "-qm", "lock")
    folder = world.root / ".venv" if inside else home / "environments/shop"
    before, cache = state(folder), state(home / ".cache/uv")
    env = in_strength(
        world, strength, grade="off", workspace={"share": [".venv"]} if inside else {}
    )
    env["PATH"] = f"{home}/.local/bin{os.pathsep}{env.get('PATH', os.environ['PATH'])}"
    validation = f"uv run{options} python -c 'import shop; assert shop.RATE == 2, shop.RATE'"
    for name, rate, verdict in (("wrong", 3, "failed"), ("right", 2, "merged")):
        whole = {"src/shop/__init__.py": f"RATE = {rate}\n"}
        world.task(f"p/{name}", whole=whole, validation=validation)
        outcome = world.exec(f"p/{name}", env=env | place)
        assert outcome.json["verdict"] == verdict, outcome.text
    assert state(folder) == before
    assert state(home / ".cache/uv") == cache
