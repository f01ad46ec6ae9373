"""Read two fences, of a file's lines before and after a change, as the block that they mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from minitask.edits.fences import path_info, render_block
from minitask.edits.reply.reply_context import ReplyContext, mentions
from minitask.edits.script_model import SearchReplace
from minitask.patterns import lazy_pattern
from minitask.spec.model import Fence

_BEFORE = lazy_pattern(
    r"(?i)(?!.*\bwith\b)(?:before|old|original|current|existing|from|replace|find|change|vorher|alt|avant|ancien|antes|prima|voor|было|до"
    r"|(?:修改|変更)?前|旧|原)(?![^\W_])"
)
_AFTER = lazy_pattern(
    r"(?i)(?:after|new|updated|modified|to|with|replace(?: (?:it|this))? with|nachher|neu|après|nouveau|después"
    r"|depois|dopo|na|стало|после|(?:修改|変更)?[后後]|新)(?![^\W_])"
)
_PREPOSITION = lazy_pattern(r"(?i)[\W_]*(?:(?:in|update|edit)[\W_]+)?")
_MOST_WORDS = 4
"""Words of a label besides a path; a sentence says more."""


def with_blocks(
    fences: Sequence[Fence],
    answer: str,
    request: ReplyContext,
    *,
    is_named: Callable[[Fence], bool],
) -> tuple[Fence, ...]:
    """Return the fences, each two that are labelled as a listed file's lines before and after as one block.

    The file stands in the label or in a line above it. A file that another fence edits is only shown in this way.
    """
    pairs = dict(_pairs(fences, answer.split("\n"), request, is_named))
    rows = {row for at in pairs for row in (at, at + 1)}
    others = [fence for at, fence in enumerate(fences) if at not in rows and is_named(fence)]
    heads = "\n".join(f"{fence.info}\n{fence.lead}" for fence in others)
    edited = mentions(heads.replace("=", " "), request)
    out: list[Fence] = []
    skipped: set[int] = set()
    for at, fence in enumerate(fences):
        path = pairs.get(at)
        if path is not None and path not in edited:
            block = SearchReplace(path, fence.content, fences[at + 1].content)
            out.append(replace(fence, info=path_info(path), content=render_block(block), lead=""))
            skipped.add(at + 1)
        elif at not in skipped:
            out.append(fence)
    return tuple(out)


def _pairs(
    fences: Sequence[Fence],
    lines: Sequence[str],
    request: ReplyContext,
    is_named: Callable[[Fence], bool],
) -> Iterator[tuple[int, str]]:
    """Yield the index of the first of each two such fences, and their file."""
    end, path = 0, None

    def is_placed(fence: Fence) -> bool:
        return is_named(replace(fence, lead=""))

    for at, fence in enumerate(fences):
        above = [mentions(line, request) for line in lines[end : fence.line - 1]]
        meant = next(filter(None, reversed(above)), set())
        path = None if len(meant) > 1 else next(iter(meant), path)
        end = fence.line + fence.content.count("\n") + 1
        follows = fences[at + 1] if at + 1 < len(fences) else None
        if path is None or follows is None or any(map(is_placed, (fence, follows))):
            continue
        if _is_label(fence.lead, _BEFORE, request) and _is_label(follows.lead, _AFTER, request):
            yield at, path


def _is_label(lead: str, label: re.Pattern[str], request: ReplyContext) -> bool:
    others = " ".join(word for word in lead.split() if not mentions(word, request))
    start = _PREPOSITION.match(others)
    return others.count(" ") < _MOST_WORDS and bool(start and label.match(others, start.end()))
