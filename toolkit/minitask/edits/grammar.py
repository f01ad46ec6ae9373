"""Edit scripts as Markdown fences, in specs and replies: parsed, rendered, and the paths they write.

A line of an `edits` fence is, for example, `move src/a.py:10-20 dedent -> src/b.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.edits.fences import (
    QUOTED,
    content_lines,
    has_markers,
    is_literal,
    parse_blocks,
    path_above,
    path_in,
    path_info,
    quote,
    render_block,
    render_fence,
    unquote,
)
from minitask.edits.lines import is_blank
from minitask.edits.script_model import (
    Edit,
    EditScript,
    Operation,
    SearchReplace,
    Source,
    UnifiedDiff,
    Verb,
    WholeFile,
    placed,
)
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.model import Fence, LineRange, Spec

if TYPE_CHECKING:
    from minitask.edits.diff import FileDiff

_EDITS = "edits"
_DIFF = "diff"


def parse_script(
    fences: Sequence[Fence], *, source: str = "", lead_paths: bool = False
) -> EditScript:
    """Return the edits in the fences, in order; other fences are skipped.

    With `lead_paths`, a line with only a path above a fence counts as its `path=`. Raises `EditError` with its
    position, `SOURCE:LINE`, for anything malformed.
    """
    edits: list[Edit] = []
    for fence in fences:
        with placed(fence.line, source=source):
            edits += _parse_fence(fence, source=source, lead_paths=lead_paths)
    _check_wholes(edits, source)
    return EditScript(tuple(edits))


def script_of(spec: Spec) -> EditScript:
    """Return a spec's own edit script; empty if it cannot be parsed."""
    try:
        return parse_script(spec.snippets, source=spec.path)
    except EditError:
        return EditScript()


def render_script(script: EditScript) -> str:
    """Return the Markdown that parses back to the script.

    In Markdown, a file's content ends in a newline and has LF line ends; other content is normalised to that.
    """
    groups = groupby(enumerate(script.edits), key=_fence_key)
    return "\n".join(_render_group([edit for _, edit in group]) for _, group in groups)


def paths_written(script: EditScript) -> frozenset[str]:
    """Return the paths that the script creates, changes or removes; a move writes its sources too."""
    return frozenset(path for edit in script.edits for path in _written(edit))


def covers(script: EditScript, writes: Collection[str]) -> bool:
    """Return True if the script writes all of the paths; a script without edits covers none."""
    return bool(script.edits) and paths_written(script).issuperset(writes)


def _parse_fence(fence: Fence, *, source: str, lead_paths: bool) -> Iterable[Edit]:
    word = fence.info.split(maxsplit=1)[0] if fence.info.strip() else ""
    path = path_in(fence.info)
    if word == _EDITS:
        return parse_operations(fence, source)
    if word == _DIFF:
        return [_parse_diff(fence, path)]
    if path is None and lead_paths:
        path = path_above(fence.lead)
    if path is None and lead_paths and has_markers(fence.content):
        # in the form of an edit, it is not an illustration: skipping it would lose an edit
        message = "a SEARCH/REPLACE block names no file"
        raise EditError(message, hint="write ```path=src/name.py above it")
    if path is None:
        return []
    if has_markers(fence.content) and not is_literal(fence.info):
        return parse_blocks(fence.content, path=path, line=fence.line + 1, source=source)
    return [WholeFile(path, fence.content, fence.line)]


def parse_operations(fence: Fence, source: str) -> Iterator[Operation]:
    """Yield the operations of a fence's lines; raise `EditError`, with its position, for a malformed one."""
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
                first = first_lines[edit.path]
                message = f"{edit.path} is written whole twice, first in line {first}"
                raise EditError(message, hint="keep one of the two")
        if isinstance(edit, WholeFile):
            first_lines[edit.path] = edit.line


def _fence_key(numbered: tuple[int, Edit]) -> tuple[type, object]:
    """Return a key that is equal for neighbouring edits in the same fence."""
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


_RANGE = r"([0-9]{1,9})(?:-([0-9]{1,9}))?"
_TOKEN = lazy_pattern(rf'[\s,]*({QUOTED}|[^\s,"]+?)(?::{_RANGE})?(?=[\s,]|$)')
_RANGE_ALONE = lazy_pattern(_RANGE)
_ARROW = "->"
_FORMS = {
    Verb.COPY: "copy SRC:A-B -> DST",
    Verb.MOVE: "move SRC:A-B -> DST",
    Verb.DELETE: "delete SRC:A-B, or delete SRC",
    Verb.RENAME: "rename SRC -> DST",
}


class _Token(Struct, frozen=True):
    """A path with the numbers after its colon, or a word of the grammar."""

    written: str
    start: int | None = None
    end: int | None = None

    def is_word(self, word: str) -> bool:
        return self.start is None and self.written == word

    def number(self) -> int | None:
        plain = self.start is None and re.fullmatch(r"[0-9]{1,9}", self.written)
        return int(self.written) if plain else None


