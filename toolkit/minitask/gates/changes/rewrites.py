"""Find unrequested changes in rewritten files that names do not show: emptied bodies, lost lines, answer text.

Edits that name the lines they replace show what they remove; these checks are for files sent as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, takewhile
from posixpath import splitext

from msgspec import Struct

from minitask.edits.lines import indent_of
from minitask.gates.broken.structure import find_line_faults, find_unclosed
from minitask.gates.broken.unreached import find_unused_inner
from minitask.gates.changes.answer_text import find_answer_text
from minitask.gates.changes.changed_form import find_changed_form, find_reindented, find_retyped
from minitask.gates.changes.comments_and_repeats import (
    find_left_comment,
    find_repeat,
    find_stripped_comments,
    find_taken_mark,
)
from minitask.gates.changes.damage import find_stray
from minitask.gates.changes.lost_heads import find_lost_head
from minitask.gates.changes.other_characters import find_requoted
from minitask.gates.changes.prose_loss import find_marked_lines, find_prose_loss, is_prose
from minitask.gates.changes.short_files import find_dropped, is_meant
from minitask.gates.removal_words import has_loss_word
from minitask.gates.requested_removals import (
    asks_for_something,
    asks_to_mend,
    has_name,
    may_go,
    takes_away,
    task_sentences,
    text_beside,
    words_of,
)
from minitask.gates.result import SEND_WHOLE, FileChange, LintError, printable
from minitask.gates.source.elisions import comment_text
from minitask.gates.source.parts import STYLES, is_code, parts_of_both
from minitask.gates.source.parts_text import NamedPart
from minitask.gates.source.python_source import find_defined_twice
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec


def find_rewrite_faults(
    proposal: FileChange, *, spec: Spec, others: Sequence[FileChange] = (), explanation: str = ""
) -> Iterator[LintError]:
    """Yield the faults of a rewritten file: answer text, empty bodies, lost lines, unclosed braces, moved decorators.

    `explanation` is the author's answer to an earlier fault.
    """
    yield from _each(find_unclosed(proposal), find_taken_mark(proposal, spec))
    yield from _each(find_repeat(proposal), find_left_comment(proposal))
    yield from find_line_faults(proposal)
    yield from find_stray(proposal, spec=spec)
    yield from _each(find_requoted(proposal, spec=spec))
    yield from find_unused_inner(proposal, spec)
    if proposal.path.endswith(".py"):
        yield from find_defined_twice(proposal)
    yield from find_answer_text(proposal, spec=spec)
    if not proposal.base or "\0" in proposal.base:
        return
    if proposal.explicit:
        if not is_meant(proposal.path, explanation):
            yield from _each(_find_stub(proposal, spec), find_retyped(proposal, spec=spec))
        return
    if takes_away(spec, proposal.path):
        return
    certain = _find_certain(proposal, spec, explanation)
    if certain is not None or asks_for_something(spec, proposal.path):
        yield from _each(certain)
        return
    if is_prose(proposal.path):
        fault = find_prose_loss(proposal, spec=spec, others=others)
    else:
        fault = find_marked_lines(proposal) or _find_emptied(proposal, spec)
    fault = fault or find_dropped(proposal, spec=spec, others=others, explanation=explanation)
    if fault is None and not is_meant(proposal.path, explanation):
        fault = find_changed_form(proposal, spec=spec, others=others)
    yield from _each(fault)


def _each(*faults: LintError | None) -> Iterator[LintError]:
    return filter(None, faults)


def _find_stub(proposal: FileChange, spec: Spec) -> LintError | None:
    """Return a definition whose body of several lines is now a stub, which no comment and no sentence explains."""
    if not is_code(proposal.path) or takes_away(spec, proposal.path):
        return None
    rows = proposal.content.split("\n")
    for body in chain(_changed_bodies(proposal), _changed_bodies(proposal, inner=True)):
        is_stub = _is_emptied(body.had, body.has) and _is_stub(body, rows)
        if is_stub and not _may_be_empty(body.part.leaf, spec, proposal.path):
            return _fault(proposal, body.part.shown, body.part.start)
    return None


def _find_certain(proposal: FileChange, spec: Spec, explanation: str) -> LintError | None:
    """Return a fault that no request to remove or to rewrite something explains."""
    if is_prose(proposal.path) or is_meant(proposal.path, explanation):
        return None
    return (
        _find_stub(proposal, spec)
        or find_stripped_comments(proposal, spec)
        or find_lost_head(proposal, spec)
        or find_retyped(proposal, spec=spec)
        or find_reindented(proposal, spec=spec)
    )


_DATA = frozenset({".json", ".toml", ".yaml", ".yml"})
_RULE = lazy_pattern(r"(?:\A|(?<=[{};]))([^{};]+)\{([^{}]*)\}")
_COMMENT = lazy_pattern(r"(?s)/\*.*?\*/")
_VALUE = (
    r"(?:None|null|undefined|nil|0|1|-1|false|False|true|True|\"\"|''|\[\]|\{\}|\(\)"
    r"|(?:Ok|Some)\((?:\(\)|0|None)?\)|\"{3}.*\"{3}|'{3}.*'{3})"
)
_TRIVIAL = lazy_pattern(
    rf"(?:pass|\.\.\.|:|return(?:\s+(?:{_VALUE}|\w))?|{_VALUE}|panic!?\(.*\)"
    r"|raise\s+\w+.*|throw\s+new\s+\w+.*|exit(?:\s+\d)?)\s*;?"
)
_STUB = lazy_pattern(
    r"(?:pass|\.\.\.|return|(?:return\s+)?(?:None|null|undefined|nil)|(?:panic|todo|unimplemented)!?\(.*\)"
    r"|raise\s+\w+.*|throw\s+new\s+\w+.*)\s*;?"
)
_ENDS_HEAD = ("{", ":", "=>", "(", "then", "do")
_ENDS_FIRST = (*_ENDS_HEAD, "=", "->")
_WORDS = lazy_pattern(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def _find_emptied(proposal: FileChange, spec: Spec) -> LintError | None:
    """Return a part that the base fills, and the new file empties or only takes lines from."""
    ending = splitext(proposal.path)[1].lower()
    if ending in STYLES:
        return _emptied_rule(proposal, spec)
    if ending in _DATA:
        return _emptied_value(proposal, ending, spec)
    return _emptied_code(proposal, spec) if is_code(proposal.path) else None


def _emptied_code(proposal: FileChange, spec: Spec) -> LintError | None:
    rows, fresh = (proposal.base or "").split("\n"), proposal.content.split("\n")
    less = Counter(line.strip() for line in rows) - Counter(line.strip() for line in fresh)
    for body in _changed_bodies(proposal):
        part, had, has = body.part, body.had, body.has
        is_emptied = _is_emptied(had, has) and any(less[row] for row in had if row not in has)
        if is_emptied and not _may_be_empty(part.leaf, spec, proposal.path):
            return _fault(proposal, part.shown, part.start)
        lost = _only_lost([*body.had_marks, *had], [*body.has_marks, *has], less)
        if lost and not _may_lose(part, lost, spec, proposal.path):
            return _fault(proposal, part.shown, part.start, verb="loses lines of")
    return None


class _ChangedBody(Struct, frozen=True):
    """A definition as it is now, and its body and decorators in the base and now."""

    part: NamedPart
    had: list[str]
    has: list[str]
    had_marks: list[str]
    has_marks: list[str]


def _changed_bodies(proposal: FileChange, *, inner: bool = False) -> Iterator[_ChangedBody]:
    """Yield the innermost definitions whose body or decorators changed; `inner` adds functions inside of others."""
    base = proposal.base or ""
    before, after = parts_of_both(proposal.path, base, proposal.content, inner=inner)
    rows, fresh = base.split("\n"), proposal.content.split("\n")
    had, has = (Counter(part.name for part in parts) for parts in (before, after))
    repeated = {name for name, times in (had | has).items() if times > 1}
    now = dict(_by_head(after, fresh, repeated))
    times = Counter(key for key, _ in _by_head(before, rows, repeated))
    owners = {part.parent for part in (*before, *after) if part.kind == "code"}
    for key, part in _by_head(before, rows, repeated):
        if part.name in owners or key not in now or times[key] > 1:
            continue
        is_now = now[key]
        if _is_cut(is_now, fresh) and not _is_cut(part, rows):
            continue
        bodies = _body(part, rows), _body(is_now, fresh)
        body = _ChangedBody(is_now, *bodies, _marks(part, rows), _marks(is_now, fresh))
        is_same = body.had == body.has and body.had_marks == body.has_marks
        if body.had and not is_same and not _is_one_line(is_now, fresh):
            yield body


def _by_head(
    parts: Sequence[NamedPart], rows: Sequence[str], repeated: Collection[str]
) -> Iterator[tuple[tuple[str, str], NamedPart]]:
    """Yield the definitions by name, and by first line if there are several: overloads, or clauses of one function."""
    for part in parts:
        if part.kind == "code" and part.start:
            head = rows[part.start - 1].strip() if part.name in repeated else ""
            yield (part.name, head), part


def _is_cut(part: NamedPart, rows: Sequence[str]) -> bool:
    """Return True if a deeper definition follows at once, so that the part was read only to there."""
    below = rows[part.end] if part.end < len(rows) else ""
    return len(indent_of(below)) > len(indent_of(rows[part.start - 1]))


def _body(part: NamedPart, rows: Sequence[str]) -> list[str]:
    """Return a definition's lines with content, without its head."""
    part_rows = [row.strip() for row in rows[part.start - 1 : part.end]]
    heads = (at for at, row in enumerate(part_rows) if row.rstrip().endswith(_ENDS_HEAD))
    first = 0 if part_rows[:1] and part_rows[0].endswith(_ENDS_FIRST) else next(heads, 0)
    return [row for row in part_rows[first + 1 :] if _is_telling(row)]


