"""Requests to a forge's REST API: pages, rate limits, errors in words. The token is in no message.

A request that only reads is repeated where the server or the way to it fails; one that writes is not, for it may have
been carried out. A rate limit is waited for if it ends soon.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from minitask.errors import MachineError, MinitaskError, UsageError
from minitask.executors.http import HttpFault, HttpRequest, HttpResponse, pause, post
from minitask.patterns import lazy_pattern
from minitask.values import Redacted
from minitask.words import one_line

TRIES = 3
WAIT_SECONDS = 60.0
"""The longest wait for the end of a rate limit."""
TIMEOUT_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.5
MOST_PAGES = 20
PAGE_SIZE = 100
_NEXT = lazy_pattern(r'<([^<>]*)>\s*;[^,<]*\brel="?next"?')


class NotFoundError(MinitaskError):
    """The forge has no such thing, or does not show it to this token."""

    exit_code = 3


class ForbiddenError(MachineError):
    """The token may not do it."""


class TakenError(MachineError):
    """The forge refuses a request, for what it has already or lacks: status 409 or 422."""


class RestApi(Redacted, frozen=True):
    """A forge's API: its address, the token (may be empty) and the variable that it came from.

    Paths are below `root`; `headers` go with each request.
    """

    HIDDEN: ClassVar[tuple[str, ...]] = ("token", "headers")

    url: str
    token: str
    variable: str
    root: str = ""
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def host(self) -> str:
        """Return the forge's name for messages."""
        return urlsplit(self.url).hostname or ""

    def get(self, path: str, **query: object) -> Any:
        """Return what is at a path; raise `MinitaskError`."""
        return _document(self._send("GET", self._url(path, query), None), self)

    def write(self, method: str, path: str, body: object) -> Any:
        """Return the answer to a request that changes something."""
        return _document(self._send(method, self._url(path, {}), body), self)

    def pages(self, path: str, **query: object) -> Iterator[Any]:
        """Yield the documents of all pages, at most `MOST_PAGES`; a next page elsewhere is not asked for."""
        url = self._url(path, {**query, "per_page": PAGE_SIZE})
        for _ in range(MOST_PAGES):
            response = self._send("GET", url, None)
            yield _document(response, self)
            link = _NEXT.search(response.headers.get("link", ""))
            if link is None or urlsplit(link[1])[:2] != urlsplit(self.url)[:2]:
                return
            url = link[1]

    def _url(self, path: str, query: Mapping[str, object]) -> str:
        return f"{self.url}/{self.root}{path}" + (f"?{urlencode(query)}" if query else "")

    def _send(self, method: str, url: str, body: object) -> HttpResponse:
        """Return an answer of success; `MinitaskError` says what else came of it."""
        content = b"" if body is None else json.dumps(body).encode()
        sent = {**self.headers, **({"Content-Type": "application/json"} if content else {})}
        request = HttpRequest(url, content, sent, method)
        failure: MinitaskError | None = None
        for round_ in range(TRIES):
            try:
                response = post(request, timeout_seconds=TIMEOUT_SECONDS)
            except HttpFault as fault:
                failure = self._unreachable(fault)
                wait = FIRST_PAUSE_SECONDS * 2**round_
            else:
                if 200 <= response.status < 300:
                    return response
                failure, wait = self._failure(response, round_, url)
            is_limit = isinstance(failure, RateLimitError)
            if wait is None or round_ + 1 == TRIES or (method != "GET" and not is_limit):
                break
            pause(wait)
        assert failure is not None  # noqa: S101 - every round ends with an answer or a failure
        raise failure

    def _unreachable(self, fault: HttpFault) -> MachineError:
        message = self._hidden(one_line(str(fault), longest=200))
        return MachineError(
            f"{self.host} cannot be reached: {message}",
            hint="check the connection, then run it again",
        )

    def _failure(
        self, response: HttpResponse, round_: int, url: str
    ) -> tuple[MinitaskError, float | None]:
        """Return what an answer means, and how long to wait before the next try; None for no other."""
        seconds = limit_seconds(response, time.time())
        if seconds is not None:
            return RateLimitError(self.host, seconds), seconds if seconds <= WAIT_SECONDS else None
        if response.status >= 500:
            message = f"{self.host} answered with status {response.status}"
            error = MachineError(message, hint="run it again later")
            return error, FIRST_PAUSE_SECONDS * 2**round_
        return self._refusal(response, url), None

    def _refusal(self, response: HttpResponse, url: str) -> MinitaskError:
        status, message = response.status, self._hidden(_words(response.body))
        detail = f": {message}" if message else ""
        if status == 401:
            which = f"the token in {self.variable}" if self.token else "a request without a token"
            hint = f"export {self.variable}=TOKEN, one that is valid"
            return MachineError(f"{self.host} rejects {which}{detail}", hint=hint)
        if status == 403:
            return ForbiddenError(f"{self.host} forbids it{detail}", hint=self._rights(response))
        if status == 404:
            reason = (
                "it is not there, or the token lacks a scope"
                if self.token
                else "it is not there, or not public"
            )
            name = one_line(url.removeprefix(f"{self.url}/").partition("?")[0], longest=200)
            message = f"{self.host} does not show {name}: {reason}"
            return NotFoundError(message, hint=self._rights(response))
        if status in (409, 422):
            hint = "fix what it names, then run it again"
            return TakenError(f"{self.host} refuses it{detail}", hint=hint)
        if status in (301, 302, 307, 308):
            return UsageError(
                f"{self.host} says that the repository has moved",
                hint="set the remote to its new address: git remote set-url NAME URL",
            )
        hint = "check forge.url in your settings"
        return MachineError(f"{self.host} answered with status {status}{detail}", hint=hint)

    def _rights(self, response: HttpResponse) -> str:
        """Return what a token lacks, as far as the forge says it."""
        if not self.token:
            return f"export {self.variable}=TOKEN, or check the repository's name"
        headers = response.headers
        scopes = headers.get("x-accepted-oauth-scopes") or headers.get(
            "x-accepted-github-permissions"
        )
        rights = f": it needs {one_line(scopes, longest=100)}" if scopes else ""
        return (
            f"check the repository's name, and the rights of the token in {self.variable}{rights}"
        )

    def _hidden(self, text: str) -> str:
        return text.replace(self.token, "***") if self.token else text


