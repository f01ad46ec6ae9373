"""Line numbers that a model copied from its prompt: removed if they are consistent, an error otherwise.

A line that the file itself has with a number, as in a table, is not changed. A line is suspect if its number is
followed by the text of one of the file's lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.lines import bodies, body, split_lines
from minitask.edits.reply.reply_context import ReplyContext
from minitask.edits.script_model import Edit, Operation, SearchReplace, Source
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.model import LineRange

_FORMS = tuple(
    lazy_pattern(rf"[ \t]*L?(?P<number>\d{{1,6}})(?:{mark}|(?:{mark.rstrip()})?[ \t|│→:]*$)")
    for mark in (r"\t", r" ?[|│→:] ", r" ?[|│→:]", r"[.)] ", " ", "  ", r" ?[|│→:]\t")
)
"""Forms of a number before its line; the form that matches most lines of the file is used."""
_PROMPT_FORMS = tuple(form for at, form in enumerate(_FORMS) if at != 3)
"""Those forms that lists do not use."""
_TABLE = lazy_pattern(r"[ \t]*(?P<number>\d{1,6})(?:\t| ?[|│→] ?)")
_OWN = lazy_pattern(r"(?:[ \t+]*L?(\d{1,6})[a-z]?(?:\t| ?[|│→])|L?(\d{1,6})[a-z]?: ).*")
"""A line that may begin with its own number, in a form that hardly any text has."""
_DATA = (".csv", ".tsv", ".txt", ".md", ".dat", ".tab", ".log", ".out", ".golden", ".snap")
_NEW = (
    (_DATA, lazy_pattern(r"(?: {2,}(?=\d+\t)|[ \t]*(?=\d+→))(?P<number>\d{1,6})[\t→]")),
    ((".yml", ".yaml"), _TABLE),
    ("", lazy_pattern(r"[ \t]*(?P<number>\d{1,6})(?:\t| ?[|│→:] ?)")),
)
"""Forms of a number in a new file, by the ends of its path."""
_CERTAIN = lazy_pattern(r"[ \t]*1(?:\t| ?[|│→])")
_SHORTEST_NEW = 3
"""Least lines that are judged, but for lines of code with a mark that no code has behind a number."""
_HINT = "leave out the numbers that the prompt shows before the lines"


class _Marked(Struct, frozen=True):
    """A line that may have a copied number: its index, the number, and the text after it."""

    at: int
    number: int
    text: str

    def is_among(self, numbers_by_line: dict[str, list[int]]) -> bool:
        """Return True if the text is a line of the file."""
        return self.text.rstrip() in numbers_by_line

    def is_placed(self, numbers_by_line: dict[str, list[int]]) -> bool:
        """Return True if the text is a line of the file at its number."""
        return self.number in numbers_by_line.get(self.text.rstrip(), ())


def without_numbers(content: str, base: str | None, *, path: str, task_text: str = "") -> str:
    """Return a whole file's content without copied numbers; raise `EditError` if they are inconsistent."""
    lines = split_lines(content)
    if base is None:
        _check_new(lines, path, task_text)
        return content
    numbers_by_line = _line_numbers(base)
    marked = _marked(lines, numbers_by_line, task_text)
    hits = _hits(marked, numbers_by_line)
    if not hits or not _is_copied(lines, marked, hits, numbers_by_line):
        _check_all(lines, base, path, task_text)
        return content
    if not _counts_on(marked, numbers_by_line):
        raise _copied(path, marked[0].at + 1)
    plain = _stripped(lines, marked)
    for at, (text, line) in enumerate(zip(bodies(plain), lines, strict=True)):
        if plain[at] == line and text.rstrip() not in numbers_by_line and _OWN.fullmatch(text):
            raise _copied(path, at + 1)
    return "".join(plain)


def blocks_without_numbers(
    blocks: Iterable[SearchReplace], base: str | None, *, task_text: str = ""
) -> tuple[SearchReplace, ...]:
    """Return the blocks without copied numbers; a search text that occurs in the file is not changed."""
    if base is None:
        return tuple(blocks)
    numbers_by_line = _line_numbers(base)
    return tuple(_plain_block(block, numbers_by_line, task_text) for block in blocks)


def find_copied(content: str, base: str, *, task_text: str = "") -> int | None:
    """Return the first new line that begins with its own number; None if the file has such lines itself."""
    base_lines = set(bodies(split_lines(base)))
    if any(map(_OWN.fullmatch, base_lines)):
        return None
    for number, line in enumerate(bodies(split_lines(content)), 1):
        match = None if line in base_lines or line in task_text else _OWN.fullmatch(line)
        if match and int(match[1] or match[2]) == number:
            return number
    return None


def _line_numbers(base: str) -> dict[str, list[int]]:
    """Return the line numbers of each text."""
    numbers: dict[str, list[int]] = {}
    for number, line in enumerate(bodies(split_lines(base)), 1):
        numbers.setdefault(line.rstrip(), []).append(number)
    return numbers


def _marked(
    lines: Sequence[str], numbers_by_line: dict[str, list[int]], task_text: str
) -> list[_Marked]:
    """Return the lines that begin with a number and are not in the file or the task in that form."""
    fresh = [
        (at, text)
        for at, text in enumerate(bodies(lines))
        if text.rstrip() not in numbers_by_line and not _is_in_task(text, task_text)
    ]
    readings = [
        [
            _Marked(at, int(match["number"]), text[match.end() :])
            for at, text in fresh
            if (match := form.match(text))
        ]
        for form in _FORMS
    ]
    return max(readings, key=lambda marked: len(_hits(marked, numbers_by_line)))