def _marks(part: NamedPart, rows: Sequence[str]) -> list[str]:
    part_rows = (row.strip() for row in rows[part.start - 1 : part.end])
    return list(takewhile(lambda row: row.startswith("@"), part_rows))


def _is_telling(row: str) -> bool:
    says = any(map(str.isalnum, row)) or row == "..."
    return says and row != "end" and comment_text(row) is None


def _is_one_line(part: NamedPart, rows: Sequence[str]) -> bool:
    """Return True if a definition has its body on the line of its name."""
    head = rows[part.start - 1].rstrip()
    if head.endswith(_ENDS_FIRST):
        return False
    inside = head.partition("{")[2].rpartition("}")[0] or head.partition("=>")[2]
    plain = _PARENTHESES.sub("", _PARENTHESES.sub("", head))  # without values of parameters
    inside = inside or plain.partition("=")[2] or plain.partition(" do:")[2]
    inside = inside or (head.startswith(f"{part.leaf}:") and head[len(part.leaf) :]) or ""  # make
    return any(map(str.isalnum, inside))


_PARENTHESES = lazy_pattern(r"\([^()]*\)")


def _is_emptied(had: Sequence[str], has: Sequence[str]) -> bool:
    if any(row not in had and not _TRIVIAL.fullmatch(row) for row in has):
        return False
    remaining = [row for row in has if not _TRIVIAL.fullmatch(row)]
    return not remaining and any(not _TRIVIAL.fullmatch(row) for row in had)


