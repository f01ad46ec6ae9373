"""Tool calls in place of a reply: some models write files by tools that nobody offered them.

A call that can mean only one edit is written as the Markdown of that edit; any other is shown as it is, so that it goes
back to the model as a reply without edits.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from minitask.edits.fences import path_info, render_block, render_fence
from minitask.edits.script_model import SearchReplace
from minitask.executors.response import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENDED = frozenset({"tool_calls", "tool_call", "function_call", "tool_use"})
"""Finish reasons of replies that end with a tool call."""
_PATHS = ("path", "file_path", "filepath", "filename", "file", "target_file", "absolute_path")
_CONTENTS = ("content", "contents", "file_text", "file_content", "text", "code", "new_content")
_OLD = ("old_string", "old_str", "old_text", "old", "search", "find")
_NEW = ("new_string", "new_str", "new_text", "new", "replace", "replacement")
_BEGIN = "*** Begin Patch"


def text_of_calls(calls: object) -> str:
    """Return the calls of a message as a reply, whichever provider's form they have; empty if there are none."""
    listed = calls if isinstance(calls, list) else [calls] if calls else []
    return "\n".join(_render(mapping(call)) for call in listed if isinstance(call, dict))


def joined(text: str, calls: object) -> str:
    """Return a message's text and its calls, as one reply."""
    return "\n\n".join(part for part in (text, text_of_calls(calls)) if part)


def _render(call: Mapping[str, object]) -> str:
    function = mapping(call.get("function")) or call
    raw_arguments = next(
        (function[key] for key in ("arguments", "input", "parameters") if function.get(key)), {}
    )
    arguments = _arguments(raw_arguments)
    patch = next((text for text in _texts(arguments.values()) if _BEGIN in text), None)
    if patch is not None:
        return render_fence("patch", patch[patch.index(_BEGIN) :])
    path, content = _first(arguments, _PATHS), _first(arguments, _CONTENTS)
    old, new = _first(arguments, _OLD), _first(arguments, _NEW)
    if path and old and new is not None and content is None:
        block = SearchReplace(path, _ended(old), _ended(new))
        return render_fence(path_info(path), render_block(block))
    if path and content is not None and old is None:
        return render_fence(path_info(path), content)
    shown = raw_arguments if isinstance(raw_arguments, str) else json.dumps(raw_arguments)
    return f"(a call of the tool {function.get('name')}, which there is not: {shown})"


def _arguments(raw_arguments: object) -> Mapping[str, object]:
    if isinstance(raw_arguments, str):
        try:
            parsed = json.loads(raw_arguments)
        except (ValueError, RecursionError):
            return {"input": raw_arguments}
        return mapping(parsed) or {"input": parsed}
    return mapping(raw_arguments)


def _texts(values: Iterable[object]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (text for text in value if isinstance(text, str))


def _first(arguments: Mapping[str, object], keys: Iterable[str]) -> str | None:
    candidates = (arguments.get(key) for key in keys)
    return next((value for value in candidates if isinstance(value, str)), None)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
