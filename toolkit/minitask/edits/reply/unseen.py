"""Edits of lines that the prompt did not show: a reply cannot know what they hold, though it may happen to fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minitask.edits.diff import parse_diff
from minitask.edits.lines import bodies, indent_of, split_lines
from minitask.edits.match import find_block, occurrences
from minitask.edits.reply.reply_context import SOURCE, ListedFile, ReplyContext
from minitask.edits.script_model import EditScript, Operation, SearchReplace, UnifiedDiff, placed
from minitask.errors import EditError
from minitask.spec.model import LineRange

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minitask.edits.script_model import Edit

_LEAST = 4
"""Letters and digits of a text that stands in what was told for more than by chance."""


def check_seen(script: EditScript, request: ReplyContext) -> None:
    """Raise where an edit is about lines of a file that was shown in part, and of which nobody spoke.

    A search that stands exactly once outside of what was shown is taken only where its text was told otherwise, or
    where it merely adds to whole lines at the top level, such as an import: all else is a guess that happens to fit.
    """
    for edit in script.edits:
        with placed(edit.line, source=SOURCE):
            for fault in _faults(edit, request):
                raise fault


def _faults(edit: Edit, request: ReplyContext) -> Iterator[EditError]:
    if isinstance(edit, Operation):
        yield from _of_operation(edit, request)
    elif isinstance(edit, SearchReplace):
        old, new = split_lines(edit.search), split_lines(edit.replace)
        yield from _of_text(edit.path, bodies(old), bodies(new), request)
    elif isinstance(edit, UnifiedDiff):
        yield from _of_diff(edit, request)


def _of_operation(edit: Operation, request: ReplyContext) -> Iterator[EditError]:
    for source in edit.sources:
        lines, shown = _lines(source.path, request), _shown_numbers(source.path, request)
        if source.range is None or shown is None or _is_cited(source.range, request):
            continue
        numbers = range(source.range.start, min(source.range.end, len(lines)) + 1)
        unseen = [n for n in numbers if n not in shown and lines[n - 1].strip()]
        if unseen:
            which = LineRange(unseen[0], unseen[-1])
            yield _unseen(f"lines {which} of {source.path} were not shown", source.path, request)
    if edit.target is not None and edit.after:
        yield from _of_place(edit.target, edit.after, request)


def _of_place(path: str, after: int, request: ReplyContext) -> Iterator[EditError]:
    """Yield the fault of an insertion below a line that was not shown; the ends of a file are always known."""
    shown = _shown_numbers(path, request)
    if shown is None or after in {0, len(_lines(path, request))} or {after, after + 1} & shown:
        return
    if not _is_cited(LineRange(after, after), request):
        yield _unseen(f"line {after} of {path} was not shown", path, request)


def _of_diff(edit: UnifiedDiff, request: ReplyContext) -> Iterator[EditError]:
    for diff in parse_diff(edit.text):
        for hunk in diff.hunks if diff.old else ():
            old = [line.text for line in hunk.old()]
            new = [line.text for line in hunk.lines if line.mark != "-"]
            if old:
                yield from _of_text(diff.old or "", old, new, request)
            else:
                yield from _of_place(diff.old or "", hunk.start, request)


def _of_text(
    path: str, old: Sequence[str], new: Sequence[str], request: ReplyContext
) -> Iterator[EditError]:
    shown, lines = _shown_numbers(path, request), _lines(path, request)
    position = _find_position(lines, old) if shown is not None else None
    if shown is None or position is None or shown & set(range(position.start, position.end + 1)):
        return
    heard = f"{request.task_text}\n{request.extra_text}"
    is_telling = sum(map(str.isalnum, "".join(old))) >= _LEAST
    if is_telling and all(line.strip() in heard for line in old):
        return
    only_adds = bool(occurrences(new, old)) if new else False
    if only_adds and not any(indent_of(line) for line in old):
        return
    yield _unseen(
        f"the search text stands in lines {position} of {path}, which were not shown", path, request
    )


def _find_position(lines: Sequence[str], old: Sequence[str]) -> LineRange | None:
    """Return the only place of some text in the base; None where an earlier edit has to make it first."""
    try:
        block = find_block(lines, old)
    except EditError:
        return None
    return LineRange(block.start + 1, block.end)


def _lines(path: str, request: ReplyContext) -> tuple[str, ...]:
    return split_lines(request.read(path) or "")


def _shown_numbers(path: str, request: ReplyContext) -> frozenset[int] | None:
    """Return the numbers of the lines that the model knows of; None for all of them."""
    listed = request.find(path)
    if request.read(path) is None or (listed is not None and (listed.whole or not listed.shown)):
        return None
    ranges = _ranges(listed) if listed is not None else ()
    return frozenset(
        n for line_range in ranges for n in range(line_range.start, line_range.end + 1)
    )


def _ranges(listed: ListedFile) -> tuple[LineRange, ...]:
    return (*listed.shown, *listed.ends, *(citation.now for citation in listed.cited))


def _is_cited(line_range: LineRange, request: ReplyContext) -> bool:
    """Return True if the task itself names the lines."""
    end = (
        ""
        if line_range.start == line_range.end
        else rf"\s*(?:[-–—]|to|through|and)\s*L?{line_range.end}"
    )
    return re.search(rf"(?<!\d){line_range.start}{end}(?!\d)", request.task_text) is not None


def _unseen(message: str, path: str, request: ReplyContext) -> EditError:
    listed = request.find(path)
    shown = ", ".join(map(str, _ranges(listed))) if listed is not None else ""
    how = f"shown of {path}: lines {shown}" if shown else f"nothing of {path} was shown"
    return EditError(message, hint=f"edit only what was shown; {how}")
