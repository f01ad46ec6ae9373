"""Provider batches at half price: many chat requests sent as one, answered within a day, fetched by the batch's id.

Each result becomes the `HttpResponse` that a single call would have got, so the same code parses it. Keys are sent only
to the executor's own host: URLs in responses are not followed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from minitask.errors import MachineError
from minitask.executors.endpoint import ChatExecutor
from minitask.executors.http import HttpRequest, HttpResponse
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.executors.response import UNKNOWN_TOKENS, count, mapping, parse_answer
from minitask.executors.server_errors import STATUS_OF, Object, unix_seconds
from minitask.patterns import lazy_pattern

CALL_SECONDS = 120.0
LISTED = 100
FETCH_PAUSES = (1.0, 5.0)
"""Seconds before each new fetch if results are missing."""
UNANSWERED = 504
"""Status for a request that the provider did not process; it can be sent again."""
_ID = lazy_pattern(r"[\w-]+")

Bodies = Mapping[str, Mapping[str, object]]
"""JSON bodies of requests by custom id (letters, digits, `-` and `_`; at most 64 characters)."""


class BatchState(Struct, frozen=True):
    """The state of a batch. `failure` says why the whole batch failed; it has ended then, too.

    `was_stopped`: it ended early, and requests without a result were not processed.
    """

    id: str
    ended: bool
    size: int | None = None
    failure: str = ""
    was_stopped: bool = False


class BatchApi(Protocol):
    """One provider's batch API."""

    def create(self, bodies: Bodies, *, name: str) -> BatchState:
        """Create a batch of the requests, labelled `name` if the provider supports labels."""
        ...

    def state(self, batch_id: str) -> BatchState:
        """Return the state of a batch."""
        ...

    def find(self, *, name: str, size: int, since: float) -> str | None:
        """Return the id of a batch created after the Unix time `since`, whose creation got no response."""
        ...

    def answers(self, batch_id: str) -> dict[str, HttpResponse]:
        """Return the response to each request by custom id, without damaged or missing results.

        A request that the provider did not process has status 504.
        """
        ...


class _Calls:
    """Requests to an executor's server, with its key."""

    def __init__(self, executor: ChatExecutor) -> None:
        self._executor = executor

    def _get_json(self, path: str) -> Object:
        """Return the JSON object at a path; raise `ExecutorFailure`."""
        return self._parsed(self._get(path), path)

    def _rows(self, path: str) -> list[Object]:
        """Return the objects in the list at a path; raise `ExecutorFailure`."""
        listed = self._get_json(path).get("data")
        return [mapping(row) for row in listed] if isinstance(listed, list) else []

    def _post_json(self, path: str, body: object) -> Object:
        """Return the response to a POST of JSON; raise `ExecutorFailure`."""
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        return self._post(path, content, {})

    def _post(self, path: str, content: bytes, headers: Mapping[str, str]) -> Object:
        """Return the response to a POST; raise `ExecutorFailure`."""
        return self._parsed(self._send("POST", path, content, headers), path)

    def _lines(self, path: str) -> Iterator[tuple[str, Object]]:
        """Yield the objects of a JSON Lines file with their custom ids; skip damaged lines."""
        answer = self._get(path)
        if not 200 <= answer.status < 300:
            self._parsed(answer, path)
        for line in answer.body.splitlines():
            with suppress(ValueError, RecursionError):
                parsed = mapping(json.loads(line))
                request_id = parsed.get("custom_id")
                if isinstance(request_id, str):
                    yield request_id, parsed

    def _get(self, path: str) -> HttpResponse:
        return self._send("GET", path, b"", {})

    def _send(
        self, method: str, path: str, content: bytes, headers: Mapping[str, str]
    ) -> HttpResponse:
        every = {**self._executor.headers(), **headers}
        request = HttpRequest(self._executor.address.url(path), content, every, method)
        return self._executor.send(request, timeout_seconds=CALL_SECONDS)

    def _parsed(self, answer: HttpResponse, path: str) -> Object:
        return parse_answer(answer, self._executor.wire(self._executor.address.url(path)))


