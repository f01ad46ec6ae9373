"""Parse unified diffs of `diff -u` and `git diff` strictly, and apply them.

A hunk applies at its stated line, or at the only other position where it fits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from minitask.edits.fences import QUOTED
from minitask.edits.lines import LF, Text, bodies, body, text_of
from minitask.edits.match import describe_nearest, occurrences
from minitask.edits.script_model import EditedFiles
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.values import Located

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
NOWHERE = "/dev/null"


class DiffLine(Struct, frozen=True):
    """A line of a hunk: its mark (` `, `+`, `-`), its text, and whether it ends without a newline."""

    mark: str
    text: str
    bare: bool = False


class DiffHunk(Located, frozen=True):
    """A hunk; `start` is its first old line (1-based), or the line after which it inserts."""

    start: int
    lines: tuple[DiffLine, ...]
    line: int = 0

    def __str__(self) -> str:
        """Return the hunk's name for messages."""
        return f"the hunk of line {self.line} of the diff"

    def old(self) -> tuple[DiffLine, ...]:
        """Return the lines that the file must have."""
        return tuple(line for line in self.lines if line.mark != "+")


class FileDiff(Struct, frozen=True):
    """The part of a diff for one file; `old` is `None` if it creates the file, `new` if it deletes it."""

    old: str | None
    new: str | None
    hunks: tuple[DiffHunk, ...] = ()
    copies: bool = False


class _Cursor:
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
    """Return the files of a diff in order; raise `EditError` for ambiguous or malformed parts."""
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
    """Skip lines that tools write between files; raise for any that may belong to a hunk."""
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
        key, value = match[1], match[2].strip()
        if key == "new mode" or (key == "new file mode" and value != "100644"):
            hint = "edits change the content of plain files only"
            raise cursor.wrong(f"the diff sets a file mode ({value})", hint=hint)
        headers[key] = match[2]
        cursor.take()
    return headers