def _is_in_task(text: str, task_text: str) -> bool:
    plain = text.strip()
    if plain.isdigit():
        return any(plain == line.strip() for line in task_text.split("\n"))
    return bool(plain) and plain in task_text


def _hits(marked: Iterable[_Marked], numbers_by_line: dict[str, list[int]]) -> list[_Marked]:
    """Return the marked lines whose text is a line of the file."""
    return [line for line in marked if line.text.strip() and line.is_among(numbers_by_line)]


def _is_copied(
    lines: Sequence[str],
    marked: Sequence[_Marked],
    hits: Sequence[_Marked],
    numbers_by_line: dict[str, list[int]],
) -> bool:
    """Return True if the numbers are copied: lines of the file have their old or new number."""
    placed = any(hit.is_placed(numbers_by_line) or hit.number == hit.at + 1 for hit in hits)
    filled = sum(1 for line in lines if line.strip())
    return placed and (len(hits) * 2 >= len(marked) or len(marked) * 2 >= filled)


def _counts_on(marked: Sequence[_Marked], numbers_by_line: dict[str, list[int]]) -> bool:
    rising = all(a.number < b.number for a, b in pairwise(marked))
    shifts = {line.number - line.at for line in marked}
    own = (line for line in marked if line.is_among(numbers_by_line))
    return rising and (shifts == {1} or all(line.is_placed(numbers_by_line) for line in own))


def _stripped(lines: Sequence[str], marked: Iterable[_Marked]) -> list[str]:
    texts = {line.at: line.text for line in marked}
    return [
        f"{texts[at]}{line[len(body(line)) :]}" if at in texts else line
        for at, line in enumerate(lines)
    ]


def _check_all(lines: Sequence[str], base: str, path: str, task_text: str) -> None:
    """Raise if every line begins with its own number and the old file has no such lines."""
    filled = [(at, body(line)) for at, line in enumerate(lines) if line.strip()]
    old = [body(line) for line in split_lines(base) if line.strip()]
    if not filled or not old or any(_is_in_task(text, task_text) for _, text in filled):
        return
    for form in _PROMPT_FORMS:
        if _all_numbered(filled, form) and not any(map(form.match, old)):
            raise _copied(path, 1)


def _all_numbered(filled: Iterable[tuple[int, str]], form: re.Pattern[str]) -> bool:
    matches = ((at, form.match(text)) for at, text in filled)
    return all(match and int(match["number"]) == at + 1 for at, match in matches)


def _check_new(lines: Sequence[str], path: str, task_text: str) -> None:
    """Raise if every line of a new file, other than data, begins with its own number."""
    form = next((form for endings, form in _NEW if path.lower().endswith(endings)), _TABLE)
    filled = [(at, body(line)) for at, line in enumerate(lines) if line.strip()]
    is_certain = form is _NEW[-1][1] and bool(filled) and _CERTAIN.match(filled[0][1]) is not None
    if (len(filled) < _SHORTEST_NEW and not is_certain) or any(
        text in task_text for _, text in filled
    ):
        return
    if _all_numbered(filled, form):
        raise _copied(path, 1)


def _plain_block(
    block: SearchReplace, numbers_by_line: dict[str, list[int]], task_text: str
) -> SearchReplace:
    search = split_lines(block.search)
    if all(body(line).rstrip() in numbers_by_line for line in search):
        return block
    lines = [*search, *split_lines(block.replace)]
    marked = _marked(lines, numbers_by_line, task_text)
    numbered = [line for line in marked if line.at < len(search)]
    if not numbered or not all(line.is_placed(numbers_by_line) for line in numbered):
        return block
    copied = marked[len(numbered) :]
    if not all(a.number < b.number for a, b in pairwise(copied)):
        raise _copied(block.path, copied[0].at - len(search) + 1)
    plain = _stripped(lines, marked)
    return replace(
        block, search="".join(plain[: len(search)]), replace="".join(plain[len(search) :])
    )


def _copied(path: str, line: int) -> EditError:
    return EditError(f"line {line} of {path} begins with a line number", hint=_HINT)


def with_base_ranges(edit: Edit, request: ReplyContext) -> Edit:
    """Return the edit with ranges in the base's numbering: a range that the spec cites means the cited lines."""
    if not isinstance(edit, Operation):
        return edit
    sources = tuple(_moved(source, request) for source in edit.sources)
    after = edit.after
    if edit.target is not None and after:
        after = _meant(edit.target, LineRange(after, after), request).end
    return replace(edit, sources=sources, after=after)


def _moved(source: Source, request: ReplyContext) -> Source:
    if source.range is None:
        return source
    return Source(source.path, _meant(source.path, source.range, request))


def _meant(path: str, line_range: LineRange, request: ReplyContext) -> LineRange:
    """Return the range in the base; raise `EditError` if it can mean both cited and shown lines."""
    cited = {
        citation.written: citation.now
        for file in request.files
        if file.path == path
        for citation in file.cited
    }
    if line_range not in cited or cited[line_range] == line_range:
        return line_range
    if line_range in cited.values():
        now = cited[line_range]
        raise EditError(
            f"lines {line_range} of {path} can be those shown, or those that the spec calls so, "
            f"which are lines {now} now",
            hint=f"write {path}:{now} for the spec's lines, or two ranges for those shown",
        )
    return cited[line_range]
