"""Canned replies from a folder, in place of a model: for dry runs and for users' own tests. It costs nothing.

`FOLDER/PROJECT/ID.md` is the reply to the task `PROJECT/ID`, `ID.2.md` the second one (to a repair), and so on. A
reply is read as a chat model's is, by the same code. `FOLDER/default.md` answers every task that has none of its own.
"""

from __future__ import annotations

from pathlib import Path

from minitask.executors.chat import ChatReply, Messages, converse, opening
from minitask.executors.model import Description, ExecutorFailure, FailureKind, Order, Work
from minitask.executors.wire import NO_TOKENS
from minitask.spec.names import task_names


class ScriptedExecutor:
    """Replies from `folder`; `repairs` is how often a reply that cannot be applied is followed by the next."""

    def __init__(self, folder: Path, *, name: str = "scripted", repairs: int = 1) -> None:
        self.name = name
        self._folder = folder
        self._repairs = repairs

    def work(self, order: Order) -> Work:
        """The change that the canned replies make; raises `ExecutorFailure`."""

        def ask(messages: Messages, _limit: int | None) -> ChatReply:
            return ChatReply(self._reply(order, messages), NO_TOKENS, self.name)

        return converse(order, ask, repairs=self._repairs)

    def describe(self, order: Order) -> Description:
        """What a model would have been told."""
        prompt = "\n\n".join(message.text for message in opening(order))
        return Description(executor=self.name, model=order.model, prompt=prompt)

    def _reply(self, order: Order, messages: Messages) -> str:
        name = task_names([order.spec])[0]
        number = 1 + sum(message.role == "assistant" for message in messages)
        tried = [f"{name}.{number}.md"] if number > 1 else [f"{name}.md", "default.md"]
        for candidate in tried:
            try:
                return (self._folder / candidate).read_text("utf-8", "surrogateescape")
            except OSError:
                continue
        raise ExecutorFailure(
            FailureKind.BAD_REQUEST,
            f"{self.name}: there is no canned reply {self._folder / tried[0]}",
            hint="write one, as a model would reply",
        )