def _names(
    cursor: _Cursor, git: str | None, extended: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Return the old and the new path from any of the header lines."""
    marked = cursor.starts_file() and cursor.peek().startswith("--- ")
    pair = _marked_names(cursor) if marked else None
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
    if old == new == NOWHERE:
        raise cursor.wrong("the diff goes from nothing to nothing")
    if old.startswith(("a/", NOWHERE)) and new.startswith(("b/", NOWHERE)):
        old, new = old.removeprefix("a/"), new.removeprefix("b/")
    return None if old == NOWHERE else old, None if new == NOWHERE else new


def _git_name(header: str) -> str | None:
    """Return the path of a `diff --git` line whose two names agree, or None."""
    names = header.removeprefix("diff --git ")
    quoted = re.fullmatch(rf"({QUOTED}) ({QUOTED})", names)
    half = len(names) // 2
    pair = quoted.groups() if quoted else (names[:half], names[half + 1 :])
    old, new = map(_plain, pair) if quoted else pair
    if old.startswith("a/") and new.startswith("b/"):
        old, new = old[2:], new[2:]
    return new if old == new and new else None


def _plain(name: str) -> str:
    """Return the path without the tab and time stamp after it and without git's quoting."""
    name = name.split("\t", 1)[0]
    if not re.fullmatch(QUOTED, name):
        return name
    raw = bytearray()
    inner, at = name[1:-1], 0
    for match in _C_ESCAPE.finditer(inner):
        raw += inner[at : match.start()].encode("utf-8", "surrogateescape")
        code = match[1]
        if len(code) == 3:
            raw.append(int(code, 8) & 0xFF)
        elif code in _C_LETTERS:
            raw.append(_C_LETTERS[code])
        else:
            raw += code.encode("utf-8", "surrogateescape")
        at = match.end()
    raw += inner[at:].encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape")


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
    """Return one line, with its note on a missing newline, and subtract it from `remaining`."""
    if not cursor.more:
        message = f"the hunk of line {first} ends before it has the lines that its header counts"
        raise cursor.wrong(message)
    # Editors and models strip the only space of an empty context line.
    line = cursor.peek() or " "
    sides = {" ": "-+", "-": "-", "+": "+"}.get(line[0])
    if sides is None or any(remaining[side] == 0 for side in sides):
        message = f"`{line[:60]}` does not fit the counts of the hunk of line {first}"
        hint = "count the lines again, and start each with a space, `+` or `-`"
        raise cursor.wrong(message, hint=hint)
    for side in sides:
        remaining[side] -= 1
    cursor.take()
    bare = cursor.peek().startswith("\\ ")
    if bare:
        cursor.take()
    return DiffLine(line[0], line[1:], bare)


def apply_diff(tree: EditedFiles, text: str) -> None:
    """Apply all files of a diff in order; raise `EditError` for the first that does not fit."""
    for diff in parse_diff(text):
        _apply_file(tree, diff)


def _apply_file(tree: EditedFiles, diff: FileDiff) -> None:
    if diff.new is not None and diff.new != diff.old and tree.text(diff.new) is not None:
        message = f"the diff creates {diff.new}, which exists"
        raise EditError(message, hint="write it as a change of the file")
    text = Text() if diff.old is None else tree.text(diff.old)
    if text is None:
        message = f"the diff changes {diff.old}, which does not exist"
        raise EditError(message, hint="a new file's old side is /dev/null")
    result = patched(text, diff)
    if diff.new is None and diff.old is not None:
        if result.lines:
            message = f"the diff deletes {diff.old} but leaves {len(result.lines)} lines of it"
            raise EditError(message)
        tree.drop(diff.old)
    elif diff.new is not None:
        if diff.old is not None and diff.old != diff.new:
            tree.carry(diff.old, diff.new, keep=diff.copies)
        tree.put(diff.new, result)


def patched(text: Text, diff: FileDiff) -> Text:
    """Return the file with all hunks applied; context lines stay byte for byte."""
    path = diff.old or diff.new or ""
    have, eol = bodies(text.lines), text.eol or LF
    out: list[str] = []
    consumed = 0
    for hunk in diff.hunks:
        at = _find_hunk(have, hunk, text=text, path=path)
        if at < consumed:
            raise EditError(f"{hunk} overlaps the one before it in {path}")
        out += text.lines[consumed:at]
        out += _changed(text.lines[at:], hunk, eol=eol)
        consumed = at + len(hunk.old())
        if any(line.bare and line.mark == "+" for line in hunk.lines) and consumed != len(have):
            message = f"{hunk} ends {path} without a newline, but lines follow"
            raise EditError(message, hint="leave out the `\\ No newline at end of file`")
    return text_of((*out, *text.lines[consumed:]), eol=eol, bom=text.bom)


def _changed(lines: Sequence[str], hunk: DiffHunk, *, eol: str) -> list[str]:
    """Return the result of the hunk for the lines from its first old one; a line has the end of the one it replaces."""
    remaining, out = iter(lines), []
    ends: list[str] = []
    for line in hunk.lines:
        if line.mark == "+":
            end = (ends.pop(0) if ends else "") or eol
            out.append(line.text + ("" if line.bare else end))
            continue
        original = next(remaining)
        if line.mark == " ":
            out.append(original)
            ends.clear()
        else:
            ends.append(original[len(body(original)) :])
    return out


def _find_hunk(have: Sequence[str], hunk: DiffHunk, *, text: Text, path: str) -> int:
    old = hunk.old()
    if not old:
        return _insertion(have, hunk, path)
    want = [line.text for line in old]
    alike = occurrences(have, want)
    # A line marked as without newline must have none; a missing mark is tolerated, as it does not change the position.
    bare = [i for i, line in enumerate(old) if line.bare]
    fits = [at for at in alike if not any(text.lines[at + i].endswith(LF) for i in bare)]
    if hunk.start - 1 in fits:
        return hunk.start - 1
    if len(fits) == 1:
        return fits[0]
    if fits:
        places = ", ".join(str(i + 1) for i in fits)
        message = f"{hunk} fits {path} at lines {places}, not at {hunk.start}"
        raise EditError(message, hint="correct its line number, or include more lines of context")
    if alike:
        message = f"{hunk} says that {path} ends without a newline there, but it goes on"
        raise EditError(message, hint="leave out the `\\ No newline at end of file`")
    nearest = describe_nearest(have, want)
    message = f"{hunk} does not fit {path}"
    hint = "context and removed lines must stand in the file exactly so"
    raise EditError(f"{message}; nearest: {nearest}" if nearest else message, hint=hint)


def _insertion(have: Sequence[str], hunk: DiffHunk, path: str) -> int:
    if hunk.start > len(have):
        message = f"{hunk} inserts after line {hunk.start} of {path}"
        raise EditError(f"{message}, which has {len(have)} lines")
    return hunk.start
