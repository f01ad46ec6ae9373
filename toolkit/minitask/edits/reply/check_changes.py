"""Check the changes of a reply: that each file's text is its own, and that all requested work is done."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from minitask.edits.diff import parse_diff
from minitask.edits.lines import LOST_CHARACTER, bodies, indent_of, split_lines
from minitask.edits.match import find_block, occurrences
from minitask.edits.reply.diffs import find_diff_line, holds_diffs
from minitask.edits.reply.markers import find_markers
from minitask.edits.reply.numbers import find_copied
from minitask.edits.reply.reply_context import SOURCE, ListedFile, ReplyContext
from minitask.edits.script_model import (
    Change,
    Edit,
    EditScript,
    Operation,
    SearchReplace,
    UnifiedDiff,
    WholeFile,
    placed,
)
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.model import FileAction, LineRange

_FEW_LINES, _MANY_ESCAPES = 2, 3
_LOST, _REPLACEMENT = lazy_pattern(LOST_CHARACTER), lazy_pattern("\ufffd")
_NEED_NOT = lazy_pattern(
    r"\b(?:no|not|nothing|none|already|unchanged|without|unnecessary|stays?|remains?"
    r"|left|leav\w+|untouched|skipp\w+|kept|as (?:it )?is)\b|n['’]t\b"
)


def is_utf8(content: str) -> bool:
    """Return True if a file's content is UTF-8 text rather than other bytes."""
    return "\0" not in content and not any("\udc80" <= char <= "\udcff" for char in content)


def check_characters(answer: str) -> None:
    """Raise if the answer holds a lone surrogate, which is not text."""
    broken = next((at for at, char in enumerate(answer) if "\ud800" <= char <= "\udfff"), None)
    if broken is not None:
        line = answer.count("\n", 0, broken) + 1
        message = f"line {line} of the reply holds half of a character (a lone surrogate)"
        raise EditError(message, hint="send it again, as whole characters")


def check_whole(edit: WholeFile, request: ReplyContext) -> None:
    """Raise if a whole file is refused: it was not shown whole, is not UTF-8, would be empty, or is to be deleted."""
    base = request.read(edit.path)
    listed = request.find(edit.path)
    if base is None or listed is None:
        return
    if listed.action is FileAction.DELETE:
        raise EditError(f"{edit.path} is to be deleted", hint=_deletion(edit.path))
    if base.strip() and not edit.content.strip():
        hint = "send all of its lines, or only the edits of it"
        raise EditError(f"{edit.path} would be empty", hint=hint)
    if not is_utf8(base):
        message = f"{edit.path} is not in UTF-8, so it cannot be written as a whole"
        hint = "reply with operations, or with SEARCH/REPLACE blocks of its plain ASCII lines"
        raise EditError(message, hint=hint)
    if "\n" not in base and base.count("\r") > 1:
        message = f"the lines of {edit.path} end with CR alone, so it cannot be written as a whole"
        raise EditError(message, hint="leave it alone: its line ends must be converted first")
    if not listed.whole and (edit.path, edit.content) not in request.snippet_files:
        shown = ", ".join(map(str, listed.shown))
        how = f"was shown in part (lines {shown})" if shown else "was not shown"
        message = f"{edit.path} {how}, so a whole file would lose the rest of it"
        raise EditError(message, hint="reply with SEARCH/REPLACE blocks or operations for it")


def check_result(
    changes: Iterable[Change], request: ReplyContext, *, literal: Collection[str]
) -> None:
    """Raise if a file would get text that is not its own: markers, copied line numbers, replacement characters.

    `literal` are the paths whose content the reply declared to be the file's own.
    """
    for change in changes:
        base = request.read(change.path if change.mode_from is None else change.mode_from)
        if change.content is not None and change.content != base:
            is_literal = change.path in literal
            _check_text(change.path, change.content, base or "", request, literal=is_literal)


def _check_text(
    path: str, content: str, base: str, request: ReplyContext, *, literal: bool
) -> None:
    had = set(split_lines(base))
    fresh = [(n, line) for n, line in enumerate(split_lines(content), 1) if line not in had]
    lost = _LOST if is_utf8(base) else _REPLACEMENT
    for number, line in fresh:
        if lost.search(line) and line.strip() not in request.task_text:
            raise EditError(
                f"line {number} of {path} would hold U+FFFD, which stands for a character that was lost",
                hint="leave lines with such characters alone: use operations, or search for others",
            )
    if not is_utf8(base):
        _check_bytes(path, base, fresh)
    if not literal and _has_escaped_line_ends(content, base):
        message = f"{path} would hold `\\n` in place of its line ends"
        raise EditError(message, hint="write real line ends, not those of a string")
    known_lines = (*had, *request.task_text.split("\n"))
    fresh_text = "".join(line for _, line in fresh)
    marker = None if literal else find_markers(fresh_text, known_lines=known_lines)
    if marker is not None:
        raise EditError(
            f"{path} would hold the marker `{marker[1][:60]}`",
            hint="write blocks as `<<<<<<< SEARCH`, `=======`, `>>>>>>> REPLACE`, and none inside another",
        )
    unknown = (line for _, line in fresh if line.strip() not in request.task_text)
    diff = None if literal or holds_diffs(path) else find_diff_line(unknown, request)
    if diff is not None:
        raise EditError(
            f"{path} would hold `{diff[:60]}`, a line of a diff",
            hint="put a diff into a fence ```diff with `---` and `+++` lines, or write the file's own text",
        )
    copied = find_copied(content, base, task_text=request.task_text) if base else None
    if copied is not None:
        hint = "leave out the numbers that the prompt shows before the lines"
        raise EditError(f"line {copied} of {path} would begin with its line number", hint=hint)


