"""A conversation with a chat model: ask, apply the whole reply, and ask again with the error.

This is common to all chat APIs; each API's wire format has its own module.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.grammar import script_of
from minitask.edits.lines import split_lines
from minitask.edits.reply.check_changes import check_characters
from minitask.edits.reply.read import changes_of
from minitask.edits.reply.reply_context import Citation, ListedFile, ReplyContext
from minitask.edits.reply.reply_fences import answer_of
from minitask.edits.script_model import Operation, WholeFile
from minitask.errors import (
    UNUSABLE,
    BudgetError,
    EditError,
    MachineError,
    StoppedError,
    UnlistedError,
)
from minitask.executors.prompt import (
    amend_prompt,
    repair_prompt,
    shared_start,
    system_prompt,
    user_prompt,
)
from minitask.executors.request import (
    Check,
    CompletionRequest,
    ExecutorFailure,
    ExecutorRequest,
    ExecutorResult,
    FailureKind,
    find_objection,
)
from minitask.ledger.record import NO_USAGE, Usage, plus
from minitask.policy.estimates import DEFAULT_OUTPUT_TOKENS, estimate_tokens
from minitask.spec.header import told_context
from minitask.spec.model import LineRange
from minitask.spec.notes import may_stay
from minitask.words import whole_characters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minitask.edits.reply.amend import EarlierReply
    from minitask.edits.script_model import Change, Edit
    from minitask.executors.request import Excerpt
    from minitask.spec.model import FileRef


class Message(Struct, frozen=True):
    """One message; `role` is `system`, `user` or `assistant`. Other tasks send the same first `shared` characters."""

    role: str
    text: str
    shared: int = 0


class ChatReply(Struct, frozen=True):
    """A complete reply; `served` is the model that answered, or "".

    `throttled` counts the requests before it that hit a rate limit.
    """

    text: str
    usage: Usage
    served: str = ""
    throttled: int = 0


_MORE_ROOM = 4
"""Factor by which the token limit grows after a reply was cut off at it."""
Subject = ExecutorRequest | CompletionRequest
Messages = tuple[Message, ...]
Ask = Callable[[Messages, int | None], ChatReply]
"""Sends messages with a limit of output tokens; each request is metered by itself.

Raises `ExecutorFailure`, or `BudgetError` if the budget does not cover a single request.
"""


def opening(order: ExecutorRequest) -> Messages:
    """Return the first messages, beginning with the constant part, so that prompt caches hit."""
    system = system_prompt(order.reply_format, shared=order.shared)
    is_shared = not order.in_batch
    messages = [
        Message("system", system, len(system) if is_shared else 0),
        Message("user", user_prompt(order), len(shared_start(order)) if is_shared else 0),
    ]
    request = request_of(order) if order.history else None
    for number, past in enumerate(order.history, 1):
        if request and _find_earlier(order, request, rounds=number):
            prompt = amend_prompt(past.problem, order.reply_format)
        else:
            prompt = repair_prompt(past.problem)
        messages += [_said(past.reply), Message("user", prompt)]
    return tuple(messages)


def _said(text: str) -> Message:
    """Return a model's earlier message; APIs refuse one without text."""
    return Message("assistant", text if text.strip() else "(no answer)")


def tokens_in(messages: Messages, about: Subject) -> int:
    """Return the estimated number of tokens in the messages."""
    text = "\n".join(message.text for message in messages)
    return estimate_tokens(text, scale=about.token_scale)


def metered_reply(
    about: Subject, send: Callable[[], ChatReply], *, input_tokens: int, limit: int | None
) -> ChatReply:
    """Return the reply to one request after reserving its cost; raise `BudgetError` if the budget does not cover it."""
    settle = about.meter.reserve(Usage(1, input_tokens, 0, limit or DEFAULT_OUTPUT_TOKENS, 0, 0))
    try:
        reply = send()
    except ExecutorFailure as failure:
        settle(failure.usage)
        raise
    except (MachineError, StoppedError, OSError):  # the request was not sent
        settle(NO_USAGE)
        raise
    except BaseException:  # other calls wait for what is reserved
        settle(Usage(1))
        raise
    settle(reply.usage)
    return reply


def request_change(order: ExecutorRequest, ask: Ask, *, repairs: int) -> ExecutorResult:
    """Return the change in the model's reply.

    A reply that cannot be applied is sent back up to `repairs` times, one that was cut off gets a higher limit once.
    Raises `ExecutorFailure`, whose usage covers all rounds.
    """
    changes: tuple[Change, ...] = ()
    request = request_of(order)
    earlier = _find_earlier(order, request)
    refused: list[str] = []

    def check(text: str) -> None:
        nonlocal changes, request
        try:
            if earlier is None and not refused:
                changes = changes_of(text, request)
            else:
                from minitask.edits.reply.amend import changes_of_next

                changes = changes_of_next(text, request, earlier, refused)
        except EditError as error:
            refused.append(text)
            request = replace(request, extra_text=f"{request.extra_text}\n{error}")
            raise

    talk = _Talk(ask, opening(order), order.max_output_tokens)
    reply = talk.usable_reply(check, repairs=repairs)
    return talk.result(changes, order, reply)


def request_completion(
    question: CompletionRequest, ask: Ask, *, repairs: int, check: Check
) -> ExecutorResult:
    """Return the answer to a question that passes `check`; others are sent back up to `repairs` times.

    `question.repairs` overrides `repairs`. Raises `ExecutorFailure`, whose usage covers all rounds.
    """
    repairs = repairs if question.repairs is None else question.repairs
    messages = (Message("system", question.system), Message("user", question.prompt))
    talk = _Talk(ask, messages, question.max_output_tokens)
    reply = talk.usable_reply(lambda text: check(answer_of(text)), repairs=repairs)
    return talk.result((), question, replace(reply, text=answer_of(reply.text).strip()))


