"""Locate an edit in its Markdown, for the errors that it causes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minitask.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterator


def place_of(line: int, *, source: str) -> str | None:
    """`SOURCE:LINE`, or what is known of it."""
    if not line:
        return source or None
    return f"{source}:{line}" if source else f"line {line}"


@contextmanager
def placed(line: int, *, source: str) -> Iterator[None]:
    """Give any `EditError` that passes through its place, unless it has one."""
    try:
        yield
    except EditError as error:
        if error.where is None:
            error.where = place_of(line, source=source)
        raise
