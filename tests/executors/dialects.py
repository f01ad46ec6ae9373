"""The three ways to speak to a chat model, each with its own server's words, for tests that hold for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model_server import (
    Reply,
    ScriptedReply,
    ScriptedServer,
    Speak,
    claude_error,
    claude_message,
    completion,
    error,
    ollama_chat,
    ollama_error,
    scripted_server,
)
from orders import order

from minitask.executors.anthropic import AnthropicExecutor
from minitask.executors.endpoint import ChatExecutor
from minitask.executors.ollama import OllamaExecutor
from minitask.executors.openai import OpenAiExecutor
from minitask.executors.request import ExecutorFailure, ExecutorResult, FailureKind
from minitask.executors.retry import RetryPolicy

GOOD = "```python path=src/b.py\nx = 1\n```\n"
NOW = 1_800_000_000.0
KEY = "sk-very-secret-key"


@dataclass(frozen=True)
class Tongue:
    """A dialect: its executor, and how its server replies and complains."""

    executor: type[ChatExecutor]
    speak: Speak
    error: Callable[..., Reply]
    reason: str
    """The keyword of `speak` that says why the reply ended."""
    path: str = "/v1"

    def ended(self, reason: Any) -> Reply:
        """A good reply that ended for a reason."""
        return self.speak(GOOD, **{self.reason: reason})

    def connect(self, server: ScriptedServer, **fields: Any) -> ChatExecutor:
        """An executor for a server."""
        given: dict[str, Any] = {"key": KEY, "key_variable": "KEY", **fields}
        return self.executor(server.origin + self.path, **given)


OPENAI = Tongue(OpenAiExecutor, completion, error, "finish_reason")
ANTHROPIC = Tongue(AnthropicExecutor, claude_message, claude_error, "stop_reason")
OLLAMA = Tongue(OllamaExecutor, ollama_chat, ollama_error, "done_reason", path="")
TONGUES = {"openai": OPENAI, "anthropic": ANTHROPIC, "ollama": OLLAMA}


class Run:
    """One order against a script: what came of it, how often it was asked, what was slept."""

    def __init__(self, tongue: Tongue, *replies: ScriptedReply, **fields: Any) -> None:
        self.waits: list[float] = []
        self.work: ExecutorResult | None = None
        self.failure: ExecutorFailure | None = None
        patience = RetryPolicy(sleep=self.waits.append, now=lambda: NOW, jitter=lambda: 0.0)
        with scripted_server(replies, speak=tongue.speak) as server:
            try:
                self.work = tongue.connect(server, patience=patience).work(order(**fields))
            except ExecutorFailure as failure:
                self.failure = failure
        self.received = server.requests
        self.requests = len(server.requests)

    @property
    def kind(self) -> FailureKind | None:
        """Why there is no change."""
        return self.failure.kind if self.failure else None

    @property
    def failed(self) -> ExecutorFailure:
        """The failure that must have come."""
        assert self.failure is not None, "it worked"
        return self.failure
