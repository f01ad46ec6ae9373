"""JSON documents in which single values are replaced where they stand: all else keeps its bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from minitask.patterns import lazy_pattern

Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""
_TOKEN = lazy_pattern(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def with_texts(document: str, texts: Mapping[Place, str]) -> str:
    """Return a sound JSON document with texts at some places; a key that is not there comes first in its object."""
    spans = _spans(document.replace("\0", "\ufffd"))  # as `normalise` has it
    edits = []
    for keys, text in texts.items():
        value = json.dumps(text)
        if keys in spans:
            edits.append((*spans[keys], value))
            continue
        start, end = spans[keys[:-1]]
        rest = ", " if document[start + 1 : end - 1].strip() else ""
        edits.append((start + 1, start + 1, f"{json.dumps(keys[-1])}: {value}{rest}"))
    for start, end, value in sorted(edits, reverse=True):
        document = document[:start] + value + document[end:]
    return document


def _spans(document: str) -> dict[Place, tuple[int, int]]:
    """Return where each value begins and ends; of a key that an object has twice the last one counts."""
    spans: dict[Place, tuple[int, int]] = {}
    keys: list[str | int] = []
    opened: list[int] = []
    is_key = False
    for match in _TOKEN.finditer(document):
        part = match[0]
        if part in "{[":
            opened.append(match.start())
            keys.append("" if part == "{" else 0)
        elif part in "}]":
            keys.pop()
            spans[tuple(keys)] = opened.pop(), match.end()
        elif part == "," and isinstance(keys[-1], int):
            keys[-1] += 1
        elif is_key:
            keys[-1] = json.loads(part)
            _forget(spans, tuple(keys))
        elif part not in ",:":
            spans[tuple(keys)] = match.span()
        is_key = part == "{" or (part == "," and isinstance(keys[-1], str))
    return spans


def _forget(spans: dict[Place, tuple[int, int]], keys: Place) -> None:
    """Take out a value that comes a second time, with all that is in it."""
    if keys in spans:
        for inner in [other for other in spans if other[: len(keys)] == keys]:
            del spans[inner]
