"""The executors by type: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from minitask.errors import UsageError
from minitask.executors.completion import CompletionExecutor
from minitask.executors.edit_script import ScriptExecutor
from minitask.executors.request import Executor
from minitask.policy.route import SCRIPT
from minitask.settings import ExecutorSetting, Settings
from minitask.values import Redacted
from minitask.words import did_you_mean

if TYPE_CHECKING:
    from minitask.executors.endpoint import ChatExecutor
    from minitask.executors.http import Post


class ExecutorContext(Redacted, frozen=True):
    """Inputs for creating executors: the settings, the caller's environment, and what sends their requests."""

    HIDDEN: ClassVar[tuple[str, ...]] = ("environ",)

    settings: Settings
    environ: Mapping[str, str]
    http: Post | None = None

    def key(self, setting: ExecutorSetting) -> str | None:
        """Return the secret that a setting names."""
        return self.environ.get(setting.api_key_env) if setting.api_key_env else None


Maker = Callable[[ExecutorSetting, ExecutorContext], Executor]


def make_executor(
    name: str, settings: Settings, environ: Mapping[str, str], *, http: Post | None = None
) -> Executor:
    """Return the executor that the config calls `name`; `http` sends its requests, if not over the process's
    connections.
    """
    if name == SCRIPT:
        return ScriptExecutor()
    setting = settings.executors.get(name)
    if setting is None:
        raise UsageError(f"no executor named {name}", hint=did_you_mean(name, settings.executors))
    return MAKERS.get(setting.type, _agent)(setting, ExecutorContext(settings, environ, http))


def make_advisor(
    name: str, settings: Settings, environ: Mapping[str, str], *, http: Post | None = None
) -> CompletionExecutor:
    """Return the executor for questions; raise `UsageError` for one that answers none."""
    executor = make_executor(name, settings, environ, http=http)
    if not isinstance(executor, CompletionExecutor):
        raise UsageError(
            f"executor {name} cannot answer questions", hint="name an executor of models"
        )
    return executor


def _chat(kind: type[ChatExecutor], setting: ExecutorSetting, means: ExecutorContext) -> Executor:
    from minitask.executors.address import DEFAULTS, Headers
    from minitask.executors.http import post

    return kind(
        setting.base_url or DEFAULTS[setting.type],
        name=setting.name,
        key=means.key(setting),
        key_variable=setting.api_key_env,
        repairs=means.settings.repairs,
        headers=Headers(setting.headers, means.environ),
        http=means.http or post,
    )


def _openai(setting: ExecutorSetting, means: ExecutorContext) -> Executor:
    from minitask.executors.openai import OpenAiExecutor

    return _chat(OpenAiExecutor, setting, means)


def _anthropic(setting: ExecutorSetting, means: ExecutorContext) -> Executor:
    from minitask.executors.anthropic import AnthropicExecutor

    return _chat(AnthropicExecutor, setting, means)


def _ollama(setting: ExecutorSetting, means: ExecutorContext) -> Executor:
    from minitask.executors.ollama import OllamaExecutor

    return _chat(OllamaExecutor, setting, means)


def _scripted(setting: ExecutorSetting, means: ExecutorContext) -> Executor:
    from minitask.executors.scripted import ScriptedExecutor

    folder = Path(setting.folder)
    return ScriptedExecutor(folder, name=setting.name, repairs=means.settings.repairs)


def _agent(setting: ExecutorSetting, means: ExecutorContext) -> Executor:
    from minitask.executors.agent import AgentExecutor
    from minitask.executors.agents.programs import make_program

    return AgentExecutor(make_program(setting), setting, environ=means.environ)


MAKERS: Mapping[str, Maker] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "ollama": _ollama,
    "scripted": _scripted,
}
"""The function that makes an executor of each type; any other type is an agent program's."""
WITH_BATCHES = frozenset({"openai", "anthropic"})
"""The types whose requests can be sent in batches: those of which `batch.batches_of` knows how."""
