"""Results of gates, and the values that gates share."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from minitask.ledger.record import CommandRecord


class GateResult(Struct, frozen=True):
    """A gate's decision on an attempt: whether it passes, why not, and which commands were run."""

    gate: str
    passed: bool
    reason: str = ""
    refused: bool = False
    commands: tuple[CommandRecord, ...] = ()
    sandbox: str = ""


BaseLines = Callable[[], frozenset[str]]
"""Reads the lines of the base's files that a change may have moved or copied."""
_LONGEST = 100
"""Characters of a file's own text that a message may hold."""


class FileChange(Struct, frozen=True):
    """A file's proposed content, and the base's; `base` is None where the base has no such file.

    `explicit`: its edits name the lines that they replace.
    """

    path: str
    content: str
    base: str | None = None
    explicit: bool = False


class SyntaxFlaw(Struct, frozen=True):
    """The first line, from 1, where a text is not valid in its language, and why."""

    line: int
    message: str


class LintError(Struct, frozen=True):
    """One thing that is wrong with a proposal: where, what, and what to do about it."""

    path: str
    line: int
    message: str
    remedy: str

    def __str__(self) -> str:
        """One line of text that can be printed, stored and sent."""
        return f"{printable(self.path)}:{self.line}: {self.message}; {self.remedy}"


def printable(text: str) -> str:
    """The text with everything that is no plain character escaped, so that any encoding takes it."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def quoted(text: str) -> str:
    """A piece of a file, short and printable, in quotes."""
    plain = text.strip()
    short = plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
    return f'"{printable(short)}"'


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
