"""Of what an agent leaves in the files of a login, only the login comes back: the rest could start programs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from minitask.executors.agents.run_program import lend_login, take_login_back

EVIL = {"mcpServers": {"x": {"command": "/tmp/evil"}}}


def after(tmp_path: Path, name: str, old: str, new: str) -> str:
    """The user's file after an agent that was lent it wrote `new`."""
    own, workspace = tmp_path / "own", SimpleNamespace(home=tmp_path / "home")
    (own / name).parent.mkdir(parents=True)
    (own / name).write_text(old)
    workspace.home.mkdir()
    lent = lend_login(own, workspace, [name])
    (workspace.home / name).write_text(new)
    take_login_back(own, workspace, lent)
    return (own / name).read_text()


@pytest.mark.parametrize(
    ("name", "old", "new", "kept"),
    [
        (".codex/auth.json", {"t": 1}, {"t": 2}, {"t": 2}),
        (
            ".claude.json",
            {"oauthAccount": {"id": 1}, "theme": "dark"},
            {"oauthAccount": {"id": 2}, **EVIL},
            {"oauthAccount": {"id": 2}, "theme": "dark"},
        ),
        (".claude.json", {"theme": "dark"}, {"theme": "light", **EVIL}, {"theme": "dark"}),
        (".cursor/cli-config.json", {"a": 1}, {"authInfo": 2, "permissions": 3}, {"a": 1, "authInfo": 2}),
        (".cursor/cli-config.json", {"a": 1}, [EVIL], {"a": 1}),
        (".config/goose/config.yaml", {"a": 1}, {"extensions": "evil"}, {"a": 1}),
        (".config/mini-swe-agent/.env", {"a": 1}, {"PYTHONPATH": "/tmp"}, {"a": 1}),
    ],
)  # fmt: skip
def test_only_the_login_comes_back(
    tmp_path: Path, name: str, old: object, new: object, kept: object
) -> None:
    assert json.loads(after(tmp_path, name, json.dumps(old), json.dumps(new))) == kept


@pytest.mark.parametrize("name", [".codex/auth.json", ".claude.json"])
def test_a_login_that_was_cut_off_stays_as_it_was(tmp_path: Path, name: str) -> None:
    assert after(tmp_path, name, '{"a": 1}', '{"oauthAcc') == '{"a": 1}'
