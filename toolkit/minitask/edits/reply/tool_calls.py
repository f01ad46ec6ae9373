"""Read a model's calls of tools, of which none were offered, as fences of a reply.

An API gives them apart; or the model wrote them into its text, where an agent's prompt or a chat template taught it to:
as JSON behind a mark, parameters in tags, elements named after a tool, or a file in a tag with its path. An argument
ends at its closing tag; one that holds such a tag itself is ambiguous, so its call is left as it is.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping

from minitask.edits.fences import path_info, render_block, render_fence
from minitask.edits.reply.markers import ALL, PARTS, has_block_form
from minitask.edits.script_model import SearchReplace
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.markdown import find_fences

_PATHS = ("path", "file_path", "filepath", "filename", "file", "target_file", "absolute_path")
_CONTENTS = ("content", "contents", "file_text", "file_content", "text", "code", "new_content")
_OLD = ("old_string", "old_str", "old_text", "old", "search", "find")
_NEW = ("new_string", "new_str", "new_text", "new", "replace", "replacement")
_PARTLY = lazy_pattern(
    r"append|prepend|insert|undo|offset|(?:^|[ _])(?:lines?|range|start|end|position|after|before)(?:$|[ _])"
    r"|(?:Lines?|Range)(?:$|[ _A-Z])|(?:^| )a\+?(?:$| )"
)
"""In a tool's name, its arguments' names or the way that one of them says: that it does not write all of a file."""
_EVERYWHERE = ("replace_all", "replaceAll", "all_occurrences")
_WAYS = ("mode", "action", "operation", "op", "command", "kind", "method")
_AROUND_CALLS = frozenset({"", "text", "txt", "xml", "json"})
"""Info strings of fences that may stand around calls."""
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
    said = filter(None, (_first(arguments, (key,)) for key in _WAYS))
    sign = " ".join((str(function.get("name")), *arguments, *said))
    path, content = _first(arguments, _PATHS), _first(arguments, _CONTENTS)
    path = None if _PARTLY.search(sign) else path
    old, new = _first(arguments, _OLD), _first(arguments, _NEW)
    path = path.strip() if path else None
    diff = _first(arguments, ("diff",))
    if path and diff and has_block_form(diff):
        return render_fence(path_info(path), _ended(diff))
    if path and old and new is not None and content is None:
        block = SearchReplace(path, _ended(old), _ended(new))
        is_open = not old.endswith("\n") and not new.endswith("\n")
        everywhere = f" {ALL}" * any(map(arguments.get, _EVERYWHERE))
        info = path_info(path) + f" {PARTS}" * is_open + everywhere
        return render_fence(info, render_block(block))
    blocks = _blocks(arguments.get("edits"), path) if path and content is None else ""
    if path and blocks:
        return render_fence(f"{path_info(path)} {PARTS}", blocks)
    if path and content is not None and old is None:
        return render_fence(path_info(path), content)
    shown = raw_arguments if isinstance(raw_arguments, str) else json.dumps(raw_arguments)
    return f"(a call of the tool {function.get('name')}, which there is not: {shown})"


def _blocks(edits: object, path: str) -> str:
    """Return a call's list of replacements as blocks; "" if any is more, or is to be done everywhere."""
    pairs = [
        (_first(fields, _OLD), _first(fields, _NEW))
        for fields in map(_mapping, edits if isinstance(edits, list) else ())
        if not any(value is True for value in fields.values())
    ]
    if not isinstance(edits, list) or len(pairs) < len(edits):
        return ""
    if any(not old or new is None or old[-1:] == "\n" or new[-1:] == "\n" for old, new in pairs):
        return ""
    texts = [(_ended(old or ""), _ended(new or "")) for old, new in pairs]
    return "".join(render_block(SearchReplace(path, old, new)) for old, new in texts)


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


