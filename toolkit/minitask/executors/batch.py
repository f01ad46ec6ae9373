"""Batches at half price: many chat requests sent as one, answered within a day, fetched by the batch's id.

What a provider says of each request becomes the `HttpResponse` that a single call would have got, so that the same
code reads it. Keys go to the executor's own host alone: addresses in answers are not followed.
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
"""Seconds before results are fetched again if some are missing."""
UNANSWERED = 504
"""The status that a request gets which the provider did not come to: it may be sent again."""
_ID = lazy_pattern(r"[\w-]+")

Bodies = Mapping[str, Mapping[str, object]]
"""Requests' JSON by custom id (letters, digits, `-` and `_`; at most 64)."""


class BatchState(Struct, frozen=True):
    """The state of a batch. `failure` says why it cannot be used at all; it has ended then, too.

    `was_stopped`: it ended early, and the provider did not come to requests without a result.
    """

    id: str
    ended: bool
    size: int | None = None
    failure: str = ""
    was_stopped: bool = False


class BatchApi(Protocol):
    """One provider's batches."""

    def create(self, bodies: Bodies, *, name: str) -> BatchState:
        """Send the requests as a batch; `name` marks it as ours where the provider has room for that."""
        ...

    def state(self, batch_id: str) -> BatchState:
        """Return where a batch stands."""
        ...

    def find(self, *, name: str, size: int, since: float) -> str | None:
        """Return the id of a batch that was created after a Unix time, and whose id was never learned."""
        ...

    def answers(self, batch_id: str) -> dict[str, HttpResponse]:
        """Return what each request got, by custom id, without those whose result is damaged or missing.

        One that the provider did not come to has status 504.
        """
        ...


class _Calls:
    """Requests to an executor's server, with its key."""

    def __init__(self, executor: ChatExecutor) -> None:
        self._executor = executor

    def _get_json(self, path: str) -> Object:
        """Return the JSON object at a path; raises `ExecutorFailure`."""
        return self._parsed(self._get(path), path)

    def _rows(self, path: str) -> list[Object]:
        """Return the objects in the list at a path; raises `ExecutorFailure`."""
        listed = self._get_json(path).get("data")
        return [mapping(row) for row in listed] if isinstance(listed, list) else []

    def _post_json(self, path: str, body: object) -> Object:
        """Return what a POST of JSON is answered with; raises `ExecutorFailure`."""
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        return self._post(path, content, {})

    def _post(self, path: str, content: bytes, headers: Mapping[str, str]) -> Object:
        """Return what a POST is answered with; raises `ExecutorFailure`."""
        return self._parsed(self._send("POST", path, content, headers), path)

    def _lines(self, path: str) -> Iterator[tuple[str, Object]]:
        """Yield the JSON objects of a file of lines, by custom id; a damaged line is passed over."""
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
    """`/messages/batches`."""

    def create(self, bodies: Bodies, *, name: str) -> BatchState:  # noqa: ARG002 - no room for a name
        """Send the requests as a batch."""
        requests = [{"custom_id": name, "params": body} for name, body in bodies.items()]
        return self._read(self._post_json("/messages/batches", {"requests": requests}))

    def state(self, batch_id: str) -> BatchState:
        """Return where a batch stands."""
        return self._read(self._get_json(f"/messages/batches/{batch_id}"))

    def find(self, *, name: str, size: int, since: float) -> str | None:  # noqa: ARG002
        """Return the only batch of that size since then, if there is just one."""
        rows = self._rows(f"/messages/batches?limit={LISTED}")
        recent = (row for row in rows if (unix_seconds(row.get("created_at")) or 0) >= since)
        fitting = [row for row in recent if self._read(row).size == size]
        return _id(fitting[0]) if len(fitting) == 1 else None

    def answers(self, batch_id: str) -> dict[str, HttpResponse]:
        """Return what each request got."""
        lines = self._lines(f"/messages/batches/{batch_id}/results")
        return {request_id: _anthropic_answer(line) for request_id, line in lines}

    def _read(self, parsed: Object) -> BatchState:
        numbers = [count(number) for number in mapping(parsed.get("request_counts")).values()]
        size = sum(number or 0 for number in numbers) if numbers else None
        return BatchState(_id(parsed), parsed.get("processing_status") == "ended", size)


class OpenAiBatches(_Calls):
    """`/files` and `/batches`."""

    def __init__(self, executor: ChatExecutor) -> None:
        super().__init__(executor)
        self._path = "/v1" + executor.path

    def create(self, bodies: Bodies, *, name: str) -> BatchState:
        """Upload the requests as a file of lines, and start a batch on it."""
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
        """Return where a batch stands."""
        return self._read(self._get_json(f"/batches/{batch_id}"))

    def find(self, *, name: str, size: int, since: float) -> str | None:  # noqa: ARG002
        """Return the batch of that name."""
        rows = self._rows(f"/batches?limit={LISTED}")
        matching = [row for row in rows if mapping(row.get("metadata")).get("minitask") == name]
        return _id(matching[0]) if matching else None

    def answers(self, batch_id: str) -> dict[str, HttpResponse]:
        """Return what each request got, from the file of answers and the file of errors."""
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
    """Return the answers of a batch that has ended; where some are missing, fetch the results again.

    `wait` takes seconds, and is true if there is no time to wait.
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
    """Return a failure to send a batch or to look at it, for one of its requests: only their answers are billed."""
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
    """Return the answer of a request that the provider did not come to."""
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
    """Return the id of a batch or file, which becomes a part of paths; raises `ExecutorFailure` if it is none."""
    identifier = parsed.get("id")
    if isinstance(identifier, str) and _ID.fullmatch(identifier):
        return identifier
    raise ExecutorFailure(FailureKind.TRANSPORT, "the response names no batch or file")


def _form(name: str, content: bytes) -> tuple[bytes, str]:
    """Return a file upload as multipart/form-data (RFC 7578), and its content type."""
    edge = f"minitask-{name}"
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}.jsonl"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    whole = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
    return whole, f"multipart/form-data; boundary={edge}"


def batches_of(executor: object) -> BatchApi | None:
    """Return the batches of an executor's provider; None if it has none."""
    from minitask.executors.anthropic import AnthropicExecutor
    from minitask.executors.openai import OpenAiExecutor

    if isinstance(executor, AnthropicExecutor):
        return AnthropicBatches(executor)
    return OpenAiBatches(executor) if isinstance(executor, OpenAiExecutor) else None