def _has_escaped_line_ends(content: str, base: str) -> bool:
    r"""Return True if a text of at most two lines has many written-out `\n`, and more than the base."""
    written_out = content.count("\\n")
    few_lines = len(split_lines(content)) <= _FEW_LINES
    return few_lines and _MANY_ESCAPES <= written_out > base.count("\\n")


def _check_bytes(path: str, base: str, fresh: Iterable[tuple[int, str]]) -> None:
    """Raise if a file in another encoding would get UTF-8 text, or be cut inside a character."""
    if "\0" in base:
        message = f"{path} is not in UTF-8, and its lines cannot be told apart"
        raise EditError(message, hint="rename or delete it as a whole, or leave it alone")
    for number, line in fresh:
        if any(char > "\x7f" and not "\udc80" <= char <= "\udcff" for char in line):
            message = f"line {number} of {path} would be in UTF-8, and the file is not"
            raise EditError(message, hint="write its new lines in ASCII")


def check_complete(changes: Sequence[Change], request: ReplyContext, *, prose: str) -> None:
    """Raise if a listed file is not created, changed or deleted as required, and the reply does not say why."""
    after = {change.path: change.content for change in changes}
    for file in request.written():
        if not file.optional:
            _check_done(file, after, request, prose)


def _check_done(
    file: ListedFile, after: dict[str, str | None], request: ReplyContext, prose: str
) -> None:
    path, base = file.path, request.read(file.path)
    content = after.get(path, base)
    if file.action is FileAction.DELETE:
        if content is not None:
            message = f"{path} is to be deleted, and the reply leaves it"
            raise EditError(message, hint=_deletion(path))
        return
    if content is None:
        message = f"{path} is to be {_DONE[file.action]}, and the reply does not do it"
        hint = f"add a fence with path={path}, and reply with all files again"
        raise EditError(message, hint=hint)
    if path not in after and file.action is FileAction.EDIT and not is_excused(path, prose):
        raise EditError(
            f"{path} is to be edited, and the reply does not change it",
            hint=f"add its edits and reply with all files again, or say in a line why {path} needs no change",
        )


_DONE = {FileAction.CREATE: "created", FileAction.EDIT: "edited", FileAction.WRITE: "written"}


def is_excused(path: str, prose: str) -> bool:
    """Return True if a line of the model's prose says that the file need not change."""
    name = path.rsplit("/", 1)[-1]
    return any(name in line and _NEED_NOT.search(line.lower()) for line in prose.split("\n"))


def _deletion(path: str) -> str:
    return f"write a fence ```edits with the line `delete {path}`"


_LEAST = 4
"""Fewest letters and digits of a text whose occurrence in the prompt is not chance."""


def check_seen(script: EditScript, request: ReplyContext) -> None:
    """Raise if an edit changes lines of a partly shown file that the model was neither shown nor told.

    A search that occurs exactly once outside the shown lines is accepted only if the prompt has its text elsewhere, or
    if it only adds to whole lines at the top level, such as an import. Anything else is a guess that happens to fit.
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
    message = f"the search text stands in lines {position} of {path}, which were not shown"
    yield _unseen(message, path, request)


def _find_position(lines: Sequence[str], old: Sequence[str]) -> LineRange | None:
    """Return the only position of a text in the base, or None if an earlier edit must create it."""
    try:
        block = find_block(lines, old)
    except EditError:
        return None
    return LineRange(block.start + 1, block.end)


def _lines(path: str, request: ReplyContext) -> tuple[str, ...]:
    return split_lines(request.read(path) or "")


def _shown_numbers(path: str, request: ReplyContext) -> frozenset[int] | None:
    """Return the numbers of the lines that the model knows, or None for all of them."""
    listed = request.find(path)
    if request.read(path) is None or (listed is not None and (listed.whole or not listed.shown)):
        return None
    ranges = _ranges(listed) if listed is not None else ()
    return frozenset(n for part in ranges for n in range(part.start, part.end + 1))


def _ranges(listed: ListedFile) -> tuple[LineRange, ...]:
    return (*listed.shown, *listed.ends, *(citation.now for citation in listed.cited))


def _is_cited(line_range: LineRange, request: ReplyContext) -> bool:
    """Return True if the task itself names the lines."""
    end = rf"\s*(?:[-–—]|to|through|and)\s*L?{line_range.end}"
    if line_range.start == line_range.end:
        end = ""
    return re.search(rf"(?<!\d){line_range.start}{end}(?!\d)", request.task_text) is not None


def _unseen(message: str, path: str, request: ReplyContext) -> EditError:
    listed = request.find(path)
    shown = ", ".join(map(str, _ranges(listed))) if listed is not None else ""
    how = f"shown of {path}: lines {shown}" if shown else f"nothing of {path} was shown"
    return EditError(message, hint=f"edit only what was shown; {how}")
