r"""Text as lines with their own line ends, so that an edit leaves all other lines byte for byte.

Only `\n` ends a line. Form feeds, U+2028 and the like are ordinary characters, as in git.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from posixpath import commonprefix

from msgspec import Struct

from minitask.errors import EditError
from minitask.spec.model import LineRange

BOM = "\ufeff"
CRLF = "\r\n"
LF = "\n"
LOST_CHARACTER = r"(?<![\"'`])\ufffd|\ufffd(?![\"'`])"
"""A pattern of U+FFFD, which stands for a character that was lost; alone in quotes, it is itself what is meant."""
_INDENT = " \t"


def is_binary(text: str) -> bool:
    """Return True if a file is binary to git: a NUL is among its first 8,000 characters, as in UTF-16."""
    return "\0" in text[:8000]


class Text(Struct, frozen=True):
    """A file's lines, each with its end; only the last may lack one.

    `eol` is the most frequent line end, `""` if there is none; a byte order mark is not part of the lines.
    """

    lines: tuple[str, ...] = ()
    eol: str = ""
    bom: bool = False

    @property
    def content(self) -> str:
        """The file's content, byte for byte as it was parsed."""
        return (BOM if self.bom else "") + "".join(self.lines)


def parse_text(content: str) -> Text:
    """Remove the byte order mark and split the rest into lines."""
    plain = content.removeprefix(BOM)
    return Text(split_lines(plain), dominant_eol(plain), bom=plain != content)


def text_of(lines: Sequence[str], *, eol: str, bom: bool = False) -> Text:
    """Return a file of these lines, with a line end on each but the last.

    Without lines it is empty, because a byte order mark alone would make it non-empty.
    """
    whole = ended(lines, eol or LF)
    return Text(whole, dominant_eol("".join(whole)), bom and bool(whole))


def split_lines(content: str) -> tuple[str, ...]:
    """Return the lines with their ends."""
    *full, tail = content.split(LF)
    lines = [line + LF for line in full]
    return (*lines, tail) if tail else tuple(lines)


def dominant_eol(content: str) -> str:
    """Return the most frequent line end; `""` if there is none, LF on a tie."""
    ends, windows = content.count(LF), content.count(CRLF)
    if not ends:
        return ""
    return CRLF if 2 * windows > ends else LF


def body(line: str) -> str:
    """Return the line without its end."""
    if line.endswith(CRLF):
        return line[:-2]
    return line.removesuffix(LF)


