"""Find changes of form outside the task: other characters, indentation, case or order, copied or dropped lines.

A task that changes one value must not make quotes curly, turn tabs into spaces or repeat lines. A check is skipped if
the spec mentions that aspect of form, all of them if the reply says that the change is meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from minitask.gates.changes.other_characters import (
    find_other_characters,
    find_recased,
    is_like,
)
from minitask.gates.removal_words import has_loss_word
from minitask.gates.requested_removals import (
    asks_to_add,
    asks_to_mend,
    cited_lines,
    may_go,
    task_sentences,
    text_beside,
    words_of,
)
from minitask.gates.result import FileChange, LintError, Rows, indented_lines, quoted
from minitask.gates.source.elisions import comment_text
from minitask.gates.source.parts import is_code, is_markup
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_MOST_LINES = 5_000
_LEAST, _NEARLY_ALL = 3, 0.8
_TELLING = 8
"""Limits: lines of a judged file, lines and share of a file-wide change, letters of a copied end."""
ABOUT_FORM = lazy_pattern(
    r"(?i)\b(?:(?:re-?)?format\w*|indent\w*|tabs?|spac(?:e|es|ing)|white-?space|blank lines?|style|lint\w*"
    r"|prettier|black"
    r"|ruff|gofmt|tidy|pretty\w*|beautif\w+|align\w*|(?:un)?wrap\w*|nest\w*|convert\w*|port|translat\w+|rewrit\w+|layout"
    r"|paragraphs?|sort\w*|(?:re-?)?order\w*|move[ds]?|revers\w+|arrange\w*|group\w*|upper-?\w*|lower-?\w*|case|capital\w*|renam\w+)\b"
)
_ABOUT_COPIES = lazy_pattern(
    r"(?i)\b(?:twice|duplicat\w*|cop(?:y|ies|ied)|repeat\w*|clone\w*|again|double[ds]?|times|another|second|more)\b"
)
_DOTS = lazy_pattern(r"\s*(?:\.{3,}|…+|[(\[（【〔][^\x21-\x7e]*[)\]）】〕])\s*")
_REMEDY = "reply with edits of the lines that change, or if that is meant, say in a line that {path} is meant to be so"


def find_changed_form(
    proposal: FileChange, *, spec: Spec, others: Sequence[FileChange] = ()
) -> LintError | None:
    """Return the first unrequested change of form: a line changed, repeated, or in place of dropped lines."""
    old, new = _versions(proposal)
    if not old or not new:
        return None
    fault = (
        _retyped(old, new, text_beside(spec, proposal.path), explicit=False)
        or _left_out_of(proposal, old, new)
        or _restyled(old, new, proposal, spec)
        or _copied(old, new, proposal, spec)
        or _gone(old, new, proposal, spec, others)
    )
    return _fault(proposal, fault)


def find_retyped(proposal: FileChange, *, spec: Spec) -> LintError | None:
    """Return the first line of an edit that changes it in look-alike characters alone, or leaves lines out."""
    old, new = _versions(proposal)
    if not old or not new:
        return None
    fault = _retyped(old, new, text_beside(spec, proposal.path), explicit=True)
    may_elide = proposal.explicit and not is_code(proposal.path)
    return _fault(proposal, fault or (_left_out_of(proposal, old, new) if may_elide else None))


def _versions(proposal: FileChange) -> tuple[Rows, Rows]:
    """Return the filled lines of the base and of the file; none of one that is too long."""
    old, new = indented_lines(proposal.base or ""), indented_lines(proposal.content)
    return ([], []) if max(len(old), len(new)) > _MOST_LINES else (old, new)


def _fault(proposal: FileChange, place: tuple[int, str] | None) -> LintError | None:
    remedy = _REMEDY.format(path=proposal.path)
    return LintError(proposal.path, *place, remedy) if place is not None else None


_ABOUT_INDENTATION = lazy_pattern(
    r"(?i)\b(?:(?:re-?)?format\w*|(?:re-?|un)?indent\w*|tabs?|spac(?:es|ing)|white-?space|prettier|black|ruff|gofmt|rustfmt|minif\w*"
    r"|align\w*|style)\b"
)
_INDENTATION = "{} and others are indented in another way"
_INDENTED = 10
"""Fewest indented lines of a file whose indentation is lost or of another kind."""


def find_reindented(proposal: FileChange, *, spec: Spec) -> LintError | None:
    """Return the first line of a file that lost all indentation, or has tabs in place of spaces or the reverse."""
    old, new = _versions(proposal)
    kept = [(number, was, row) for number, was, row in _same_words(old, new) if was[0] in " \t"]
    moved = [(number, row) for number, was, row in kept if row[0] != was[0]]
    if len(kept) < _INDENTED or len(moved) < len(kept) * _NEARLY_ALL:
        return None
    if _ABOUT_INDENTATION.search(text_beside(spec, proposal.path)):
        return None
    return _fault(proposal, (moved[0][0], _INDENTATION.format(quoted(moved[0][1]))))


def _retyped(old: Rows, new: Rows, spec_text: str, *, explicit: bool) -> tuple[int, str] | None:
    gone, fresh = _changed(old, new)
    text = "".join(row for _, row in old)
    return find_other_characters(
        gone, fresh, kept_text=text, spec_text=spec_text, explicit=explicit
    )


def _changed(old: Rows, new: Rows) -> tuple[list[str], Rows]:
    had, has = {row for _, row in old}, {row for _, row in new}
    return [row for _, row in old if row not in has], [pair for pair in new if pair[1] not in had]


def _left_out_of(proposal: FileChange, old: Rows, new: Rows) -> tuple[int, str] | None:
    return None if proposal.path.endswith(".nix") else _left_out(old, new)  # `{ pkgs, ... }:`


def _left_out(old: Rows, new: Rows) -> tuple[int, str] | None:
    """Find an added line of only dots, or a bracketed remark without ASCII, where at least two lines were removed."""
    gone, fresh = _changed(old, new)
    gone_rows = set(map(str.strip, gone))
    for number, row in fresh if len(gone) > 1 else ():
        if _DOTS.fullmatch(row) and row.strip() not in gone_rows:
            return number, f"{quoted(row)} stands where lines are left out"
    return None


def _restyled(old: Rows, new: Rows, proposal: FileChange, spec: Spec) -> tuple[int, str] | None:
    """Find a file in which nearly all lines changed their indentation, spacing, case or order."""
    spec_text = text_beside(spec, proposal.path)
    if ABOUT_FORM.search(spec_text):
        return None
    fault = _reindented(old, new) or _spread(proposal) or _reformatted(old, new, proposal)
    if fault is None and not asks_to_mend(spec, proposal.path):
        fault = find_recased(*_changed(old, new), spec_text)
    if fault is None and not is_code(proposal.path):
        fault = _reordered(old, new)
    return fault


def _reindented(old: Rows, new: Rows) -> tuple[int, str] | None:
    pairs = list(_same_words(old, new))
    moved = [(number, was, row) for number, was, row in pairs if was != row]
    is_other_kind = all({was[0], row[0]} == {" ", "\t"} for _, was, row in moved)
    if len(moved) < (1 if is_other_kind else 2) or len(old) - len(pairs) > len(new) - len(pairs):
        return None
    indented = [pair for pair in pairs if pair[1][0] in " \t"]
    others = [pair for pair in moved if pair[1][0] not in " \t"]
    all_inner = bool(indented) and not others and len(moved) >= len(indented) * _NEARLY_ALL
    is_first = new[0][1][0].isspace() != old[0][1][0].isspace()
    all_lines = is_first and len(moved) >= len(pairs) * _NEARLY_ALL
    if all_lines or all_inner:
        return moved[0][0], _INDENTATION.format(quoted(moved[0][2]))
    return None


def _reformatted(old: Rows, new: Rows, proposal: FileChange) -> tuple[int, str] | None:
    """Find a JSON file that keeps nearly all of its values, and few of its lines."""
    if not proposal.path.endswith(".json") or len(old) < _LEAST:
        return None
    from minitask.gates.source.parts_text import read_values

    before, after = (read_values(text, "json") for text in (proposal.base or "", proposal.content))
    kept_values = sum(after.get(name) == value for name, value in before.items())
    rows = (Counter(row.strip().rstrip(",") for _, row in side) for side in (old, new))
    kept_rows = (next(rows) & next(rows)).total()
    least = min(len(before) - 1, len(before) * _NEARLY_ALL)
    if len(before) < _LEAST or kept_values < least or kept_rows * 2 >= len(old):
        return None
    return new[0][0], "its values stand in other lines"


def _same_words(old: Rows, new: Rows) -> Iterator[tuple[int, str, str]]:
    """Yield the lines that are equal except for indentation: number, old line, new line."""
    texts = [row.strip() for _, row in old], [row.strip() for _, row in new]
    for block in SequenceMatcher(None, *texts, autojunk=False).get_matching_blocks():
        for step in range(block.size):
            number, row = new[block.b + step]
            yield number, old[block.a + step][1], row


def _spread(proposal: FileChange) -> tuple[int, str] | None:
    """Find blank lines inserted between nearly all lines that were adjacent."""
    before = _adjacent((proposal.base or "").split("\n"))
    after = _adjacent(proposal.content.split("\n"))
    filled = {row for row in proposal.content.split("\n") if row.strip()}
    parted = [pair for pair in before if filled.issuperset(pair)]
    if len(before) < _LEAST or len(parted) < 2 or after:
        return None
    return 2, "blank lines stand between its lines"


def _adjacent(rows: Sequence[str]) -> set[tuple[str, str]]:
    return {(a, b) for a, b in pairwise(rows) if a.strip() and b.strip()}


def _reordered(old: Rows, new: Rows) -> tuple[int, str] | None:
    kept = (Counter(row for _, row in old) & Counter(row for _, row in new)).total()
    placed = sum(1 for _ in _same_words(old, new))
    if len(old) <= _LEAST or kept < len(old) * _NEARLY_ALL or placed * 2 > kept:
        return None
    return new[0][0], "its lines stand in another order"


def _copied(old: Rows, new: Rows, proposal: FileChange, spec: Spec) -> tuple[int, str] | None:
    """Find a file that holds nearly all of its lines twice, or repeats its end."""
    if _ABOUT_COPIES.search(text_beside(spec, proposal.path)) or asks_to_add(spec, proposal.path):
        return None
    starts = [at for at, row in enumerate(new) if at and row[1] == old[0][1]]
    for at in (*starts, len(new) // 2):
        if len(old) >= _LEAST and _is_nearly(old, new[:at]) and _is_nearly(old, new[at:]):
            return new[at][0], "it holds its lines twice"
    start = _repeated_end(new)
    if start is None or (len(old) >= 2 and _repeated_end(old) is not None):
        return None
    return new[start][0], f"its end, from {quoted(new[start][1])}, is there twice"


def _is_nearly(old: Rows, part: Rows) -> bool:
    """Return True if `part` has nearly all lines of the file, in order."""
    kept = sum(1 for _ in _same_words(old, part))
    return kept >= min(len(old) - 1, len(old) * _NEARLY_ALL)


def _repeated_end(rows: Rows) -> int | None:
    """Return the index at which a copy of the lines right above begins and runs to the end of the file."""
    texts = [row for _, row in rows]
    for size in range(1, len(texts) // 2 + 1):
        end = texts[-size:]
        is_again = end[-1] == texts[-size - 1] and end == texts[-2 * size : -size]
        if is_again and sum(map(str.isalnum, "".join(end))) >= _TELLING:
            return len(texts) - size
    return None


def _gone(
    old: Rows, new: Rows, proposal: FileChange, spec: Spec, others: Sequence[FileChange]
) -> tuple[int, str] | None:
    """Find a removed end, comment or statement that nothing replaces."""
    if cited_lines(spec, proposal.path):
        return None
    texts = [row.strip() for _, row in old], [row.strip() for _, row in new]
    moved = {row.strip() for other in others for row in other.content.split("\n")}
    less = Counter(texts[0]) - Counter(texts[1])
    for tag, first, last, at, end in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        hunk = [row for row in texts[0][first:last] if _is_less(row, less, texts[1], moved)]
        judged = last == len(old) and (tag == "delete" or not is_code(proposal.path))
        rest = _rest_of_end(texts[0][first:last], texts[1][at:end]) if judged else 0
        if rest:
            lost = [row for row in texts[0][last - rest : last] if row in hunk]
            where = "it ends before"
        else:
            lost, where = _dropped_remarks(texts[0][first:last], texts[1][at:end], hunk), "it drops"
            lost = lost or _dropped_statements(
                [row for _, row in old[first:last]], texts[1][at:end], hunk, proposal.path
            )
        if lost and not _is_asked(lost, proposal.path, spec):
            message = f"{where} {quoted(lost[0])}, which the spec does not speak of"
            return new[min(at, len(new) - 1)][0], message
    return _broken_off(old, new, proposal, spec)


def _rest_of_end(before: Sequence[str], after: Sequence[str]) -> int:
    """Return how many of the last lines have no replacement, if the lines before them are similar; otherwise 0."""
    is_alike = all(is_like(row, was) for row, was in zip(after, before, strict=False))
    return max(0, len(before) - len(after)) if is_alike else 0


def _is_less(row: str, less: Counter[str], now: Sequence[str], moved: set[str]) -> bool:
    """Return True if the line was removed; for a line without letters or digits (a brace), if its count fell."""
    says_nothing = not any(map(str.isalnum, row))
    return row not in moved and bool(less[row]) and (row not in now or says_nothing)


def _dropped_remarks(before: Sequence[str], after: Sequence[str], lost: Sequence[str]) -> list[str]:
    """Return the dropped comments if every other line has a replacement and no replacement is a comment."""
    others = sum(not _is_remark(row) for row in before)
    if others != len(after) or any(map(_is_remark, after)):
        return []
    return [row for row in lost if _is_remark(row)]


_TAG = lazy_pattern(r"</?[\w:-]+(?=[\s/>])")
_BINDS = lazy_pattern(
    r"(?:import|from|use|using|require|include|package|module|source|export|const|let|var|local|declare|readonly|type"
    r"|static|final|global|extern)\b|#\s*include|@|\.\s|[\w.$\[\]\"'-]+\s*(?::[^=]*)?[-+|&*/:?]?=(?!=)"
)


def _dropped_statements(
    before: Sequence[str], after: Sequence[str], lost: Sequence[str], path: str
) -> list[str]:
    """Return dropped lines none of whose words remain: any line of markup, statements outside definitions in code.

    Bindings (such as imports) are exempt: they may have become unused, and code that still uses them would fail.
    """
    if sum(not _is_remark(row) for row in after) >= len(before):
        return []
    rows = before if is_markup(path) else filter(_is_statement, before) if is_code(path) else ()
    words_now = set(words_of("\n".join(after)))
    words_then = ((row, words_of(_TAG.sub(" ", row))) for row in map(str.strip, rows))
    return [
        row for row, words in words_then if row in lost and words and words_now.isdisjoint(words)
    ]


def _is_statement(row: str) -> bool:
    is_outside = not row[0].isspace() and not row.endswith((":", "{", "("))
    return is_outside and not _is_remark(row) and not _BINDS.match(row)


def _broken_off(old: Rows, new: Rows, proposal: FileChange, spec: Spec) -> tuple[int, str] | None:
    last, was = new[-1][1].strip(), old[-1][1].strip()
    if last == was or not was.startswith(last) or _is_asked([was], proposal.path, spec):
        return None
    if not is_code(proposal.path) and last.endswith((".", "!", "?")):
        return None  # a sentence ends there
    return new[-1][0], f"it breaks off in {quoted(last)}"


def _is_remark(row: str) -> bool:
    return any(map(str.isalnum, comment_text(row) or ""))


def _is_asked(lost: Sequence[str], path: str, spec: Spec) -> bool:
    if asks_to_mend(spec, path) or may_go(spec, path, lost):
        return True
    if any(map(has_loss_word, task_sentences(spec, path))):
        return True
    spec_words = {word for word in words_of(text_beside(spec, path)) if word[3:]}
    return bool(spec_words.intersection(words_of("\n".join(lost))))