class AnthropicBatches(_Calls):
    """Anthropic's batch API (`/messages/batches`)."""

    def create(self, bodies: Bodies, *, name: str) -> BatchState:  # noqa: ARG002 - no labels here
        """Create a batch of the requests."""
        requests = [{"custom_id": name, "params": body} for name, body in bodies.items()]
        return self._read(self._post_json("/messages/batches", {"requests": requests}))

    def state(self, batch_id: str) -> BatchState:
        """Return the state of a batch."""
        return self._read(self._get_json(f"/messages/batches/{batch_id}"))

    def find(self, *, name: str, size: int, since: float) -> str | None:  # noqa: ARG002
        """Return the batch of that size created since then, if there is exactly one."""
        rows = self._rows(f"/messages/batches?limit={LISTED}")
        recent = (row for row in rows if (unix_seconds(row.get("created_at")) or 0) >= since)
        fitting = [row for row in recent if self._read(row).size == size]
        return _id(fitting[0]) if len(fitting) == 1 else None

    def answers(self, batch_id: str) -> dict[str, HttpResponse]:
        """Return the response to each request."""
        lines = self._lines(f"/messages/batches/{batch_id}/results")
        return {request_id: _anthropic_answer(line) for request_id, line in lines}

    def _read(self, parsed: Object) -> BatchState:
        numbers = [count(number) for number in mapping(parsed.get("request_counts")).values()]
        size = sum(number or 0 for number in numbers) if numbers else None
        return BatchState(_id(parsed), parsed.get("processing_status") == "ended", size)


class OpenAiBatches(_Calls):
    """OpenAI's batch API (`/files` and `/batches`)."""

    def __init__(self, executor: ChatExecutor) -> None:
        super().__init__(executor)
        self._path = "/v1" + executor.path

    def create(self, bodies: Bodies, *, name: str) -> BatchState:
        """Upload the requests as a JSON Lines file, and create a batch from it."""
        rows = (
            {"custom_id": request_id, "method": "POST", "url": self._path, "body": body}
            for request_id, body in bodies.items()
        )
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        content, kind = _form(name, lines.encode("utf-8", "replace"))
        uploaded = self._post("/files", content, {"Content-Type": kind})
        body = {
            "input_file_id": _id(uploaded),
            "endpoint": self._path,
            "completion_window": "24h",
            "metadata": {"minitask": name},
        }
        return self._read(self._post_json("/batches", body))

    def state(self, batch_id: str) -> BatchState:
        """Return the state of a batch."""
        return self._read(self._get_json(f"/batches/{batch_id}"))

    def find(self, *, name: str, size: int, since: float) -> str | None:  # noqa: ARG002
        """Return the batch labelled `name`."""
        rows = self._rows(f"/batches?limit={LISTED}")
        matching = [row for row in rows if mapping(row.get("metadata")).get("minitask") == name]
        return _id(matching[0]) if matching else None

    def answers(self, batch_id: str) -> dict[str, HttpResponse]:
        """Return the response to each request, from the output file and the error file."""
        parsed = self._get_json(f"/batches/{batch_id}")
        file_ids = [parsed.get(key) for key in ("output_file_id", "error_file_id")]
        return {
            request_id: _openai_answer(line)
            for file_id in file_ids
            if isinstance(file_id, str) and file_id
            for request_id, line in self._lines(f"/files/{file_id}/content")
        }

    def _read(self, parsed: Object) -> BatchState:
        status = parsed.get("status")
        ended = status in {"completed", "failed", "expired", "cancelled"}
        size = count(mapping(parsed.get("request_counts")).get("total"))
        failure = _first_error(parsed) if status == "failed" else ""
        was_stopped = status in {"expired", "cancelled"}
        return BatchState(_id(parsed), ended, size, failure, was_stopped)


