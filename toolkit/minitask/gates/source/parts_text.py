"""Read the headings of prose, the rules of style sheets, the keys of data, and the elements of markup."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain, islice, pairwise
from typing import Any, TypeVar

from msgspec import Struct

from minitask.gates.source.syntax import LARGEST, has_many_escapes
from minitask.patterns import lazy_pattern

_ATX = lazy_pattern(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t#]*$")
_FENCE = lazy_pattern(r" {0,3}(`{3,}|~{3,})")
_OTHER_HEADING = {
    ".adoc": lazy_pattern(r"(={1,6})\s+(.*)"),
    ".asciidoc": lazy_pattern(r"(={1,6})\s+(.*)"),
    ".org": lazy_pattern(r"(\*{1,8})\s+(.*)"),
}
_UNDERLINE = lazy_pattern(r"([=\-~^\"'`*+#.:_])\1{2,}\s*$")
_SECTION = lazy_pattern(r"\s*\[+([^\]]+)\]+\s*(?:[#;].*)?$")
_PROPERTY = lazy_pattern(r"\s*(?:export\s+)?([^\s#;!=:\[][^=:]{0,120}?)\s*[=:]")
_COMMENT = lazy_pattern(r"(?s)/\*.*?\*/|(?<![:\w\"'(])//[^\n]*")
_QUOTED = lazy_pattern(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'")
_TAG = lazy_pattern(
    r"(?i)<(section|article|form|table|script|style|template|nav|header|footer|main|aside|fieldset|dialog|svelte:\w+)\b"
)
_IDENTIFIER = lazy_pattern(r"""\s(?:id|name|key)\s*=\s*["']([^"'{}$<>]+)["']""")
_TITLE = lazy_pattern(r"(?is)<h([1-6])\b[^>]*>(.*?)</h\1>")
_DEEPEST, _MOST = 12, 50_000
"""Greatest depth and number of keys read: YAML aliases can expand a small text to a large tree."""


def read_headings(text: str, ending: str) -> Parts:
    """Return the headings of a document; each part ends before the next heading."""
    lines = text.split("\n")
    finder = _rst_headings if ending == ".rst" else _marked_headings
    headings = list(finder(lines, ending))
    ends = [number - 1 for number, _ in headings[1:]] + [len(lines)] * bool(headings)
    return tuple(
        NamedPart(name, "heading", number, end)
        for (number, name), end in zip(headings, ends, strict=True)
    )


def _marked_headings(lines: list[str], ending: str) -> Iterator[tuple[int, str]]:
    pattern = _OTHER_HEADING.get(ending, _ATX)
    fence = ""
    for number, line in enumerate(lines, 1):
        mark = _FENCE.match(line)
        if mark and (not fence or (mark[1].startswith(fence) and not line.strip(" `~"))):
            fence = "" if fence else mark[1]
        heading = None if fence or mark else pattern.match(line)
        if heading and heading[2].strip():
            yield number, _plain(heading[2])
        elif not fence and ending not in _OTHER_HEADING and _is_setext(lines, number):
            yield number - 1, _plain(lines[number - 2])


def _is_setext(lines: list[str], number: int) -> bool:
    """Return True if the line underlines the one above, which must be a paragraph of one line."""
    line = lines[number - 1].strip()
    if number < 2 or not line or line.strip("=") or not lines[number - 2].strip():
        return False
    return number < 3 or not lines[number - 3].strip()


def _rst_headings(lines: list[str], _ending: str) -> Iterator[tuple[int, str]]:
    for number, (title, line) in enumerate(pairwise(lines), 1):
        heading = title.strip()
        underlined = _UNDERLINE.match(line) and len(line.rstrip()) >= len(title.rstrip())
        if heading and underlined and not _UNDERLINE.match(title):
            yield number, _plain(heading)


def _plain(title: str) -> str:
    return " ".join(title.replace("*", "").replace("`", "").split())


def read_styles(text: str) -> Parts | None:
    """Return the selectors and at-rules of a style sheet with those around them; None if braces do not balance."""
    if has_many_escapes(text):
        return None
    plain = _QUOTED.sub(_blank, _COMMENT.sub(_blank, text))
    if plain.count("{") != plain.count("}"):
        return None
    rules: dict[str, NamedPart] = {}
    opened: list[str] = []
    start = 0
    for at, char in enumerate(plain):
        if char == "{":
            prelude = plain[start:at].rpartition(";")[2]
            opened.append(" ".join(text[at - len(prelude) : at].split()))
            line = plain.count("\n", 0, at) + 1
            for name in _selectors(opened[-1]):
                path = SEPARATOR.join([*opened[:-1], name])
                rules.setdefault(path, NamedPart(path, "rule", line, line))
        elif char == "}" and opened:
            opened.pop()
        if char in "{}":
            start = at + 1
    return tuple(rules.values())


def _selectors(prelude: str) -> tuple[str, ...]:
    if prelude.startswith("@") or "#{" in prelude or not prelude:
        return (prelude,) if prelude else ()
    names = (" ".join(name.split()) for name in _COMMENT.sub(" ", prelude).split(","))
    return tuple(filter(None, names))


def _blank(match: Any) -> str:
    return "".join(char if char == "\n" else " " for char in match[0])


def read_properties(text: str) -> Parts:
    """Return the sections and keys of an INI file, or of a file with one key a line."""
    parts: list[NamedPart] = []
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        head, key = _SECTION.match(line), _PROPERTY.match(line)
        if head:
            section = head[1].strip()
            parts.append(NamedPart(section, "key", number, number))
        elif key and not line[:1].isspace():
            name = f"{section}{SEPARATOR}{key[1]}" if section else key[1]
            parts.append(NamedPart(name, "key", number, number))
    return tuple(parts)


def read_markup(text: str) -> Parts:
    """Return the elements with an identifier, the headings and the large elements of HTML and similar markup."""
    parts: list[NamedPart] = []
    for pattern, group, kind in ((_IDENTIFIER, 1, "key"), (_TITLE, 2, "heading"), (_TAG, 1, "tag")):
        for match in pattern.finditer(text):
            name = " ".join(match[group].split())
            line = text.count("\n", 0, match.start()) + 1
            parts.append(NamedPart(f"<{name}>" if kind == "tag" else name, kind, line, line))
    return tuple(parts)


def read_data(text: str, form: str) -> Parts | None:
    """Return the keys of JSON, TOML or YAML, with an `items` part for each array element; None if invalid."""
    keys = _read(text, form, _keys)
    return None if keys is None else tuple(keys)


def read_values(text: str, form: str) -> dict[str, str]:
    """Return the plain values of JSON, TOML or YAML by dotted key; empty if the text is invalid."""
    return dict(_read(text, form, _values) or ())


Item = TypeVar("Item")


def _read(
    text: str, form: str, walk: Callable[[Any, str, int], Iterator[Item]]
) -> list[Item] | None:
    """Return what a walk yields of each document of a text; None if the text is invalid or too long."""
    if len(text) > LARGEST:
        return None
    try:
        documents = _documents(text.removeprefix("\ufeff"), form)
        return list(islice(chain.from_iterable(walk(each, "", 0) for each in documents), _MOST))
    except (ValueError, RecursionError, MemoryError):
        return None


def _values(value: Any, above: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value and depth <= _DEEPEST:
        for key, inner in value.items():
            yield from _values(inner, f"{above}.{key}" if above else str(key), depth + 1)
    elif isinstance(value, list) and value and depth <= _DEEPEST:
        for at, item in enumerate(value):
            yield from _values(item, f"{above}[{at}]", depth + 1)
    else:
        yield above, "" if value in ({}, [], None) else str(value).strip()


def _documents(text: str, form: str) -> list[Any]:
    if form == "json":
        return [json.loads(text)] if text.strip() else []
    if form == "toml":
        import tomllib

        return [tomllib.loads(text)]
    import yaml

    try:
        cache: dict[int, Any] = {}
        return [
            _node(node, cache) for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node
        ]
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _node(node: Any, cache: dict[int, Any]) -> Any:
    """Return a YAML node as plain values, ignoring its tags; an alias becomes its anchor's value."""
    import yaml

    if id(node) in cache:
        return cache[id(node)]
    if isinstance(node, yaml.MappingNode):
        pairs: dict[str, Any] = {}
        cache[id(node)] = pairs
        pairs.update((str(key.value), _node(value, cache)) for key, value in node.value)
        return pairs
    if isinstance(node, yaml.SequenceNode):
        items: list[Any] = []
        cache[id(node)] = items
        items.extend(_node(item, cache) for item in node.value)
        return items
    return "" if node.tag == "tag:yaml.org,2002:null" else str(node.value)


