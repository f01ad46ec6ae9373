"""A proxy for a session's commands: it admits listed hosts, and records refused ones.

The commands have a private network with a loopback only. The launcher (`landlock.py`) opens listening sockets there and
sends them over a channel to this process, which accepts on them in threads. So no process runs beside the commands, no
socket is a file, and the access ends with this process. One socket is the HTTP proxy (CONNECT and absolute URLs); each
other one forwards to a service on the user's loopback.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.sandbox.policy import AllowList, Listeners, plain_host, split_port

PORT = 3128
"""Port of the proxy in a private network; if a service uses it, the next free one."""
PORTS = 1000
HEAD_BYTES = 32 * 1024
HEAD_SECONDS, CONNECT_SECONDS, PAUSE_SECONDS = 30, 20, 0.05
CONNECTIONS = 128
HTTP = 80
CHUNK_BYTES = 64 * 1024
NOTED = 20
HEADER = lazy_pattern(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[^\x00\r\n]*")
URL = lazy_pattern(r"(?i:http)://([^/?#@\\]+)([/?][^#]*)?(?:#.*)?")
OF_THE_CONNECTION = ("host", "connection", "keep-alive", "upgrade")
Service = tuple[str, int]


class Request(Struct, frozen=True):
    """A client's destination, and the data to send first; `tunnel`: it requested CONNECT."""

    host: str
    port: int
    head: bytes = b""
    tunnel: bool = False


class HostRefusedError(Exception):
    """A destination that is not allowed; `host` is the entry that would allow it."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is not in `network`")
        self.host = host


class Proxy:
    """The proxy of a session, until `close`; `listeners` is for the sandbox."""

    def __init__(self, allowed: AllowList, *, is_apart: bool) -> None:
        """`is_apart`: the commands have a private network."""
        self._allowed = allowed
        self._refused: dict[str, None] = {}
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        self._sent: socket.socket | None = None
        services = allowed.services
        if is_apart:
            used = {port for _, port in services}
            self._port = next(port for port in range(PORT, PORT + PORTS) if port not in used)
            channel, self._sent = socket.socketpair()
            self._start(self._receive, self._track(channel), (None, *services))
        else:
            listener = socket.create_server(("127.0.0.1", 0))
            self._port = listener.getsockname()[1]
            self._start(self._accept, self._track(listener), None)
        addresses = tuple(_written(*service) for service in services)
        channels = (self._sent.fileno(),) if self._sent else ()
        address = f"127.0.0.1:{self._port}"
        self.listeners = Listeners((address, *addresses), variables(address), channels)

    def take_refused(self) -> tuple[str, ...]:
        """Return the hosts refused since the last call, as list entries."""
        with self._lock:
            refused = tuple(self._refused)
            self._refused.clear()
        return refused

    def close(self) -> None:
        """End all connections and accept no more; each thread closes its own sockets."""
        with self._lock:
            self._closed = True
            for opened in self._open:
                with contextlib.suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)
        if self._sent is not None:
            self._sent.close()
        else:  # shutting down a listener does not wake it everywhere
            with contextlib.suppress(OSError):
                _connected("127.0.0.1", self._port).close()

    def _track(self, opened: socket.socket) -> socket.socket:
        with self._lock:
            if not self._closed:
                self._open.add(opened)
                return opened
        opened.close()
        raise ConnectionError

    def _drop(self, opened: socket.socket) -> None:
        with self._lock:
            self._open.discard(opened)
        opened.close()

    def _start(self, work: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=args, daemon=True)
        thread.start()
        return thread

    def _receive(self, channel: socket.socket, services: Sequence[Service | None]) -> None:
        """Accept on the sockets that the launcher sends, one per service."""
        with contextlib.suppress(OSError):
            _, numbers, _, _ = socket.recv_fds(channel, 1, len(services))
            listeners = [socket.socket(fileno=number) for number in numbers]
            for listener, service in zip(listeners, services, strict=False):
                self._start(self._accept, self._track(listener), service)
        self._drop(channel)

    def _accept(self, listener: socket.socket, service: Service | None) -> None:
        while not self._closed:
            try:
                client, _ = listener.accept()
            except OSError:
                time.sleep(PAUSE_SECONDS)  # too many open files, or closed
                continue
            self._room.acquire()
            self._start(self._serve, client, service)
        self._drop(listener)

    def _serve(self, client: socket.socket, service: Service | None) -> None:
        server = None
        try:
            self._track(client)
            server = self._answered(client) if service is None else _connected(*service)
            if server is not None:
                self._relay(client, self._track(server))
        except OSError:
            pass
        finally:
            for end in filter(None, (client, server)):
                self._drop(end)
            self._room.release()

    def _answered(self, client: socket.socket) -> socket.socket | None:
        """Return a connection to the requested server, after forwarding the request so far; None if refused."""
        client.settimeout(HEAD_SECONDS)
        try:
            head, body = read_head(client)
            request = parse_request(head)
            server = self._reached(request.host, request.port)
        except (HostRefusedError, ValueError, OSError) as error:
            self._refuse(client, error)
            return None
        if request.tunnel:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        server.sendall(request.head + body)
        return server

    def _reached(self, host: str, port: int) -> socket.socket:
        """Return a connection to exactly the address that was checked."""
        if not self._allowed.permits(host, port):
            raise HostRefusedError(_written(host, port))
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in entries]
        public = [text for text in addresses if self._allowed.permits_address(text, port)]
        if not public:
            raise HostRefusedError(f"{_written(addresses[0].partition('%')[0], port)} ({host})")
        for address in public[:-1]:
            with contextlib.suppress(OSError):
                return _connected(address, port)
        return _connected(public[-1], port)

    def _refuse(self, client: socket.socket, error: Exception) -> None:
        if isinstance(error, HostRefusedError):
            with self._lock:
                if len(self._refused) < NOTED:
                    self._refused[error.host] = None
            _answer(client, 403, str(error))
        elif isinstance(error, OSError):
            _answer(client, 502, f"cannot reach it: {error.strerror or error}")
        else:
            _answer(client, 400, str(error))

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        for end in (client, server):
            end.settimeout(None)
        sending = self._start(_copy, client, server)
        _copy(server, client)
        sending.join()


def variables(address: str) -> dict[str, str]:
    """Return the variables that direct programs to a proxy."""
    names = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), f"http://{address}")
    names["no_proxy"] = "localhost,127.0.0.1,::1"
    in_capitals = {name.upper(): text for name, text in names.items()}
    return {**names, **in_capitals, "NODE_USE_ENV_PROXY": "1"}


def read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """Return a request's head and the data after it; raise `ValueError` if it is too long or cut off."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = client.recv(HEAD_BYTES + 4 - len(data))
        data += chunk
        if not chunk or len(data) > HEAD_BYTES:
            raise ValueError("no request, or one too long")
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