def whole_answers(
    api: BatchApi,
    state: BatchState,
    expected_ids: Collection[str],
    *,
    wait: Callable[[float], bool],
) -> dict[str, HttpResponse]:
    """Return the responses of a batch that has ended; fetch again if some are missing.

    `wait` sleeps for some seconds, and returns True if there is no time left.
    """
    if state.failure:
        return {}
    answers = api.answers(state.id)
    if state.was_stopped:
        return {**dict.fromkeys(expected_ids, unanswered("the batch ended early")), **answers}
    for pause in FETCH_PAUSES:
        if answers.keys() >= set(expected_ids) or wait(pause):
            break
        answers |= api.answers(state.id)
    return answers


def no_result(state: BatchState) -> ExecutorFailure:
    """Return the failure of a request whose batch failed, or lost its result, which may have been billed."""
    if state.failure:
        return ExecutorFailure(FailureKind.BAD_REQUEST, f"the batch failed: {state.failure}")
    return ExecutorFailure(
        FailureKind.TRANSPORT,
        f"batch {state.id} has no result for it, though it may have been billed",
        hint="run the same command again to send it anew",
        usage=UNKNOWN_TOKENS,
        retryable=False,
    )


def not_billed(error: ExecutorFailure | MachineError) -> ExecutorFailure | MachineError:
    """Return the failure of a batch call as one of its requests', without usage: only results are billed."""
    if not isinstance(error, ExecutorFailure):
        return error
    return ExecutorFailure(
        error.kind,
        error.message,
        hint=error.hint,
        retryable=error.retryable,
        retry_after_seconds=error.retry_after_seconds,
    )


def unanswered(why: str) -> HttpResponse:
    """Return the response for a request that the provider did not process."""
    return _error(UNANSWERED, {"message": why})


def _anthropic_answer(line: Object) -> HttpResponse:
    result = mapping(line.get("result"))
    kind = result.get("type")
    if kind == "succeeded":
        return HttpResponse(200, {}, json.dumps(result.get("message")).encode())
    if kind == "errored":
        error = mapping(result.get("error"))
        inner = mapping(error.get("error")) or error
        return _error(STATUS_OF.get(str(inner.get("type")), 500), inner)
    return unanswered(f"the batch's request {kind if kind == 'expired' else 'was cancelled'}")


def _openai_answer(line: Object) -> HttpResponse:
    response = mapping(line.get("response"))
    status = count(response.get("status_code"))
    if status is not None:
        return HttpResponse(status, {}, json.dumps(response.get("body")).encode())
    error = mapping(line.get("error"))
    if error.get("code") in {"batch_expired", "batch_cancelled"}:
        return unanswered(str(error.get("message") or error.get("code")))
    return _error(500, error)


def _error(status: int, fields: Object) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps({"error": dict(fields)}).encode())


def _first_error(parsed: Object) -> str:
    rows = mapping(parsed.get("errors")).get("data")
    first = mapping(rows[0]) if isinstance(rows, list) and rows else {}
    return str(first.get("message") or "the provider refused the batch")


def _id(parsed: Object) -> str:
    """Return the id of a batch or file; raise `ExecutorFailure` if it is not safe in a URL path."""
    identifier = parsed.get("id")
    if isinstance(identifier, str) and _ID.fullmatch(identifier):
        return identifier
    raise ExecutorFailure(FailureKind.TRANSPORT, "the response names no batch or file")


def _form(name: str, content: bytes) -> tuple[bytes, str]:
    """Return the body of a multipart/form-data upload (RFC 7578), and its content type."""
    edge = f"minitask-{name}"
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}.jsonl"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    whole = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
    return whole, f"multipart/form-data; boundary={edge}"


def batches_of(executor: object) -> BatchApi | None:
    """Return the batch API of an executor's provider, or None."""
    from minitask.executors.anthropic import AnthropicExecutor
    from minitask.executors.openai import OpenAiExecutor

    if isinstance(executor, AnthropicExecutor):
        return AnthropicBatches(executor)
    return OpenAiBatches(executor) if isinstance(executor, OpenAiExecutor) else None
