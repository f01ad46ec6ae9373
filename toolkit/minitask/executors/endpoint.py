"""A chat model behind an HTTP API: keys, deadlines and retries, the same for every API."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from minitask.executors.address import Address, Headers, addresses, shown_url
from minitask.executors.chat import (
    ChatReply,
    Messages,
    Subject,
    metered_reply,
    opening,
    request_change,
    request_completion,
    tokens_in,
)
from minitask.executors.http import HttpFault, HttpRequest, HttpResponse, Post, post
from minitask.executors.request import (
    Check,
    CompletionRequest,
    Description,
    ExecutorFailure,
    ExecutorRequest,
    ExecutorResult,
    FailureKind,
)
from minitask.executors.response import (
    Ending,
    Wire,
    believable,
    check_ending,
    mapping,
    parse_answer,
    read_fault,
    served_model,
)
from minitask.executors.retry import RetryPolicy, call_with_retries
from minitask.executors.server_errors import Object, amended, limit_name, renamed
from minitask.ledger.record import NO_USAGE, Usage, plus
from minitask.patterns import lazy_pattern

LIST_SECONDS = 5.0
"""Time limit for a server's list of models."""
_END = lazy_pattern(r"(?:```|~~~|[.!?)>}\]])\s*$")
_AMENDMENTS = 2
"""Times that a refused request is sent in another form: with another parameter name, or a lower limit."""
_LIMIT_NAMES: dict[tuple[str, str], str] = {}
"""Name of the output limit's parameter by URL and model, as learned by this process."""
_ELSEWHERE = frozenset({404, 405})
"""Status codes of a URL that is not an API's."""
_FOUND: dict[tuple[str, str], Address] = {}
"""Address at which an API answered, by base URL and path, if that was not the likeliest one."""


class Call(Struct, frozen=True):
    """One request to a model: its messages, the system's first, and the limit of output tokens.

    `prompt_tokens` is an estimate; `context_tokens` is the model's context size, if known.
    """

    model: str
    messages: Messages
    max_output_tokens: int | None
    prompt_tokens: int
    context_tokens: int | None = None

    @property
    def is_first(self) -> bool:
        """Return True if the conversation has no reply yet."""
        return all(message.role != "assistant" for message in self.messages)


