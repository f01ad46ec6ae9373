"""Handle lines that a reply types again: in a whole file they keep the base's bytes, beside a block they are faults.

A model cannot show line ends, a byte order mark or the composition of accents, and drops trailing spaces. Only a task
about these things changes them. A block whose replacement goes on with the lines below its search text leaves them in
the file twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from unicodedata import normalize

from msgspec.structs import replace

from minitask.edits.diff import parse_diff
from minitask.edits.lines import (
    BOM,
    CRLF,
    LF,
    bodies,
    body,
    dominant_eol,
    ended,
    indent_of,
    is_blank,
    split_lines,
)
from minitask.edits.match import find_block
from minitask.edits.reply.check_changes import is_utf8
from minitask.edits.reply.reply_context import SOURCE, ReplyContext
from minitask.edits.script_model import Change, Edit, SearchReplace, UnifiedDiff, WholeFile, placed
from minitask.errors import EditError
from minitask.patterns import lazy_pattern

_MOST_LINES = 20_000
_ABOUT_MARK = lazy_pattern(r"(?i)\bBOM\b|byte[- ]order")
_ABOUT_ENDS = lazy_pattern(
    r"(?i)\b(?:new)?line[- ]?(?:end|break|feed)\w*|\bnewline|\bend of (?:the )?file|\b(?:CRLF|CR|LF|EOL|dos2unix)\b"
)
_ABOUT_SPACE = lazy_pattern(
    r"(?i)\bwhite[- ]?space|\btrailing\b|\bstrip\w*|\btrim\w*|\bformat|\blint"
)
_ABOUT_ACCENTS = lazy_pattern(r"(?i)\bunicode|\bnormali[sz]|\bNF[CDK]|\baccent|\bcompos")


def with_base_lines(edit: Edit, request: ReplyContext) -> Edit:
    """Return a whole file with the base's bytes for each line that looks the same."""
    if not isinstance(edit, WholeFile) or (edit.path, edit.content) in request.snippet_files:
        return edit
    base = request.read(edit.path)
    plain = edit.content.removeprefix(BOM)
    has_mark = base is not None and base.startswith(BOM)
    if has_mark or _ABOUT_MARK.search(request.task_text):
        plain = edit.content
    if base is not None and is_utf8(base):
        plain = _repeated(base, plain, _key_of(request.task_text))
    return edit if plain == edit.content else replace(edit, content=plain)


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


_TELLING = 8
"""Fewest letters and digits of a line that does not occur twice by chance."""
_NEIGHBOURS = 3
"""Lines below a search text that a replacement may go on with."""


def check_seams(edits: Iterable[Edit], changes: Iterable[Change], request: ReplyContext) -> None:
    """Raise if a block's replacement repeats lines beside its search text, which the file then has twice."""
    after = {change.path: split_lines(change.content or "") for change in changes}
    for edit in (block for written in edits for block in _blocks(written)):
        if edit.search:
            base = bodies(split_lines(request.read(edit.path) or ""))
            line = _repeated_line(edit, base, bodies(after.get(edit.path, ())))
            if line is None or line.strip() in request.task_text:
                continue
            with placed(edit.line, source=SOURCE):
                raise EditError(
                    f"it repeats `{line.strip()[:60]}`, which stays in the file beside the search text",
                    hint="put that line into the search text too, or leave it out of the replacement",
                )


def _blocks(edit: Edit) -> Iterator[SearchReplace]:
    """Yield an edit's lines and what replaces them, if it names lines by their text."""
    if isinstance(edit, SearchReplace):
        yield edit
    elif isinstance(edit, UnifiedDiff):
        for diff in parse_diff(edit.text):
            for hunk in diff.hunks if diff.old and diff.old == diff.new else ():
                old = "".join(f"{line.text}\n" for line in hunk.old())
                new = "".join(f"{line.text}\n" for line in hunk.lines if line.mark != "-")
                yield SearchReplace(diff.old or "", old, new, edit.line)


def _repeated_line(edit: SearchReplace, base: Sequence[str], now: Sequence[str]) -> str | None:
    """Return the line of the base beside the search text that the replacement repeats, or None."""
    try:
        block = find_block(base, split_lines(edit.search))
    except EditError:
        return None
    new = [row for row in block.shift(bodies(split_lines(edit.replace))) if not is_blank(row)]
    old = [row for row in base[block.start : block.end] if not is_blank(row)]
    if not new or not old:
        return None

    def is_twice(row: str) -> bool:
        is_telling = sum(map(str.isalnum, row)) >= _TELLING
        return is_telling and base.count(row) == 1 < now.count(row)

    above = next((row for row in reversed(base[: block.start]) if not is_blank(row)), "")
    if new[0] == above and is_twice(above):
        return above
    below = [row for row in base[block.end :] if not is_blank(row)][:_NEIGHBOURS]
    first = max((at for at, row in enumerate(new) if row == old[-1]), default=-1) + 1
    behind = [row for row in new[first:] if row in below and is_twice(row)]
    if not behind or (behind[0] != below[0] and behind[:2] not in [below[1:3]]):
        return None
    rest = new[new.index(behind[0], first) :]
    is_inside = all(len(indent_of(row)) >= len(indent_of(behind[0])) for row in rest)
    return behind[0] if is_inside or rest == behind[:1] else None
