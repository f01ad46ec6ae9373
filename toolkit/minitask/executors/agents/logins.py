"""Whether an agent program is logged in, from the files and variables that it reads its login from; starts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from minitask.executors.agents.adapter import AgentProgram
from minitask.executors.agents.setups import find_setup
from minitask.patterns import lazy_pattern

MARKS: Mapping[str, str] = {
    ".claude.json": "oauthAccount|primaryApiKey",
    ".codex/auth.json": r'access_token|"OPENAI_API_KEY": *"',
    ".config/goose/config.yaml": "GOOSE_PROVIDER",
    ".cursor/cli-config.json": "authInfo",
}
"""What a file holds once there is a login; any other file of a login is there only then."""
SECRETS = ("_KEY", "_TOKEN")
PROBES: Mapping[str, tuple[str, ...]] = {
    "claude": ("auth", "status"),
    "codex": ("login", "status"),
}
"""Arguments with which a program says whether it is logged in, without asking a model."""
_LOGIN = lazy_pattern(r"^logged in|\"loggedIn\": *true", re.IGNORECASE | re.MULTILINE)
_NO_LOGIN = lazy_pattern(r"not logged in|\"loggedIn\": *false", re.IGNORECASE)


_SETS_LOGIN = lazy_pattern(r"key|token|provider|auth", re.IGNORECASE)


def has_login(program: AgentProgram, environ: Mapping[str, str]) -> bool:
    """Return True if a login or a key is where the program looks for one."""
    home = Path(environ.get("HOME", "/nonexistent"))
    if any(map(_SETS_LOGIN.search, find_setup(program.name, home).brought)):
        return True
    return has_key(program, environ) or any(
        _holds_login(home / name, MARKS.get(name, ".")) for name in program.credentials
    )


def has_key(program: AgentProgram, environ: Mapping[str, str]) -> bool:
    """Return True if a key is in a variable that the program reads."""
    return any(environ.get(name) for name in program.variables if name.endswith(SECRETS))


def tells_login(printed: str) -> bool | None:
    """Return whether a program says that it is logged in; None if it says nothing of that."""
    if _NO_LOGIN.search(printed):
        return False
    return True if _LOGIN.search(printed) else None


def _holds_login(path: Path, mark: str) -> bool:
    try:
        return re.search(mark, path.read_text("utf-8", "replace")) is not None
    except OSError:
        return False