class ChatExecutor(ABC):
    """A chat model at `base_url`; each API is a subclass, which writes its requests and parses its responses.

    `path` follows the base URL, and `base_hint` says what a base URL usually looks like. `key` is the secret, from the
    environment variable `key_variable`: with a variable but no key, work fails before anything is sent; with neither,
    no key is sent. `headers` are sent with every request. `repairs` limits how often a reply that cannot be applied is
    sent back. Raises `UsageError` if `base_url` is not an HTTP URL.
    """

    path: ClassVar[str]
    base_hint: ClassVar[str] = "it usually ends in /v1"
    ending: ClassVar[Ending]

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        key_variable: str = "",
        name: str = "",
        repairs: int = 1,
        headers: Headers | None = None,
        http: Post = post,
        patience: RetryPolicy | None = None,
    ) -> None:
        self.name = name or type(self).__name__.removesuffix("Executor").lower()
        self._addresses = self.addresses(base_url)
        self._headers = headers or Headers()
        self.key = (key or "").strip()
        self._key_variable = key_variable
        self._repairs = repairs
        self._post = http
        self._patience = patience or RetryPolicy()

    def addresses(self, base_url: str) -> tuple[Address, ...]:
        """Return the possible addresses for a base URL, the likeliest first."""
        return addresses(base_url, self.path)

    def key_headers(self) -> Mapping[str, str]:
        """Return the headers with the key, if there is one."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    @abstractmethod
    def body(self, call: Call) -> Mapping[str, object]:
        """Return the request's JSON; raise `ExecutorFailure` if the call cannot be made."""

    @abstractmethod
    def read(self, answer: HttpResponse, call: Call, wire: Wire) -> ChatReply:
        """Return the reply in a response; raise `ExecutorFailure` if it is an error."""

    def work(self, order: ExecutorRequest) -> ExecutorResult:
        """Ask the model for a change; raise `ExecutorFailure`."""
        self.check_key()
        deadline = self._patience.clock() + order.timeout_seconds
        return request_change(order, partial(self._ask, order, deadline), repairs=self._repairs)

    def advise(self, question: CompletionRequest, check: Check) -> ExecutorResult:
        """Ask the model a question; raise `ExecutorFailure`."""
        self.check_key()
        deadline = self._patience.clock() + question.timeout_seconds
        ask = partial(self._ask, question, deadline)
        return request_completion(question, ask, repairs=self._repairs, check=check)

    def describe(self, order: ExecutorRequest) -> Description:
        """Return the content of the first request."""
        return Description(
            executor=self.name,
            url=self.address.url(self.path, model=order.model),
            model=order.model,
            prompt="\n\n".join(message.text for message in opening(order)),
            key_variable=self._key_variable,
            key_set=bool(self.key),
            max_output_tokens=order.max_output_tokens,
        )

    def check_key(self) -> None:
        """Raise `ExecutorFailure` if the key, or a variable in `headers`, is missing, or if the key is malformed."""
        key_name = self._key_variable or "the key"
        if self._key_variable and not self.key:
            raise ExecutorFailure(
                FailureKind.AUTH,
                f"{self.name}: {key_name} is not set",
                hint=f"export {key_name}=… with the key for {self.host}",
            )
        if missing := self._headers.missing:
            raise ExecutorFailure(
                FailureKind.AUTH,
                f"{self.name}: {missing}, which `headers` names, is not set",
                hint=f"export {missing}=…",
            )
        if not (self.key.isascii() and self.key.isprintable()):
            raise ExecutorFailure(
                FailureKind.AUTH,
                f"{self.name}: {key_name} contains characters that are invalid in a key",
                hint="set it again, without quotes or line breaks",
            )

    @property
    def host(self) -> str:
        """Return the server's host and port."""
        return urlsplit(self.address.root).netloc

    @property
    def address(self) -> Address:
        """Return the API's address, as learned by this process."""
        likeliest = self._addresses[0]
        return _FOUND.get((likeliest.root, self.path), likeliest)

    def wire(self, url: str) -> Wire:
        """Return the context for judging a response from `url` now."""
        source = f" in {self._key_variable}" if self._key_variable else ""
        return Wire(
            self.name,
            shown_url(url),
            self.key,
            self._patience.now(),
            self.base_hint,
            source,
            self._headers.secrets,
        )

    def send(self, request: HttpRequest, *, timeout_seconds: float) -> HttpResponse:
        """Return the response to any request to this server; raise `ExecutorFailure` if there is none."""
        try:
            return self._post(request, timeout_seconds=timeout_seconds)
        except HttpFault as fault:
            raise read_fault(fault, self.wire(request.url)) from None

    def listed(
        self, path: str, fields: tuple[str, str], *, timeout_seconds: float
    ) -> tuple[str, ...]:
        """Return the names in a list at `path`; `fields` are the names of the list and of a row's name."""
        url = self.address.url(path)
        request = HttpRequest(url, headers=self.headers(), method="GET")
        answer = self.send(request, timeout_seconds=timeout_seconds)
        rows = parse_answer(answer, self.wire(url)).get(fields[0])
        names = (mapping(row).get(fields[1]) for row in (rows if isinstance(rows, list) else ()))
        return tuple(filter(None, map(served_model, names)))

    def headers(self) -> dict[str, str]:
        """Return the headers of every request."""
        headers = {"Content-Type": "application/json", **self.key_headers()}
        return {**headers, **self._headers.filled()}

    def whole_reply(
        self,
        parsed: Object,
        text: str,
        *,
        reason: object,
        usage: Usage,
        wire: Wire,
        limit: int | None = None,
        refusal: str = "",
    ) -> ChatReply:
        """Return a reply with this text; raise `ExecutorFailure` unless it is complete.

        A reply of as many tokens as the `limit` allows, which does not end like one, was cut, whatever the server says.
        """
        text = wire.redact(text)
        usage = believable(usage, text=text)
        is_full = limit is not None and usage.output_tokens == limit
        if is_full and str(reason) in self.ending.ended and not _END.search(text):
            reason = min(self.ending.cut_off)
        check_ending(reason, self.ending, text=text, usage=usage, wire=wire, refusal=refusal)
        return ChatReply(text, usage, served_model(parsed.get("model")))

    def _ask(
        self, about: Subject, deadline: float, messages: Messages, limit: int | None
    ) -> ChatReply:
        """Return the reply; send a request that the server refuses again, in the form that the error asks for."""
        tokens = tokens_in(messages, about)
        call = Call(about.model, messages, limit, tokens, about.context_tokens)
        payload = renamed(self.body(call), _LIMIT_NAMES.get((self.address.root, call.model)))
        refused, amendments = NO_USAGE, 0
        while True:
            try:
                reply = self._sent(payload, call, about, deadline)
                return replace(reply, usage=plus(refused, reply.usage))
            except ExecutorFailure as failure:
                refused = failure.usage = plus(refused, failure.usage)
                if failure.kind is not FailureKind.BAD_REQUEST or amendments == _AMENDMENTS:
                    raise
                amended_payload = amended(payload, failure.message, prompt_tokens=tokens)
                if amended_payload is None:
                    raise
                payload, amendments = amended_payload, amendments + 1
                _LIMIT_NAMES[self.address.root, call.model] = limit_name(payload)

    def _sent(
        self, payload: Mapping[str, object], call: Call, about: Subject, deadline: float
    ) -> ChatReply:
        """Send one request, with retries where they may help and the budget covers them."""
        body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")

        def metered(timeout_seconds: float) -> ChatReply:
            send = partial(self._call, body, call, timeout_seconds)
            tokens, limit = call.prompt_tokens, call.max_output_tokens
            return metered_reply(about, send, input_tokens=tokens, limit=limit)

        return call_with_retries(metered, deadline=deadline, patience=self._patience)

    def _call(self, body: bytes, call: Call, timeout_seconds: float) -> ChatReply:
        """Send one request and return its parsed reply; if the URL is not an API's, try the other address."""
        url, answer = self._sent_to(self.address, body, call, timeout_seconds)
        if _is_elsewhere(answer) and call.model.encode() not in answer.body:
            for second in self._addresses[1:] if self.address == self._addresses[0] else ():
                other_url, other_answer = self._sent_to(second, body, call, timeout_seconds)
                if not _is_elsewhere(other_answer):
                    _FOUND[self._addresses[0].root, self.path] = second
                    url, answer = other_url, other_answer
        return self.read(answer, call, self.wire(url))

    def _sent_to(
        self, address: Address, body: bytes, call: Call, timeout_seconds: float
    ) -> tuple[str, HttpResponse]:
        url = address.url(self.path, model=call.model)
        request = HttpRequest(url, body, self.headers())
        return url, self.send(request, timeout_seconds=timeout_seconds)


def _is_elsewhere(answer: HttpResponse) -> bool:
    """Return True if no API is at the URL; LM Studio says so with status 200."""
    return answer.status in _ELSEWHERE or b"Unexpected endpoint or method" in answer.body[:200]


def chat_messages(call: Call) -> list[dict[str, str]]:
    """Return the messages in the format of OpenAI's API, which others share."""
    return [{"role": message.role, "content": message.text} for message in call.messages]
