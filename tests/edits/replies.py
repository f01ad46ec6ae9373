"""Requests to a chat model for edits, its replies, and what is read from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from minitask.edits.reply.read import changes_of
from minitask.edits.reply.reply_context import ListedFile, ReplyContext
from minitask.errors import EditError
from minitask.spec.model import FileAction

F = "```"
CSS = "body {\n  color: red;\n}\n\nh1 {\n  margin: 0;\n}\n"
BLUE = CSS.replace("red", "blue")
HUNK = "@@ -1,3 +1,3 @@\n body {\n-  color: red;\n+  color: blue;\n }\n"


def edited(path: str, **fields: Any) -> ListedFile:
    """A file to edit that the prompt shows whole."""
    return ListedFile(path, FileAction.EDIT, **{"whole": True, **fields})


def asked(*files: ListedFile, base: Mapping[str, str] | None = None, **fields: Any) -> ReplyContext:
    """A request for these files on a base."""
    return ReplyContext(files, (base or {}).get, **fields)


def read(reply: str, request: ReplyContext) -> dict[str, str | None]:
    """The files that a reply makes, by path."""
    return {change.path: change.content for change in changes_of(reply, request)}


def error_of(reply: str, request: ReplyContext) -> str:
    """What a reply goes back with."""
    with pytest.raises(EditError) as caught:
        changes_of(reply, request)
    return str(caught.value)


def whole(path: str, content: str, *, bar: str = F, info: str = "text") -> str:
    """A whole file in a fence."""
    return f"{bar}{info} path={path}\n{content}{bar}\n"
