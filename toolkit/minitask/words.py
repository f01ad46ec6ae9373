"""Text that others wrote, made fit to be shown."""

from __future__ import annotations


def one_line(text: str, *, longest: int | None = None) -> str:
    """The text on one line of at most `longest` characters, without what could steer a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]