def parse_request(head: bytes) -> Request:
    """Parse a request for a proxy; raise `ValueError` if it is invalid or ambiguous."""
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = [HEADER.fullmatch(line) for line in lines]
    parts = first.split(" ")
    is_plain = first.isascii() and first.isprintable() and parts[0].isalpha() and None not in fields
    if not is_plain or len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise ValueError("not a request for a proxy")
    method, target, version = parts
    if method == "CONNECT":
        return Request(*_destination(target, default=0), tunnel=True)
    url = URL.fullmatch(target)
    if url is None:
        raise ValueError("a proxy takes CONNECT, or a URL of http://")
    host, port = _destination(url[1], default=HTTP)
    path = url[2] if (url[2] or "").startswith("/") else f"/{url[2] or ''}"
    passed_on = [field[0] for field in fields if field and _is_passed_on(field[1].lower())]
    name = _written(host, port).removesuffix(f":{HTTP}")
    written = [
        f"{method} {path} {version}",
        f"Host: {name}",
        *passed_on,
        "Connection: close",
        "",
        "",
    ]
    return Request(host, port, "\r\n".join(written).encode("latin-1"))


def _is_passed_on(name: str) -> bool:
    return name not in OF_THE_CONNECTION and not name.startswith("proxy-")


def _destination(text: str, *, default: int) -> tuple[str, int]:
    written, port = split_port(text)
    host = plain_host(written)
    if not host or not (port or default):
        raise ValueError("no host and port")
    return host, port or default


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _connected(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=CONNECT_SECONDS)


def _answer(client: socket.socket, code: int, text: str) -> None:
    """Send an error, also in the status line, which most programs print."""
    body = f"minitask: {text}\n".encode()
    head = f"HTTP/1.1 {code} {text}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}"
    client.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy until the end of the stream, and signal the end to the target."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            target.sendall(data)
    for end, way in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with contextlib.suppress(OSError):
            end.shutdown(way)
