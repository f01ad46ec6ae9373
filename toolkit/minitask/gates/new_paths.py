"""Names of created files that some file system, or a reader, takes for another name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from minitask.edits.script_model import Change
from minitask.gates.candidate import Candidate, find_kind, join
from minitask.gates.lint_error import printable
from minitask.spec.paths import fold

_JOINERS = "\u200c\u200d"
"""Invisible characters that some scripts and emoji need between two letters."""


def find_clash(changes: Iterable[Change]) -> str:
    """Return why two paths of a change cannot both be there: one is a file, and a folder of the other; or ""."""
    written = sorted(change.path for change in changes if change.content is not None)
    known = set(written)
    for path in written:
        folder = next((folder for folder in _folders(path) if folder in known), "")
        if folder:
            return f"it writes {folder} as a file, and {path} in a folder of that name"
    return ""


def find_bad_name(paths: Iterable[str], *, base: Candidate, candidate: Candidate) -> str:
    """Return why one of the created paths may not be, or ""."""
    return next(filter(None, (_bad_name(path, base, candidate) for path in paths)), "")


def _bad_name(path: str, base: Candidate, candidate: Candidate) -> str:
    hidden = next((char for at, char in enumerate(path) if _is_hidden(path, at)), "")
    if hidden:
        name = unicodedata.name(hidden, "no name")
        return f"it creates {printable(path)}, whose name holds an invisible character (U+{ord(hidden):04X}, {name})"
    folder = ""
    for part in path.split("/"):
        here = join(folder, part)
        twin = "" if find_kind(base, here) else _twin(part, candidate.names(folder))
        if twin:
            return f"it creates {here} beside {join(folder, twin)}: some file systems take both for one file"
        folder = here
    return ""


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
