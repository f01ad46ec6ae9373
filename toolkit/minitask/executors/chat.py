"""A conversation with a chat model: ask, apply the reply as a whole, and once more with the error.

What every chat API has in common; the wire format of each is a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.reply.check_changes import check_characters
from minitask.edits.reply.read import changes_of
from minitask.edits.reply.reply_fences import answer_of
from minitask.errors import BudgetError, EditError, MachineError, UnlistedError
from minitask.executors.completion import (
    UNREADABLE,
    Check,
    Completion,
    CompletionRequest,
    as_edit_error,
)
from minitask.executors.prompt import (
    amend_prompt,
    repair_prompt,
    shared_start,
    system_prompt,
    user_prompt,
)
from minitask.executors.reply_request import find_earlier_reply, request_of
from minitask.executors.request import (
    ExecutorFailure,
    ExecutorRequest,
    ExecutorResult,
    FailureKind,
    Meter,
)
from minitask.ledger.usage import NO_USAGE, Usage, plus
from minitask.policy.tokens import DEFAULT_OUTPUT_TOKENS, estimate_tokens
from minitask.words import whole_characters

if TYPE_CHECKING:
    from minitask.edits.reply.amend import EarlierReply
    from minitask.edits.reply.reply_context import ReplyContext
    from minitask.edits.script_model import Change


class Message(Struct, frozen=True):
    """One turn; `role` is `system`, `user` or `assistant`. So many characters at its start are `shared`: other tasks
    are sent them, too.
    """

    role: str
    text: str
    shared: int = 0


class ChatReply(Struct, frozen=True):
    """A complete reply; `served` is the model that answered, or empty.

    `throttled` counts the requests before it that met a rate limit.
    """

    text: str
    usage: Usage
    served: str = ""
    throttled: int = 0


_MORE_ROOM = 4
"""Factor by which the limit grows for a reply that was cut off at it."""
Messages = tuple[Message, ...]
Ask = Callable[[Messages, int | None], ChatReply]
"""Sends messages, with the most tokens that the reply may have, each request metered by itself.