def _keys(value: Any, above: str, depth: int) -> Iterator[NamedPart]:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            name = f"{above}{SEPARATOR}{key}" if above else str(key)
            yield NamedPart(name, "key")
            yield from _keys(inner, name, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield NamedPart(f"{above}[]", "items")
            yield from _keys(item, f"{above}[]", depth + 1)


SEPARATOR = "\x1f"
"""Separates the names in a part's path."""


class NamedPart(Struct, frozen=True):
    """A named part: `name` is its path from the outermost part; `start` and `end` are lines from 1, or 0 if unknown.

    `kind` is `code`, `value` (a variable that code may do without), `heading`, `rule`, `key`, `items` (an element of an
    array) or `tag`.
    """

    name: str
    kind: str
    start: int = 0
    end: int = 0

    @property
    def leaf(self) -> str:
        """The last name of the path."""
        return self.name.rpartition(SEPARATOR)[2]

    def rows_of(self, text: str) -> list[str]:
        """Return the part's lines in the text that it was read from."""
        return text.split("\n")[self.start - 1 : self.end]

    @property
    def shown(self) -> str:
        """The path for messages, joined with dots."""
        return self.name.replace(SEPARATOR, ".")

    @property
    def parent(self) -> str:
        """The path of the enclosing part; empty at the top level."""
        return self.name.rpartition(SEPARATOR)[0]


Parts = tuple[NamedPart, ...]
