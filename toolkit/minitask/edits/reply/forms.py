"""Classify a fence of a reply: operations, blocks, a diff, a patch, or a whole file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.fences import has_markers
from minitask.edits.grammar import parse_operations
from minitask.edits.lines import split_lines
from minitask.edits.reply.check_changes import check_whole
from minitask.edits.reply.diffs import holds_diffs, is_diff, is_headless, read_diff
from minitask.edits.reply.markers import (
    ALL,
    PARTS,
    bar_of,
    check_once,
    find_markers,
    has_block_form,
    is_balanced,
    is_framed,
    of_whole_lines,
    read_blocks,
    without_fences,
)
from minitask.edits.reply.names import Name, name_of
from minitask.edits.reply.numbers import blocks_without_numbers, without_numbers
from minitask.edits.reply.other_forms import BEGIN, patch_of, read_patch
from minitask.edits.reply.reply_context import (
    SOURCE,
    ReplyContext,
    forbidden,
    mentions,
    required,
    resolve,
)
from minitask.edits.reply.samples import (
    DIFFS,
    fence_word,
    fits,
    is_command,
    is_sample,
    may_be_script,
    removals,
)
from minitask.edits.script_model import (
    Edit,
    Operation,
    SearchReplace,
    Source,
    Verb,
    WholeFile,
    placed,
)
from minitask.errors import EditError, UnlistedError
from minitask.patterns import lazy_pattern
from minitask.spec.model import Fence

_EDITS = frozenset({"edits", "edit", "operations"})
MARKDOWN = (".md", ".markdown", ".mdx", ".rst", ".txt")
_BY_TILDES = (".md", ".markdown", ".mdx")
_COMPARES = lazy_pattern(
    r"(?i)\b(?:like|as|same|see|similar|also|other|unlike|from|than|after|before|instead|not|both|imports?|uses?)\b"
)
"""A line above a block with such a word may name another file than the block's."""
_KEPT_SHARE = 2
"""A whole file in an unnamed fence must keep at least one of this many lines of the file it replaces.

One more if it begins and ends as that does.
"""


class FenceEdits(Struct, frozen=True):
    """The edits of a fence, and the paths whose content it declares as literal."""

    edits: tuple[Edit, ...]
    literal: frozenset[str] = frozenset()


def is_edit_by_form(fence: Fence) -> bool:
    """Return True if the fence's form alone makes it an edit."""
    word = fence_word(fence)
    return (
        word in _EDITS | DIFFS
        or has_block_form(fence.content)
        or patch_of(fence.content) is not None
        or is_diff(fence.content)
    )


def edits_of(fence: Fence, request: ReplyContext, *, head: str | None = None) -> FenceEdits | None:
    """Return the edits of a fence, or None if it names no file and does not have the form of an edit.

    A fence that names none is of the file `head` above it, if any. Raise `EditError` if it is malformed.
    """
    if fence_word(fence) in _EDITS:
        return FenceEdits(_operations(fence, request))
    may_be_run = is_command(fence) and "=" not in fence.info
    name = _name_of_script(fence, request) if may_be_run else name_of(fence, request)
    begins = fence.content.lstrip().startswith(BEGIN)
    patch = patch_of(fence.content) if name is None or begins else None
    if patch is not None:
        line, text = patch
        return FenceEdits(tuple(read_patch(text, request, line=fence.line + line)))
    if name is None and head is not None and patch is None:
        name = Name(head, weak=True)
    if name is None:
        inner = _path_in(fence, request)
        return _named_edits(*inner, request) if inner else _nameless(fence, request)
    return _named_edits(fence, name, request)


def _name_of_script(fence: Fence, request: ReplyContext) -> Name | None:
    """Return the file that a fence of shell code names; a line above that is more than a path introduces commands.

    So does the path of a file in another language, or of one that the commands are about.
    """
    own = name_of(replace(fence, lead=""), request)
    above = None
    with suppress(UnlistedError):
        above = own or name_of(replace(fence, info=""), request)
    is_script = fence.content.startswith("#!")
    is_file = (
        above is not None and may_be_script(fence, above.path) and (is_script or not above.weak)
    )
    if own or above is None or not is_file:
        return own
    lines = (line for line in fence.content.split("\n") if not line.startswith("#"))
    is_run = not is_script and above.path in mentions("\n".join(lines), request)
    return None if is_run else replace(above, weak=True)


def _path_in(fence: Fence, request: ReplyContext) -> tuple[Fence, Name] | None:
    """Return the fence without its first line, and the file named there, if that is a listed path above blocks."""
    first, _, rest = fence.content.partition("\n")
    path = resolve(first.strip(), request) if first.strip() and has_block_form(rest) else None
    return (replace(fence, content=rest, line=fence.line + 1), Name(path)) if path else None


