"""Every test has a home of its own: no file, key, proxy or date of this machine reaches it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from world import World

REAL_HOME = Path.home()
FOREIGN = ("GIT_", "MINITASK_", "LC_", "XDG_")
"""Prefixes of variables that a test must not inherit."""
FOREIGN_ENDS = ("_KEY", "_TOKEN", "_PROXY")
FOREIGN_NAMES = (
    *("LANG", "LANGUAGE", "EMAIL", "EDITOR", "VISUAL", "PAGER"),
    *("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "OLLAMA_HOST"),
    "PYTHONDONTWRITEBYTECODE",  # each start of the program would compile all of its files again
)
GIT_CONFIG = """\
[user]
    name = Una User
    email = una@example.com
[init]
    defaultBranch = main
[advice]
    detachedHead = false
"""


def is_foreign(name: str) -> bool:
    """Whether a variable could carry a setting or a secret of this machine into a test."""
    upper = name.upper()
    return upper in FOREIGN_NAMES or upper.startswith(FOREIGN) or upper.endswith(FOREIGN_ENDS)


def real_git_config(home: Path, environ: Mapping[str, str]) -> dict[Path, bytes | None]:
    """The git configuration of whoever runs the tests, by file; None where there is none."""
    folder = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    paths = [home / ".gitconfig", folder / "git" / "config", folder / "minitask" / "config.yaml"]
    if "GIT_CONFIG_GLOBAL" in environ:
        paths.append(Path(environ["GIT_CONFIG_GLOBAL"]))
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


def move_home(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Make `folder` the home, with nothing in it but who commits."""
    if folder == REAL_HOME or folder in REAL_HOME.parents:
        pytest.exit(f"the tests would work in the real home: {folder}", returncode=1)
    for name in filter(is_foreign, list(os.environ)):
        patch.delenv(name)
    (folder / ".gitconfig").write_text(GIT_CONFIG)
    patch.setenv("HOME", str(folder))
    patch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    patch.setenv("GIT_CONFIG_GLOBAL", str(folder / ".gitconfig"))
    patch.setenv("NO_PROXY", "*")
    patch.setenv("LC_ALL", "C.UTF-8")
    patch.setenv("TZ", "UTC")


@pytest.fixture(scope="session", autouse=True)
def real_home_stays_untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home for what is set up once a session; fail where the real one was touched all the same."""
    environ = dict(os.environ)
    before = real_git_config(REAL_HOME, environ)
    with pytest.MonkeyPatch.context() as patch:
        move_home(tmp_path_factory.mktemp("session-home"), patch)
        yield
    after = real_git_config(REAL_HOME, environ)
    touched = [str(path) for path in before if before[path] != after[path]]
    assert not touched, f"the tests changed the real home: {', '.join(touched)}"


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own home."""
    folder = tmp_path_factory.mktemp("home")
    move_home(folder, monkeypatch)
    return folder


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A repository on branch `main` with one commit, which holds `a.txt`."""
    world = World(tmp_path / "repository")
    world.init()
    world.commit({"a.txt": "one\n"}, message="base")
    return world
