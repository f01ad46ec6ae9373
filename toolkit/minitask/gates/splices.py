"""One fault as a change of a text."""

from __future__ import annotations

from msgspec import Struct


class Splice(Struct, frozen=True, order=True):
    """One change of a text, in bytes, and the line that it is about."""

    start: int
    end: int
    new: str
    line: int
    fault: str


def what(kind: str, text: str) -> str:
    """Return a fault in words: what was done to which piece of code."""
    piece = " ".join(text.split())
    return f"{kind}: {piece[:60]}{'…' if piece[60:] else ''}"
