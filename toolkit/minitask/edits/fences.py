"""Parse a fence's info string and the line above it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minitask.edits.lines import split_lines
from minitask.edits.quoting import QUOTED, quote, unquote
from minitask.errors import EditError
from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

_PATH = lazy_pattern(rf"(?:^|\s)path=({QUOTED}|[^\s\"]\S*)?(?=\s|$)(.*)", re.DOTALL)
_MARKS = ("**", "*", "`")
_EXTENSION = lazy_pattern(r"(?:.*/)?[^/]*\.[A-Za-z_]\w*")
_FILES_WITHOUT = frozenset(
    {"Dockerfile", "Gemfile", "Justfile", "LICENSE", "Makefile", "Procfile", "Rakefile"}
)
_SHORTEST = 3


def path_in(info: str) -> str | None:
    """Return the path of `path=…` in an info string.

    Raises `EditError` where it is empty or its quotes do not close.
    """
    found = _PATH.search(info)
    if found is None:
        if re.search(r"(?:^|\s)path=", info):
            raise EditError(
                f"cannot read the path of `{info}`",
                hint='write path="with spaces.py" or path=plain.py',
            )
        return None
    path = unquote(found[1] or "")
    if not path:
        raise EditError(f"the path of `{info}` is empty", hint="write path=src/name.py")
    return path


def is_literal(info: str) -> bool:
    """Return True if the word `whole` behind the path says that the content is all the file's."""
    found = _PATH.search(info)
    return bool(found and "whole" in found[2].split())


def path_above(lead: str) -> str | None:
    """Return the path, where the line above a fence is nothing but one, in whatever Markdown it stands."""
    text, marked = _undressed(lead.strip().lstrip("#").strip())
    if not text or any(mark in text for mark in ("://", "\\", '"', "`", "*")):
        return None
    named = _EXTENSION.fullmatch(text) or text.rsplit("/", 1)[-1] in _FILES_WITHOUT
    if any(character.isspace() for character in text):
        return text if marked and named else None
    folder = "/" in text and not text.endswith("/")
    return text if named or (marked and folder) else None


def _undressed(text: str) -> tuple[str, bool]:
    """Return the text without emphasis, backticks and colons around it, and whether it had any marks."""
    bare = text.removesuffix(":").strip()
    for mark in _MARKS:
        inner = bare.removeprefix(mark).removesuffix(mark)
        if len(bare) - len(inner) == 2 * len(mark):
            return _undressed(inner)[0], True
    return (bare, False) if bare == text else _undressed(bare)


def render_fence(info: str, content: str) -> str:
    """Return a fence long enough for its content, with tildes where its info string has a backtick."""
    mark = "~" if "`" in info else "`"
    runs = re.findall(rf"^[ \t]*({re.escape(mark)}+)", content, re.MULTILINE)
    bar = mark * max(_SHORTEST, *(len(run) + 1 for run in runs), _SHORTEST)
    return f"{bar}{info}\n{_closed(content)}{bar}\n"


def path_info(path: str, *, literal: bool = False) -> str:
    """Return the info string that `path_in` and `is_literal` read."""
    return f"path={quote(path)}" + (" whole" if literal else "")


def _closed(content: str) -> str:
    return content if not content or content.endswith("\n") else content + "\n"


def content_lines(content: str, *, after: int) -> Iterable[tuple[int, str]]:
    """Return the content's lines with their numbers, `after` being the fence's."""
    return enumerate(split_lines(content), after + 1)