class RateLimitError(MachineError):
    """The forge takes no more requests for a time."""

    def __init__(self, host: str, seconds: float) -> None:
        at = datetime.fromtimestamp(time.time() + seconds, UTC)
        super().__init__(
            f"{host}: its rate limit is reached until {at:%Y-%m-%d %H:%M:%S} UTC",
            hint="run it again then",
        )


def limit_seconds(response: HttpResponse, now: float) -> float | None:
    """Return how long a rate limit lasts; None if the answer is of no rate limit."""
    headers = response.headers
    is_spent = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining")) == "0"
    after = headers.get("retry-after")
    if response.status != 429 and not (response.status == 403 and (is_spent or after)):
        return None
    reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset")
    for text, start in ((after, 0.0), (reset, now)):
        try:
            seconds = float(text or "") - start
        except ValueError:
            continue
        if abs(seconds) < 7 * 86_400:
            return max(seconds, 0.0)  # a time that is over, by this clock, is no reason to wait
    return WAIT_SECONDS


def _document(response: HttpResponse, api: RestApi) -> Any:
    try:
        return json.loads(response.body or b"null")
    except (ValueError, RecursionError):
        raise MachineError(
            f"{api.host} answered with something else than JSON",
            hint="check that forge.url is the forge's own address",
        ) from None


def _words(body: bytes) -> str:
    """Return what a refusal says: GitHub's `message` and `errors`, GitLab's `message` or `error`."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    message = document.get("message") or document.get("error_description") or document.get("error")
    errors = document.get("errors")
    details = [
        str(error.get("message") or f"{error.get('field', '')} {error.get('code', '')}")
        if isinstance(error, dict)
        else str(error)
        for error in (errors if isinstance(errors, list) else [])
    ]
    text = message if isinstance(message, str) else json.dumps(message) if message else ""
    return one_line("; ".join([text, *details] if text else details), longest=300)
