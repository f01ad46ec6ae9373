"""Canned replies from a folder in place of a model, for dry runs and users' own tests, at no cost."""

from __future__ import annotations

from pathlib import Path

from minitask.executors.chat import (
    Ask,
    ChatReply,
    Messages,
    Subject,
    metered_reply,
    opening,
    request_change,
    request_completion,
    tokens_in,
)
from minitask.executors.request import (
    Check,
    CompletionRequest,
    Description,
    ExecutorFailure,
    ExecutorRequest,
    ExecutorResult,
    FailureKind,
)
from minitask.executors.response import NO_TOKENS
from minitask.spec.dependency_graph import task_names


class ScriptedExecutor:
    """Replies from `folder`; up to `repairs` times, a reply that cannot be applied is followed by the next."""

    def __init__(self, folder: Path, *, name: str = "scripted", repairs: int = 1) -> None:
        self.name = name
        self._folder = folder
        self._repairs = repairs

    def work(self, order: ExecutorRequest) -> ExecutorResult:
        """Return the change in the canned replies; raise `ExecutorFailure`."""
        name = task_names([order.spec])[0]
        return request_change(order, self._ask(order, name, "default"), repairs=self._repairs)

    def advise(self, question: CompletionRequest, check: Check) -> ExecutorResult:
        """Return the canned answer to a question; raise `ExecutorFailure`."""
        ask = self._ask(question, question.name, f"default.{question.phase}")
        return request_completion(question, ask, repairs=self._repairs, check=check)

    def _ask(self, about: Subject, name: str, fallback: str) -> Ask:
        """Return a function that answers with canned replies, metered like a model's."""

        def ask(messages: Messages, limit: int | None) -> ChatReply:
            def send() -> ChatReply:
                return ChatReply(self._reply(name, fallback, messages), NO_TOKENS, self.name)

            tokens = tokens_in(messages, about)
            return metered_reply(about, send, input_tokens=tokens, limit=limit)

        return ask

    def describe(self, order: ExecutorRequest) -> Description:
        """Return the prompt that a model would get."""
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
