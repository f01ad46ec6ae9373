"""Marks within one line of Markdown text: code spans, emphasis, bold labels.

These look inside text that the block parser has already placed; they never find structure.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from msgspec import Struct

from minitask.patterns import lazy_pattern

CODE = lazy_pattern(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")

_MARK = lazy_pattern(
    r"\\([!-/:-@\[-`{-~])"  # an escaped punctuation mark
    r"|(?<!`)(`+)(?!`)(.+?)(?<!`)\2(?!`)"  # a code span
    r"|\*+|~~|`|_+(?=`)|(?<=`)_+"
)
_SPECIAL = lazy_pattern(r"[\\`*\[<~#>]|_(?=`)|(?<=`)_")
_BLOCK_START = lazy_pattern(r"([-+=]|[0-9]+(?=[.)]))")
_LABEL = lazy_pattern(
    r"[^\x00-\x7f]*[ \t]*\*\*(?P<key>[^*\n]{1,80}?)(?:[:\uff1a][ \t]*\*\*|\*\*[ \t]*[:\uff1a])(?P<value>.*)",
    re.DOTALL,
)
_NEXT_LABEL = lazy_pattern(
    r"(?<![ \t])[ \t]+\|[ \t]+(?=\*\*[^*\n]{1,80}?(?::[ \t]*\*\*|\*\*[ \t]*:))"
)


def strip_marks(line: str) -> str:
    """Return the line as a reader sees it: no emphasis, no backticks; a code span's content is kept."""
    return _MARK.sub(_unmark, line).strip()


def _unmark(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1]
    return code_text(match[3]) if match[3] is not None else ""


def code_text(content: str) -> str:
    """Return what a code span says: one space on either side is padding."""
    padded = len(content) > 2 and content[0] == content[-1] == " " and content.strip()
    return content[1:-1] if padded else content


def escape_marks(line: str) -> str:
    """Return a paragraph of one line that `strip_marks` turns back into `line`."""
    escaped = _SPECIAL.sub(r"\\\g<0>", line)
    start = _BLOCK_START.match(escaped)
    if start is None:
        return escaped
    if start[1].isdigit():
        return f"{start[1]}\\{escaped[start.end() :]}"
    return f"\\{escaped}"


def code_span(text: str) -> str:
    """Return `text` as a code span, with as many backticks as it needs."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def find_label(line: str) -> tuple[str, str] | None:
    """Return the key and value of a line such as `**Key**: value` or `**Key:** value`."""
    if "**" not in line:
        return None
    match = _LABEL.match(line.strip())
    return (match["key"].strip(), match["value"].strip()) if match else None


def split_labels(line: str) -> list[str]:
    """Return the labelled parts of a line such as `**Time**: 5 min | **Cost**: $0.01`."""
    return _NEXT_LABEL.split(line) if "|" in line else [line]


def one_line(text: str) -> str:
    """Return the text with its line breaks turned into spaces."""
    return " ".join(part.strip() for part in text.split("\n")) if "\n" in text else text.strip()


_TEXT = lazy_pattern(r"\[((?:[^\[\]\\]|\\.|\[[^\[\]]*\])+)\]\(\s*")
_TITLE = lazy_pattern(r"""\s*(?:\s(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)""")


class Link(Struct, frozen=True):
    """A link at the start of a text, which ends before `end`."""

    text: str
    target: str
    end: int


def find_link(text: str) -> Link | None:
    """Return the link that a text begins with; None if it begins with none."""
    head = _TEXT.match(text)
    if head is None:
        return None
    start = head.end()
    stop = _angle_end(text, start) if text.startswith("<", start) else _plain_end(text, start)
    target = text[start:stop].strip("<>") if text.startswith("<", start) else text[start:stop]
    tail = _TITLE.match(text, stop)
    if tail is None or not target:
        return None
    return Link(head[1].strip(), unquote(target), tail.end())


def _angle_end(text: str, start: int) -> int:
    end = text.find(">", start)
    return len(text) if end < 0 else end + 1


def _plain_end(text: str, start: int) -> int:
    """Return where a bare destination ends: at a blank, or at the bracket that closes the link."""
    depth = 0
    for index in range(start, len(text)):
        character = text[index]
        if character.isspace() or (character == ")" and depth == 0):
            return index
        depth += (character == "(") - (character == ")")
    return len(text)
