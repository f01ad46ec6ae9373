"""Find the files whose names stand above a fence as a heading, with a description of the change between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from minitask.edits.reply.markers import has_block_form
from minitask.edits.reply.names import REFERS, path_alone
from minitask.edits.reply.reply_context import ReplyContext, mentions
from minitask.edits.reply.samples import (
    DIFFS,
    fence_word,
    fits,
    is_of_no_language,
    is_sample,
    may_be_script,
)
from minitask.spec.model import Fence


def heads_of(
    fences: Sequence[Fence],
    prose: str,
    request: ReplyContext,
    *,
    has_name: Callable[[Fence], bool],
) -> Mapping[int, str]:
    """Return the file of each fence that names none itself, by the fence's line.

    The text between names no other file. A file that another fence edits is none of these, nor one with two fences that
    may be all of it.
    """
    placed_fences = [fence for fence in fences if has_name(fence)]
    edited = mentions(
        "\n".join(f"{f.info} {f.lead}".replace("=", " ") for f in placed_fences), request
    )
    heads: dict[int, str] = {}
    wholes: dict[str, list[int]] = defaultdict(list)
    for fence, path in zip(fences, _last_heads(fences, prose, request), strict=True):
        if (
            path is None
            or path in edited
            or fence in placed_fences
            or not _may_be_edit(fence, path, request)
        ):
            continue
        heads[fence.line] = path
        if not has_block_form(fence.content) and fence_word(fence) not in DIFFS:
            wholes[path].append(fence.line)
    doubtful = {row for rows in wholes.values() if len(rows) > 1 for row in rows}
    return {row: path for row, path in heads.items() if row not in doubtful}


def _last_heads(fences: Sequence[Fence], prose: str, request: ReplyContext) -> Iterator[str | None]:
    """Yield for each fence the file in the last line above it that names one, if that line is its path alone."""
    lines, at, path = prose.split("\n"), 0, None
    for fence in fences:
        for line in lines[at : fence.line - 1]:
            if mentions(line, request):
                path = path_alone(line, request)
        at = max(at, fence.line - 1)
        yield path


def _may_be_edit(fence: Fence, path: str, request: ReplyContext) -> bool:
    """Return True if a fence has a form of an edit, or the file's language, and its lead does not tell otherwise.

    A script begins with `#!`; a new file of no language may stand in a fence without one.
    """
    if fence.content.lstrip().startswith(_OWN_HEADS):
        return False
    if has_block_form(fence.content) or fence_word(fence) in DIFFS:
        return True
    if fence.lead.rstrip().endswith(":") and REFERS.search(fence.lead):
        return False
    is_plain = not fence.info and is_of_no_language(path) and request.read(path) is None
    is_script = fence.content.startswith("#!") and may_be_script(fence, path)
    return is_plain or is_script or (not is_sample(fence) and fits(fence, path))


_OWN_HEADS = ("--- ", "diff --git ", "*** ")
"""Diffs and patches that name their files."""
