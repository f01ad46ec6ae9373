"""The tests themselves: nothing of this machine reaches them, and they reach nothing of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import conftest
from world import World


def test_the_global_git_config_is_the_tests_own(world: World, home: Path) -> None:
    world.git("config", "--global", "test.mark", "here")
    assert "here" in (home / ".gitconfig").read_text()
    origins = world.git("config", "--list", "--show-origin", "--name-only").splitlines()
    files = {line.split("\t")[0].removeprefix("file:") for line in origins}
    assert files == {str(home / ".gitconfig"), ".git/config"}
    assert not home.is_relative_to(conftest.REAL_HOME / ".config")


def test_no_key_date_or_proxy_is_inherited() -> None:
    names = ("ANTHROPIC_API_KEY", "GIT_AUTHOR_DATE", "https_proxy", "GIT_DIR", "MINITASK_TARGET")
    assert all(conftest.is_foreign(name) for name in names)
    assert not conftest.is_foreign("PATH")
    allowed = {"GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "NO_PROXY", "LC_ALL", "XDG_CONFIG_HOME"}
    assert {name for name in os.environ if conftest.is_foreign(name)} == allowed


def test_a_change_of_the_real_git_config_is_seen(tmp_path: Path) -> None:
    before = conftest.real_git_config(tmp_path, {})
    (tmp_path / ".gitconfig").write_text("[user]\n")
    assert conftest.real_git_config(tmp_path, {}) != before


def test_the_real_home_is_refused_as_a_tests_home(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.exit.Exception, match="real home"):
        conftest.move_home(conftest.REAL_HOME, monkeypatch)
