"""Read a reply: every fence is an edit of a listed file or plainly none; otherwise the reply is an `EditError`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.apply_script import apply_script
from minitask.edits.grammar import paths_written
from minitask.edits.reply.check_changes import (
    check_characters,
    check_complete,
    check_result,
    check_seen,
)
from minitask.edits.reply.forms import MARKDOWN, edits_of, elect_only, is_edit_by_form
from minitask.edits.reply.heads import heads_of
from minitask.edits.reply.names import name_of, other_root
from minitask.edits.reply.numbers import with_base_ranges
from minitask.edits.reply.other_forms import patch_of, read_patch
from minitask.edits.reply.outside import check_meant, check_unread
from minitask.edits.reply.reply_context import (
    SOURCE,
    ReplyContext,
    forbidden,
    is_written,
)
from minitask.edits.reply.reply_fences import answer_of, fences_of
from minitask.edits.reply.retyped import check_seams, with_base_lines
from minitask.edits.reply.samples import check_unplaced, fence_word
from minitask.edits.reply.sides import with_blocks
from minitask.edits.reply.told_deletions import told_deletions
from minitask.edits.reply.tool_calls import with_fences
from minitask.edits.reply.unfenced import parted, with_fences_around
from minitask.edits.script_model import (
    Change,
    Edit,
    EditScript,
    Operation,
    SearchReplace,
    WholeFile,
    placed,
)
from minitask.errors import EditError, UnlistedError
from minitask.patterns import lazy_pattern
from minitask.spec.markdown import normalise
from minitask.spec.model import Fence

_ABOUT_SAME = lazy_pattern(
    r"(?i)\b(?:same|identical|cop(?:y|ies)|sync\w*|mirror\w*|duplicat\w*|replac\w+)\b"
)


_HEADING = lazy_pattern(r"(?m)^ {0,3}(?:#{1,6} \S|(?:=|-){3,}[ \t]*$)")


class Parsed(Struct, frozen=True):
    """A reply's edits, the paths declared as literal, the fences without a file, and the text around them."""

    script: EditScript
    literal: frozenset[str]
    unplaced: tuple[Fence, ...]
    prose: str


def changes_of(reply: str, request: ReplyContext) -> tuple[Change, ...]:
    """Return the change that a reply makes; raise `EditError`, worded for the model, if it is incomplete or invalid."""
    return make_changes(parse_reply(reply, request), request)


def make_changes(parsed: Parsed, request: ReplyContext) -> tuple[Change, ...]:
    """Return the change of a parsed reply; raise `EditError` as `changes_of` does."""
    if not parsed.script.edits:
        raise no_edits(parsed.unplaced)
    check_unplaced(parsed.unplaced, parsed.script, request)
    changes = apply_script(parsed.script, read=request.read, locate=None, source=SOURCE)
    if not changes:
        message = "the reply changes nothing: the files hold all that it writes"
        raise EditError(message, hint="reply with what is still to be done")
    check_seen(parsed.script, request)
    check_seams(parsed.script.edits, changes, request)
    check_result(changes, request, literal=parsed.literal)
    check_exchanged(changes, request)
    check_unread(parsed.script, parsed.prose, [change.content or "" for change in changes])
    check_complete(changes, request, prose=parsed.prose)
    return tuple(with_origin(change, parsed.script) for change in changes)


def with_origin(change: Change, script: EditScript) -> Change:
    """Return the change, marked as explicit if no whole file made it."""
    whole = any(isinstance(edit, WholeFile) and edit.path == change.path for edit in script.edits)
    return change if whole else replace(change, explicit=True)


def parse_reply(reply: str, request: ReplyContext) -> Parsed:
    """Return the parsed reply, before it is applied; raise `EditError` if it is malformed."""
    check_characters(reply)
    answer = answer_of(normalise(reply))
    request = replace(request, other_root=other_root(answer, request))
    is_named = partial(_is_named, request=request)
    fences = fences_of(answer, is_named=is_named)
    if not any(map(is_named, fences)) and patch_of(answer) is None:
        answer = with_fences(answer, is_listed=partial(is_written, request=request))
        answer = with_fences_around(answer, request)
        fences = fences_of(answer, is_named=is_named)
    edits: list[Edit] = []
    unplaced: list[Fence] = []
    literal: set[str] = set()
    joined = with_blocks(fences, answer, request, is_named=is_named)
    joined = tuple(
        part
        for fence in joined
        for part in ([fence] if _has_name(fence, request) else parted(fence, request))
    )
    prose = without_fences(answer, fences)
    heads = heads_of(joined, prose, request, has_name=partial(_has_name, request=request))
    for fence in dict.fromkeys(joined):  # a repeated fence counts once
        with placed(fence.line, source=SOURCE):
            fence_edits = edits_of(fence, request, head=heads.get(fence.line))
        if fence_edits is None:
            unplaced.append(fence)
        else:
            edits += fence_edits.edits
            literal |= fence_edits.literal
    patch = None if fences else patch_of(answer)
    if patch:
        with placed(patch[0], source=SOURCE):
            edits += read_patch(patch[1], request, line=patch[0])
    elected = (
        None if _is_document(prose, unplaced, request) else elect_only(unplaced, edits, request)
    )
    if elected is not None:
        edits, unplaced = elected, []
    unique = without_repeats(edits, request)
    placed_edits = (with_base_ranges(edit, request) for edit in unique)
    script = EditScript(tuple(with_base_lines(edit, request) for edit in placed_edits))
    _check_listed(script, request)
    prose = prose.replace(patch[1], "\n" * patch[1].count("\n")) if patch else prose
    check_meant(script, prose)
    deletions = told_deletions(prose, request, served=frozenset(paths_written(script)))
    script = EditScript((*script.edits, *deletions)) if script.edits else script
    return Parsed(script, frozenset(literal), tuple(unplaced), prose)


