"""Read calls of tools that a model wrote into its text, where an agent's prompt or a chat template taught it to.

The forms are JSON behind a mark, parameters in tags, elements named after a tool, and a file in a tag with its path. An
argument ends at its closing tag; one that holds such a tag itself is ambiguous, so its call is left as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from minitask.edits.reply.tool_calls import text_of_calls
from minitask.patterns import lazy_pattern

_FILE_TAGS = r"file|boltAction|dyad-write|lov-write"
_ELEMENTS = r"write_to_file|replace_in_file|apply_diff|write_file|create_file|edit_file|str_replace"
_CALL = lazy_pattern(
    r"<invoke\s+name=[\"']?(?P<invoke>[\w.:-]+)[\"']?\s*>|<function=(?P<function>[\w.:-]+)>"
    rf"|<(?P<element>{_ELEMENTS})>|<(?P<file>{_FILE_TAGS})\s(?P<attributes>[^<>]*)>"
    r"|(?P<json><tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>|\A|```json\n)\s*(?:(?P<name>[\w.-]+)\[ARGS\])?(?=[{\[])"
)
_PATH = lazy_pattern(r"(?:path|filePath|file_path|name)=[\"']([^\"'<>]+)[\"']")
_ARGUMENT = lazy_pattern(
    r"<parameter\s+name=[\"']?(?P<named>\w+)[\"']?[^<>]*>|<parameter=(?P<plain>\w+)>"
    r"|<(?P<element>path|content|diff|file_path|old_str(?:ing)?|new_str(?:ing)?|line_count)>"
)
_COUNTS = frozenset({"line_count"})
"""Arguments that say nothing of where a text goes."""
_WRAPPER = lazy_pattern(
    r"[ \t]*</?(?:[\w:]*tool_calls?|[\w:]*function_calls|boltArtifact|lov-code)(?:\s[^<>]*)?>[ \t]*"
)
_GLM_KEY = lazy_pattern(r"<arg_key>\s*(\w+)\s*</arg_key>\s*<arg_value>")
_GLM_NAME = lazy_pattern(r"<tool_call>\s*([\w.-]+)\s*\n(?=\s*<parameter)")


def with_fences(answer: str) -> str:
    """Return the answer with each call of a tool as the fence that it means, and others as a note."""
    text = answer.replace("｜DSML｜", "")
    if "<arg_key>" in text:
        text = _GLM_KEY.sub(r"<parameter=\1>", text.replace("</arg_value>", "</parameter>"))
        text = _GLM_NAME.sub(r"<function=\1>", text)
        text = re.sub(r"</parameter>\s*</tool_call>", "</parameter>\n</function>", text)
    out, at = "", 0
    for start, end, call in _calls(text):
        out += f"{text[at:start]}\n\n{text_of_calls(call)}\n"
        at = end
    if not at:
        return answer
    lines = (out + text[at:]).split("\n")
    return "\n".join("" if _WRAPPER.fullmatch(line) else line for line in lines)


def _calls(text: str) -> Iterator[tuple[int, int, object]]:
    """Yield where each call begins and ends, and its name and arguments as an API gives them."""
    at = 0
    for match in _CALL.finditer(text):
        if match.start() < at:
            continue
        found = _json_call(text, match) if match["json"] is not None else _tagged(text, match)
        if found is not None:
            at = found[0]
            yield match.start(), *found


def _json_call(text: str, match: re.Match[str]) -> tuple[int, object] | None:
    try:
        value, end = json.JSONDecoder().raw_decode(text, match.end())
    except (ValueError, RecursionError):
        return None
    if match["name"]:
        value = {"name": match["name"], "arguments": value}
    calls = value if isinstance(value, list) else [value]
    if not calls or not all(map(_is_call, calls)):
        return None
    if match["json"].startswith("```"):
        close = text.find("```", end)
        end = close + 3 if close >= 0 else end
    return end, value


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
    arguments = _file_in(match, body, text[end:]) if match["file"] else _arguments(body)
    if arguments is None:
        return None
    name = match["invoke"] or match["function"] or match["element"] or "write_file"
    return end, {"name": name, "arguments": arguments}


def _file_in(match: re.Match[str], body: str, rest: str) -> Mapping[str, str] | None:
    """Return the path and the text of a file in a tag, unless the text may hold the tag that ends it."""
    tag, path = match["file"], _PATH.search(match["attributes"])
    following = rest.partition(f"<{tag} ")[0]
    if path is None or f"</{tag}>" in following:
        return None
    return {"path": path[1], "content": body.removeprefix("\n")}


def _arguments(body: str) -> Mapping[str, str] | None:
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
            arguments[name] = body[match.end() : end].removeprefix("\n")
        at = end + len(close)
    return arguments if arguments and not body[at:].strip() else None
