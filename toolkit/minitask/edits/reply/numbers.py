"""Line numbers that a model copied from its prompt: taken away where they count on, sent back where they do not.

The file itself decides: a line that stands in it with its number, as in a table, is left alone. A line is suspect whose
number is followed by the text of one of the file's lines.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.lines import bodies, body, split_lines
from minitask.edits.script_model import Edit, Operation, Source
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.model import LineRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minitask.edits.reply.reply_context import ReplyContext
    from minitask.edits.script_model import SearchReplace

_FORMS = tuple(
    lazy_pattern(rf"[ \t]*L?(?P<number>\d{{1,6}})(?:{mark}|[ \t|│→:]*$)")
    for mark in (r"\t", r" ?[|│→:] ", r" ?[|│→:]", r"[.)] ", " ", "  ", r" ?[|│→:]\t")
)
"""How a number is set apart from its line; the form counts under which most lines are the file's."""
_PROMPT_FORMS = tuple(form for at, form in enumerate(_FORMS) if at != 3)
"""Those of them that no list has."""
_TABLE = lazy_pattern(r"[ \t]*(?P<number>\d{1,6})(?:\t| ?[|│→] ?)")
_TAB = lazy_pattern(r"[ \t]*(\d{1,6})\t(.*)", re.DOTALL)
_DATA = (".csv", ".tsv", ".txt", ".md", ".dat", ".tab", ".log")
_SHORTEST_NEW = 3
_HINT = "leave out the numbers that the prompt shows before the lines"


class _Marked(Struct, frozen=True):
    """A line that may have a copied number: its index, the number, and the text behind it."""

    at: int
    number: int
    rest: str


def without_numbers(content: str, base: str | None, *, path: str, told: str = "") -> str:
    """Return a whole file's content without copied numbers; raise `EditError` where they do not count on."""
    lines = split_lines(content)
    if base is None:
        _check_new(lines, path, told)
        return content
    known = _places(base)
    marked = _marked(lines, known, told)
    hits = _hits(marked, known)
    if not hits or not _is_copied(lines, marked, hits, known):
        _check_all(lines, base, path, told)
        return content
    if not _counts_on(marked, known):
        raise _copied(path, marked[0].at + 1)
    return _stripped(lines, marked)


def blocks_without_numbers(
    blocks: Iterable[SearchReplace], base: str | None, *, told: str = ""
) -> tuple[SearchReplace, ...]:
    """Return the blocks without copied numbers; a search text that stands in the file is left alone."""
    if base is None:
        return tuple(blocks)
    known = _places(base)
    return tuple(_plain_block(block, known, told) for block in blocks)


def find_copied(content: str, base: str, *, told: str = "") -> int | None:
    """Return the first new line that begins with its own number and a tab, in a file that has no such lines."""
    known = set(bodies(split_lines(base)))
    if any(_TAB.fullmatch(line) for line in known):
        return None
    for number, line in enumerate(bodies(split_lines(content)), 1):
        found = None if line in known or line in told else _TAB.fullmatch(line)
        if found and int(found[1]) == number:
            return number
    return None


def _places(base: str) -> dict[str, list[int]]:
    """The numbers of the lines that have each text."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(bodies(split_lines(base)), 1):
        found.setdefault(line.rstrip(), []).append(number)
    return found


def _marked(lines: Sequence[str], known: dict[str, list[int]], told: str) -> list[_Marked]:
    """The lines that begin with a number and do not stand so in the file or the task."""
    texts = [(at, body(line)) for at, line in enumerate(lines)]
    fresh = [
        (at, text) for at, text in texts if text.rstrip() not in known and not _is_told(text, told)
    ]
    readings = [
        [
            _Marked(at, int(found["number"]), text[found.end() :])
            for at, text in fresh
            if (found := form.match(text))
        ]
        for form in _FORMS
    ]
    return max(readings, key=lambda marked: len(_hits(marked, known)))


def _is_told(text: str, told: str) -> bool:
    plain = text.strip()
    if plain.isdigit():
        return any(plain == line.strip() for line in told.split("\n"))
    return bool(plain) and plain in told


def _hits(marked: Iterable[_Marked], known: dict[str, list[int]]) -> list[_Marked]:
    """Those before a line of the file."""
    return [each for each in marked if each.rest.strip() and each.rest.rstrip() in known]


def _is_copied(
    lines: Sequence[str],
    marked: Sequence[_Marked],
    hits: Sequence[_Marked],
    known: dict[str, list[int]],
) -> bool:
    """Whether the numbers are the prompt's: lines of the file have their own, of then or of now."""
    placed = [
        each
        for each in hits
        if each.number in known[each.rest.rstrip()] or each.number == each.at + 1
    ]
    filled = sum(1 for line in lines if line.strip())
    return bool(placed) and (len(hits) * 2 >= len(marked) or len(marked) * 2 >= filled)


