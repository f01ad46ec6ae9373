"""Keep the base's bytes for lines that a whole file only repeats.

A model cannot show line ends, a byte order mark or the composition of accents, and drops trailing spaces. Only a task
about these things changes them.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING
from unicodedata import normalize

from msgspec.structs import replace

from minitask.edits.lines import BOM, CRLF, LF, body, dominant_eol, ended, split_lines
from minitask.edits.reply.check_changes import is_utf8
from minitask.edits.script_model import WholeFile
from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from minitask.edits.reply.reply_context import ReplyContext
    from minitask.edits.script_model import Edit

_MOST_LINES = 20_000
_ABOUT_MARK = lazy_pattern(r"\bBOM\b|byte[- ]order", 2)
_ABOUT_ENDS = lazy_pattern(
    r"\b(?:new)?line[- ]?(?:end|break|feed)\w*|\bnewline|\bend of (?:the )?file|\b(?:CRLF|CR|LF|EOL|dos2unix)\b",
    2,
)
_ABOUT_SPACE = lazy_pattern(
    r"\bwhite[- ]?space|\btrailing\b|\bstrip\w*|\btrim\w*|\bformat|\blint", 2
)
_ABOUT_ACCENTS = lazy_pattern(r"\bunicode|\bnormali[sz]|\bNF[CDK]|\baccent|\bcompos", 2)


def with_base_lines(edit: Edit, request: ReplyContext) -> Edit:
    """Return a whole file with the base's bytes for each line that looks the same."""
    if not isinstance(edit, WholeFile) or (edit.path, edit.content) in request.snippet_files:
        return edit
    base = request.read(edit.path)
    plain = edit.content.removeprefix(BOM)
    if plain != edit.content and (_ABOUT_MARK.search(request.task_text) or _has_mark(base)):
        plain = edit.content
    if base is not None and is_utf8(base):
        plain = _repeated(base, plain, _key_of(request.task_text))
    return edit if plain == edit.content else replace(edit, content=plain)


def _has_mark(base: str | None) -> bool:
    return base is not None and base.startswith(BOM)


def _key_of(task_text: str) -> Callable[[str], str]:
    """Return the function by which lines are compared, for a task that may concern invisible differences."""
    keeps_end, keeps_space, keeps_accents = (
        about.search(task_text) is not None for about in (_ABOUT_ENDS, _ABOUT_SPACE, _ABOUT_ACCENTS)
    )

    def key(line: str) -> str:
        text = body(line)
        end = line[len(text) :] if keeps_end else ""
        text = text if keeps_space else text.rstrip(" \t")
        return (text if keeps_accents else normalize("NFC", text)) + end

    return key


def _repeated(base: str, content: str, key: Callable[[str], str]) -> str:
    old, new = split_lines(base), split_lines(content)
    if set(new) <= set(old) or max(len(old), len(new)) > _MOST_LINES:
        return content
    keys = [key(line) for line in old], [key(line) for line in new]
    if set(new) - set(old) and not set(keys[1]) & {key(line) for line in set(old) - set(new)}:
        return content
    rows = SequenceMatcher(None, *keys, autojunk=False).get_opcodes()
    eol = dominant_eol(base) if CRLF in base else ""
    lines: list[str] = []
    for tag, start, end, first, last in rows:
        if tag == "equal":
            lines += old[start:end]
            continue
        for at in range(first, last):
            if eol and end - start == last - first:
                eol = _end(old[start + at - first]) or eol
            elif eol and lines:
                eol = _end(lines[-1]) or eol
            lines.append(body(new[at]) + (eol or LF) if new[at].endswith(LF) else new[at])
    return "".join(ended(lines, eol or LF))


def _end(line: str) -> str:
    return line[len(body(line)) :]
