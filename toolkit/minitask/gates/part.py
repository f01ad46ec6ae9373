"""A named part of a file."""

from __future__ import annotations

from msgspec import Struct

SEPARATOR = "\x1f"
"""Between the names of a part and of those that it is in."""


class Part(Struct, frozen=True):
    """A named part: `name` joins its own name to those it is in; `start` and `end` are lines from 1, 0 if unknown.

    `kind` is `code`, `value` (a variable that code may do without), `heading`, `rule`, `key`, `items` (an element of an
    array) or `tag`.
    """

    name: str
    kind: str
    start: int = 0
    end: int = 0

    @property
    def leaf(self) -> str:
        """Its own name."""
        return self.name.rpartition(SEPARATOR)[2]

    @property
    def shown(self) -> str:
        """Its name as a message has it."""
        return self.name.replace(SEPARATOR, ".")

    @property
    def parent(self) -> str:
        """The name of what it is in; empty at the top."""
        return self.name.rpartition(SEPARATOR)[0]


Parts = tuple[Part, ...]
