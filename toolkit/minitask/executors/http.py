"""The one door to HTTP: a POST that ends by its deadline, within a size, wherever the server goes
wrong.

Redirects are not followed (a key goes to the host that the user named, and nowhere else). Each
call has a connection of its own, so that a watchdog can cut it off: time-outs per read would let
a server that drips a byte a second hold a worker for ever.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from minitask.values import dataclass

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    import httpx

MAX_BYTES = 32 * 1024 * 1024
_CONNECT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Request:
    """A POST; `headers` may hold a key, so they stay out of the representation."""

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Stage(StrEnum):
    """How far a call got before it failed: only the last two may have been billed."""

    CONNECT = "connect"
    UNANSWERED = "unanswered"
    TIMEOUT = "timeout"
    BODY = "body"


class HttpFault(Exception):  # noqa: N818 - a fault is what a call met, to be judged by its caller
    """No complete answer; the message may quote what the library said."""

    def __init__(self, stage: Stage, message: str) -> None:
        super().__init__(message)
        self.stage = stage


class Post(Protocol):
    """Sends one request; what an executor takes, so that a recorder can stand in between."""

    def __call__(self, request: Request, *, timeout_seconds: float) -> Answer:
        """The answer, or `HttpFault`."""
        ...


def post(request: Request, *, timeout_seconds: float, max_bytes: int = MAX_BYTES) -> Answer:
    """The answer to `request`, whole, decoded, at most `max_bytes` long; raises `HttpFault`."""
    deadline = time.monotonic() + timeout_seconds
    with _watchdog(timeout_seconds) as watchdog:
        try:
            answer = _exchange(request, watchdog=watchdog, deadline=deadline, max_bytes=max_bytes)
        except HttpFault:
            if watchdog.fired:
                raise _late(timeout_seconds) from None
            raise
        if watchdog.fired:  # a connection that was shut can look like an answer that ended
            raise _late(timeout_seconds)
        return answer


class _Watchdog:
    """Shuts the call's sockets down at its deadline."""

    def __init__(self) -> None:
        self.fired = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def bite(self) -> None:
        with self._lock:
            self.fired = True
            for each in self._sockets:
                _shut(each)

    def trace(self, event: str, info: Mapping[str, object]) -> None:
        """Learn of a socket as soon as the library has connected it."""
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        stream = info["return_value"]
        found = stream.get_extra_info("socket")  # type: ignore[attr-defined]
        with self._lock:
            self._sockets.append(found)
            if self.fired:
                _shut(found)


def _shut(found: socket.socket) -> None:
    with suppress(OSError, ValueError):
        found.shutdown(socket.SHUT_RDWR)


@contextmanager
def _watchdog(timeout_seconds: float) -> Iterator[_Watchdog]:
    watchdog = _Watchdog()
    timer = threading.Timer(max(0.0, timeout_seconds), watchdog.bite)
    timer.daemon = True
    timer.start()
    try:
        yield watchdog
    finally:
        timer.cancel()


def _exchange(request: Request, *, watchdog: _Watchdog, deadline: float, max_bytes: int) -> Answer:
    import httpx

    left = max(0.001, deadline - time.monotonic())
    timeout = httpx.Timeout(left, connect=min(left, _CONNECT_SECONDS))
    headers = {"Accept-Encoding": "gzip", "User-Agent": "minitask", **request.headers}
    stage = Stage.UNANSWERED
    try:
        with (
            _client(request.url, timeout) as client,
            client.stream(
                "POST",
                request.url,
                content=request.body,
                headers=headers,
                extensions={"trace": watchdog.trace},
            ) as response,
        ):
            stage = Stage.BODY
            return _read(response, max_bytes=max_bytes)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise HttpFault(Stage.CONNECT, str(error) or type(error).__name__) from error
    except httpx.TimeoutException as error:
        raise HttpFault(Stage.TIMEOUT, "no answer in time") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise HttpFault(stage, str(error) or type(error).__name__) from error


def _client(url: str, timeout: httpx.Timeout) -> httpx.Client:
    """A client for one call; this machine's own servers are reached without the proxy."""
    import httpx

    secure = urlsplit(url).scheme == "https"
    try:
        return httpx.Client(
            verify=_trust() if secure else False,
            timeout=timeout,
            trust_env=not is_loopback(url),
            follow_redirects=False,
        )
    except (ImportError, ValueError) as error:
        raise HttpFault(Stage.CONNECT, f"the proxy of the environment: {error}") from error


@functools.cache
def _trust() -> ssl.SSLContext:
    """The certificates that are trusted, read once: it takes longer than all else here."""
    import httpx

    return httpx.create_ssl_context()


def is_loopback(url: str) -> bool:
    """Whether `url` names this very machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(response: httpx.Response, *, max_bytes: int) -> Answer:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    decode = _decoder(encoding, max_bytes)
    body = bytearray()
    for chunk in response.iter_raw():
        body += decode(chunk)
        if len(body) > max_bytes:
            raise HttpFault(Stage.BODY, f"the answer is larger than {max_bytes} bytes")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, bytes(body))


def _decoder(encoding: str, max_bytes: int) -> Callable[[bytes], bytes]:
    """Decode chunk by chunk, never to more than a byte past the limit: a bomb does not go off."""
    if encoding in {"", "identity"}:
        return bytes
    if encoding not in {"gzip", "x-gzip"}:
        raise HttpFault(Stage.BODY, f"the answer is encoded as {encoding[:40]!r}, not gzip")
    stream = zlib.decompressobj(wbits=31)

    def inflate(chunk: bytes) -> bytes:
        try:
            return stream.decompress(chunk, max_bytes + 1)
        except zlib.error as error:
            raise HttpFault(Stage.BODY, f"the answer is damaged gzip ({error})") from error

    return inflate


def _late(timeout_seconds: float) -> HttpFault:
    return HttpFault(Stage.TIMEOUT, f"no complete answer within {timeout_seconds:.3g} s")