def _is_stub(body: _ChangedBody, rows: Sequence[str]) -> bool:
    """Return True if a body of several lines is now one that does nothing or only fails, and no comment says why."""
    now = map(str.strip, rows[body.part.start : body.part.end])
    is_explained = any(comment_text(row) is not None for row in now)
    code = [row for row in body.has if not row.startswith(('"""', "'''"))]
    is_one = len(code) <= 1 < len(body.had) and not is_explained
    return is_one and all(map(_STUB.fullmatch, code)) and bool(body.has)


def _only_lost(had: Sequence[str], has: Sequence[str], less: Counter[str]) -> list[str]:
    """Return the lines removed from a body if none were added and the file has fewer of each (`less`).

    A comma after the last item of a list is ignored.
    """
    before, after = (Counter(row.rstrip(",;") for row in rows) for rows in (had, has))
    lost, lost_rows = before - after, {row.rstrip(",;") for row in less}
    is_only = not after - before and all(row in lost_rows for row in lost)
    return list(lost) if is_only else []


def _may_be_empty(name: str, spec: Spec, path: str) -> bool:
    return any(
        has_name(sentence, name) and has_loss_word(sentence)
        for sentence in task_sentences(spec, path)
    )


def _may_lose(part: NamedPart, lost: Sequence[str], spec: Spec, path: str) -> bool:
    """Return True if the spec mentions the definition or asks for a fix or removals."""
    if asks_to_mend(spec, path) or asks_for_something(spec, path):
        return True
    return _speaks_of(part.leaf, spec, path) or may_go(spec, path, lost)