def bodies(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the lines without their ends."""
    return tuple(map(body, lines))


def ended(lines: Sequence[str], eol: str) -> tuple[str, ...]:
    """Return the lines, with an end on each but the last."""
    if not lines:
        return ()
    return (*(line if line.endswith(LF) else line + eol for line in lines[:-1]), lines[-1])


def adopt(lines: Iterable[str], *, had: str, eol: str) -> tuple[str, ...]:
    """Convert lines from a file with line end `had` to line end `eol`.

    If both agree, nothing is changed, so that a file with mixed ends keeps them.
    """
    if not eol or had in ("", eol):
        return tuple(lines)
    return tuple(body(line) + eol if line.endswith(LF) else line for line in lines)


def is_blank(line: str) -> bool:
    """Return True if the line is only white space."""
    return not line.strip()


def indent_of(line: str) -> str:
    """Return the spaces and tabs at the start of the line."""
    return line[: len(line) - len(line.lstrip(_INDENT))]


def reindented(lines: Sequence[str], *, indent: int = 0, dedent: bool = False) -> tuple[str, ...]:
    """Add `indent` spaces (negative: remove characters), or with `dedent` remove the common indentation.

    Blank lines stay as they are. Raises `EditError` if a line is indented by less than that.
    """
    indents = [indent_of(line) for line in lines if not is_blank(line)]
    cut = len(commonprefix(indents)) if dedent else max(-indent, 0)
    pad = " " * indent
    return tuple(line if is_blank(line) else pad + _outdented(line, cut) for line in lines)


def _outdented(line: str, cut: int) -> str:
    if len(indent_of(line)) < cut:
        message = f"cannot dedent by {cut}: {body(line)!r} is indented by {len(indent_of(line))}"
        raise EditError(message, hint="`dedent` without a number takes away what all lines share")
    return line[cut:]


class LineHunk(Struct, frozen=True):
    """A difference, half-open and 0-based: `old[old_start:old_end]` became `new[new_start:new_end]`."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


class Versions(Struct, frozen=True):
    """A file's lines when they were cited and now, with the hunks between them, in order."""

    path: str
    old: Sequence[str]
    new: Sequence[str]
    hunks: Sequence[LineHunk]


def map_lines(cited: LineRange, versions: Versions) -> LineRange:
    """Return the cited lines' position in the new version; raise `EditError` naming the first line that changed."""
    if cited.end > len(versions.old):
        raise EditError(
            f"lines {cited} of {versions.path} are cited, but it had {len(versions.old)} lines then",
            hint="cite lines that exist at the spec's anchor commit",
        )
    shift = _shift(cited, versions)
    if shift is not None:
        return LineRange(cited.start + shift, cited.end + shift)
    index = _only_index(versions.old[cited.start - 1 : cited.end], versions.new)
    if index is not None:
        return LineRange(index + 1, index + 1 + cited.end - cited.start)
    raise _drift(cited, versions)


def spread(cited: LineRange, versions: Versions) -> LineRange | None:
    """Return the present lines that replace the cited ones, changed lines included; None if none are left."""
    old_end = min(cited.end, len(versions.old))
    start = _boundary(cited.start - 1, versions.hunks, at_end=False)
    end = _boundary(old_end, versions.hunks, at_end=True)
    return LineRange(start + 1, end) if start < end else None


def _boundary(index: int, hunks: Sequence[LineHunk], *, at_end: bool) -> int:
    """Return the new index of a boundary between lines; within a change, that change's edge."""
    shift = 0
    for hunk in hunks:
        if hunk.old_end <= index and not (at_end and hunk.old_start == index):
            shift += (hunk.new_end - hunk.new_start) - (hunk.old_end - hunk.old_start)
        elif hunk.old_start < index:
            return hunk.new_end if at_end else hunk.new_start
        else:
            break
    return index + shift


def _shift(cited: LineRange, versions: Versions) -> int | None:
    """Return how far the range moved as one block, or None if a difference lies inside it."""
    start, end = cited.start - 1, cited.end
    shift = 0
    for hunk in versions.hunks:
        side = _side(hunk, versions, start=start, end=end)
        if side is None:
            return None
        if side == "before":
            shift += (hunk.new_end - hunk.new_start) - (hunk.old_end - hunk.old_start)
    moved = versions.new[start + shift : end + shift]
    return shift if list(moved) == list(versions.old[start:end]) else None


def _side(hunk: LineHunk, versions: Versions, *, start: int, end: int) -> str | None:
    """Return whether a hunk lies before or after `old[start:end]`, in any equivalent form; None for neither."""
    up, down = _slack(hunk, versions)
    for slide in sorted(range(-up, down + 1), key=abs):
        if hunk.old_end + slide <= start:
            return "before"
        if hunk.old_start + slide >= end:
            return "after"
    return None


def _slack(hunk: LineHunk, versions: Versions) -> tuple[int, int]:
    """Return how many lines up and down a pure deletion or insertion can slide without changing the result."""
    if hunk.old_start < hunk.old_end and hunk.new_start < hunk.new_end:
        return 0, 0
    if hunk.old_start == hunk.old_end:
        return _repeats(versions.new, hunk.new_start, hunk.new_end)
    return _repeats(versions.old, hunk.old_start, hunk.old_end)


def _repeats(lines: Sequence[str], start: int, end: int) -> tuple[int, int]:
    up = 0
    while start - up > 0 and lines[start - up - 1] == lines[end - up - 1]:
        up += 1
    down = 0
    while end + down < len(lines) and lines[start + down] == lines[end + down]:
        down += 1
    return up, down


def _only_index(block: Sequence[str], lines: Sequence[str]) -> int | None:
    """Return the index of a block of at least three lines that occurs exactly once, or None."""
    if len(block) < 3:
        return None
    target = list(block)
    indices = [
        at
        for at, line in enumerate(lines)
        if line == target[0] and list(lines[at : at + len(target)]) == target
    ]
    return indices[0] if len(indices) == 1 else None


def _drift(cited: LineRange, versions: Versions) -> EditError:
    now = spread(cited, versions)
    outcome = f"the rest is now in lines {now}" if now else "all of them are gone"
    hint = f"{outcome}: cite the lines as they are now, and commit the spec again"
    message = f"lines {cited} of {versions.path} are not what the spec cites"
    for hunk in versions.hunks:
        if hunk.old_start < cited.end and hunk.old_end >= cited.start:
            line = min(max(hunk.old_start + 1, cited.start), cited.end)
            inserts = hunk.old_start == hunk.old_end
            change = "new lines stand after" if inserts else "changed or gone:"
            text = versions.old[line - 1].strip()
            return EditError(f"{message}: {change} line {line} (`{text}`)", hint=hint)
    return EditError(message, hint=hint)
