"""The agent programs by type: one line each; `command` is made from what the config says to start."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from minitask.errors import EditError
from minitask.executors.agents.adapter import AgentProgram
from minitask.executors.agents.aider import AiderProgram
from minitask.executors.agents.claude import ClaudeProgram
from minitask.executors.agents.codex import CodexProgram
from minitask.executors.agents.command import CommandProgram
from minitask.executors.agents.cursor import CursorProgram
from minitask.executors.agents.gemini import GeminiProgram
from minitask.executors.agents.goose import GooseProgram
from minitask.executors.agents.mini import MiniProgram
from minitask.executors.agents.opencode import OpencodeProgram
from minitask.executors.agents.qwen import QwenProgram
from minitask.settings import ExecutorSetting

if TYPE_CHECKING:
    from minitask.workspace.agent_workspace import AgentWorkspace

PROGRAMS: Mapping[str, AgentProgram] = {
    "codex": CodexProgram(),
    "claude": ClaudeProgram(),
    "aider": AiderProgram(),
    "opencode": OpencodeProgram(),
    "gemini": GeminiProgram(),
    "qwen": QwenProgram(),
    "goose": GooseProgram(),
    "mini": MiniProgram(),
    "cursor-agent": CursorProgram(),
}


OLDEST_RUN: Mapping[str, str] = {
    "codex": "0.169.0",
    "claude": "2.1.197",
    "aider": "0.86.2",
    "opencode": "1.18.33",
    "gemini": "0.61.0",
    "qwen": "0.15.10",
    "mini": "2.4.6",
}
"""The oldest version of each that was run on a task; one that is not listed never was."""


def make_program(setting: ExecutorSetting) -> AgentProgram:
    """Return the program of an executor in the config; raises `UsageError` for a `command` that names none."""
    if setting.type in PROGRAMS:
        return PROGRAMS[setting.type]
    return CommandProgram(
        template=setting.command, usage_pointers=setting.usage, cost_pointer=setting.cost
    )


OUTPUT_BYTES = 8 << 20
"""Of each file that a program leaves in its home."""
LOGIN_KEYS: Mapping[str, tuple[str, ...]] = {
    ".claude.json": ("oauthAccount", "primaryApiKey"),
    ".cursor/cli-config.json": ("authInfo",),
    ".config/goose/config.yaml": (),
    ".config/mini-swe-agent/.env": (),
    ".aider/oauth-keys.env": (),
}
"""Files that hold settings beside a login, some of which start programs: the keys that are kept of a renewed one."""
_LOGIN = threading.Lock()
"""Held by whoever reads or renews a login of the user's."""


def lend_login(own_home: Path, workspace: AgentWorkspace, names: Iterable[str]) -> dict[str, bytes]:
    """Copy the files of the user's login into the program's own home; return what was lent, by name."""
    lent = {}
    for name in names:
        source = own_home / name
        if source.is_file():
            target = workspace.home / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=0o600)
            with _LOGIN:
                lent[name] = source.read_bytes()
            target.write_bytes(lent[name])
    return lent


def take_login_back(own_home: Path, workspace: AgentWorkspace, lent: Mapping[str, bytes]) -> None:
    """Keep a login that the program renewed: the old one may not be good any more.

    One that somebody else renewed in the meantime stays, and so does one that the program left half-written.
    """
    for name, before in lent.items():
        renewed = read_output(workspace, name)
        kept = _kept(name, before, renewed) if renewed else before
        if kept != before:
            with _LOGIN, suppress(OSError):
                _renew(own_home / name, before, kept)


def read_output(workspace: AgentWorkspace, name: str) -> bytes | None:
    """Return what a file in the program's home holds; None for none, or one that is not to be trusted."""
    from minitask.system.files import read_regular_file

    try:
        return read_regular_file(workspace.home, name, limit=OUTPUT_BYTES)
    except EditError:
        return None


def _kept(name: str, before: bytes, renewed: bytes) -> bytes:
    """Return a login as it is to be from now on: the renewed one, if it was written to its end; of settings, its keys
    alone.
    """
    keys = LOGIN_KEYS.get(name)
    if not (name.endswith(".json") or keys is not None):
        return renewed
    if keys == ():
        return before
    try:
        new = json.loads(renewed)
        old = json.loads(before) if keys else {}
    except ValueError:
        return before
    if keys is None:
        return renewed
    if not (isinstance(new, dict) and isinstance(old, dict)):
        return before
    changed = {key: new[key] for key in keys if key in new and new[key] != old.get(key)}
    return json.dumps({**old, **changed}, indent=2).encode() if changed else before


def _renew(login_path: Path, before: bytes, renewed: bytes) -> None:
    """Replace the user's login, unless it is another one by now."""
    if login_path.read_bytes() != before:
        return
    draft = login_path.with_name(f"{login_path.name}.{os.urandom(4).hex()}.minitask")
    draft.touch(mode=0o600)
    draft.write_bytes(renewed)
    draft.chmod(login_path.stat().st_mode & 0o777)
    draft.replace(login_path)
