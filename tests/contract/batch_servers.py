"""Scripted batch endpoints, Anthropic's and OpenAI's: what was created, and answers that come when they should.

batches = AnthropicBatches(lambda task: Good() if task.times == 1 else …)
with scripted_server(batches) as server:
    …
assert len(batches.created) == 1
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from executors.model_server import (
    Received,
    Reply,
    claude_error,
    claude_message,
    completion,
    error,
    raw,
)

SHOWN_FILE = re.compile(r"\b\d\.txt\b")


@dataclass(frozen=True)
class Ask:
    """One request of a batch: the file that its task writes, and how often it was sent by now."""

    own_id: str
    body: dict[str, Any]
    file: str
    times: int


@dataclass
class Batch:
    """A batch that was created."""

    id: str
    asks: list[Ask]
    name: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def files(self) -> list[str]:
        """What its tasks write."""
        return sorted(ask.file for ask in self.asks)


Answer = Callable[[Ask], str]
"""A reply's text, or one of the words below."""
ERRORED, EXPIRED, CANCELED, OVERLOADED = "errored", "expired", "canceled", "overloaded"
DAMAGED = "damaged"
"""A line of the results that is cut in the middle."""


class Batches:
    """What both servers have in common. `ended` says whether batches have ended yet."""

    def __init__(self, answer: Answer) -> None:
        self.created: list[Batch] = []
        self.removed: set[str] = set()
        self.polled = threading.Event()
        self.ended = threading.Event()
        self.ended.set()
        self.received = threading.Event()
        self.holds = threading.Event()
        self.hold_at = ""
        self.refusal: Reply | None = None
        self.single = 0
        self._answer = answer
        self._times: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Received) -> Reply:
        """The answer to any request."""
        with self._lock:
            try:
                reply = self._route(request)
            except LookupError as unknown:
                reply = claude_error(404, str(unknown), kind="not_found_error")
        if self.hold_at and (request.method, request.path) == ("POST", self.hold_at):
            self.received.set()
            self.holds.wait(20)
        return reply

    def _route(self, request: Received) -> Reply:
        raise NotImplementedError

    def _create(self, asked: list[tuple[str, dict[str, Any]]], *, name: str = "") -> Batch:
        asks = []
        for own_id, body in asked:
            found = SHOWN_FILE.search(json.dumps(body["messages"]))
            assert found is not None
            self._times[found[0]] = self._times.get(found[0], 0) + 1
            asks.append(Ask(own_id, body, found[0], self._times[found[0]]))
        batch = Batch(f"batch_{len(self.created) + 1}", asks, name)
        self.created.append(batch)
        return batch

    def _find(self, batch_id: str) -> Batch:
        if batch_id in self.removed:
            raise LookupError(f"no batch {batch_id}")
        return next(batch for batch in self.created if batch.id == batch_id)

    def _state(self, batch_id: str) -> Batch:
        self.polled.set()
        return self._find(batch_id)


def document(value: Any) -> Reply:
    """JSON."""
    return raw(json.dumps(value))


def lines(values: list[Any]) -> Reply:
    """JSON lines; one whose text is `DAMAGED` ends early."""
    rows = [json.dumps(value) for value in values]
    cut = [row.partition(f'"{DAMAGED}"')[0] for row in rows]
    return raw("".join(row + "\n" for row in cut), content_type="text/plain")


class AnthropicBatches(Batches):
    """`/v1/messages/batches`; results come in another order than the requests."""

    create_path = "/v1/messages/batches"

    def _route(self, request: Received) -> Reply:
        path = request.path.partition("?")[0]
        tail = path.removeprefix(self.create_path).strip("/").split("/")
        if path == "/v1/messages":
            self.single += 1
            return claude_error(400, "no single calls here", kind="invalid_request_error")
        if request.method == "POST":
            if self.refusal:
                return self.refusal
            asked = [(each["custom_id"], each["params"]) for each in request.json["requests"]]
            return document(self._shown(self._create(asked)))
        if tail == [""]:
            return document({"data": [self._shown(each) for each in reversed(self.created)]})
        if tail[-1] == "results":
            return lines([self._result(ask) for ask in reversed(self._find(tail[0]).asks)])
        return document(self._shown(self._state(tail[0])))

    def _shown(self, batch: Batch) -> dict[str, Any]:
        ended = self.ended.is_set()
        counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        counts["succeeded" if ended else "processing"] = len(batch.asks)
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "created_at": batch.created.isoformat().replace("+00:00", "Z"),
            "results_url": "http://127.0.0.1:1/never/fetch/this" if ended else None,
        }

    def _result(self, ask: Ask) -> dict[str, Any]:
        text = self._answer(ask)
        if text in (EXPIRED, CANCELED):
            result: dict[str, Any] = {"type": text}
        elif text in (ERRORED, OVERLOADED):
            kind = "invalid_request_error" if text == ERRORED else "overloaded_error"
            result = {
                "type": "errored",
                "error": json.loads(claude_error(400, "no", kind=kind).body),
            }
        else:
            result = {"type": "succeeded", "message": json.loads(claude_message(text).body)}
        return {"custom_id": ask.own_id, "result": result}


