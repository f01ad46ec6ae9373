"""The agent programs by type: one line each; `command` is made from what the config says to start."""

from __future__ import annotations

from collections.abc import Mapping

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


def make_program(setting: ExecutorSetting) -> AgentProgram:
    """Return the program of an executor in the config; raises `UsageError` for a `command` that names none."""
    if setting.type in PROGRAMS:
        return PROGRAMS[setting.type]
    return CommandProgram(
        template=setting.command, usage_pointers=setting.usage, cost_pointer=setting.cost
    )
