"""The common interface of all forges, and requests to their REST APIs.

A request that only reads is retried after a failure of the server or the connection; one that writes is not, because it
may have been carried out. A rate limit that ends soon is waited for. The token is in no message.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar, Protocol
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from minitask.errors import MachineError, MinitaskError, UsageError
from minitask.executors.http import HttpFault, HttpRequest, HttpResponse, pause, post
from minitask.patterns import lazy_pattern
from minitask.values import Redacted
from minitask.words import one_line

OPEN, CLOSED, MERGED = "open", "closed", "merged"
PASSED, FAILED, RUNNING, UNKNOWN = "passed", "failed", "running", "unknown"
TRIES = 3
WAIT_SECONDS = 60.0
"""Longest wait for the end of a rate limit."""
TIMEOUT_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.5
MOST_PAGES = 20
PAGE_SIZE = 100
_NEXT = lazy_pattern(r'<([^<>]*)>\s*;[^,<]*\brel="?next"?')


class PullRequest(Struct, frozen=True):
    """A pull or merge request; `head` is its commit, `body` its description."""

    number: int
    url: str
    state: str
    head: str = ""
    body: str = ""


class NewPullRequest(Struct, frozen=True):
    """A pull request to open, from `branch` into `target`."""

    branch: str
    target: str
    title: str
    body: str


class IssueComment(Struct, frozen=True):
    """A comment on an issue."""

    author: str
    text: str


class Issue(Struct, frozen=True):
    """An issue, with the comments of its author and of people with write access."""

    number: int
    url: str
    title: str
    body: str
    author: str
    comments: tuple[IssueComment, ...] = ()


class Forge(Protocol):
    """A repository on a forge."""

    host: str
    path: str
    web_url: str

    def find(self, branch: str, target: str) -> PullRequest | None:
        """Return the pull request from a branch into another: the open one, else the newest."""
        ...

    def create(self, draft: NewPullRequest) -> PullRequest:
        """Open a pull request; raise `TakenError` if there is one, or if the branch has no new commits."""
        ...

    def update(self, number: int, *, body: str) -> None:
        """Replace the description of a pull request."""
        ...

    def checks(self, request: PullRequest) -> str:
        """Return the state of its checks: `passed`, `failed`, `running`; `unknown` if the token may not read them.

        "" if there are none.
        """
        ...

    def objections(self, request: PullRequest) -> tuple[str, ...]:
        """Return the checks that failed at its commit, and the changes that people with write access request."""
        ...

    def issue(self, number: int) -> Issue:
        """Return an issue."""
        ...

    def comment(self, number: int, text: str) -> None:
        """Comment on an issue."""
        ...


def latest(requests: Iterable[PullRequest]) -> PullRequest | None:
    """Return the open pull request, else the newest."""
    return max(requests, key=lambda request: (request.state == OPEN, request.number), default=None)


def worst(states: Iterable[str]) -> str:
    """Return the combined state of several checks."""
    all_states = set(states)
    return next((state for state in (FAILED, UNKNOWN, RUNNING, PASSED) if state in all_states), "")


def mappings(document: Any, host: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list; raise `MachineError` for any other value."""
    if not isinstance(document, list):
        raise unexpected(host)
    return [item for item in document if isinstance(item, dict)]


def unexpected(host: str) -> MachineError:
    """Return the error for a response that does not match the API's documentation."""
    return MachineError(
        f"{host} answered in a form that is not its API's",
        hint="check forge.type and forge.url in your settings",
    )


class NotFoundError(MinitaskError):
    """A resource that does not exist, or that the token may not read."""

    exit_code = 3


class ForbiddenError(MachineError):
    """An operation that the token may not perform."""


class TakenError(MachineError):
    """A request refused because of existing or missing data: status 409 or 422."""


class RateLimitError(MachineError):
    """A rate limit that has been reached."""

    def __init__(self, host: str, seconds: float) -> None:
        at = datetime.fromtimestamp(time.time() + seconds, UTC)
        super().__init__(
            f"{host}: its rate limit is reached until {at:%Y-%m-%d %H:%M:%S} UTC",
            hint="run it again then",
        )


