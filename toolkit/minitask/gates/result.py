"""Values that gates share: results, a proposed file, its faults, and the repository with a change applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import PurePosixPath
from posixpath import dirname
from typing import Protocol

from msgspec import Struct, field

from minitask.git.objects import FILE_MODES, TREE, Entry, Objects
from minitask.git.run_git import Git
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


SEND_WHOLE = "reply with the whole file, or with edits of the lines that change"
"""What to do about a file that lost lines."""


class FileChange(Struct, frozen=True):
    """A file's proposed content, and the base's; `base` is None where the base has no such file.

    `explicit`: its edits name the lines that they replace.
    """

    path: str
    content: str
    base: str | None = None
    explicit: bool = False


class FileVersions(Struct, frozen=True):
    """A changed file on the base, None where there is none, and in the candidate."""

    path: str
    base: str | None
    now: str

    @property
    def added(self) -> tuple[str, ...]:
        """Return the stripped lines that the base does not have."""
        had = {line.strip() for line in (self.base or "").split("\n")}
        return tuple(
            line for line in map(str.strip, self.now.split("\n")) if line and line not in had
        )

    @property
    def suffix(self) -> str:
        """Return the ending of its name, in lower case."""
        return PurePosixPath(self.path).suffix.lower()


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


def filled_lines(text: str) -> list[tuple[int, str]]:
    """Return the numbers and stripped texts of the lines that are not blank."""
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in lines if line]


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


class EntryKind(Enum):
    """The kind of a path; `UNKNOWN` is a link, a submodule, or anything below one."""

    FILE = "file"
    FOLDER = "folder"
    UNKNOWN = "unknown"


class FilesAfter(Protocol):
    """The base with all of a change applied, what it deletes being gone. Safe to share between threads."""

    def names(self, folder: str) -> Mapping[str, EntryKind]:
        """Return a folder's entries; "" is the root, and a missing folder has none."""
        ...

    def read(self, path: str) -> str | None:
        """A file's text, or None where there is no such file."""
        ...

    def holding(self, word: str, endings: Sequence[str]) -> Sequence[str]:
        """Return the files with one of some endings whose text holds a word, or words, as it is written."""
        ...


class CommitFiles(Struct, frozen=True, eq=False):
    """The candidate that was written as a commit; what was read of it is kept."""

    objects: Objects
    git: Git
    commit: str
    _names: dict[str, Mapping[str, EntryKind]] = field(default_factory=dict)
    _texts: dict[str, str | None] = field(default_factory=dict)

    def names(self, folder: str) -> Mapping[str, EntryKind]:
        """Return the entries of a folder of the commit."""
        if folder not in self._names:
            root = Entry(TREE, self.objects.tree_of(self.commit))
            entry = self.objects.entry(self.commit, folder) if folder else root
            entries = self.objects.entries(entry.oid) if entry and entry.mode == TREE else {}
            self._names[folder] = {name: _kind(child) for name, child in entries.items()}
        return self._names[folder]

    def read(self, path: str) -> str | None:
        """A file's text at the commit."""
        if path not in self._texts:
            self._texts[path] = self.objects.file(self.commit, path)
        return self._texts[path]

    def holding(self, word: str, endings: Sequence[str]) -> Sequence[str]:
        """Return the files of the commit whose text holds a word; none where git cannot read all of them."""
        patterns = [f":(top,glob)**/*{ending}" for ending in endings]
        options = ("-l", "-z", "-w", "-F", "--full-name", "-e", word)
        searched = self.git.run("grep", *options, self.commit, "--", *patterns)
        names = searched.stdout.decode("utf-8", "surrogateescape").split("\0")
        return [name.removeprefix(f"{self.commit}:") for name in names if name]


def find_kind(candidate: FilesAfter, path: str) -> EntryKind | None:
    """Return the kind of a path, "" being the root; None if nothing is there."""
    folder = ""
    kind = EntryKind.FOLDER
    for part in path.split("/") if path else ():
        if kind is not EntryKind.FOLDER:
            return None
        part_kind = candidate.names(folder).get(part)
        if part_kind is None or part_kind is EntryKind.UNKNOWN:
            return part_kind
        kind = part_kind
        folder = join(folder, part)
    return kind


def holds(candidate: FilesAfter, path: str) -> bool:
    """Return True if there is a plain file at a path."""
    return find_kind(candidate, path) is EntryKind.FILE


def join(folder: str, name: str) -> str:
    """The path of a name in a folder, "" being the root."""
    return f"{folder}/{name}" if folder and name else folder or name


def above(path: str) -> Iterator[str]:
    """The folders that a path is in, from the innermost to the root."""
    while path:
        path = dirname(path)
        yield path


def _kind(entry: Entry) -> EntryKind:
    if entry.mode == TREE:
        return EntryKind.FOLDER
    return EntryKind.FILE if entry.mode in FILE_MODES else EntryKind.UNKNOWN