_FILE_TAGS = r"file|boltAction|dyad-write|lov-write|artifact|antArtifact"
_ELEMENTS = (
    r"file|write_to_file|replace_in_file|apply_diff|write_file|create_file|edit_file|str_replace"
)
_CALL = lazy_pattern(
    r"<invoke\s+name=[\"']?(?P<invoke>[\w.:-]+)[\"']?\s*>|<function=(?P<function>[\w.:-]+)>"
    rf"|<(?P<element>{_ELEMENTS})>|<(?P<file>{_FILE_TAGS})\s(?P<attributes>[^<>]*)>"
    r"|(?P<json><tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>|\A|(?m:^)(?=[{\[])|```json\n)\s*(?:(?P<name>[\w.-]+)\[ARGS\])?(?=[{\[])"
)
_PATH = lazy_pattern(r"\b(?:path|filePath|file_path|name|title)=[\"']([^\"'<>]+)[\"']")
_ATTRIBUTE = lazy_pattern(r"([\w-]+)=[\"']([^\"'<>]*)[\"']")
_ARGUMENT = lazy_pattern(
    r"<parameter\s+name=[\"']?(?P<named>\w+)[\"']?[^<>]*>|<parameter=(?P<plain>\w+)>"
    r"|<(?P<element>path|content|diff|file_path|old_str(?:ing)?|new_str(?:ing)?|line_count)>"
)
_CDATA = lazy_pattern(r"(?s)\s*<!\[CDATA\[\n?(.*)\]\]>\s*")
_COUNTS = frozenset({"line_count"})
"""Arguments that say nothing of where a text goes."""
_WRAPPER = lazy_pattern(
    r"[ \t]*</?(?:[\w:]*tool_calls?|[\w:]*function_calls|boltArtifact|lov-code)(?:\s[^<>]*)?>[ \t]*"
)
_GLM_KEY = lazy_pattern(r"<arg_key>\s*(\w+)\s*</arg_key>\s*<arg_value>")
_GLM_NAME = lazy_pattern(r"<tool_call>\s*([\w.-]+)\s*\n(?=\s*<parameter)")


def with_fences(answer: str, *, is_listed: Callable[[str], bool] = lambda _path: False) -> str:
    """Return the answer with each call of a tool as the fence that it means, and others as a note.

    JSON that only holds files, all of them `is_listed`, is such a call as well.
    """
    text = answer.replace("｜DSML｜", "")
    if "<arg_key>" in text:
        text = _GLM_KEY.sub(r"<parameter=\1>", text.replace("</arg_value>", "</parameter>"))
        text = _GLM_NAME.sub(r"<function=\1>", text)
        text = re.sub(r"</parameter>\s*</tool_call>", "</parameter>\n</function>", text)
    out, at = "", 0
    for start, end, call in _calls(text, is_listed):
        out += f"{text[at:start]}\n\n{text_of_calls(call)}\n"
        at = end
    if not at:
        return answer
    lines = (out + text[at:]).split("\n")
    return "\n".join("" if _WRAPPER.fullmatch(line) else line for line in lines)


def _calls(text: str, is_listed: Callable[[str], bool]) -> Iterator[tuple[int, int, object]]:
    """Yield where each call begins and ends, and its name and arguments as an API gives them.

    What stands inside of a fence is the text of a file or an example, unless the fence begins with a call.
    """
    at = 0
    inside: set[int] = set()
    for fence in find_fences(text):
        first = fence.line + (fence.info in _AROUND_CALLS)
        inside.update(range(first, fence.line + fence.content.count("\n")))
    ends = [place for place, character in enumerate(text) if character == "\n"]
    for match in _CALL.finditer(text):
        if match.start() < at or bisect_left(ends, match.start()) in inside:
            continue
        found = (
            _json_call(text, match, is_listed)
            if match["json"] is not None
            else _tagged(text, match)
        )
        if found is not None:
            at = found[0]
            yield match.start(), *found


