"""Join the chunks of a stream, which some gateways send though none was requested, to one chat completion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

Object = Mapping[str, object]
_MARK = "data:"


def joined_stream(body: bytes) -> Object | None:
    """Return the response that a stream's chunks make, or its error; None if it is none, is damaged or has no end."""
    try:
        chunks = list(_chunks(body.decode("utf-8")))
    except (ValueError, RecursionError):
        return None
    error = next((chunk for chunk in chunks if chunk.get("error")), None)
    if error is not None:
        return error
    choices = [choice for chunk in chunks for choice in _choices(chunk)]
    finish = _last(choices, "finish_reason")
    if finish is None:
        return None
    parts = [part for choice in choices for part in (choice.get("delta"), choice.get("message"))]
    message = _message([part for part in parts if isinstance(part, dict)])
    native = _last(choices, "native_finish_reason")
    choice = {"message": message, "finish_reason": finish, "native_finish_reason": native}
    usage = _last(chunks, "usage") or _last(choices, "usage")
    return {"model": _last(chunks, "model"), "choices": [choice], "usage": usage}


def _chunks(text: str) -> Iterator[Object]:
    """Yield the objects in a stream's lines of data; raise ValueError for a damaged one."""
    for line in text.splitlines():
        data = line[len(_MARK) :].strip() if line.startswith(_MARK) else ""
        if data and data != "[DONE]":
            chunk = json.loads(data)
            if isinstance(chunk, dict):
                yield chunk


def _choices(chunk: Object) -> Iterator[Object]:
    choices = chunk.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and not choice.get("index"):
            yield choice


def _last(objects: list[Object], name: str) -> object:
    values = [found.get(name) for found in objects]
    return next((value for value in reversed(values) if value is not None), None)


def _message(deltas: list[Object]) -> Object:
    """Return the message that deltas make: each text in one piece, and each call of a tool by its index."""
    message: dict[str, object] = {"role": "assistant"}
    for name in ("content", "refusal"):
        texts = [text for delta in deltas if isinstance(text := delta.get(name), str)]
        message[name] = "".join(texts) or None
    calls: dict[object, dict[str, str]] = {}
    for delta in deltas:
        listed = delta.get("tool_calls")
        for part in listed if isinstance(listed, list) else ():
            function = part.get("function") if isinstance(part, dict) else None
            for name, text in function.items() if isinstance(function, dict) else ():
                call = calls.setdefault(part.get("index"), {})
                call[name] = call.get(name, "") + str(text or "")
    message["tool_calls"] = [{"function": call} for call in calls.values()]
    return message