def _counts_on(marked: Sequence[_Marked], known: dict[str, list[int]]) -> bool:
    rising = all(a.number < b.number for a, b in pairwise(marked))
    shifts = {each.number - each.at for each in marked}
    in_place = all(
        each.number in known[each.rest.rstrip()] for each in marked if each.rest.rstrip() in known
    )
    return rising and (shifts == {1} or in_place)


def _stripped(lines: Sequence[str], marked: Iterable[_Marked]) -> str:
    rest = {each.at: each.rest for each in marked}
    return "".join(
        f"{rest[at]}{line[len(body(line)) :]}" if at in rest else line
        for at, line in enumerate(lines)
    )


def _check_all(lines: Sequence[str], base: str, path: str, told: str) -> None:
    """Raise where every line begins with its own number, and the file that it replaces has no such lines."""
    filled = [(at, body(line)) for at, line in enumerate(lines) if line.strip()]
    old = [body(line) for line in split_lines(base) if line.strip()]
    if not filled or not old or any(_is_told(text, told) for _, text in filled):
        return
    for form in _PROMPT_FORMS:
        found = [(at, form.match(text)) for at, text in filled]
        if all(match and int(match["number"]) == at + 1 for at, match in found) and not any(
            form.match(text) for text in old
        ):
            raise _copied(path, 1)


def _check_new(lines: Sequence[str], path: str, told: str) -> None:
    """Raise where every line of a new file, of a kind that is no data, begins with its own number."""
    if path.lower().endswith(_DATA):
        return
    filled = [(at, body(line)) for at, line in enumerate(lines) if line.strip()]
    if len(filled) < _SHORTEST_NEW or any(text in told for _, text in filled):
        return
    found = [(at, _TABLE.match(text)) for at, text in filled]
    if all(match and int(match["number"]) == at + 1 for at, match in found):
        raise _copied(path, 1)


def _plain_block(block: SearchReplace, known: dict[str, list[int]], told: str) -> SearchReplace:
    from msgspec.structs import replace

    search = split_lines(block.search)
    if all(body(line).rstrip() in known for line in search):
        return block
    marked = _marked(search, known, told)
    if not marked or any(each.rest.rstrip() not in known for each in marked):
        return block
    if not all(each.number in known[each.rest.rstrip()] for each in marked):
        return block
    fresh = split_lines(block.replace)
    copied = _marked(fresh, known, told)
    if not all(a.number < b.number for a, b in pairwise(copied)):
        raise _copied(block.path, copied[0].at + 1)
    return replace(block, search=_stripped(search, marked), replace=_stripped(fresh, copied))


def _copied(path: str, line: int) -> EditError:
    return EditError(f"line {line} of {path} begins with a line number", hint=_HINT)


def with_base_ranges(edit: Edit, request: ReplyContext) -> Edit:
    """Return the edit with ranges in the base's numbering: one that the spec cites means the lines cited."""
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


def _meant(path: str, given: LineRange, request: ReplyContext) -> LineRange:
    """Where the lines are; `EditError` where the range is both one of the spec's and one that was shown."""
    cited = {
        each.written: each.now for file in request.files if file.path == path for each in file.cited
    }
    if given not in cited or cited[given] == given:
        return given
    if given in cited.values():
        now = cited[given]
        raise EditError(
            f"lines {given} of {path} can be those shown, or those that the spec calls so, which are lines {now} now",
            hint=f"write {path}:{now} for the spec's lines, or two ranges for those shown",
        )
    return cited[given]
