"""Serve the live report page on 127.0.0.1, read-only, for everyone with its address, which holds a random token.

Requests with another host name, or from pages of another origin, are refused.
"""

from __future__ import annotations

import hmac
import secrets
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from minitask.errors import MinitaskError, UsageError

ADDRESS = "127.0.0.1"
LOOK_SECONDS = 0.5
"""Interval for reading the ledger's ref, which costs one line to a running git process."""
PING_SECONDS = 15.0
STREAMS = 32
"""Limit of pages that follow the ledger."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class LiveServer(ThreadingHTTPServer):
    """A server of the page that `render` returns for the ledger's head; it is rendered only if the head has changed."""

    daemon_threads = True

    def __init__(self, head: Callable[[], str], render: Callable[[str], bytes], port: int) -> None:
        """Bind to a loopback port, 0 for a free one; raise `OSError` if it is taken."""
        super().__init__((ADDRESS, port), _Handler)
        self.token = secrets.token_urlsafe(32)
        self.streams = threading.BoundedSemaphore(STREAMS)
        self._read_head, self._render = head, render
        self._head = head()
        self._moved = threading.Condition()
        self._rendering = threading.Lock()
        self._rendered: tuple[str, bytes] | None = None

    @property
    def url(self) -> str:
        """Return the page's address."""
        return f"http://{ADDRESS}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing for a page that was closed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def look(self) -> None:
        """Read the ledger's ref, and notify the pages if it has moved."""
        head = self._read_head()
        with self._moved:
            if head != self._head:
                self._head = head
                self._moved.notify_all()

    def head_after(self, last: str | None, seconds: float) -> str:
        """Return the ledger's head as soon as it differs from the last one, or when time is up."""
        with self._moved:
            self._moved.wait_for(lambda: self._head != last, seconds)
            return self._head

    def page(self) -> bytes:
        """Return the page of the current ledger."""
        with self._rendering:
            head = self._read_head()
            if self._rendered is None or self._rendered[0] != head:
                self._rendered = head, self._render(head)
            return self._rendered[1]


class _Handler(BaseHTTPRequestHandler):
    server: LiveServer
    server_version, sys_version = "minitask", ""
    timeout = 30

    def do_GET(self) -> None:
        """Answer with the page, or with its stream of events."""
        refusal = self._refusal()
        if refusal is not None:
            self._answer(*refusal)
            return
        routes = {
            f"/{self.server.token}/": self._page,
            f"/{self.server.token}/events": self._events,
        }
        routes[self.path]()

    def _refuse_method(self) -> None:
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "this page can only be read")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = _refuse_method  # noqa: N815

    def _refusal(self) -> tuple[HTTPStatus, str] | None:
        """Return why a request is refused, or None if it is allowed."""
        hosts = {f"{name}:{self.server.server_port}" for name in (ADDRESS, "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get_all("Host", []) not in [[host] for host in hosts]:
            return HTTPStatus.FORBIDDEN, "this server has another name"
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            return HTTPStatus.FORBIDDEN, "a page from elsewhere asks for this"
        token, _, rest = self.path.removeprefix("/").partition("/")
        is_known = hmac.compare_digest(token.encode(), self.server.token.encode())
        if not is_known or rest not in ("", "events") or self.path.count("/") != 2:
            return HTTPStatus.NOT_FOUND, "there is nothing here: use the address that was printed"
        return None

    def _page(self) -> None:
        try:
            content = self.server.page()
        except MinitaskError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
            return
        self._begin(HTTPStatus.OK, "text/html", **{"Content-Length": str(len(content))})
        self.wfile.write(content)

    def _events(self) -> None:
        """Send the ledger's head whenever it moves, until the page is closed."""
        if not self.server.streams.acquire(blocking=False):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "too many pages follow already")
            return
        try:
            self._begin(HTTPStatus.OK, "text/event-stream")
            sent = None
            while True:
                head = self.server.head_after(sent, PING_SECONDS)
                event = ": still here\n\n" if head == sent else f"event: head\ndata: {head}\n\n"
                self.wfile.write(event.encode())
                sent = head
        finally:
            self.server.streams.release()

    def _answer(self, status: HTTPStatus, text: str) -> None:
        content = f"{text}\n".encode()
        self._begin(status, "text/plain", **{"Content-Length": str(len(content))})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _begin(self, status: HTTPStatus, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": f"{kind}; charset=utf-8", **HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing, because the address is a secret."""


def serve_page(
    head: Callable[[], str],
    render: Callable[[str], bytes],
    *,
    port: int,
    begin: Callable[[str], None],
) -> None:
    """Serve the page until the process is interrupted; `begin` gets its address when it can be opened.

    `head` returns the ledger's head, `render` the page at a head. Raise `UsageError` if the port is taken.
    """
    try:
        server = LiveServer(head, render, port)
    except OSError as error:
        message = f"port {port} of {ADDRESS} cannot be used: {error.strerror or error}"
        raise UsageError(message, hint="leave --port out to get a free one") from None
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            begin(server.url)
            while True:
                server.look()
                threading.Event().wait(LOOK_SECONDS)
        except KeyboardInterrupt:
            server.shutdown()
