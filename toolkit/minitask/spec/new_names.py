"""Names of files to create that some file system, or a reader, takes for another name."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from minitask.spec.paths import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_JOINERS = "\u200c\u200d"
"""Invisible characters that some scripts and emoji need between two letters."""


def find_hidden(path: str) -> str:
    """Return an invisible character of a path as `U+200B, ZERO WIDTH SPACE`; "" where there is none."""
    hidden = next((char for at, char in enumerate(path) if _is_hidden(path, at)), "")
    return f"U+{ord(hidden):04X}, {unicodedata.name(hidden, 'no name')}" if hidden else ""


def find_twin(
    path: str, *, names: Callable[[str], Iterable[str]], is_there: Callable[[str], bool]
) -> tuple[str, str] | None:
    """Return the part of a new path that is not there yet, and the path that some file systems take for the same.

    `names` gives what a folder holds, "" being the root.
    """
    folder = ""
    for part in path.split("/"):
        here = f"{folder}/{part}" if folder else part
        twin = "" if is_there(here) else _twin(part, names(folder))
        if twin:
            return here, f"{folder}/{twin}" if folder else twin
        folder = here
    return None


def find_nested(paths: Iterable[str]) -> tuple[str, str] | None:
    """Return a path, and another one that needs a folder of that name; None where there are no two."""
    known = set(paths)
    for path in sorted(known):
        folder = next((folder for folder in _folders(path) if folder in known), "")
        if folder:
            return folder, path
    return None


def _twin(part: str, names: Iterable[str]) -> str:
    folded = fold(part)
    return next((name for name in names if name != part and fold(name) == folded), "")


def _is_hidden(path: str, at: int) -> bool:
    char = path[at]
    if char.isascii() or unicodedata.category(char) != "Cf":
        return False
    around = path[at - 1 : at] + path[at + 1 : at + 2]
    return char not in _JOINERS or len(around) < 2 or not all(each > "\u02ff" for each in around)


def _folders(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))
