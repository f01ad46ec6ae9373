"""A scripted model server on loopback that speaks the chat-completions protocol, faults included.

    replies = ["```edits\\n…```", error(503, "busy"), completion("…", usage=None)]
    with scripted_server(replies) as server:
        executor = OpenAiExecutor(server.base_url)  # http://127.0.0.1:PORT/v1
        …
        assert server.requests[0].json["model"] == "some-model"

Replies are given in order, one a request. A plain `str` is a complete reply of that text. In
place of the list, a function from the `Received` request to a reply answers by content, which is
what tests with several workers need. A request beyond the script gets status 400, which no client
repeats.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = "application/json"
USAGE = {"prompt_tokens": 100, "completion_tokens": 20}


@dataclass(frozen=True)
class Reply:
    """What goes over the wire, made by one of the functions below."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds_per_byte: float = 0.0
    claimed_length: int | None = None
    reset: bool = False


@dataclass(frozen=True)
class Received:
    """One request as it came in; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def prompt(self) -> str:
        """All messages' texts, one after the other."""
        return "\n\n".join(message["content"] for message in self.json["messages"])


ScriptedReply = Reply | str
Script = Sequence[ScriptedReply] | Callable[[Received], ScriptedReply]


def completion(
    text: Any,
    *,
    finish_reason: Any = "stop",
    usage: Any = USAGE,
    model: str = "served-model",
    headers: Mapping[str, str] | None = None,
    **message: Any,
) -> Reply:
    """A chat completion; `usage=None` leaves counts out, further keywords join the message."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": finish_reason,
    }
    answer = {"id": "c1", "object": "chat.completion", "model": model, "choices": [choice]}
    if usage is not None:
        answer["usage"] = usage
    return raw(json.dumps(answer), headers=headers)


def error(
    status: int,
    message: str,
    *,
    code: str | None = None,
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An error in OpenAI's form, under any status (200 too, as some gateways send it)."""
    fields = {"message": message, "type": kind, "param": None, "code": code}
    return raw(json.dumps({"error": fields}), status=status, headers=headers)


def raw(
    body: str | bytes,
    *,
    status: int = 200,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Any body under any status."""
    content = body.encode() if isinstance(body, str) else body
    return Reply(status, content, {"Content-Type": content_type, **(headers or {})})


def drip(reply: Reply, *, seconds_per_byte: float) -> Reply:
    """The reply, status line and headers included, a byte at a time."""
    return Reply(reply.status, reply.body, reply.headers, seconds_per_byte)


def cut(reply: Reply, *, at: int) -> Reply:
    """The reply, the connection closed after `at` bytes of a body announced in full."""
    return Reply(reply.status, reply.body[:at], reply.headers, claimed_length=len(reply.body))


def reset() -> Reply:
    """No answer: the connection is reset."""
    return Reply(reset=True)


def redirect(location: str) -> Reply:
    """A 307, which asks for the same POST elsewhere."""
    return raw("", status=307, headers={"Location": location})


def zipped(body: bytes) -> Reply:
    """The body, compressed."""
    return raw(gzip.compress(body, mtime=0), headers={"Content-Encoding": "gzip"})


class ScriptedServer:
    """A running server: where it is, and what it was asked so far."""

    def __init__(self, script: Script) -> None:
        self.requests: list[Received] = []
        self._script = script
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reply_to(self, received: Received) -> Reply:
        with self._lock:
            number = len(self.requests)
            self.requests.append(received)
        if callable(self._script):
            reply = self._script(received)
        elif number < len(self._script):
            reply = self._script[number]
        else:
            reply = error(400, f"the script holds no reply for request {number + 1}")
        return completion(reply) if isinstance(reply, str) else reply

    def wait(self, seconds: float) -> bool:
        """Sleep, but not past the server's end; whether it has come."""
        return self._closing.wait(seconds)


@contextlib.contextmanager
def scripted_server(script: Script) -> Iterator[ScriptedServer]:
    """Serve `script` on a free port of 127.0.0.1 for as long as the block lasts."""
    server = ScriptedServer(script)
    server.start()
    try:
        yield server
    finally:
        server.close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of many scripts."""


def _handler_for(scripted: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = scripted.reply_to(Received(self.path, headers, self.rfile.read(length)))
            if reply.reset:
                _reset(self.connection)
            else:
                _send(self, reply, scripted)
            self.close_connection = True

        def log_message(self, *args: Any) -> None:
            """Keep the tests' output clean."""

    return Handler


def _send(handler: BaseHTTPRequestHandler, reply: Reply, scripted: ScriptedServer) -> None:
    length = len(reply.body) if reply.claimed_length is None else reply.claimed_length
    headers = {**reply.headers, "Content-Length": str(length), "Connection": "close"}
    lines = [f"HTTP/1.1 {reply.status} Scripted", *(f"{k}: {v}" for k, v in headers.items())]
    message = ("\r\n".join(lines) + "\r\n\r\n").encode() + reply.body
    if not reply.seconds_per_byte:
        handler.wfile.write(message)
        return
    for byte in message:
        handler.wfile.write(bytes([byte]))
        if scripted.wait(reply.seconds_per_byte):
            return


def _reset(connection: socket.socket) -> None:
    """Close so that the other side sees a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())