def _is_named(fence: Fence, request: ReplyContext) -> bool:
    return _has_name(fence, request) or is_edit_by_form(fence)


def _has_name(fence: Fence, request: ReplyContext) -> bool:
    """Return True if a fence names a file, listed or not, elsewhere than in a comment."""
    try:
        name = name_of(fence, request)
    except UnlistedError:
        return True
    return name is not None and not name.comment


def _is_document(prose: str, fences: Sequence[Fence], request: ReplyContext) -> bool:
    """Return True if the text around the fences may be the task's document itself: it has a title or a heading."""
    only = request.only()
    if only is None or not only.path.endswith(MARKDOWN):
        return False
    is_told = any(fence_word(fence) in {"markdown", "md", "mdx", "rst"} for fence in fences)
    first = prose.strip().partition("\n")[0].rstrip("*_ ")
    return not is_told and bool(_HEADING.search(prose) or first[-1:].isalnum())


def _check_listed(script: EditScript, request: ReplyContext) -> None:
    allowed = {file.path for file in request.written()}
    for edit in script.edits:
        strange = sorted(paths_written(EditScript((edit,))) - allowed)
        if strange:
            with placed(edit.line, source=SOURCE):
                raise forbidden(strange[0], request)


def no_edits(unplaced: Sequence[Fence]) -> EditError:
    """Return the error for a reply without edits, which names its first fence."""
    hint = "put each file in a fence with `path=…` in its info string"
    if not unplaced:
        return EditError("the reply holds no edits", hint=hint)
    line = unplaced[0].line
    message = f"the reply holds no edits: the fence of line {line} names no file"
    return EditError(message, hint=hint, where=f"{SOURCE}:{line}")


def without_fences(answer: str, fences: Sequence[Fence]) -> str:
    """Return an answer with the given fences blanked."""
    lines = answer.split("\n")
    for fence in fences:
        size = fence.content.count("\n") + 2
        lines[fence.line - 1 : fence.line - 1 + size] = [""] * size
    return "\n".join(lines)


def without_repeats(edits: Sequence[Edit], request: ReplyContext) -> tuple[Edit, ...]:
    """Return the edits without repeats, which are not to be done twice."""
    unique: list[Edit] = []
    for edit in edits:
        if isinstance(edit, Operation) or edit not in unique:
            unique.append(edit)
    for whole in [edit for edit in unique if isinstance(edit, WholeFile)]:
        blocks = [e for e in unique if isinstance(e, SearchReplace) and e.path == whole.path]
        if blocks and _makes(blocks, whole, request):
            unique = [edit for edit in unique if edit not in blocks]
    return tuple(unique)


def _makes(blocks: Sequence[SearchReplace], whole: WholeFile, request: ReplyContext) -> bool:
    """Return True if the blocks alone result in the whole file that the reply also has."""
    try:
        (change,) = apply_script(EditScript(tuple(blocks)), read=request.read, locate=None)
    except (EditError, ValueError):
        return False
    return (change.content or "").rstrip("\n") == whole.content.rstrip("\n")


def check_exchanged(changes: Sequence[Change], request: ReplyContext) -> None:
    """Raise if a file would get another file's text, while that one also gets the text of another."""
    origins = {
        change.path: origin
        for change in changes
        if change.content and (origin := _origin(change.path, change.content, request))
    }
    after = {change.path: change.content for change in changes}
    for path, origin in origins.items():
        if after.get(origin) == after[path] and not _ABOUT_SAME.search(request.task_text):
            raise EditError(
                f"{path} would hold the same text as {origin}, and none of its own",
                hint="write the path of each file above its own text",
            )
        if origin in origins:
            raise EditError(
                f"{path} would hold the text of {origin}, and {origin} that of {origins[origin]}",
                hint="write the path of each file above its own text",
            )


def _origin(path: str, content: str, request: ReplyContext) -> str | None:
    """Return the other file whose lines the new text has, if it has none of its own file's lines."""
    old_text = request.read(path)
    if old_text is None:
        return None
    new = _lines(content)
    others = {file.path: _lines(request.read(file.path) or "") for file in request.written()}
    old_lines = others.pop(path, None) or _lines(old_text)
    for candidate, lines in others.items():
        shared, retained = new & (lines - old_lines), new & (old_lines - lines)
        if shared and not retained and 2 * len(shared) >= len(lines - old_lines):
            return candidate
    return None


def _lines(text: str) -> set[str]:
    """Return the stripped lines that have a letter or digit."""
    return {line.strip() for line in text.split("\n") if any(map(str.isalnum, line))}