def parse_operation(text: str, *, line: int = 0) -> Operation:
    """Return the operation of one line; raise `EditError` with the form that its verb needs."""
    word, operands = [*text.strip().split(maxsplit=1), "", ""][:2]
    if word not in set(Verb):
        verbs = ", ".join(Verb)
        hint = f"an edits line starts with one of {verbs}"
        raise EditError(f"unknown operation `{word}`", hint=hint)
    verb = Verb(word)
    source_tokens, target_tokens = _sides(_tokens(operands, verb), verb)
    source_tokens, indent, dedent = _reindent(source_tokens, verb)
    sources = _sources(source_tokens, verb)
    target, after = _target(target_tokens, verb)
    if verb is Verb.RENAME and len(sources) > 1:
        message = f"malformed {verb} line: there are {len(sources)} paths before the arrow"
        raise EditError(message, hint=f'write {_FORMS[verb]}, and a path with spaces as "a b.txt"')
    if verb is Verb.RENAME and (len(sources) != 1 or sources[0].range or after is not None):
        raise _malformed_line(verb, "a rename takes one whole file to one path")
    return Operation(verb, sources, target, after, indent, dedent, line)


def render_operation(operation: Operation) -> str:
    """Return the line that `parse_operation` reads back."""
    parts = [operation.verb.value]
    for source in operation.sources:
        lines = "" if source.range is None else f":{source.range}"
        parts += [quote(source.path) + lines]
    if operation.dedent:
        parts.append("dedent")
    elif operation.indent:
        parts.append(f"{'indent' if operation.indent > 0 else 'dedent'} {abs(operation.indent)}")
    if operation.target is not None:
        after = "" if operation.after is None else f":{operation.after}"
        parts += [_ARROW, quote(operation.target) + after]
    return " ".join(parts)


def _tokens(text: str, verb: Verb) -> list[_Token]:
    tokens, at, text = [], 0, text.rstrip(" \t,")
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise _malformed_line(verb, f"cannot read `{text[at:].strip()}`")
        written, start, end = match.groups()
        plain = _Token(written)
        tokens.append(_Token(written, int(start), int(end or start)) if start else plain)
        at = match.end()
    return tokens


def _sides(tokens: list[_Token], verb: Verb) -> tuple[list[_Token], list[_Token]]:
    arrows = [i for i, token in enumerate(tokens) if token.is_word(_ARROW)]
    if verb is Verb.DELETE:
        if arrows:
            raise _malformed_line(verb, "a delete has no target")
        return tokens, []
    if len(arrows) != 1:
        raise _malformed_line(verb, "it wants one ` -> ` between source and target")
    return tokens[: arrows[0]], tokens[arrows[0] + 1 :]


def _reindent(tokens: list[_Token], verb: Verb) -> tuple[list[_Token], int, bool]:
    """Return the tokens before the indentation words, the spaces to add, and whether to dedent fully."""
    positions = [
        i for i, token in enumerate(tokens) if token.is_word("dedent") or token.is_word("indent")
    ]
    if not positions:
        return tokens, 0, False
    at = positions[0]
    word, operands = tokens[at].written, tokens[at + 1 :]
    if verb not in (Verb.COPY, Verb.MOVE):
        raise _malformed_line(verb, f"`{word}` goes with copy and move only")
    if word == "dedent" and not operands:
        return tokens[:at], 0, True
    amount = operands[0].number() if len(operands) == 1 else None
    if amount is None:
        raise _malformed_line(verb, f"`{word}` wants one number before the arrow")
    return tokens[:at], amount if word == "indent" else -amount, False


def _sources(tokens: Sequence[_Token], verb: Verb) -> tuple[Source, ...]:
    if not tokens:
        raise _malformed_line(verb, "it names no source")
    sources: list[Source] = []
    for token in tokens:
        alone = _RANGE_ALONE.fullmatch(token.written) if token.start is None else None
        if alone and sources and sources[-1].range:
            start, end = int(alone[1]), int(alone[2] or alone[1])
            sources.append(Source(sources[-1].path, _range(start, end, verb)))
        else:
            sources.append(_source(token, verb))
    return tuple(sources)


def _source(token: _Token, verb: Verb) -> Source:
    path = _path(token, verb)
    if token.start is None or token.end is None:
        return Source(path)
    return Source(path, _range(token.start, token.end, verb))


def _range(start: int, end: int, verb: Verb) -> LineRange:
    if not 1 <= start <= end:
        raise _malformed_line(verb, f"{start}-{end} is no range of lines")
    return LineRange(start, end)


def _target(tokens: Sequence[_Token], verb: Verb) -> tuple[str | None, int | None]:
    if verb is Verb.DELETE:
        return None, None
    if len(tokens) != 1:
        raise _malformed_line(verb, "it wants one target")
    token = tokens[0]
    if token.start != token.end:
        raise _malformed_line(verb, "a target takes one line number, DST:N, and inserts after it")
    return _path(token, verb), token.start


def _path(token: _Token, verb: Verb) -> str:
    path = unquote(token.written)
    if not path:
        raise _malformed_line(verb, "a path is empty")
    return path


def _malformed_line(verb: Verb, why: str) -> EditError:
    return EditError(f"malformed {verb} line: {why}", hint=f"write {_FORMS[verb]}")
