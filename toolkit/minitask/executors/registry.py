"""The executors by type, one line each; and the executor without a model, for the spec's own edit script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from minitask.edits.apply_script import apply_script
from minitask.edits.grammar import covers, parse_script
from minitask.errors import EditError, UsageError
from minitask.executors.request import (
    CompletionExecutor,
    Description,
    Executor,
    ExecutorRequest,
    ExecutorResult,
)
from minitask.ledger.record import NO_USAGE
from minitask.policy.route import SCRIPT
from minitask.policy.tier_rules import check_executor
from minitask.settings import ExecutorSetting, Settings
from minitask.values import Redacted

if TYPE_CHECKING:
    from minitask.executors.endpoint import ChatExecutor
    from minitask.executors.http import Post
    from minitask.spec.model import Spec


class ExecutorContext(Redacted, frozen=True):
    """Inputs for creating executors: the settings, the caller's environment, and the sender of requests."""

    HIDDEN: ClassVar[tuple[str, ...]] = ("environ",)

    settings: Settings
    environ: Mapping[str, str]
    http: Post | None = None


Maker = Callable[[ExecutorSetting, ExecutorContext], Executor]


def make_executor(
    name: str, settings: Settings, environ: Mapping[str, str], *, http: Post | None = None
) -> Executor:
    """Return the executor that the config calls `name`; `http` sends its requests instead of the shared client."""
    if name == SCRIPT:
        return ScriptExecutor()
    check_executor(settings, name)
    setting = settings.executors[name]
    return MAKERS.get(setting.type, _agent)(setting, ExecutorContext(settings, environ, http))


def make_advisor(
    name: str, settings: Settings, environ: Mapping[str, str], *, http: Post | None = None
) -> CompletionExecutor:
    """Return the executor for questions; raise `UsageError` if it does not answer questions."""
    executor = make_executor(name, settings, environ, http=http)
    if not isinstance(executor, CompletionExecutor):
        raise UsageError(
            f"executor {name} cannot answer questions", hint="name an executor of models"
        )
    return executor


def _chat(
    kind: Callable[..., ChatExecutor], setting: ExecutorSetting, means: ExecutorContext
) -> Executor:
    from minitask.executors.address import DEFAULTS, Headers
    from minitask.executors.http import post

    return kind(
        setting.base_url or DEFAULTS[setting.type],
        name=setting.name,
        key=means.environ.get(setting.api_key_env),
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
"""Function that makes an executor of each type; all other types are agent programs."""
WITH_BATCHES = frozenset({"openai", "anthropic"})
"""Types whose requests can be sent in batches, as `batch.batches_of` implements."""


def has_script(spec: Spec) -> bool:
    """Return True if the spec's edit script covers every file that the spec must write.

    A script that cannot be parsed covers nothing; the spec's checks report it.
    """
    needed = tuple(ref.path for ref in spec.writes() if not ref.optional)
    try:
        script = parse_script(spec.snippets, source=spec.path)
    except EditError:
        return False
    return bool(script.edits) and covers(script, needed)


class ScriptExecutor:
    """Applies the edit script of the spec."""

    name = SCRIPT

    def work(self, order: ExecutorRequest) -> ExecutorResult:
        """Return the script's change.

        Raises `EditError`, not `ExecutorFailure`, if the script does not apply: the spec is wrong, and another executor
        would not help.
        """
        spec = order.spec
        script = parse_script(spec.snippets, source=spec.path)
        changes = apply_script(script, read=order.read, locate=order.locate, source=spec.path)
        return ExecutorResult(
            changes=changes, usage=NO_USAGE, model="", reply="", cost_usd=Decimal(0)
        )

    def describe(self, order: ExecutorRequest) -> Description:  # noqa: ARG002 - nothing is sent
        """Return only the name, because nothing is sent."""
        return Description(executor=self.name)