Raises `ExecutorFailure`, or `BudgetError` where not even one request may be sent.
"""


def opening(order: ExecutorRequest) -> Messages:
    """Return the first messages, the part that never changes first, so that prompt caches hit."""
    system = system_prompt(order.reply_format, shared=order.shared)
    is_shared = not order.in_batch
    messages = [
        Message("system", system, len(system) if is_shared else 0),
        Message("user", user_prompt(order), len(shared_start(order)) if is_shared else 0),
    ]
    request = request_of(order) if order.history else None
    for number, past in enumerate(order.history, 1):
        earlier = request and find_earlier_reply(order, request, rounds=number)
        following = (
            amend_prompt(past.problem, order.reply_format)
            if earlier
            else repair_prompt(past.problem)
        )
        messages += [Message("assistant", past.reply), Message("user", following)]
    return tuple(messages)


class Subject(Protocol):
    """The subject of a conversation as needed for sending: an order or a question."""

    @property
    def model(self) -> str:
        """Return who is asked."""
        ...

    @property
    def meter(self) -> Meter:
        """Return what it may cost."""
        ...

    @property
    def context_tokens(self) -> int | None:
        """Return how many tokens the model takes; None: unknown."""
        ...

    @property
    def token_scale(self) -> float:
        """Return how many tokens the model counts for one of ours."""
        ...


def metered_reply(
    about: Subject, messages: Messages, *, limit: int | None, send: Callable[[], ChatReply]
) -> ChatReply:
    """Return what one request brings, reserved for before it is sent; raise `BudgetError` if it may not be sent."""
    text = "\n".join(message.text for message in messages)
    input_tokens = estimate_tokens(text, scale=about.token_scale)
    settle = about.meter.reserve(Usage(1, input_tokens, 0, limit or DEFAULT_OUTPUT_TOKENS, 0, 0))
    try:
        reply = send()
    except ExecutorFailure as failure:
        settle(failure.usage)
        raise
    except (MachineError, OSError):  # no call was made of it
        settle(NO_USAGE)
        raise
    settle(reply.usage)
    return reply


def request_change(order: ExecutorRequest, ask: Ask, *, repairs: int) -> ExecutorResult:
    """Return the change that the model replies with.

    A reply that cannot be applied goes back `repairs` times, one that was cut off gets more room
    once. Raises `ExecutorFailure`, whose usage covers every round.
    """
    changes: tuple[Change, ...] = ()
    request = request_of(order)
    earlier = find_earlier_reply(order, request)

    def check(text: str) -> None:
        nonlocal changes, request
        try:
            changes = _changes(text, request, earlier)
        except EditError as error:
            request = replace(request, extra_text=f"{request.extra_text}\n{error}")
            raise

    talk = _Talk(order, ask, opening(order), order.max_output_tokens)
    reply = talk.usable_reply(check, repairs=repairs)
    return ExecutorResult(
        changes,
        talk.spent,
        order.model,
        reply.text,
        None,
        served=reply.served,
        malformed=talk.malformed,
        throttled=talk.throttled,
    )


def _changes(text: str, request: ReplyContext, earlier: EarlierReply | None) -> tuple[Change, ...]:
    """Return the change against the base: of a reply by itself, or of an earlier one that it corrects."""
    if earlier is None:
        return changes_of(text, request)
    from minitask.edits.reply.amend import amended

    return amended(text, request, earlier)


def request_completion(
    question: CompletionRequest, ask: Ask, *, repairs: int, check: Check
) -> Completion:
    """Return the answer to a question, once `check` has no objection; one that it has goes back `repairs` times.

    Raises `ExecutorFailure`, whose usage covers every round.
    """
    messages = (Message("system", question.system), Message("user", question.prompt))
    talk = _Talk(question, ask, messages, question.max_output_tokens)
    reply = talk.usable_reply(lambda text: check(answer_of(text)), repairs=repairs)
    return Completion(
        answer_of(reply.text).strip(),
        talk.spent,
        served=reply.served,
        malformed=talk.malformed,
        throttled=talk.throttled,
    )


class _Talk(Struct):
    """A conversation so far: what was said, what it took, and how long a reply may be."""

    about: Subject
    ask: Ask
    messages: Messages
    limit: int | None
    spent: Usage = NO_USAGE
    malformed: int = 0
    throttled: int = 0
    _has_more_room: bool = False

    def usable_reply(self, check: Check, *, repairs: int) -> ChatReply:
        """Return the first reply that passes a check; what it says of the others goes back, so often."""
        while True:
            raw_reply = self.next_reply()
            reply = replace(raw_reply, text=whole_characters(raw_reply.text))
            try:
                check_characters(raw_reply.text)
                check(reply.text)
            except (EditError, *UNREADABLE) as error:
                self.malformed += 1
                problem = as_edit_error(error)
                if self.malformed > repairs:
                    raise self.failure(_malformed(problem, reply=reply.text)) from error
                self.messages = (*self.messages, *_repair_turns(reply.text, str(problem)))
            else:
                return reply

    def next_reply(self) -> ChatReply:
        """Return the next complete reply; what it took is added up, whether it came or not."""
        while True:
            try:
                reply = self.ask(self.messages, self.limit)
            except BudgetError as error:
                if self.spent == NO_USAGE:
                    raise
                failure = ExecutorFailure(FailureKind.BUDGET, error.message, hint=error.hint)
                raise self.failure(failure) from None
            except ExecutorFailure as failure:
                self.spent = plus(self.spent, failure.usage)
                self.throttled += failure.throttled
                if failure.kind is not FailureKind.CUT_OFF or self._has_more_room:
                    raise self.failure(failure) from None
                self._has_more_room = True
                self.limit = _MORE_ROOM * (self.limit or DEFAULT_OUTPUT_TOKENS)
            else:
                self.spent = plus(self.spent, reply.usage)
                self.throttled += reply.throttled
                return reply

    def failure(self, failure: ExecutorFailure) -> ExecutorFailure:
        """Return a failure that counts what all rounds took."""
        failure.usage = self.spent
        failure.malformed = self.malformed
        failure.throttled = self.throttled
        return failure


def _repair_turns(reply: str, problem: str) -> Messages:
    return (Message("assistant", reply), Message("user", repair_prompt(problem)))


def _malformed(error: EditError, *, reply: str) -> ExecutorFailure:
    message = f"{error.where}: {error.message}" if error.where else error.message
    unlisted = isinstance(error, UnlistedError)
    return ExecutorFailure(
        FailureKind.UNLISTED if unlisted else FailureKind.MALFORMED,
        f"the model's reply cannot be used: {message}",
        hint=error.hint,
        reply=reply,
    )
