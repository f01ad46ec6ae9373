r"""Text as lines that keep their own ends, so that what an edit does not touch stays byte for byte.

Only `\n` ends a line. Form feeds, U+2028 and the like are ordinary characters, as they are to git.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BOM = "\ufeff"
CRLF = "\r\n"
LF = "\n"
_INDENT = " \t"


class Text(Struct, frozen=True):
    """A file's lines, each with its end; only the last may lack one.

    `eol` is the line end that most lines have, `""` where no line has any; a byte-order mark stands
    outside the lines.
    """

    lines: tuple[str, ...] = ()
    eol: str = ""
    bom: bool = False

    @property
    def content(self) -> str:
        """Return the file's content, byte for byte what it was parsed from."""
        return (BOM if self.bom else "") + "".join(self.lines)


def parse_text(content: str) -> Text:
    """Take the byte-order mark off and split the rest into lines."""
    plain = content.removeprefix(BOM)
    return Text(split_lines(plain), dominant_eol(plain), bom=plain != content)


def text_of(lines: Sequence[str], *, eol: str, bom: bool = False) -> Text:
    """Make a file of lines, giving an end to each that something follows.

    Without lines it is empty: a byte-order mark alone would be no empty file.
    """
    whole = ended(lines, eol or LF)
    return Text(whole, dominant_eol("".join(whole)), bom and bool(whole))


def split_lines(content: str) -> tuple[str, ...]:
    """Return the lines with their ends."""
    *full, rest = content.split(LF)
    lines = [line + LF for line in full]
    return (*lines, rest) if rest else tuple(lines)


def dominant_eol(content: str) -> str:
    """Return the line end of most lines; `""` where there is none, LF on a tie."""
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
    """Bring lines of a file whose line end is `had` into one whose line end is `eol`.

    Where both agree nothing is touched, so that a file of mixed ends keeps its mixture.
    """
    if not eol or had in ("", eol):
        return tuple(lines)
    return tuple(body(line) + eol if line.endswith(LF) else line for line in lines)


def is_blank(line: str) -> bool:
    """Return True if there is nothing but white space."""
    return not line.strip()


def indent_of(line: str) -> str:
    """Return the spaces and tabs that the line starts with."""
    return line[: len(line) - len(line.lstrip(_INDENT))]


def reindented(lines: Sequence[str], *, indent: int = 0, dedent: bool = False) -> tuple[str, ...]:
    """Add `indent` spaces (negative: take characters away), or take away the common indentation.

    Blank lines stay as they are. Raises `EditError` where a line has less indentation than is to be
    taken away.
    """
    cut = len(_common_indent(lines)) if dedent else max(-indent, 0)
    pad = " " * indent
    return tuple(line if is_blank(line) else pad + _outdented(line, cut) for line in lines)


def _common_indent(lines: Iterable[str]) -> str:
    indents = [indent_of(line) for line in lines if not is_blank(line)]
    if not indents:
        return ""
    low, high = min(indents), max(indents)
    shared = next(
        (i for i, pair in enumerate(zip(low, high, strict=False)) if len(set(pair)) > 1), len(low)
    )
    return low[:shared]


def _outdented(line: str, cut: int) -> str:
    if len(indent_of(line)) < cut:
        message = f"cannot dedent by {cut}: {body(line)!r} is indented by {len(indent_of(line))}"
        raise EditError(message, hint="`dedent` without a number takes away what all lines share")
    return line[cut:]
