"""The context for reading a reply: the listed files, what the prompt shows, the spec's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.edits.grammar import script_of
from minitask.edits.lines import split_lines
from minitask.edits.reply.reply_context import Citation, ListedFile, ReplyContext
from minitask.edits.script_model import Operation, WholeFile
from minitask.errors import EditError
from minitask.executors.prompt import is_numbered
from minitask.spec.model import LineRange
from minitask.spec.notes import may_stay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minitask.edits.reply.amend import EarlierReply
    from minitask.edits.script_model import Edit
    from minitask.executors.request import Excerpt, ExecutorRequest
    from minitask.spec.model import FileRef, Spec


def request_of(order: ExecutorRequest) -> ReplyContext:
    """Return what a reply to an order answers."""
    script = script_of(order.spec).edits
    files = tuple(_listed(ref, order, script) for ref in order.spec.files)
    whole_files = frozenset(
        (edit.path, edit.content) for edit in script if isinstance(edit, WholeFile)
    )
    return ReplyContext(files, order.read, order.root, _told(order.spec), whole_files, _seen(order))


def find_earlier_reply(
    order: ExecutorRequest, request: ReplyContext, *, rounds: int | None = None
) -> EarlierReply | None:
    """Return what the replies of so many rounds, or of all, made, if another can correct it; None if not."""
    history = order.history[:rounds]
    if not history:
        return None
    from minitask.edits.reply.amend import find_earlier

    return find_earlier([past.reply for past in history], history[-1].changes, request)


def _seen(order: ExecutorRequest) -> str:
    rounds = (text for past in order.history for text in (past.reply, past.problem))
    return "\n".join((order.shared, order.plan, order.feedback, *rounds))


def _listed(ref: FileRef, order: ExecutorRequest, script: Sequence[Edit]) -> ListedFile:
    excerpts = [excerpt for excerpt in order.excerpts if excerpt.path == ref.path]
    shown = tuple(_range(excerpt) for excerpt in excerpts if not excerpt.ends_only)
    return ListedFile(
        ref.path,
        ref.action,
        optional=may_stay(ref),
        shown=shown,
        whole=_is_whole(ref.path, excerpts, shown, order),
        numbered=any(is_numbered(excerpt, order) for excerpt in excerpts),
        cited=tuple(_citations(ref.path, order, script)),
        ends=tuple(_range(excerpt) for excerpt in excerpts if excerpt.ends_only),
    )


def _range(excerpt: Excerpt) -> LineRange:
    size = max(len(split_lines(excerpt.text)), 1)
    return LineRange(excerpt.first_line, excerpt.first_line + size - 1)


def _is_whole(
    path: str, excerpts: Sequence[Excerpt], shown: Sequence[LineRange], order: ExecutorRequest
) -> bool:
    """Return True if the excerpts together show every line of a file."""
    if any(excerpt.whole and not excerpt.ends_only for excerpt in excerpts):
        return True
    base = order.read(path)
    if base is None or not shown:
        return False
    lines = {number for part in shown for number in range(part.start, part.end + 1)}
    return lines.issuperset(range(1, len(split_lines(base)) + 1))


def _citations(path: str, order: ExecutorRequest, script: Sequence[Edit]) -> Iterator[Citation]:
    """Yield the ranges of a file that the spec cites and that have moved since, in its list and in its edit
    script.
    """
    cited = [
        line_range for ref in order.spec.files if ref.path == path for line_range in ref.ranges
    ]
    operations = (edit for edit in script if isinstance(edit, Operation))
    cited += [
        source.range
        for edit in operations
        for source in edit.sources
        if source.path == path and source.range is not None
    ]
    for written in dict.fromkeys(cited):
        try:
            now = order.locate(path, written) if order.locate else written
        except EditError:
            continue
        if now != written:
            yield Citation(written, now)


def _told(spec: Spec) -> str:
    """Return the text of the spec that says what files are to hold."""
    fences = (fence.content for fence in spec.snippets)
    criteria = (criterion.text for criterion in spec.criteria)
    return "\n".join((spec.title, spec.context, spec.task, spec.snippets_text, *fences, *criteria))
