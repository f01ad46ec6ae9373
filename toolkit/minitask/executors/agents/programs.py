"""The agent programs by type, one line each; `command` starts the user's own command line from the config."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from minitask.errors import UsageError
from minitask.executors.agents.adapter import (
    PROMPT_FILE,
    AgentProgram,
    AgentReport,
    Invocation,
    Job,
    Output,
    amount,
    endpoint_variables,
    last_value,
    plain,
    prompt_bytes,
    prompt_path,
)
from minitask.executors.agents.event_agents import CodexProgram, OpencodeProgram
from minitask.executors.agents.faults import exit_problem
from minitask.executors.agents.gemini import GeminiProgram, QwenProgram
from minitask.executors.agents.litellm_agents import AiderProgram, MiniProgram
from minitask.executors.agents.result_agents import ClaudeProgram, CursorProgram, GooseProgram
from minitask.executors.response import count
from minitask.ledger.record import Usage
from minitask.patterns import lazy_pattern
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
OLDEST_RUN: Mapping[str, str] = {
    "codex": "0.169.0",
    "claude": "2.1.197",
    "aider": "0.86.2",
    "opencode": "1.18.33",
    "gemini": "0.61.0",
    "qwen": "0.15.10",
    "mini": "2.4.6",
}
"""Oldest version of each program that was tested on a task; programs not listed were never tested."""
_FIELD = lazy_pattern(r"\{(prompt_file|workspace|model|files)\}")
_INDEX = lazy_pattern(r"0|[1-9][0-9]{0,8}")
_SHOWN = 200_000


def make_program(setting: ExecutorSetting) -> AgentProgram:
    """Return the program of an executor in the config; raise `UsageError` for an empty `command`."""
    if setting.type in PROGRAMS:
        return PROGRAMS[setting.type]
    return CommandProgram(
        template=setting.command, usage_pointers=setting.usage, cost_pointer=setting.cost
    )


class CommandProgram(AgentProgram):
    """A user's own program.

    `template` is its command line, with the placeholders `{prompt_file}`, `{workspace}`, `{model}` and `{files}`; an
    argument that is just `{files}` becomes one argument per file to write. `usage_pointers` map fields of `Usage` to
    JSON pointers (RFC 6901) into its output, `cost_pointer` points to its cost in US dollars. It has no version flag,
    because an unknown program may do anything with one.
    """

    name = "command"
    version_flag = ""

    def __init__(
        self,
        *,
        template: tuple[str, ...],
        usage_pointers: Mapping[str, str] | None = None,
        cost_pointer: str = "",
    ) -> None:
        """Store the config's values; raise `UsageError` if they name no program."""
        if not template or not template[0]:
            raise UsageError(
                "an executor of type command has no program",
                hint="give it `command: [program, arguments…]`",
            )
        self._template = template
        self._usage_pointers = usage_pointers or {}
        self._cost_pointer = cost_pointer

    @property
    def program(self) -> str:
        """Return the program that the template starts."""
        return self._template[0]

    def invocation(self, job: Job) -> Invocation:
        """Return an invocation with the prompt in a file if the template names one, else on standard input.

        An endpoint and its key are in the usual variables, `OPENAI_BASE_URL` and `OPENAI_API_KEY`.
        """
        in_file = any("{prompt_file}" in part for part in self._template)
        argv = [argument for part in self._template for argument in _filled(part, job)]
        return Invocation(
            (*argv, *job.extra_args),
            stdin=b"" if in_file else prompt_bytes(job),
            env=endpoint_variables(job, url="OPENAI_BASE_URL", key="OPENAI_API_KEY"),
            files={PROMPT_FILE: job.prompt} if in_file else {},
        )

    def report(self, output: Output) -> AgentReport:
        """Return a report with the counts at the pointers; a count that does not exist is unknown."""
        printed = last_value(output.stdout)
        counts = {
            name: count(_pointed(printed, pointer))
            for name, pointer in self._usage_pointers.items()
            if name in Usage.__struct_fields__
        }
        cost = amount(_pointed(printed, self._cost_pointer)) if self._cost_pointer else None
        text = output.stdout[-_SHOWN:].strip()
        return AgentReport(Usage(**counts), cost, text, *exit_problem(output))


def _filled(part: str, job: Job) -> list[str]:
    """Return the arguments for one part of the template; placeholders inside values are not replaced."""
    files = [plain(path) for path in job.writes]
    if part == "{files}":
        return files
    values = {
        "prompt_file": prompt_path(job),
        "workspace": str(job.workspace),
        "model": job.model,
        "files": shlex.join(files),
    }
    return [_FIELD.sub(lambda match: values[match[1]], part)]


def _pointed(value: object, pointer: str) -> object:
    """Return the value at a JSON pointer, or None."""
    if pointer and not pointer.startswith("/"):
        return None
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
