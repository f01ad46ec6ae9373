"""How an extra is added to minitask, wherever it was installed from."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from minitask.installed import install_command

PIP = f"{sys.executable} -m pip install "
CLONE = {"url": "file:///home/a/my%20clone", "dir_info": {}}
EDITABLE = {"url": "file:///src/clone", "dir_info": {"editable": True}}
GIT = {"url": "https://host/a.git", "vcs_info": {"vcs": "git", "requested_revision": "v1"}}
WHEEL = {"url": "file:///tmp/minitask-1-py3-none-any.whl", "archive_info": {}}


@pytest.mark.parametrize(
    ("origin", "installer", "left", "command"),
    [
        (None, "pip", "", f"{PIP}'minitask[mcp]'"),
        (EDITABLE, "pip", "", f"{PIP}-e '/src/clone[mcp]'"),
        (CLONE, "pip", "pipx_metadata.json", "pipx install --force '/home/a/my clone[mcp]'"),
        (CLONE, "uv", "uv-receipt.toml", "uv tool install '/home/a/my clone[mcp]'"),
        (GIT, "uv", "uv-receipt.toml", "uv tool install 'minitask[mcp] @ git+https://host/a.git@v1'"),
        (WHEEL, "uv", "", f"uv pip install --python {sys.executable} 'minitask[mcp] @ {WHEEL['url']}'"),
    ],
)  # fmt: skip
def test_an_extra_is_added_from_where_minitask_came_from(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    origin: dict[str, object] | None,
    installer: str,
    left: str,
    command: str,
) -> None:
    package = tmp_path / "minitask-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Name: minitask\nVersion: 1\n")
    (package / "INSTALLER").write_text(f"{installer}\n")
    if origin:
        (package / "direct_url.json").write_text(json.dumps(origin))
    if left:
        (tmp_path / left).touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert install_command("mcp", tmp_path) == command
