"""Values shared by gates: results, proposed files, their faults, and the repository with a change applied."""

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
    """A gate's decision on an attempt: whether it passes, the reason if not, and the commands that were run."""

    gate: str
    passed: bool
    reason: str = ""
    refused: bool = False
    commands: tuple[CommandRecord, ...] = ()
    sandbox: str = ""


BaseLines = Callable[[], frozenset[str]]
"""Returns the lines of the base's files from which a change may have moved or copied text."""
_LONGEST = 100
"""Characters of a file's text that a message may quote."""


SEND_WHOLE = "reply with the whole file, or with edits of the lines that change"
"""The remedy for a file that lost lines."""
Rows = Sequence[tuple[int, str]]
"""Lines with their numbers."""


class FileChange(Struct, frozen=True):
    """A file's proposed content and that of its base; `base` is None for a new file.

    `explicit`: its edits name the lines they replace.
    """

    path: str
    content: str
    base: str | None = None
    explicit: bool = False

    @property
    def added(self) -> tuple[str, ...]:
        """The non-empty stripped lines that the base does not have."""
        had = {line.strip() for line in (self.base or "").split("\n")}
        return tuple(line for _, line in filled_lines(self.content) if line not in had)

    @property
    def suffix(self) -> str:
        """The ending of the file's name, in lower case."""
        return PurePosixPath(self.path).suffix.lower()


class SyntaxFlaw(Struct, frozen=True):
    """The first line (from 1) at which a text is not valid in its language, and the reason."""

    line: int
    message: str


class LintError(Struct, frozen=True):
    """A fault in a proposal: its position, message and remedy."""

    path: str
    line: int
    message: str
    remedy: str

    def __str__(self) -> str:
        """Return the fault as one printable line."""
        return f"{printable(self.path)}:{self.line}: {self.message}; {self.remedy}"


def filled_lines(text: str) -> list[tuple[int, str]]:
    """Return the numbers and stripped texts of the lines that are not blank."""
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in lines if line]


def last_line(text: str) -> int:
    """Return the number of the last line, without empty ones at the end."""
    return text.rstrip("\n").count("\n") + 1


def indented_lines(text: str) -> list[tuple[int, str]]:
    """Return the numbers of the lines that are not blank, and their texts with indentation."""
    lines = ((number, line.rstrip()) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in lines if line]


def printable(text: str) -> str:
    """Return the text with unprintable characters escaped, so that it can be encoded anywhere."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def quoted(text: str) -> str:
    """Return a piece of a file: shortened, printable, in quotes."""
    plain = text.strip()
    short = plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
    return f'"{printable(short)}"'


class EntryKind(Enum):
    """The kind of a path; `UNKNOWN` is a link, a submodule, or anything below one."""

    FILE = "file"
    FOLDER = "folder"
    UNKNOWN = "unknown"


class FilesAfter(Protocol):
    """The base with a change applied, deletions included. Safe to share between threads."""

    def names(self, folder: str) -> Mapping[str, EntryKind]:
        """Return a folder's entries; "" is the root, and a missing folder has none."""
        ...

    def read(self, path: str) -> str | None:
        """Return a file's text, or None if it does not exist."""
        ...

    def holding(self, word: str, endings: Sequence[str]) -> Sequence[str]:
        """Return the files with one of `endings` that contain `word` as a whole word, in the same case."""
        ...


class CommitFiles(Struct, frozen=True, eq=False):
    """A candidate written as a commit, with a cache of its folders and files."""

    objects: Objects
    git: Git
    commit: str
    _names: dict[str, Mapping[str, EntryKind]] = field(default_factory=dict)
    _texts: dict[str, str | None] = field(default_factory=dict)

    def names(self, folder: str) -> Mapping[str, EntryKind]:
        """Return the entries of a folder in the commit."""
        if folder not in self._names:
            root = Entry(TREE, self.objects.tree_of(self.commit))
            entry = self.objects.entry(self.commit, folder) if folder else root
            entries = self.objects.entries(entry.oid) if entry and entry.mode == TREE else {}
            self._names[folder] = {name: _kind(child) for name, child in entries.items()}
        return self._names[folder]

    def read(self, path: str) -> str | None:
        """Return a file's text in the commit."""
        if path not in self._texts:
            self._texts[path] = self.objects.file(self.commit, path)
        return self._texts[path]

    def holding(self, word: str, endings: Sequence[str]) -> Sequence[str]:
        """Return the commit's files that contain the word; none if git cannot read all of them."""
        patterns = [f":(top,glob)**/*{ending}" for ending in endings]
        options = ("-l", "-z", "-w", "-F", "--full-name", "-e", word)
        searched = self.git.run("grep", *options, self.commit, "--", *patterns)
        names = searched.stdout.decode("utf-8", "surrogateescape").split("\0")
        return [name.removeprefix(f"{self.commit}:") for name in names if name]


def find_kind(candidate: FilesAfter, path: str) -> EntryKind | None:
    """Return the kind of a path ("" is the root), or None if it does not exist."""
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
    """Return True if the path is a plain file."""
    return find_kind(candidate, path) is EntryKind.FILE


def join(folder: str, name: str) -> str:
    """Return the path of a name in a folder; "" is the root."""
    return f"{folder}/{name}" if folder and name else folder or name


def above(path: str) -> Iterator[str]:
    """Yield the folders above a path, from the innermost to the root."""
    while path:
        path = dirname(path)
        yield path


def _kind(entry: Entry) -> EntryKind:
    if entry.mode == TREE:
        return EntryKind.FOLDER
    return EntryKind.FILE if entry.mode in FILE_MODES else EntryKind.UNKNOWN