def _json_call(
    text: str, match: re.Match[str], is_listed: Callable[[str], bool]
) -> tuple[int, object] | None:
    try:
        value, end = json.JSONDecoder().raw_decode(text, match.end())
    except (ValueError, RecursionError):
        return None
    if match["name"]:
        value = {"name": match["name"], "arguments": value}
    calls = value if isinstance(value, list) else [value]
    if not calls or not all(map(_is_call, calls)):
        files = [_mapping(file) for file in _files_in(value)]
        if not files or not all(_is_edit(file, is_listed) for file in files):
            return None
        value = [
            {"name": "write_file", "arguments": {"path": file.get("name"), **file}}
            for file in files
        ]
    if match["json"].startswith("```"):
        close = text.find("```", end)
        end = close + 3 if close >= 0 else end
    return end, value


def _files_in(value: object) -> Iterable[object]:
    """Return the files in a list, in an object's only list, or in an object with a text for each path.

    That object may be the only part of another that is more than a text.
    """
    fields = _mapping(value)
    if isinstance(value, list):
        return value
    parts = [item for item in fields.values() if not isinstance(item, str)]
    is_around = _first(fields, _PATHS) is None and len(parts) == 1
    if is_around and _is_text_for_each(parts[0]):
        fields = _mapping(parts[0])
    lists = [item for item in fields.values() if isinstance(item, list)]
    own = [fields] if _first(fields, _PATHS) is not None else []
    if own or len(lists) == 1:
        return [*own, *(file for files in lists for file in files)]
    return [{"path": path, "content": text} for path, text in fields.items()]


def _is_text_for_each(value: object) -> bool:
    fields = _mapping(value)
    return bool(fields) and all(isinstance(text, str) for text in fields.values())


def _is_edit(file: Mapping[str, object], is_listed: Callable[[str], bool]) -> bool:
    path, text = _first(file, (*_PATHS, "name")), _first(file, (*_CONTENTS, *_NEW))
    return path is not None and text is not None and is_listed(path)


def _is_call(value: object) -> bool:
    fields = value if isinstance(value, dict) else {}
    arguments = (fields.get(name) for name in ("arguments", "parameters", "input"))
    return isinstance(fields.get("name"), str) and any(isinstance(a, dict | str) for a in arguments)


def _tagged(text: str, match: re.Match[str]) -> tuple[int, object] | None:
    """Return where a call in tags ends, and what it says; None if it is not clear where one of its parts ends."""
    tag = match["element"] or match["file"] or ("invoke" if match["invoke"] else "function")
    close = text.find(f"</{tag}>", match.end())
    if close < 0:
        return None
    body, end = text[match.end() : close], close + len(f"</{tag}>")
    arguments = _file_in(match, body, text[end:]) if match["file"] else _tagged_arguments(body)
    if arguments is None:
        return None
    name = match["invoke"] or match["function"] or match["element"] or "write_file"
    return end, {"name": name, "arguments": arguments}


def _file_in(match: re.Match[str], body: str, rest: str) -> Mapping[str, str] | None:
    """Return the attributes of a file in a tag, and its text; raise if the text may hold the tag that ends it."""
    tag, path = match["file"], _PATH.search(match["attributes"])
    if path is None:
        return None
    if f"<{tag} " in body or f"</{tag}>" in rest.partition(f"<{tag} ")[0]:
        message = f"it is not clear which </{tag}> ends the text of {path[1]}"
        raise EditError(message, hint="put the file in a fence with `path=…` in its info string")
    attributes = dict(_ATTRIBUTE.findall(match["attributes"].replace(path[0], "")))
    data = _CDATA.fullmatch(body)
    return {**attributes, "path": path[1], "content": data[1] if data else body.removeprefix("\n")}


def _tagged_arguments(body: str) -> Mapping[str, str] | None:
    arguments: dict[str, str] = {}
    at = 0
    for match in _ARGUMENT.finditer(body):
        if match.start() < at:
            continue
        close = f"</{match['element'] or 'parameter'}>"
        end = body.find(close, match.end())
        if end < 0 or body[at : match.start()].strip():
            return None
        name = match["named"] or match["plain"] or match["element"]
        if name not in _COUNTS:
            text = body[match.end() : end].removeprefix("\n")
            data = _CDATA.fullmatch(text)
            arguments[name] = data[1] if data else text
        at = end + len(close)
    return arguments if arguments and not body[at:].strip() else None
