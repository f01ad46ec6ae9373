"""Unified diffs as values: what `diff -u` and `git diff` write, read strictly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.edits.fences import QUOTED
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.values import Located

if TYPE_CHECKING:
    from collections.abc import Mapping

_HUNK = lazy_pattern(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@.*")
_EXTENDED = lazy_pattern(
    r"(rename from|rename to|copy from|copy to|new file mode|deleted file mode|old mode|new mode"
    r"|similarity index|dissimilarity index|index) (.*)"
)
_C_ESCAPE = lazy_pattern(r"\\([0-7]{3}|.)")
_C_LETTERS = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_BINARY = ("GIT binary patch", "Binary files ")
_BETWEEN = ("Index: ", "===")
_SIGNATURE = "-- "
_NOWHERE = "/dev/null"


class DiffLine(Struct, frozen=True):
    """One line of a hunk: its mark (` `, `+`, `-`), its text, and whether no newline follows it."""

    mark: str
    text: str
    bare: bool = False


class DiffHunk(Located, frozen=True):
    """Lines to change; `start` is the first old one (1-based), or the one an insertion follows."""

    start: int
    lines: tuple[DiffLine, ...]
    line: int = 0

    def old(self) -> tuple[DiffLine, ...]:
        """Return the lines that the file must have."""
        return tuple(line for line in self.lines if line.mark != "+")


class FileDiff(Struct, frozen=True):
    """The part of a diff for one file; `old` is `None` where it creates, `new` where it deletes it."""

    old: str | None
    new: str | None
    hunks: tuple[DiffHunk, ...] = ()
    copies: bool = False


class _Cursor:
    """The diff's lines, read one by one."""

    def __init__(self, text: str) -> None:
        self.lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        self.at = 0

    @property
    def more(self) -> bool:
        return self.at < len(self.lines)

    def peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.lines[at] if at < len(self.lines) else ""

    def take(self) -> str:
        self.at += 1
        return self.lines[self.at - 1]

    def starts_file(self) -> bool:
        pair = self.peek().startswith("--- ") and self.peek(1).startswith("+++ ")
        return pair or self.peek().startswith("diff --git ")

    def wrong(self, message: str, *, hint: str = "") -> EditError:
        return EditError(f"{message} (line {self.at + 1} of the diff)", hint=hint)


def parse_diff(text: str) -> tuple[FileDiff, ...]:
    """Return the files of a diff in order; raises `EditError` for what could be read in two ways."""
    cursor, files = _Cursor(text), []
    while cursor.more and not cursor.starts_file():
        if cursor.peek().startswith("@@"):
            raise cursor.wrong(
                "a hunk stands before any file", hint="write `--- a/PATH` and `+++ b/PATH` above it"
            )
        cursor.take()
    while cursor.more:
        files.append(_parse_file(cursor))
        _skip_between(cursor)
    if not files:
        hint = "write `--- a/PATH` and `+++ b/PATH` above its hunks"
        raise EditError("the diff names no file", hint=hint)
    return tuple(files)


def _skip_between(cursor: _Cursor) -> None:
    """Pass what tools write between files; whatever could belong to a hunk is an error."""
    signed = False
    while cursor.more and not cursor.starts_file():
        line = cursor.peek()
        signed = signed or line == _SIGNATURE
        if line.strip() and not signed and not line.startswith(_BETWEEN):
            message = f"`{line[:60]}` belongs to no hunk"
            raise cursor.wrong(message, hint="a hunk has exactly as many lines as its @@ line says")
        cursor.take()


def _parse_file(cursor: _Cursor) -> FileDiff:
    git = cursor.take() if cursor.peek().startswith("diff --git ") else None
    extended = _extended(cursor)
    if cursor.peek().startswith(_BINARY):
        raise cursor.wrong(
            "a binary patch cannot be applied", hint="only text files can be edited by a diff"
        )
    old, new = _names(cursor, git, extended)
    hunks = []
    while cursor.peek().startswith("@@"):
        hunks.append(_parse_hunk(cursor))
    renames = "rename from" in extended or "copy from" in extended
    if not hunks and not (git and (renames or None in (old, new))):
        raise cursor.wrong(f"the diff of {new or old} has no hunk")
    if old and new and old != new and not renames:
        hint = "a rename is written with `rename from` and `rename to` lines, or as an operation"
        raise cursor.wrong(f"the diff goes from {old} to {new}", hint=hint)
    return FileDiff(old, new, tuple(hunks), copies="copy from" in extended)