def _speaks_of(name: str, spec: Spec, path: str) -> bool:
    """Return True if the spec has the name, or all words of the name next to each other."""
    spec_text = text_beside(spec, path)
    if has_name(spec_text, name):
        return True
    parts = [match[0].lower() for match in _WORDS.finditer(name)]
    spec_words = " ".join(words_of(spec_text))
    return any(part[2:] for part in parts) and has_name(spec_words, " ".join(parts))


def _emptied_rule(proposal: FileChange, spec: Spec) -> LintError | None:
    before, after = _rules(proposal.base or ""), _rules(proposal.content)
    for selector, had in before.items():
        has = after.get(selector)
        names, now = _properties(had), _properties(has or "")
        is_named = _speaks_of if now else _may_be_empty
        if not names or has is None or is_named(selector.strip(".#"), spec, proposal.path):
            continue
        loses = names - now and not now - names and not asks_to_mend(spec, proposal.path)
        if not now or loses:
            line = proposal.content[: proposal.content.find(selector)].count("\n") + 1
            verb = "empties" if not now else "loses lines of"
            return _fault(proposal, selector, line, verb=verb)
    return None


def _rules(text: str) -> dict[str, str]:
    """Return the declarations of each innermost block by its selector."""
    declarations: dict[str, str] = {}
    for rule in _RULE.finditer(_COMMENT.sub("", text)):
        selector = " ".join(rule[1].split())
        declarations[selector] = declarations.get(selector, "") + rule[2]
    return declarations


def _properties(declarations: str) -> frozenset[str]:
    names = (declaration.partition(":")[0].strip() for declaration in declarations.split(";"))
    return frozenset(name for name in names if name)


def _emptied_value(proposal: FileChange, ending: str, spec: Spec) -> LintError | None:
    from minitask.gates.source.parts_text import read_values

    form = "yaml" if ending in {".yaml", ".yml"} else ending[1:]
    before, after = read_values(proposal.base or "", form), read_values(proposal.content, form)
    for name in _emptied_keys(before, after):
        if not _speaks_of(name.rpartition(".")[2], spec, proposal.path):
            return _fault(proposal, name, 1)
    return None


def _emptied_keys(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name, value in before.items():
        if value and name in after and not after[name]:
            yield name
        parent, _, leaf = name.rpartition(".")
        beside = f"{parent.rpartition('.')[0]}.{leaf}".strip(".")
        is_moved = beside not in before and after.get(beside) == value
        if parent and not after.get(parent, "-") and is_moved:
            yield parent  # its lines lost their indentation


def _fault(proposal: FileChange, name: str, line: int, *, verb: str = "empties") -> LintError:
    message = f"it {verb} {printable(name)[:60]}, which the spec does not ask for"
    return LintError(proposal.path, line, message, SEND_WHOLE)
