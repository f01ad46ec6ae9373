"""Find lines that a rewritten prose file lost: each needs a similar new line, or a spec that asks for its removal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from posixpath import basename, splitext

from msgspec import Struct

from minitask.gates.requested_removals import (
    cited_lines,
    may_go,
    telling_words,
    text_about,
    words_of,
)
from minitask.gates.result import SEND_WHOLE, FileChange, LintError, filled_lines, quoted
from minitask.gates.source.parts import is_code
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec
from minitask.words import word_set

_NO_PROSE = word_set("""
.json .toml .yaml .yml .cfg .conf .env .ini .properties .editorconfig .css .scss .less .pcss .postcss .html .htm .xhtml
.vue .svelte .astro .xml .svg .xaml .po .srt
""")
_MOST_LINES, _MOST_PAIRS = 5_000, 40_000
_WIDEST = 500  # characters of a line that are compared
_SIMILAR, _KEPT, _RESTATED, _NEARLY_ALL = 0.5, 0.6, 0.4, 0.8
"""Shares of words: of similar lines, of a replacement, of a shorter restatement, and of text that is kept."""
_HEADING = lazy_pattern(r"(?:#{1,6}|={1,6}|\*{1,8})\s+\S")
_FORMATS = lazy_pattern(
    r"(?i)\b(?:convert\w*|turn\w*|wrap\w*|quot\w+|bullets?|number(?:ed|ing|s)?|prefix\w*|suffix\w*|format\w*|table|html|csv|json|xml"
    r"|markdown|each|every|all|comment(?:ed|s|ing)? out|list|indent\w*|escape\w*)\b"
)
_MARKS = (">", "|", "+")


def is_prose(path: str) -> bool:
    """Return True if the file consists of sentences or items, without a syntax that can be checked."""
    ending = "" if basename(path).startswith(".") else splitext(path)[1].lower()
    return not is_code(path) and ending not in _NO_PROSE


class _ProseLine(Struct, frozen=True):
    number: int
    text: str


def find_prose_loss(
    proposal: FileChange, *, spec: Spec, others: Sequence[FileChange] = ()
) -> LintError | None:
    """Return the removed lines of prose that neither similar lines nor the spec account for."""
    old, new = _lines(proposal.base or ""), _lines(proposal.content)
    if not old or not new or max(len(old), len(new)) > _MOST_LINES:
        return None
    return (
        _wrapped(proposal, old, new, spec)
        or _cut(proposal, old, new, spec)
        or _lost(proposal, old, new, spec=spec, others=others)
    )


def _lines(text: str) -> list[_ProseLine]:
    return [_ProseLine(number, line) for number, line in filled_lines(text)]


def _wrapped(
    proposal: FileChange, old: Sequence[_ProseLine], new: Sequence[_ProseLine], spec: Spec
) -> LintError | None:
    """Return the first line of a file whose old lines are now inside tags, quotes or another document."""
    old_texts, new_texts = {line.text for line in old}, {line.text for line in new}
    fresh = [line for line in new if line.text not in old_texts]
    gone = [line.text for line in old if line.text not in new_texts and len(line.text) > 3]
    enclosed = [text for text in gone if any(text in line.text for line in fresh)]
    if len(enclosed) < 3 or len(enclosed) * 2 < len(old):
        return None
    if _FORMATS.search(text_about(spec, proposal.path)):
        return None
    message = f"{quoted(fresh[0].text)} and others hold its lines inside of something else"
    return LintError(proposal.path, fresh[0].number, message, SEND_WHOLE)


def _cut(
    proposal: FileChange, old: Sequence[_ProseLine], new: Sequence[_ProseLine], spec: Spec
) -> LintError | None:
    """Return the last line if it is a line of the base that breaks off in the middle."""
    last = new[-1]
    longer = (line.text for line in old if line.text != last.text)
    whole = next((text for text in longer if text.startswith(last.text)), "")
    missing = whole.removeprefix(last.text)
    is_unchanged = any(line.text == last.text for line in old)
    if is_unchanged or not any(map(str.isalnum, missing)):
        return None
    if last.text in text_about(spec, proposal.path):
        return None
    if missing[0].isspace() and may_go(spec, proposal.path, [missing.strip()]):
        return None
    message = f"it breaks off in {quoted(last.text)}"
    return LintError(proposal.path, last.number, message, SEND_WHOLE)


def _lost(
    proposal: FileChange,
    old: Sequence[_ProseLine],
    new: Sequence[_ProseLine],
    *,
    spec: Spec,
    others: Sequence[FileChange],
) -> LintError | None:
    lost = Counter(line.text for line in old) - Counter(line.text for line in new)
    for file in others:
        before = Counter(line.text for line in _lines(file.base or ""))
        lost -= Counter(line.text for line in _lines(file.content)) - before
    gone: list[_ProseLine] = []
    for removed, fresh, at in _hunks(old, new):
        lost_lines, added = _really_lost(removed, lost), _instead(removed, fresh, old)
        if not _is_lost(lost_lines, added) or _is_asked(
            lost_lines, added, _heading(old, at), proposal, spec
        ):
            continue
        gone += lost_lines
    cited = cited_lines(spec, proposal.path)
    if not gone or (cited and len(gone) <= cited):
        return None
    shown = ", ".join(quoted(line.text) for line in gone[:3])
    more = f" and {len(gone) - 3} more lines" if len(gone) > 3 else ""
    message = f"it loses {shown}{more}, which the spec does not ask for"
    return LintError(proposal.path, max(new[-1].number, 1), message, SEND_WHOLE)


def _hunks(
    old: Sequence[_ProseLine], new: Sequence[_ProseLine]
) -> Iterator[tuple[Sequence[_ProseLine], Sequence[_ProseLine], int]]:
    """Yield each run of removed lines with its replacement and its index in the base."""
    texts = [line.text for line in old], [line.text for line in new]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        if tag in {"delete", "replace"}:
            yield old[i1:i2], new[j1:j2], i1


def _really_lost(removed: Sequence[_ProseLine], lost: Counter[str]) -> list[_ProseLine]:
    """Return the lines that the new files no longer have, each as often as `lost` counts it."""
    lost_lines = []
    for line in removed:
        if lost[line.text] > 0:
            lost[line.text] -= 1
            lost_lines.append(line)
    return lost_lines


def _instead(
    removed: Sequence[_ProseLine], added: Sequence[_ProseLine], old: Sequence[_ProseLine]
) -> Sequence[_ProseLine]:
    """Return the lines that can replace the removed ones; none if they only repeat several lines of the base."""
    had = {line.text for line in old}
    repeats = len(removed) > 1 and len(added) > 1 and all(line.text in had for line in added)
    return () if repeats else added


def find_marked_lines(proposal: FileChange) -> LintError | None:
    """Return the first old line that got a mark of a quotation, table or diff, if half of the old lines did."""
    old = {line.text for line in _lines(proposal.base or "") if len(line.text) > 3}
    marked = [
        line
        for line in _lines(proposal.content)
        if line.text not in old and line.text[:1] in _MARKS and line.text[1:].strip() in old
    ]
    if len(marked) < 3 or len(marked) * 2 < len(old):
        return None
    message = f"{quoted(marked[0].text)} and others begin with a mark that is not the file's"
    return LintError(proposal.path, marked[0].number, message, SEND_WHOLE)


def _is_lost(removed: Sequence[_ProseLine], added: Sequence[_ProseLine]) -> bool:
    """Return True if no similar lines, and clearly fewer words, replace the removed lines."""
    gone, fresh = [line.text for line in removed], [line.text for line in added]
    if _is_restated(gone, fresh):
        return False
    if len(gone) * len(fresh) <= _MOST_PAIRS:
        gone, fresh = unmatched(gone, fresh)
    lost, instead = (len(words_of("\n".join(rows))) for rows in (gone, fresh))
    return bool(lost) and instead < lost * _KEPT


def _is_restated(gone: Sequence[str], fresh: Sequence[str]) -> bool:
    """Return True if nearly all words remain, or if one line sums several up in fewer words."""
    before, after = (words_of("\n".join(rows)) for rows in (gone, fresh))
    shared = (Counter(before) & Counter(after)).total()
    if before and shared >= len(before) * _NEARLY_ALL:
        return True
    shorter = len(fresh) == 1 and shared >= len(after) * _KEPT
    return shorter and len(after) >= len(before) * _RESTATED


def unmatched(gone: Sequence[str], fresh: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the lines of each side that have no similar line on the other."""
    remaining = list(fresh)
    alone = []
    for line in gone:
        best = max(remaining, key=lambda candidate: _likeness(line, candidate), default="")
        if best and _likeness(line, best) >= _SIMILAR:
            remaining.remove(best)
        else:
            alone.append(line)
    return alone, remaining


def _likeness(line: str, other_line: str) -> float:
    """Return the share of words that two lines have in common; for short lines, their similarity by characters."""
    first, second = Counter(words_of(line)), Counter(words_of(other_line))
    most = max(first.total(), second.total())
    if most < 3:
        return SequenceMatcher(None, line[:_WIDEST], other_line[:_WIDEST]).ratio()
    return (first & second).total() / most


def _heading(old: Sequence[_ProseLine], at: int) -> str:
    return next((line.text for line in reversed(old[:at]) if _HEADING.match(line.text)), "")


def _is_asked(
    removed: Sequence[_ProseLine],
    added: Sequence[_ProseLine],
    heading: str,
    proposal: FileChange,
    spec: Spec,
) -> bool:
    spec_text = text_about(spec, proposal.path)
    if added and all(line.text in spec_text and telling_words(line.text) for line in added):
        return True
    return may_go(spec, proposal.path, [line.text for line in removed], heading=heading)
