"""All HTTP requests: each ends by its deadline and within a size limit, whatever the server does.

Redirects are not followed: a key is sent only to the host that the user named. A connection is kept for the next call
to the same origin, and serves one call at a time, so that a timer can cut the call off: with time-outs per read, a
server that sends a byte per second would block a worker forever.
"""

from __future__ import annotations

import functools
import socket
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol
from urllib.parse import urlsplit

from msgspec import field

from minitask.executors.address import is_loopback
from minitask.values import Redacted

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    import httpx


MAX_BYTES = 32 * 1024 * 1024
_CONNECT_SECONDS = 15.0
_KEPT_SECONDS = 60.0
_LOOK_SECONDS = 5.0


class HttpRequest(Redacted, frozen=True):
    """A request; `headers` may hold a key, so they stay out of the representation."""

    HIDDEN: ClassVar[tuple[str, ...]] = ("body", "headers")

    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


class HttpResponse(Redacted, frozen=True):
    """A response of any status; header names are in lower case."""

    HIDDEN: ClassVar[tuple[str, ...]] = ("body",)

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stage(StrEnum):
    """The stage at which a call failed: without a connection or a response, nothing was billed.

    `STOPPED`: the call was not made at all.
    """

    CONNECT = "connect"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    UNANSWERED = "unanswered"
    TIMEOUT = "timeout"
    BODY = "body"


class HttpFault(Exception):  # noqa: N818 - a fault is raw; its caller turns it into an error
    """A call without a complete response; the message may quote the HTTP library."""

    def __init__(self, stage: Stage, message: str) -> None:
        super().__init__(message)
        self.stage = stage


class Post(Protocol):
    """Sends one request. Executors take one as a parameter, so that callers can intercept requests."""

    def __call__(self, request: HttpRequest, *, timeout_seconds: float) -> HttpResponse:
        """Return the response, or raise `HttpFault`."""
        ...


class Http:
    """HTTP client that reuses its connections. Thread-safe."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._idle: dict[str, list[_Connection]] = {}
        self._busy: set[_Connection] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def send(self, request: HttpRequest, *, timeout_seconds: float) -> HttpResponse:
        """Return the complete, decoded response to `request`, within the size limit; raise `HttpFault`."""
        deadline = time.monotonic() + timeout_seconds
        if self._stopped.is_set():
            raise HttpFault(Stage.STOPPED, "it had not been asked yet")
        with self._connection(request.url) as connection, connection.watched(timeout_seconds):
            try:
                answer = _exchange(
                    request, connection, deadline=deadline, max_bytes=self._max_bytes
                )
            except HttpFault:
                if connection.cut:
                    raise connection.fault(timeout_seconds) from None
                raise
            if connection.cut:  # a closed connection can look like the end of a response
                raise connection.fault(timeout_seconds)
            return answer

    def cancel(self) -> None:
        """Cut off every call in progress; each fails at once."""
        with self._lock:
            for connection in self._busy:
                connection.cut_off(Stage.CANCELLED)

    def stop(self) -> None:
        """Cut off every call, end every pause, and refuse calls until `resume`."""
        self._stopped.set()
        self.cancel()

    def resume(self) -> None:
        """Allow calls again."""
        self._stopped.clear()

    def pause(self, seconds: float) -> bool:
        """Wait between two calls; return True as soon as calls are stopped."""
        return self._stopped.wait(seconds)

    @contextmanager
    def _connection(self, url: str) -> Iterator[_Connection]:
        """Yield a connection for one call; keep it afterwards unless the call failed."""
        origin = "://".join(urlsplit(url)[:2])
        with self._lock:
            idle = self._idle.get(origin)
            connection = idle.pop() if idle else None
        connection = connection or _Connection(_client(url))
        with self._lock:
            self._busy.add(connection)
        is_reusable = False
        try:
            yield connection
            is_reusable = connection.cut is None
        finally:
            with self._lock:
                self._busy.discard(connection)
                if is_reusable:
                    self._idle.setdefault(origin, []).append(connection)
            if not is_reusable:
                connection.client.close()


class _Connection:
    """A connection for one call at a time that other threads can cut off; `cut` is the reason."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.cut: Stage | None = None
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    @contextmanager
    def watched(self, timeout_seconds: float) -> Iterator[None]:
        """Cut off the call in the block at its deadline."""
        timer = threading.Timer(max(0.0, timeout_seconds), self.cut_off, [Stage.TIMEOUT])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def cut_off(self, why: Stage) -> None:
        """Shut down the sockets; the call in progress fails."""
        with self._lock:
            self.cut = self.cut or why
            for open_socket in self._sockets:
                _shut(open_socket)

    def trace(self, event: str, info: Mapping[str, object]) -> None:
        """Record a socket as soon as the library has connected it."""
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        new_socket = info["return_value"].get_extra_info("socket")  # type: ignore[attr-defined]
        with self._lock:
            if event.endswith(".connect_tcp.complete"):
                self._sockets.clear()
            self._sockets.append(new_socket)
            if self.cut:
                _shut(new_socket)

    def fault(self, timeout_seconds: float) -> HttpFault:
        """Return the fault of the call that was cut off."""
        if self.cut is Stage.CANCELLED:
            return HttpFault(Stage.CANCELLED, "it had not answered yet")
        return HttpFault(Stage.TIMEOUT, f"no complete response within {timeout_seconds:.3g} s")


