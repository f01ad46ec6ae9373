"""A scripted model server on loopback that speaks the protocols of chat models, faults included.

    replies = ["```edits\\n…```", error(503, "busy"), completion("…", usage=None)]
    with scripted_server(replies) as server:
        executor = OpenAiExecutor(server.base_url)  # http://127.0.0.1:PORT/v1
        …
        assert server.requests[0].json["model"] == "some-model"

Replies are given in order, one a request. A plain `str` is a complete reply of that text, as
`speak` makes one: `completion`, `claude_message` or `ollama_chat`. In place of the list, a function
from the `Received` request to a reply answers by content, which is what tests with several workers
need. One reply in place of the list answers every request. A request beyond the script gets status
400, which no client repeats. With `keep_alive`, connections stay open from one request to the next,
and `connections` counts them.
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
CLAUDE_USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 20,
}


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
    method: str = "POST"

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def prompt(self) -> str:
        """All messages' texts, one after the other."""
        contents = (message["content"] for message in self.json["messages"])
        return "\n\n".join(
            each if isinstance(each, str) else "".join(part["text"] for part in each)
            for each in contents
        )


ScriptedReply = Reply | str
Script = ScriptedReply | Sequence[ScriptedReply] | Callable[[Received], ScriptedReply]
Speak = Callable[[str], Reply]


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


def claude_message(
    text: Any,
    *,
    stop_reason: Any = "end_turn",
    usage: Any = CLAUDE_USAGE,
    model: str = "served-model",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """A message of Anthropic's; `usage=None` leaves counts out, a list is the content as it is."""
    content = text if isinstance(text, list) else [{"type": "text", "text": text}]
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    answer |= {"content": content, "stop_reason": stop_reason, "stop_sequence": None}
    if usage is not None:
        answer["usage"] = usage
    return raw(json.dumps(answer), headers=headers)


def claude_error(
    status: int,
    message: str,
    *,
    kind: str = "api_error",
    headers: Mapping[str, str] | None = None,
    **fields: Any,
) -> Reply:
    """An error in Anthropic's form; further keywords join its fields."""
    fields = {"type": kind, "message": message, **fields}
    answer = {"type": "error", "error": fields, "request_id": "req_1"}
    return raw(json.dumps(answer), status=status, headers=headers)


def ollama_chat(
    text: Any,
    *,
    done_reason: Any = "stop",
    counts: Mapping[str, Any] | None = None,
    model: str = "served-model",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An answer of Ollama's `/api/chat`; it read 10,000 tokens where `counts` says nothing else."""
    known = {"prompt_eval_count": 10_000, "eval_count": 20} if counts is None else counts
    answer = {"model": model, "created_at": "2026-11-01T00:00:00Z", "done": True}
    answer |= {"message": {"role": "assistant", "content": text}, "done_reason": done_reason}
    return raw(json.dumps(answer | dict(known)), headers=headers)


def ollama_error(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> Reply:
    """An error in Ollama's form."""
    return raw(json.dumps({"error": message}), status=status, headers=headers)


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

    def __init__(
        self, script: Script, *, keep_alive: bool = False, speak: Speak = completion
    ) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.keep_alive = keep_alive
        self._script = script
        self._speak = speak
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.drop_connections()  # a kept one must not answer for a later server

    def drop_connections(self) -> None:
        """Close the connections that are open."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def reply_to(self, received: Received) -> Reply:
        with self._lock:
            number = len(self.requests)
            self.requests.append(received)
        if isinstance(self._script, Reply | str):
            reply = self._script
        elif callable(self._script):
            reply = self._script(received)
        elif number < len(self._script):
            reply = self._script[number]
        else:
            reply = error(400, f"the script holds no reply for request {number + 1}")
        return self._speak(reply) if isinstance(reply, str) else reply

    @contextlib.contextmanager
    def connection(self, connection: socket.socket) -> Iterator[None]:
        """Count a connection, and know it for as long as it is open."""
        with self._lock:
            self.connections += 1
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)

    def wait(self, seconds: float) -> bool:
        """Sleep, but not past the server's end; whether it has come."""
        return self._closing.wait(seconds)


@contextlib.contextmanager
def scripted_server(
    script: Script, *, keep_alive: bool = False, speak: Speak = completion
) -> Iterator[ScriptedServer]:
    """Serve `script` on a free port of 127.0.0.1 for as long as the block lasts."""
    server = ScriptedServer(script, keep_alive=keep_alive, speak=speak)
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
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with scripted.connection(self.connection):
                super().handle()

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            reply = scripted.reply_to(Received(self.path, headers, body, self.command))
            if reply.reset:
                _reset(self.connection)
            else:
                _send(self, reply, scripted)
            kept = scripted.keep_alive and reply.claimed_length is None and not reply.reset
            self.close_connection = not kept

        def do_GET(self) -> None:
            self.do_POST()

        def do_PATCH(self) -> None:
            self.do_POST()

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *args: Any) -> None:
            """Keep the tests' output clean."""

    return Handler


def _send(handler: BaseHTTPRequestHandler, reply: Reply, scripted: ScriptedServer) -> None:
    length = len(reply.body) if reply.claimed_length is None else reply.claimed_length
    kept = {} if scripted.keep_alive else {"Connection": "close"}
    headers = {**reply.headers, "Content-Length": str(length), **kept}
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
