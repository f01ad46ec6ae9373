"""Line ranges in a reply: the base's numbers, as the prompt showed them, or those of the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from minitask.edits.script_model import Edit, Operation, Source
from minitask.errors import EditError
from minitask.spec.model import LineRange

if TYPE_CHECKING:
    from minitask.edits.reply.request import Request


def with_base_ranges(edit: Edit, request: Request) -> Edit:
    """Return the edit with ranges in the base's numbering: one that the spec cites means the lines cited."""
    if not isinstance(edit, Operation):
        return edit
    sources = tuple(_moved(source, request) for source in edit.sources)
    after = edit.after
    if edit.target is not None and after:
        after = _meant(edit.target, LineRange(after, after), request).end
    return replace(edit, sources=sources, after=after)


def _moved(source: Source, request: Request) -> Source:
    if source.range is None:
        return source
    return Source(source.path, _meant(source.path, source.range, request))


def _meant(path: str, given: LineRange, request: Request) -> LineRange:
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
