"""Edit scripts as Markdown fences, in specs and in replies: read, written, and what they touch."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from minitask.edits.fences import (
    content_lines,
    has_markers,
    is_literal,
    parse_blocks,
    path_above,
    path_in,
    path_info,
    render_block,
    render_fence,
)
from minitask.edits.lines import is_blank
from minitask.edits.operations import parse_operation, render_operation
from minitask.edits.script_model import (
    Edit,
    EditScript,
    Operation,
    SearchReplace,
    UnifiedDiff,
    Verb,
    WholeFile,
    placed,
)
from minitask.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from minitask.edits.diff import FileDiff
    from minitask.spec.model import Fence

_EDITS = "edits"
_DIFF = "diff"


def parse_script(
    fences: Sequence[Fence], *, source: str = "", lead_paths: bool = False
) -> EditScript:
    """Return the edits that the fences hold, in order; fences that are no edits are passed over.

    With `lead_paths`, a path alone on the line above a fence counts as its `path=`. Raises
    `EditError` with its place, `SOURCE:LINE`, for anything malformed.
    """
    edits: list[Edit] = []
    for fence in fences:
        with placed(fence.line, source=source):
            edits += _parse_fence(fence, source=source, lead_paths=lead_paths)
    _check_wholes(edits, source)
    return EditScript(tuple(edits))


def render_script(script: EditScript) -> str:
    """Return the Markdown that parses back to the script.

    A file's content in Markdown ends in a newline and has LF line ends; what differs is written so.
    """
    groups = groupby(enumerate(script.edits), key=_fence_key)
    return "\n".join(_render_group([edit for _, edit in group]) for _, group in groups)


def paths_written(script: EditScript) -> frozenset[str]:
    """Return the paths that the script creates, changes or removes; a move writes its sources too."""
    return frozenset(path for edit in script.edits for path in _written(edit))


def covers(script: EditScript, writes: Collection[str]) -> bool:
    """Return True if the script writes every one of the paths; a script without edits covers nothing."""
    return bool(script.edits) and paths_written(script).issuperset(writes)


def _parse_fence(fence: Fence, *, source: str, lead_paths: bool) -> Iterable[Edit]:
    word = fence.info.split(maxsplit=1)[0] if fence.info.strip() else ""
    path = path_in(fence.info)
    if word == _EDITS:
        return _parse_operations(fence, source)
    if word == _DIFF:
        return [_parse_diff(fence, path)]
    if path is None and lead_paths:
        path = path_above(fence.lead)
    if path is None:
        _refuse_homeless(fence, lead_paths=lead_paths)
        return []
    if has_markers(fence.content) and not is_literal(fence.info):
        return parse_blocks(fence.content, path=path, line=fence.line + 1, source=source)
    return [WholeFile(path, fence.content, fence.line)]


def _refuse_homeless(fence: Fence, *, lead_paths: bool) -> None:
    # What has the form of an edit is no illustration: passed over, it would leave a part out.
    if lead_paths and has_markers(fence.content):
        raise EditError(
            "a SEARCH/REPLACE block names no file", hint="write ```path=src/name.py above it"
        )


def _parse_operations(fence: Fence, source: str) -> Iterator[Operation]:
    for number, text in content_lines(fence.content, after=fence.line):
        if not is_blank(text) and not text.lstrip().startswith("#"):
            with placed(number, source=source):
                yield parse_operation(text, line=number)


def _parse_diff(fence: Fence, path: str | None) -> UnifiedDiff:
    text = fence.content
    if path is not None and text.startswith("@@"):
        text = f"--- a/{path}\n+++ b/{path}\n{text}"
    from minitask.edits.diff import parse_diff

    parse_diff(text)
    return UnifiedDiff(text, fence.line)


def _check_wholes(edits: Iterable[Edit], source: str) -> None:
    first_lines: dict[str, int] = {}
    for edit in edits:
        if isinstance(edit, WholeFile) and edit.path in first_lines:
            with placed(edit.line, source=source):
                message = (
                    f"{edit.path} is written whole twice, first in line {first_lines[edit.path]}"
                )
                raise EditError(message, hint="keep one of the two")
        if isinstance(edit, WholeFile):
            first_lines[edit.path] = edit.line


def _fence_key(numbered: tuple[int, Edit]) -> tuple[type, object]:
    """Return a key that is equal for neighbours that share a fence."""
    number, edit = numbered
    if isinstance(edit, Operation):
        return Operation, None
    return type(edit), edit.path if isinstance(edit, SearchReplace) else number


def _render_group(edits: Sequence[Edit]) -> str:
    first = edits[0]
    if isinstance(first, WholeFile):
        return render_fence(
            path_info(first.path, literal=has_markers(first.content)), first.content
        )
    if isinstance(first, UnifiedDiff):
        return render_fence(_DIFF, first.text)
    if isinstance(first, SearchReplace):
        blocks = (render_block(edit) for edit in edits if isinstance(edit, SearchReplace))
        return render_fence(path_info(first.path), "".join(blocks))
    lines = (render_operation(edit) for edit in edits if isinstance(edit, Operation))
    return render_fence(_EDITS, "".join(f"{line}\n" for line in lines))


def _written(edit: Edit) -> Iterator[str]:
    if isinstance(edit, UnifiedDiff):
        from minitask.edits.diff import parse_diff

        for diff in parse_diff(edit.text):
            yield from _written_by(diff)
    elif isinstance(edit, Operation):
        if edit.verb is not Verb.COPY:
            yield from (source.path for source in edit.sources)
        if edit.target is not None:
            yield edit.target
    else:
        yield edit.path


def _written_by(diff: FileDiff) -> Iterator[str]:
    if diff.old is not None and not (diff.copies and diff.new != diff.old):
        yield diff.old
    if diff.new is not None:
        yield diff.new