class _Talk(Struct):
    """A conversation so far: its messages, its usage, and the token limit of a reply."""

    ask: Ask
    messages: Messages
    limit: int | None
    spent: Usage = NO_USAGE
    malformed: int = 0
    throttled: int = 0
    _has_more_room: bool = False

    def usable_reply(self, check: Check, *, repairs: int) -> ChatReply:
        """Return the first reply that passes `check`; send up to `repairs` others back with the error."""
        while True:
            raw_reply = self.next_reply()
            reply = replace(raw_reply, text=whole_characters(raw_reply.text))
            problem = find_objection(check_characters, raw_reply.text)
            problem = problem or find_objection(check, reply.text)
            if problem is None:
                return reply
            self.malformed += 1
            if self.malformed > repairs:
                raise self.failure(_malformed(problem, reply=reply.text)) from problem
            repair = Message("user", repair_prompt(str(problem)))
            self.messages = (*self.messages, _said(reply.text), repair)

    def next_reply(self) -> ChatReply:
        """Return the next complete reply; count the usage of failed requests, too."""
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

    def result(
        self, changes: tuple[Change, ...], about: Subject, reply: ChatReply
    ) -> ExecutorResult:
        """Return the result of a usable reply, with the usage of all rounds."""
        return ExecutorResult(
            changes,
            self.spent,
            about.model,
            reply.text,
            None,
            served=reply.served,
            malformed=self.malformed,
            throttled=self.throttled,
        )

    def failure(self, failure: ExecutorFailure) -> ExecutorFailure:
        """Return the failure, with the usage of all rounds."""
        failure.usage = self.spent
        failure.malformed = self.malformed
        failure.throttled = self.throttled
        return failure


def _malformed(error: EditError, *, reply: str) -> ExecutorFailure:
    message = f"{error.where}: {error.message}" if error.where else error.message
    return ExecutorFailure(
        FailureKind.UNLISTED if isinstance(error, UnlistedError) else FailureKind.MALFORMED,
        f"{UNUSABLE}: {message}",
        hint=error.hint,
        reply=reply,
    )


def request_of(order: ExecutorRequest) -> ReplyContext:
    """Return the context to parse a reply in: the files, the lines that the prompt shows, the spec's own text."""
    spec = order.spec
    script = script_of(spec).edits
    whole_files = frozenset(
        (edit.path, edit.content) for edit in script if isinstance(edit, WholeFile)
    )
    fences = (fence.content for fence in spec.snippets)
    criteria = (criterion.text for criterion in spec.criteria)
    demanded = (spec.title, told_context(spec), spec.task, spec.snippets_text, *fences, *criteria)
    rounds = (text for past in order.history for text in (past.reply, past.problem))
    return ReplyContext(
        tuple(_listed(ref, order, script) for ref in spec.files),
        order.read,
        order.root,
        "\n".join(demanded),
        whole_files,
        "\n".join((order.shared, order.plan, order.feedback, *rounds)),
    )


def _find_earlier(
    order: ExecutorRequest, request: ReplyContext, *, rounds: int | None = None
) -> EarlierReply | None:
    """Return the edits of the first `rounds` replies (None: of all) if another reply can correct them; else None."""
    history = order.history[:rounds]
    if not history:
        return None
    from minitask.edits.reply.amend import find_earlier

    return find_earlier([past.reply for past in history], history[-1].changes, request)


def _listed(ref: FileRef, order: ExecutorRequest, script: Sequence[Edit]) -> ListedFile:
    excerpts = [excerpt for excerpt in order.excerpts if excerpt.path == ref.path]
    shown = tuple(_range(excerpt) for excerpt in excerpts if not excerpt.ends_only)
    return ListedFile(
        ref.path,
        ref.action,
        optional=may_stay(ref),
        shown=shown,
        whole=_is_whole(ref.path, excerpts, shown, order),
        cited=tuple(_citations(ref.path, order, script)),
        ends=tuple(_range(excerpt) for excerpt in excerpts if excerpt.ends_only),
    )


def _range(excerpt: Excerpt) -> LineRange:
    size = max(len(split_lines(excerpt.text)), 1)
    return LineRange(excerpt.first_line, excerpt.first_line + size - 1)


def _is_whole(
    path: str, excerpts: Sequence[Excerpt], shown: Sequence[LineRange], order: ExecutorRequest
) -> bool:
    """Return True if the excerpts together show every line of a file."""
    if any(excerpt.whole and not excerpt.ends_only for excerpt in excerpts):
        return True
    base = order.read(path) if shown else None
    if base is None:
        return False
    lines = {number for part in shown for number in range(part.start, part.end + 1)}
    return lines.issuperset(range(1, len(split_lines(base)) + 1))


def _citations(path: str, order: ExecutorRequest, script: Sequence[Edit]) -> Iterator[Citation]:
    """Yield the line ranges of a file that the spec or its edit script cites and that have moved since."""
    cited = [
        line_range for ref in order.spec.files if ref.path == path for line_range in ref.ranges
    ]
    operations = (edit for edit in script if isinstance(edit, Operation))
    cited += [
        source.range
        for edit in operations
        for source in edit.sources
        if source.path == path and source.range is not None
    ]
    for written in dict.fromkeys(cited):
        with suppress(EditError):
            now = order.locate(path, written) if order.locate else written
            if now != written:
                yield Citation(written, now)
