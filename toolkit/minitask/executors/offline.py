"""Executors without a model: tier `none`, which applies the spec's edit script, and canned replies from a folder."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from minitask.edits.apply_script import apply_script
from minitask.edits.grammar import covers, parse_script
from minitask.errors import EditError
from minitask.executors.chat import ChatReply, Messages, opening, request_change, request_completion
from minitask.executors.completion import Check, Completion, CompletionRequest
from minitask.executors.request import (
    Description,
    ExecutorFailure,
    ExecutorRequest,
    ExecutorResult,
    FailureKind,
)
from minitask.executors.response import NO_TOKENS
from minitask.ledger.usage import NO_USAGE
from minitask.spec.task_names import task_names

if TYPE_CHECKING:
    from minitask.spec.model import Spec


def has_script(spec: Spec) -> bool:
    """Return True if the spec's edit script covers every file that the spec must write.

    A script that cannot be parsed covers nothing; checking the spec is what reports it.
    """
    needed = tuple(ref.path for ref in spec.writes() if not ref.optional)
    try:
        script = parse_script(spec.snippets, source=spec.path)
    except EditError:
        return False
    return bool(script.edits) and covers(script, needed)


class ScriptExecutor:
    """Applies the edit script of the spec."""

    def __init__(self, name: str = "script") -> None:
        self.name = name

    def work(self, order: ExecutorRequest) -> ExecutorResult:
        """Return the script's change.

        Raises `EditError`, not `ExecutorFailure`, where the script does not apply: the spec is at
        fault, and no other executor would fix it.
        """
        spec = order.spec
        script = parse_script(spec.snippets, source=spec.path)
        changes = apply_script(script, read=order.read, locate=order.locate, source=spec.path)
        return ExecutorResult(
            changes=changes, usage=NO_USAGE, model="", reply="", cost_usd=Decimal(0)
        )

    def describe(self, order: ExecutorRequest) -> Description:  # noqa: ARG002 - nothing of it is sent
        """Nothing is sent to anyone."""
        return Description(executor=self.name)


class ScriptedExecutor:
    """Replies from `folder`; `repairs` is how often a reply that cannot be applied is followed by the next."""

    def __init__(self, folder: Path, *, name: str = "scripted", repairs: int = 1) -> None:
        self.name = name
        self._folder = folder
        self._repairs = repairs

    def work(self, order: ExecutorRequest) -> ExecutorResult:
        """Return the change that the canned replies make; raises `ExecutorFailure`."""

        def ask(messages: Messages, _limit: int | None) -> ChatReply:
            name = task_names([order.spec])[0]
            return ChatReply(self._reply(name, "default", messages), NO_TOKENS, self.name)

        return request_change(order, ask, repairs=self._repairs)

    def advise(self, question: CompletionRequest, check: Check) -> Completion:
        """Return the canned answer to a question; raises `ExecutorFailure`."""

        def ask(messages: Messages, _limit: int | None) -> ChatReply:
            fallback = f"default.{question.phase}"
            return ChatReply(self._reply(question.name, fallback, messages), NO_TOKENS, self.name)

        repairs = question.repairs_or(self._repairs)
        return request_completion(question, ask, repairs=repairs, check=check)

    def describe(self, order: ExecutorRequest) -> Description:
        """Return what a model would have been told."""
        prompt = "\n\n".join(message.text for message in opening(order))
        return Description(executor=self.name, model=order.model, prompt=prompt)

    def _reply(self, name: str, fallback: str, messages: Messages) -> str:
        number = 1 + sum(message.role == "assistant" for message in messages)
        tried = [f"{name}.{number}.md"] if number > 1 else [f"{name}.md", f"{fallback}.md"]
        for candidate in tried:
            try:
                return (self._folder / candidate).read_text("utf-8", "surrogateescape")
            except OSError:
                continue
        raise ExecutorFailure(
            FailureKind.BAD_REQUEST,
            f"{self.name}: no canned reply {self._folder / tried[0]}",
            hint="write one, as a model would reply",
        )
