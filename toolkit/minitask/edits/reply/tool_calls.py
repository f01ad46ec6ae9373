"""Render a model's calls of tools, of which none were offered, as fences of a reply."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from minitask.edits.fences import path_info, render_block, render_fence
from minitask.edits.reply.markers import has_block_form
from minitask.edits.script_model import SearchReplace
from minitask.patterns import lazy_pattern

_PATHS = ("path", "file_path", "filepath", "filename", "file", "target_file", "absolute_path")
_CONTENTS = ("content", "contents", "file_text", "file_content", "text", "code", "new_content")
_OLD = ("old_string", "old_str", "old_text", "old", "search", "find")
_NEW = ("new_string", "new_str", "new_text", "new", "replace", "replacement")
_PARTLY = lazy_pattern(r"append|insert|undo|offset|(?:^|[ _])(?:line|lines|range)(?:$|[ _])| a\+?$")
"""In the name or the arguments of a tool: that it does not write all of a file."""
_BEGIN = "*** Begin Patch"


def text_of_calls(calls: object) -> str:
    """Return a message's calls of tools, of which none were offered, as a reply; "" if there are none.

    A call that can mean only one edit becomes that edit; any other is quoted, so that it is sent back to the model.
    """
    listed = calls if isinstance(calls, list) else [calls]
    return "\n".join(_render(call) for call in listed if isinstance(call, dict))


def _render(call: Mapping[str, object]) -> str:
    function = _mapping(call.get("function")) or call
    raw_arguments = next(filter(None, map(function.get, ("arguments", "input", "parameters"))), {})
    arguments = _arguments(raw_arguments)
    patch = next((text for text in _texts(arguments.values()) if _BEGIN in text), None)
    if patch is not None:
        return render_fence("patch", patch[patch.index(_BEGIN) :])
    sign = f"{function.get('name')} {' '.join(arguments)} {arguments.get('mode')}"
    path, content = _first(arguments, _PATHS), _first(arguments, _CONTENTS)
    path = None if _PARTLY.search(sign) else path
    old, new = _first(arguments, _OLD), _first(arguments, _NEW)
    path = path.strip() if path else None
    diff = _first(arguments, ("diff",))
    if path and diff and has_block_form(diff):
        return render_fence(path_info(path), _ended(diff))
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
        return _mapping(parsed) or {"input": parsed}
    return _mapping(raw_arguments)


def _texts(values: Iterable[object]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (text for text in value if isinstance(text, str))


def _first(arguments: Mapping[str, object], keys: Iterable[str]) -> str | None:
    return next((value for value in map(arguments.get, keys) if isinstance(value, str)), None)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
