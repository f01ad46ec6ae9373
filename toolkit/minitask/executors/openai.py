"""Any server that speaks OpenAI's chat completions: OpenAI, OpenRouter, LiteLLM, vLLM, llama.cpp,
Ollama's `/v1`.

Nothing is streamed: a reply counts only as a whole, and only a whole answer says what it used.
"""

from __future__ import annotations

import json
from functools import partial
from urllib.parse import urlsplit

from minitask.errors import UsageError
from minitask.executors.chat import ChatReply, Messages, converse, opening
from minitask.executors.completions import Wire, read_fault, read_reply
from minitask.executors.http import HttpFault, Post, Request, post
from minitask.executors.model import Description, ExecutorFailure, FailureKind, Order, Work
from minitask.executors.retry import Patience, persist

_NEW_LIMIT_FIELD = ("api.openai.com", ".openai.azure.com")


class OpenAiExecutor:
    """A chat model at `base_url` (`https://host/v1`).

    `key` is the secret and `key_variable` the name of the environment variable that it came from:
    with a name and no key, work fails before anything is sent; with neither, no key is sent.
    `repairs` is how often a reply that cannot be applied goes back to the model. Raises
    `UsageError` where `base_url` is no HTTP URL.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        key_variable: str = "",
        name: str = "openai",
        repairs: int = 1,
        http: Post = post,
        patience: Patience | None = None,
    ) -> None:
        self.name = name
        self._url = _endpoint(base_url)
        self._key = (key or "").strip()
        self._key_variable = key_variable
        self._repairs = repairs
        self._post = http
        self._patience = patience or Patience()

    def work(self, order: Order) -> Work:
        """Ask the model for the change; raises `ExecutorFailure`."""
        self._check_key()
        deadline = self._patience.clock() + order.timeout_seconds
        return converse(order, partial(self._ask, order, deadline), repairs=self._repairs)

    def describe(self, order: Order) -> Description:
        """Say what the first request would hold."""
        return Description(
            executor=self.name,
            url=self._url,
            model=order.model,
            prompt="\n\n".join(message.text for message in opening(order)),
            key_variable=self._key_variable,
            key_set=bool(self._key),
        )

    def _check_key(self) -> None:
        named = self._key_variable or "the key"
        if self._key_variable and not self._key:
            raise ExecutorFailure(
                FailureKind.AUTH,
                f"{self.name}: {named} is not set",
                hint=f"export {named}=… with the key for {self._host}",
            )
        if not (self._key.isascii() and self._key.isprintable()):
            raise ExecutorFailure(
                FailureKind.AUTH,
                f"{self.name}: {named} holds characters that no key has",
                hint="set it again, without quotes or line breaks",
            )

    @property
    def _host(self) -> str:
        return urlsplit(self._url).netloc

    def _ask(self, order: Order, deadline: float, messages: Messages) -> ChatReply:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = Request(self._url, _payload(order, messages, url=self._url), headers)
        return persist(partial(self._call, request), deadline=deadline, patience=self._patience)

    def _call(self, request: Request, left: float) -> ChatReply:
        """One request and what its answer means."""
        wire = Wire(name=self.name, host=self._host, key=self._key, now=self._patience.now())
        try:
            answer = self._post(request, timeout_seconds=left)
        except HttpFault as fault:
            raise read_fault(fault, wire) from None
        return read_reply(answer, wire)


def _endpoint(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname)
        has_secret = parts.username is not None or parts.password is not None
    except ValueError:
        known = has_secret = False
    if has_secret or not known:
        shown = "a URL with a password in it" if has_secret else repr(base_url)
        raise UsageError(
            f"base_url: {shown} cannot be used",
            hint="write it as https://host/v1, and name the key's variable as api_key_env",
        )
    return base_url.rstrip("/") + "/chat/completions"


def _payload(order: Order, messages: Messages, *, url: str) -> bytes:
    """The request's body; no temperature, which newer models refuse."""
    payload: dict[str, object] = {
        "model": order.model,
        "messages": [{"role": each.role, "content": each.text} for each in messages],
        "stream": False,
    }
    if order.max_output_tokens is not None:
        payload[_limit_field(url)] = order.max_output_tokens
    return json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")


def _limit_field(url: str) -> str:
    """OpenAI's own reasoning models refuse `max_tokens`; most other servers know nothing else."""
    host = urlsplit(url).hostname or ""
    return "max_completion_tokens" if host.endswith(_NEW_LIMIT_FIELD) else "max_tokens"