def _extended(cursor: _Cursor) -> dict[str, str]:
    headers: dict[str, str] = {}
    while match := _EXTENDED.fullmatch(cursor.peek()):
        _refuse_mode(cursor, match[1], match[2])
        headers[match[1]] = match[2]
        cursor.take()
    return headers


def _refuse_mode(cursor: _Cursor, key: str, value: str) -> None:
    if key == "new mode" or (key == "new file mode" and value.strip() != "100644"):
        hint = "edits change the content of plain files only"
        raise cursor.wrong(f"the diff sets a file mode ({value.strip()})", hint=hint)


def _names(
    cursor: _Cursor, git: str | None, extended: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Return the old and the new path, from whichever header lines there are."""
    pair = (
        _marked_names(cursor) if cursor.starts_file() and cursor.peek().startswith("--- ") else None
    )
    for verb in ("rename", "copy"):
        if f"{verb} from" in extended and f"{verb} to" in extended:
            return _plain(extended[f"{verb} from"]), _plain(extended[f"{verb} to"])
    if pair:
        return pair
    path = _git_name(git or "")
    if path is None:
        raise cursor.wrong(
            "the diff does not say which file it is for", hint="write `--- a/PATH` and `+++ b/PATH`"
        )
    if "new file mode" in extended:
        return None, path
    return path, None if "deleted file mode" in extended else path


def _marked_names(cursor: _Cursor) -> tuple[str | None, str | None]:
    old, new = (_plain(cursor.take()[4:]) for _ in range(2))
    if old == new == _NOWHERE:
        raise cursor.wrong("the diff goes from nothing to nothing")
    if old.startswith(("a/", _NOWHERE)) and new.startswith(("b/", _NOWHERE)):
        old, new = old.removeprefix("a/"), new.removeprefix("b/")
    return None if old == _NOWHERE else old, None if new == _NOWHERE else new


def _git_name(header: str) -> str | None:
    """Return the path of a `diff --git` line whose two names agree."""
    names = header.removeprefix("diff --git ")
    quoted = re.fullmatch(rf"({QUOTED}) ({QUOTED})", names)
    half = len(names) // 2
    old, new = (
        (_plain(quoted[1]), _plain(quoted[2])) if quoted else (names[:half], names[half + 1 :])
    )
    if old.startswith("a/") and new.startswith("b/"):
        old, new = old[2:], new[2:]
    return new if old == new and new else None


def _plain(name: str) -> str:
    """Return the path without the time stamp behind a tab and without git's quoting."""
    name = name.split("\t", 1)[0]
    if not re.fullmatch(QUOTED, name):
        return name
    raw = bytearray()
    inner, at = name[1:-1], 0
    for match in _C_ESCAPE.finditer(inner):
        raw += inner[at : match.start()].encode("utf-8", "surrogateescape")
        raw += _escaped(match[1])
        at = match.end()
    raw += inner[at:].encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape")


def _escaped(code: str) -> bytes:
    if len(code) == 3:
        return bytes([int(code, 8) & 0xFF])
    return (
        bytes([_C_LETTERS[code]]) if code in _C_LETTERS else code.encode("utf-8", "surrogateescape")
    )


def _parse_hunk(cursor: _Cursor) -> DiffHunk:
    header = _HUNK.fullmatch(cursor.peek())
    if not header:
        message = f"malformed hunk header `{cursor.peek()[:60]}`"
        raise cursor.wrong(message, hint="write `@@ -START,COUNT +START,COUNT @@`")
    first = cursor.at + 1
    cursor.take()
    remaining = {"-": int(header[2] or 1), "+": int(header[4] or 1)}
    lines: list[DiffLine] = []
    while any(remaining.values()):
        lines.append(_hunk_line(cursor, remaining, first))
    return DiffHunk(int(header[1]), tuple(lines), first)


def _hunk_line(cursor: _Cursor, remaining: dict[str, int], first: int) -> DiffLine:
    """Return one line, with the note on a missing newline after it, and count it off `remaining`."""
    if not cursor.more:
        raise cursor.wrong(
            f"the hunk of line {first} ends before it has the lines that its header counts"
        )
    # Editors and models strip the lone space of an empty context line.
    line = cursor.peek() or " "
    sides = {" ": "-+", "-": "-", "+": "+"}.get(line[0])
    if sides is None or any(remaining[side] == 0 for side in sides):
        message = f"`{line[:60]}` does not fit the counts of the hunk of line {first}"
        raise cursor.wrong(
            message, hint="count the lines again, and start each with a space, `+` or `-`"
        )
    for side in sides:
        remaining[side] -= 1
    cursor.take()
    bare = cursor.peek().startswith("\\ ")
    if bare:
        cursor.take()
    return DiffLine(line[0], line[1:], bare)
