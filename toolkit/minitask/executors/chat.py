"""A conversation with a chat model: ask, apply the reply as a whole, and once more with the error.

What every chat API has in common; the wire format of each is a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from minitask.edits.apply import apply_script
from minitask.edits.grammar import parse_script
from minitask.errors import EditError
from minitask.executors.model import ExecutorFailure, FailureKind, Order, Work
from minitask.executors.prompt import repair_prompt, system_prompt, user_prompt
from minitask.ledger.usage import NO_USAGE, Usage, plus
from minitask.spec.markdown import find_fences
from minitask.values import dataclass

if TYPE_CHECKING:
    from minitask.edits.model import Change, Reader
    from minitask.spec.model import Fence


@dataclass(frozen=True, slots=True)
class Message:
    """One turn; `role` is `system`, `user` or `assistant`."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ChatReply:
    """A complete reply; `served` is the model that answered, or empty."""

    text: str
    usage: Usage
    served: str = ""


_END = "END-OF-REPLY"
Messages = tuple[Message, ...]
Ask = Callable[[Messages], ChatReply]


def opening(order: Order) -> Messages:
    """The first messages, the part that never changes first, so that prompt caches hit."""
    return (Message("system", system_prompt()), Message("user", user_prompt(order)))


def converse(order: Order, ask: Ask, *, repairs: int) -> Work:
    """The change that the model replies with; a reply that cannot be applied goes back `repairs`
    times.

    Raises `ExecutorFailure`, whose usage covers every round.
    """
    messages = opening(order)
    spent = NO_USAGE
    for left in range(repairs, -1, -1):
        reply = _ask(ask, messages, spent=spent)
        spent = reply.usage
        try:
            changes = changes_of(reply.text, read=order.read)
        except EditError as error:
            if not left:
                raise _malformed(error, usage=spent, reply=reply.text) from error
            messages = (*messages, *_repair_turns(reply.text, error))
        else:
            return Work(changes, spent, order.model, reply.text, None, served=reply.served)
    raise ValueError("repairs must not be negative")


def changes_of(reply: str, *, read: Reader) -> tuple[Change, ...]:
    """The change that a reply's edit script makes; raises `EditError`, fit to be sent back."""
    script = parse_script(_closed_fences(reply), lead_paths=True, source="reply")
    if not script.edits:
        raise EditError(
            "the reply holds no edits",
            hint="put each file in a fence with `path=…` in its info string",
        )
    changes = apply_script(script, read=read, locate=None, source="reply")
    if not changes:
        raise EditError(
            "the reply changes nothing: the files hold all that it writes",
            hint="reply with what is still to be done",
        )
    return changes


def _closed_fences(reply: str) -> tuple[Fence, ...]:
    """The reply's fences; one that nothing closes swallows what is put behind the reply.

    Markdown itself lets such a fence run to the end, which would apply a reply that broke off.
    """
    fences = find_fences(f"{without_thoughts(reply)}\n\n{_END}\n")
    if fences and fences[-1].content.endswith(f"{_END}\n"):
        where = f"reply:{fences[-1].line}"
        raise EditError("the last fence is never closed", hint="send all of it", where=where)
    return fences


def without_thoughts(reply: str) -> str:
    """The reply without the `<think>` block that local reasoning models open with.

    Its lines are kept, empty, so that messages still cite the reply's own line numbers.
    """
    start = reply.lstrip()
    if not start.startswith("<think>") or "</think>" not in start:
        return reply
    thoughts, _, rest = reply.partition("</think>")
    return "\n" * thoughts.count("\n") + rest


def _ask(ask: Ask, messages: Messages, *, spent: Usage) -> ChatReply:
    """Ask, with what was spent before added to the reply's or the failure's usage."""
    try:
        reply = ask(messages)
    except ExecutorFailure as failure:
        failure.usage = plus(spent, failure.usage)
        raise
    return ChatReply(reply.text, plus(spent, reply.usage), reply.served)


def _repair_turns(reply: str, error: EditError) -> Messages:
    return (Message("assistant", reply), Message("user", repair_prompt(str(error))))


def _malformed(error: EditError, *, usage: Usage, reply: str) -> ExecutorFailure:
    message = f"{error.where}: {error.message}" if error.where else error.message
    return ExecutorFailure(
        FailureKind.MALFORMED,
        f"the model's reply cannot be applied: {message}",
        hint=error.hint,
        usage=usage,
        reply=reply,
    )