def _shut(open_socket: socket.socket) -> None:
    with suppress(OSError, ValueError):
        open_socket.shutdown(socket.SHUT_RDWR)


SHARED = Http()
"""The client of this process."""
post, pause = SHARED.send, SHARED.pause


def warm_up() -> None:
    """Import the HTTP library in a thread, while the caller waits for other things."""
    threading.Thread(target=lambda: _client("http://127.0.0.1").close(), daemon=True).start()


def _exchange(
    request: HttpRequest, connection: _Connection, *, deadline: float, max_bytes: int
) -> HttpResponse:
    import httpx

    remaining_seconds = max(0.001, deadline - time.monotonic())
    timeout = httpx.Timeout(remaining_seconds, connect=min(remaining_seconds, _CONNECT_SECONDS))
    headers = {"Accept-Encoding": "gzip", "User-Agent": "minitask", **request.headers}
    stage = Stage.UNANSWERED
    try:
        with connection.client.stream(
            request.method,
            request.url,
            content=request.body,
            headers=headers,
            timeout=timeout,
            extensions={"trace": connection.trace},
        ) as response:
            stage = Stage.BODY
            return _read(response, max_bytes=max_bytes)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise HttpFault(Stage.CONNECT, str(error) or type(error).__name__) from error
    except httpx.TimeoutException as error:
        raise HttpFault(Stage.TIMEOUT, "no response in time") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise HttpFault(stage, str(error) or type(error).__name__) from error


def _client(url: str) -> httpx.Client:
    """Return a client for one connection; requests to this machine bypass the proxy."""
    import httpx

    secure = urlsplit(url).scheme == "https"
    try:
        return httpx.Client(
            verify=_trust() if secure else False,
            trust_env=not is_loopback(url),
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=1, keepalive_expiry=_KEPT_SECONDS),
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise HttpFault(Stage.CONNECT, f"the proxy of the environment: {error}") from error


@functools.cache
def _trust() -> ssl.SSLContext:
    """Return the trusted certificates; cached, because loading them is the slowest step."""
    import httpx

    return httpx.create_ssl_context()


def _read(response: httpx.Response, *, max_bytes: int) -> HttpResponse:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    decode = _decoder(encoding, max_bytes)
    body = bytearray()
    for chunk in response.iter_raw():
        body += decode(chunk)
        if len(body) > max_bytes:
            raise HttpFault(Stage.BODY, f"the response is larger than {max_bytes} bytes")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpResponse(response.status_code, headers, bytes(body))


def _decoder(encoding: str, max_bytes: int) -> Callable[[bytes], bytes]:
    """Return a decoder of chunks; its output stops one byte past the limit, against decompression bombs."""
    if encoding in {"", "identity"}:
        return bytes
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise HttpFault(Stage.BODY, f"the response is encoded as {encoding[:40]!r}, not gzip")
    stream = zlib.decompressobj(wbits=47)  # gzip, or zlib's own form

    def inflate(chunk: bytes) -> bytes:
        try:
            return stream.decompress(chunk, max_bytes + 1)
        except zlib.error as error:
            raise HttpFault(Stage.BODY, f"the response is damaged {encoding} ({error})") from error

    return inflate


def find_absence(url: str) -> str:
    """Return why nothing listens at a URL; "" if something does, or if the URL is behind a proxy."""
    parts = urlsplit(url)
    if not is_loopback(url):
        from urllib.request import getproxies

        if {parts.scheme, "all"} & set(getproxies()):
            return ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_LOOK_SECONDS).close()
    except OSError as error:
        return str(error)
    return ""