def elect_only(
    unplaced: Sequence[Fence], edits: Sequence[Edit], request: ReplyContext
) -> list[Edit] | None:
    """Return the edit of a task's only file if exactly one unnamed fence can hold it, otherwise None."""
    only = request.only()
    if only is None or edits:
        return None
    chosen = [fence for fence in unplaced if fits(fence, only.path)]
    if len(chosen) != 1 or any(not is_sample(fence) for fence in unplaced if fence not in chosen):
        return None
    with placed(chosen[0].line, source=SOURCE):
        _check_no_answer(chosen[0], only.path, request)
        return list(_named_edits(chosen[0], Name(only.path, weak=True), request).edits)


def _check_no_answer(fence: Fence, path: str, request: ReplyContext) -> None:
    """Raise for a fence around an answer: the file's name stands alone above the file's own fence."""
    first, _, rest = fence.content.strip().partition("\n")
    is_name = resolve(_AROUND_NAME.sub("", first), request) == path
    has_fence = bar_of(rest.lstrip("\n").partition("\n")[0]) is not None
    if is_name and has_fence and first not in (request.read(path) or "").split("\n"):
        message = f"a fence holds the name of {path} above a fence of its own"
        raise EditError(message, hint="put the fence around the file's text alone")


_AROUND_NAME = lazy_pattern(r"(?i)^[\s#*`_]*(?:file(?:name)?:\s*)?[*`_]*|[*`_:\s]+$")


def _nameless(fence: Fence, request: ReplyContext) -> FenceEdits | None:
    if is_command(fence):
        paths = removals(fence.content, request)
        gone = tuple(Operation(Verb.DELETE, (Source(path),), line=fence.line) for path in paths)
        return FenceEdits(gone) if gone else None
    only = request.only()
    if only is not None and holds_diffs(only.path) and request.read(only.path) is None:
        return None
    if fence_word(fence) in DIFFS or is_diff(fence.content):
        bare = fence.content.lstrip().startswith("@@")
        path = only.path if only is not None and bare else None
        return FenceEdits(tuple(read_diff(fence.content, request, path=path, line=fence.line)))
    if has_block_form(fence.content) or find_markers(fence.content):
        meant = {only.path} if only is not None else mentions(fence.lead, request)
        is_meant = only is not None or not _COMPARES.search(fence.lead)
        if has_block_form(fence.content) and len(meant) == 1 and is_meant:
            return _named_edits(fence, Name(meant.pop()), request)
        message = "a SEARCH/REPLACE block names no file"
        raise EditError(message, hint="write ```path=src/name.py above it")
    if not fence_word(fence) or fence_word(fence) in {"text", "txt"}:
        return _bare_operations(fence, request)
    return None


def _operations(fence: Fence, request: ReplyContext) -> tuple[Edit, ...]:
    operations = []
    for operation in parse_operations(fence, SOURCE):
        with placed(operation.line, source=SOURCE):
            operations.append(_with_listed(operation, request))
    return tuple(operations)


def _bare_operations(fence: Fence, request: ReplyContext) -> FenceEdits | None:
    """Return the operations of a fence that is not called `edits`, where it holds nothing else."""
    try:
        operations = _operations(fence, request)
    except EditError:
        return None
    return FenceEdits(operations) if operations else None


def _with_listed(operation: Operation, request: ReplyContext) -> Operation:
    """Return the operation with the listed paths that its spellings mean; any file of the base may be copied from."""
    sources = []
    for source in operation.sources:
        path = resolve(source.path, request)
        if path is None and operation.verb is Verb.COPY and request.read(source.path) is not None:
            path = source.path
        sources.append(Source(path or required(source.path, request), source.range))
    target = None if operation.target is None else required(operation.target, request)
    return replace(operation, sources=tuple(sources), target=target)


def _named_edits(fence: Fence, name: Name, request: ReplyContext) -> FenceEdits:
    fence = _below_comment(fence) if name.comment else fence
    path, content = name.path, fence.content
    listed = request.find(path)
    if listed is None or not listed.is_written:
        raise forbidden(path, request)
    base = request.read(path)
    literal = name.literal or _shows_conflicts(content, path, base)
    if not literal:
        if has_block_form(content) or _is_unknown_block(content, base, request):
            return FenceEdits(_blocks_of(fence, path, base, request))
        is_own = base is None and holds_diffs(path)  # a new patch file, not a patch of it
        if is_diff(content, path=path) or (fence_word(fence) in DIFFS and not is_own):
            return FenceEdits(tuple(read_diff(content, request, path=path, line=fence.line)))
        if base is not None and is_headless(content, base):
            message = f"the fence of {path} holds marked lines, and no `@@` line"
            raise EditError(message, hint="write a whole diff, or SEARCH/REPLACE blocks")
    if name.ranged:
        message = f"the fence of {path} names lines of it, which a whole file cannot replace"
        raise EditError(message, hint="reply with SEARCH/REPLACE blocks or operations for it")
    whole = WholeFile(path, _content(content, name, base, request), fence.line)
    check_whole(whole, request)
    if name.weak:
        _check_likeness(whole, base)
    return FenceEdits((whole,), frozenset({path} if literal else ()))


