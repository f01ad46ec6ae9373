"""The executors by type: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from minitask.errors import UsageError
from minitask.executors.model import Executor
from minitask.executors.script import ScriptExecutor
from minitask.policy.route import SCRIPT
from minitask.settings import ExecutorSetting, Settings

Maker = Callable[[ExecutorSetting, Settings, Mapping[str, str]], Executor]


def make_executor(name: str, settings: Settings, environ: Mapping[str, str]) -> Executor:
    """The executor that the config calls `name`."""
    if name == SCRIPT:
        return ScriptExecutor()
    setting = settings.executors.get(name)
    if setting is None:
        raise UsageError(f"no executor is called {name}", hint="see `minitask config show`")
    return MAKERS[setting.type](setting, settings, environ)


def _openai(setting: ExecutorSetting, settings: Settings, environ: Mapping[str, str]) -> Executor:
    from minitask.executors.openai import OpenAiExecutor

    key = environ.get(setting.api_key_env) if setting.api_key_env else None
    return OpenAiExecutor(
        setting.base_url,
        name=setting.name,
        key=key,
        key_variable=setting.api_key_env,
        repairs=settings.repairs,
    )


MAKERS: Mapping[str, Maker] = {"openai": _openai}
