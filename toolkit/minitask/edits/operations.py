"""The lines of an `edits` fence: `move src/a.py:10-20 dedent -> src/b.py`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.edits.fences import QUOTED, quote, unquote
from minitask.edits.script_model import Operation, Source, Verb
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.model import LineRange

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """A path with the numbers behind its colon, or a word of the grammar."""

    written: str
    start: int | None = None
    end: int | None = None

    def is_word(self, word: str) -> bool:
        return self.start is None and self.written == word

    def number(self) -> int | None:
        plain = self.start is None and re.fullmatch(r"[0-9]{1,9}", self.written)
        return int(self.written) if plain else None


def parse_operation(text: str, *, line: int = 0) -> Operation:
    """Return the operation of one line; raises `EditError` naming the form that its verb wants."""
    word, operands = [*text.strip().split(maxsplit=1), "", ""][:2]
    if word not in set(Verb):
        verbs = ", ".join(Verb)
        raise EditError(
            f"unknown operation `{word}`", hint=f"an edits line starts with one of {verbs}"
        )
    verb = Verb(word)
    source_tokens, target_tokens = _sides(_tokens(operands, verb), verb)
    source_tokens, indent, dedent = _reindent(source_tokens, verb)
    sources = _sources(source_tokens, verb)
    target, after = _target(target_tokens, verb)
    if verb is Verb.RENAME and (len(sources) != 1 or sources[0].range or after is not None):
        raise _malformed(verb, "a rename takes one whole file to one path")
    return Operation(verb, sources, target, after, indent, dedent, line)


def render_operation(operation: Operation) -> str:
    """Return the line that `parse_operation` reads back."""
    parts = [operation.verb.value]
    parts += [_render_source(source) for source in operation.sources]
    if operation.dedent:
        parts.append("dedent")
    elif operation.indent:
        parts.append(f"{'indent' if operation.indent > 0 else 'dedent'} {abs(operation.indent)}")
    if operation.target is not None:
        after = "" if operation.after is None else f":{operation.after}"
        parts += [_ARROW, quote(operation.target) + after]
    return " ".join(parts)


def _render_source(source: Source) -> str:
    lines = "" if source.range is None else f":{source.range}"
    return quote(source.path) + lines


def _tokens(text: str, verb: Verb) -> list[_Token]:
    tokens, at, text = [], 0, text.rstrip(" \t,")
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise _malformed(verb, f"cannot read `{text[at:].strip()}`")
        written, start, end = match.groups()
        plain = _Token(written)
        tokens.append(_Token(written, int(start), int(end or start)) if start else plain)
        at = match.end()
    return tokens


def _sides(tokens: list[_Token], verb: Verb) -> tuple[list[_Token], list[_Token]]:
    arrows = [i for i, token in enumerate(tokens) if token.is_word(_ARROW)]
    if verb is Verb.DELETE:
        if arrows:
            raise _malformed(verb, "a delete has no target")
        return tokens, []
    if len(arrows) != 1:
        raise _malformed(verb, "it wants one ` -> ` between source and target")
    return tokens[: arrows[0]], tokens[arrows[0] + 1 :]


def _reindent(tokens: list[_Token], verb: Verb) -> tuple[list[_Token], int, bool]:
    """Return what is left of the tokens, the indentation to add, whether to take the common one away."""
    positions = [
        i for i, token in enumerate(tokens) if token.is_word("dedent") or token.is_word("indent")
    ]
    if not positions:
        return tokens, 0, False
    at = positions[0]
    word, operands = tokens[at].written, tokens[at + 1 :]
    if verb not in (Verb.COPY, Verb.MOVE):
        raise _malformed(verb, f"`{word}` goes with copy and move only")
    if word == "dedent" and not operands:
        return tokens[:at], 0, True
    amount = operands[0].number() if len(operands) == 1 else None
    if amount is None:
        raise _malformed(verb, f"`{word}` wants one number before the arrow")
    return tokens[:at], amount if word == "indent" else -amount, False


def _sources(tokens: Sequence[_Token], verb: Verb) -> tuple[Source, ...]:
    if not tokens:
        raise _malformed(verb, "it names no source")
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
        raise _malformed(verb, f"{start}-{end} is no range of lines")
    return LineRange(start, end)


def _target(tokens: Sequence[_Token], verb: Verb) -> tuple[str | None, int | None]:
    if verb is Verb.DELETE:
        return None, None
    if len(tokens) != 1:
        raise _malformed(verb, "it wants one target")
    token = tokens[0]
    if token.start != token.end:
        raise _malformed(verb, "a target takes one line number, DST:N, and inserts after it")
    return _path(token, verb), token.start


def _path(token: _Token, verb: Verb) -> str:
    path = unquote(token.written)
    if not path:
        raise _malformed(verb, "a path is empty")
    return path


def _malformed(verb: Verb, why: str) -> EditError:
    return EditError(f"malformed {verb} line: {why}", hint=f"write {_FORMS[verb]}")