def _below_comment(fence: Fence) -> Fence:
    """Return a fence of blocks without the comment above them."""
    content = fence.content.partition("\n")[2]
    return (
        replace(fence, content=content, line=fence.line + 1) if has_block_form(content) else fence
    )


def _blocks_of(
    fence: Fence, path: str, base: str | None, request: ReplyContext
) -> tuple[SearchReplace, ...]:
    blocks = read_blocks(fence.content, path=path, line=fence.line + 1)
    marks = fence.info.split() if base is not None else []
    for block in blocks if ALL in marks else ():
        check_once(block, base or "")
    if PARTS in marks:
        blocks = tuple(of_whole_lines(block, base or "") for block in blocks)
    return blocks_without_numbers(blocks, base, task_text=request.task_text)


def _is_unknown_block(content: str, base: str | None, request: ReplyContext) -> bool:
    """Return True if the content has block markers that neither the file nor the task has."""
    known_lines = (*split_lines(base or ""), *request.task_text.split("\n"))
    is_marked = find_markers(content, known_lines=known_lines) is not None
    return is_marked or (base is not None and is_framed(content, base))


def _shows_conflicts(content: str, path: str, base: str | None) -> bool:
    """Return True if a new document shows git's conflict markers in its own fences, so that they are not edits."""
    if base is not None or not path.endswith(MARKDOWN) or has_markers(content):
        return False
    outside = without_fences(content)
    return outside != content and bool(outside.strip()) and find_markers(outside) is None


def _content(content: str, name: Name, base: str | None, request: ReplyContext) -> str:
    """Return a whole file's content without parts of the reply: its path, a second fence, line numbers."""
    if name.comment:
        content = _without_path(content, name.path, base, request)
    if not name.literal:
        content = _without_inner_fence(content, name.path, base)
    return without_numbers(content, base, path=name.path, task_text=request.task_text)


def _without_path(content: str, path: str, base: str | None, request: ReplyContext) -> str:
    first, _, remainder = content.partition("\n")
    is_content = (base is not None and base.startswith(first)) or first.strip() in request.task_text
    is_title = path.endswith(MARKDOWN) and first.startswith("# ") and "\n# " not in content
    return content if is_content or is_title else remainder.removeprefix("\n")


def _without_inner_fence(content: str, path: str, base: str | None) -> str:
    """Return the content of a file that was wrapped in two nested fences."""
    lines = content.strip("\n").split("\n")
    opening = bar_of(lines[0])
    if opening is None or len(lines) < 2 or (base or "").lstrip("\n").startswith(lines[0]):
        return content
    closed = opening.is_closed_by(bar_of(lines[-1]))
    inside = any(opening.is_closed_by(bar_of(line)) for line in lines[1:-1])
    may_be_own = path.endswith(MARKDOWN) and opening.info not in {"markdown", "md"}
    if inside and not path.endswith((*MARKDOWN, ".txt")):
        raise EditError(
            f"the fence of {path} begins with another fence, and it is not clear where that ends",
            hint="put the file into one fence, with more marks than any line inside",
        )
    if not closed or inside or (may_be_own and not _is_wrapped(lines[1:-1], base)):
        return content
    return "".join(f"{line}\n" for line in lines[1:-1])


def _is_wrapped(inner: Sequence[str], base: str | None) -> bool:
    """Return True if the lines between two bars have the old file's first or last line, and it has no bars there."""
    old = [line.rstrip() for line in (base or "").split("\n") if line.strip()]
    new = [line.rstrip() for line in inner if line.strip()]
    ends = bool(old and new) and (old[0] == new[0] or old[-1] == new[-1])
    return ends and bar_of(old[0]) is None and bar_of(old[-1]) is None


def _check_likeness(whole: WholeFile, base: str | None) -> None:
    """Raise if an unnamed fence may be only a part of its file."""
    bars = whole.content.split("\n")
    if not whole.path.endswith(_BY_TILDES):
        bars = [line for line in bars if not line.startswith("~")]  # they underline a title
    if not is_balanced(bars):
        message = "a fence names no file, and holds one that is never closed"
        raise EditError(message, hint=f"write path={whole.path} in its info string")
    if base is None:
        return
    old, new = _filled(base), _filled(whole.content)
    have = set(new)
    kept_count = sum(line in have for line in old)
    is_around = old[:1] == new[:1] and old[-1:] == new[-1:]
    ends = is_around or not have.isdisjoint((*old[:1], *old[-1:]))
    if old and not (ends and kept_count * (_KEPT_SHARE + is_around) >= len(old)):
        hint = f"write path={whole.path} in its info string if it is the whole file"
        raise EditError("a fence names no file, and does not look like all of one", hint=hint)


def _filled(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]