class OpenAiBatches(Batches):
    """`/v1/files` and `/v1/batches`; what failed is in a file of its own."""

    create_path = "/v1/batches"

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.files: list[list[dict[str, Any]]] = []

    def _route(self, request: Received) -> Reply:
        path = request.path.partition("?")[0]
        if path == "/v1/chat/completions":
            self.single += 1
            return error(400, "no single calls here")
        if path == "/v1/files":
            return self._upload(request)
        if path.startswith("/v1/files/"):
            return self._content(path.split("/")[3])
        if request.method == "POST":
            return self.refusal or self._begin(request.json)
        if path == self.create_path:
            return document({"data": [self._shown(each) for each in reversed(self.created)]})
        return document(self._shown(self._state(path.split("/")[3])))

    def _upload(self, request: Received) -> Reply:
        kind = request.headers["content-type"]
        assert kind.startswith("multipart/form-data; boundary=")
        edge = b"--" + kind.partition("boundary=")[2].encode()
        parts = [part.strip(b"\r\n") for part in request.body.split(edge)]
        assert any(b'name="purpose"' in part and part.endswith(b"\r\n\r\nbatch") for part in parts)
        file = next(part for part in parts if b'name="file"' in part)
        rows = file.partition(b"\r\n\r\n")[2].decode().splitlines()
        self.files.append([json.loads(row) for row in rows])
        return document({"id": f"file-{len(self.files)}", "object": "file", "purpose": "batch"})

    def _begin(self, body: dict[str, Any]) -> Reply:
        assert (body["endpoint"], body["completion_window"]) == ("/v1/chat/completions", "24h")
        rows = self.files[int(body["input_file_id"].removeprefix("file-")) - 1]
        assert {(row["method"], row["url"]) for row in rows} == {("POST", "/v1/chat/completions")}
        name = body.get("metadata", {}).get("minitask", "")
        asked = [(row["custom_id"], row["body"]) for row in rows]
        return document(self._shown(self._create(asked, name=name)))

    def _shown(self, batch: Batch) -> dict[str, Any]:
        ended = self.ended.is_set()
        return {
            "id": batch.id,
            "object": "batch",
            "status": "completed" if ended else "in_progress",
            "created_at": int(batch.created.timestamp()),
            "metadata": {"minitask": batch.name},
            "request_counts": {"total": len(batch.asks), "completed": 0, "failed": 0},
            "output_file_id": f"out-{batch.id}" if ended else None,
            "error_file_id": f"err-{batch.id}" if ended else None,
        }

    def _content(self, file_id: str) -> Reply:
        which, _, batch_id = file_id.partition("-")
        rows = [self._row(ask) for ask in reversed(self._find(batch_id).asks)]
        return lines([row for row in rows if (row["error"] is None) == (which == "out")])

    def _row(self, ask: Ask) -> dict[str, Any]:
        text = self._answer(ask)
        row: dict[str, Any] = {"id": "r", "custom_id": ask.own_id, "response": None, "error": None}
        if text in (EXPIRED, CANCELED):
            code = "batch_expired" if text == EXPIRED else "batch_cancelled"
            return row | {"error": {"code": code, "message": "it was not come to"}}
        reply = completion(text)
        if text in (ERRORED, OVERLOADED):
            reply = error(400 if text == ERRORED else 503, "no")
        return row | {"response": {"status_code": reply.status, "body": json.loads(reply.body)}}