class RestApi(Redacted, frozen=True):
    """A forge's API: its URL, the token (may be "") and the token's environment variable.

    Paths are relative to `root`; `headers` are sent with each request.
    """

    HIDDEN: ClassVar[tuple[str, ...]] = ("token", "headers")

    url: str
    token: str
    variable: str
    root: str = ""
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def host(self) -> str:
        """Return the forge's host name, for messages."""
        return urlsplit(self.url).hostname or ""

    def get(self, path: str, **query: object) -> Any:
        """Return the document at a path; raise `MinitaskError`."""
        return _document(self._send("GET", self._url(path, query), None), self)

    def write(self, method: str, path: str, body: object) -> Any:
        """Return the response to a request that changes something."""
        return _document(self._send(method, self._url(path, {}), body), self)

    def pages(self, path: str, **query: object) -> Iterator[Any]:
        """Yield the documents of up to `MOST_PAGES` pages; links to another host are not followed."""
        url = self._url(path, {**query, "per_page": PAGE_SIZE})
        for _ in range(MOST_PAGES):
            response = self._send("GET", url, None)
            yield _document(response, self)
            link = _NEXT.search(response.headers.get("link", ""))
            if link is None or urlsplit(link[1])[:2] != urlsplit(self.url)[:2]:
                return
            url = link[1]

    def items(self, path: str, key: str = "", **query: object) -> Iterator[Mapping[str, Any]]:
        """Yield the objects of all pages; each page is a list, or an object with a list under `key`."""
        for page in self.pages(path, **query):
            rows = page.get(key) if key and isinstance(page, dict) else page
            yield from mappings(rows, self.host)

    def _url(self, path: str, query: Mapping[str, object]) -> str:
        return f"{self.url}/{self.root}{path}" + (f"?{urlencode(query)}" if query else "")

    def _send(self, method: str, url: str, body: object) -> HttpResponse:
        """Return a successful response; raise `MinitaskError` for any other."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = {**self.headers, **({"Content-Type": "application/json"} if content else {})}
        request = HttpRequest(url, content, headers, method)
        pauses = [FIRST_PAUSE_SECONDS * 2**number for number in range(TRIES - 1)]
        while True:
            failure: MinitaskError
            limit = None
            try:
                response = post(request, timeout_seconds=TIMEOUT_SECONDS)
            except HttpFault as fault:
                message = self._hidden(one_line(str(fault), longest=200))
                failure = MachineError(
                    f"{self.host} cannot be reached: {message}",
                    hint="check the connection, then run it again",
                )
            else:
                if 200 <= response.status < 300:
                    return response
                limit = limit_seconds(response, time.time())
                failure = self._failure(response, url, limit)
                if limit is None and response.status < 500:
                    raise failure
            if not pauses or (limit is None and method != "GET") or (limit or 0) > WAIT_SECONDS:
                raise failure
            usual = pauses.pop(0)
            pause(usual if limit is None else limit)

    def _failure(self, response: HttpResponse, url: str, limit: float | None) -> MinitaskError:
        """Return the error for a response; `limit` is the seconds left of a rate limit, if it reports one."""
        if limit is not None:
            return RateLimitError(self.host, limit)
        if response.status >= 500:
            message = f"{self.host} answered with status {response.status}"
            return MachineError(message, hint="run it again later")
        return self._refusal(response, url)

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
            reason = "it is not there, or " + (
                "the token lacks a scope" if self.token else "not public"
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
        """Return a hint on the rights that the token lacks, if the forge states them."""
        if not self.token:
            return f"export {self.variable}=TOKEN, or check the repository's name"
        names = ("x-accepted-oauth-scopes", "x-accepted-github-permissions")
        scopes = next(filter(None, map(response.headers.get, names)), "")
        rights = f": it needs {one_line(scopes, longest=100)}" if scopes else ""
        return (
            f"check the repository's name, and the rights of the token in {self.variable}{rights}"
        )

    def _hidden(self, text: str) -> str:
        return text.replace(self.token, "***") if self.token else text


def limit_seconds(response: HttpResponse, now: float) -> float | None:
    """Return the seconds left of a rate limit, or None if the response does not report one."""
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
            return max(seconds, 0.0)  # by this clock, the limit has ended
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
    """Return a refusal's message: GitHub's `message` and `errors`, GitLab's `message` or `error`."""
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
