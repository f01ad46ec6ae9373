"""Whether an agent program is logged in, from the files and variables that it reads its login from; starts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from minitask.executors.agents.adapter import AgentProgram

MARKS: Mapping[str, str] = {
    ".claude.json": "oauthAccount|primaryApiKey",
    ".codex/auth.json": r'access_token|"OPENAI_API_KEY": *"',
    ".config/goose/config.yaml": "GOOSE_PROVIDER",
    ".cursor/cli-config.json": "authInfo",
}
"""What a file holds once there is a login; any other file of a login is there only then."""
SECRETS = ("_KEY", "_TOKEN")


def has_login(program: AgentProgram, environ: Mapping[str, str]) -> bool:
    """Return True if a login or a key is where the program looks for one."""
    keys = (name for name in program.variables if name.endswith(SECRETS))
    home = Path(environ.get("HOME", "/nonexistent"))
    return any(map(environ.get, keys)) or any(
        _holds_login(home / name, MARKS.get(name, ".")) for name in program.credentials
    )


def _holds_login(path: Path, mark: str) -> bool:
    try:
        return re.search(mark, path.read_text("utf-8", "replace")) is not None
    except OSError:
        return False
