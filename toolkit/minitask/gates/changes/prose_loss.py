"""Find lines that a rewritten prose file lost: each needs a similar new line, or a spec that asks for its removal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from posixpath import basename, splitext

from minitask.gates.requested_removals import (
    cited_lines,
    may_go,
    telling_words,
    text_about,
    words_of,
)
from minitask.gates.result import SEND_WHOLE, FileChange, LintError, Rows, filled_lines, quoted
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


def find_prose_loss(
    proposal: FileChange, *, spec: Spec, others: Sequence[FileChange] = ()
) -> LintError | None:
    """Return the removed lines of prose that neither similar lines nor the spec account for."""
    old, new = filled_lines(proposal.base or ""), filled_lines(proposal.content)
    if not old or not new or max(len(old), len(new)) > _MOST_LINES:
        return None
    return (
        _wrapped(proposal, old, new, spec)
        or _cut(proposal, old, new, spec)
        or _lost(proposal, old, new, spec=spec, others=others)
    )


def _wrapped(proposal: FileChange, old: Rows, new: Rows, spec: Spec) -> LintError | None:
    """Return the first line of a file whose old lines are now inside tags, quotes or another document."""
    old_texts, new_texts = {text for _, text in old}, {text for _, text in new}
    fresh = [row for row in new if row[1] not in old_texts]
    gone = [text for _, text in old if text not in new_texts and len(text) > 3]
    enclosed = [text for text in gone if any(text in line for _, line in fresh)]
    if len(enclosed) < 3 or len(enclosed) * 2 < len(old):
        return None
    if _FORMATS.search(text_about(spec, proposal.path)):
        return None
    message = f"{quoted(fresh[0][1])} and others hold its lines inside of something else"
    return LintError(proposal.path, fresh[0][0], message, SEND_WHOLE)


def _cut(proposal: FileChange, old: Rows, new: Rows, spec: Spec) -> LintError | None:
    """Return the last line if it is a line of the base that breaks off in the middle."""
    number, last = new[-1]
    texts = [text for _, text in old]
    whole = next((text for text in texts if text.startswith(last)), "")
    missing = whole.removeprefix(last)
    ends_there = missing[:1].isspace() and last.endswith((".", "!", "?"))
    if last in texts or ends_there or not any(map(str.isalnum, missing)):
        return None
    if last in text_about(spec, proposal.path):
        return None
    if missing[0].isspace() and may_go(spec, proposal.path, [missing.strip()]):
        return None
    return LintError(proposal.path, number, f"it breaks off in {quoted(last)}", SEND_WHOLE)


def _texts(text: str) -> Counter[str]:
    return Counter(line for _, line in filled_lines(text))


def _lost(
    proposal: FileChange, old: Rows, new: Rows, *, spec: Spec, others: Sequence[FileChange]
) -> LintError | None:
    before, after = [text for _, text in old], [text for _, text in new]
    lost = Counter(before) - Counter(after)
    for file in others:
        lost -= _texts(file.content) - _texts(file.base or "")
    gone: list[str] = []
    had, matcher = set(before), SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, first, last in matcher.get_opcodes():
        if tag not in {"delete", "replace"}:
            continue
        removed, added = before[start:end], after[first:last]
        lost_lines = _really_lost(removed, lost)
        if len(removed) > 1 and len(added) > 1 and had.issuperset(added):
            added = []  # they only repeat lines of the base
        if _is_lost(lost_lines, added):
            heading = next((row for row in reversed(before[:start]) if _HEADING.match(row)), "")
            is_asked = _is_asked(lost_lines, added, heading, proposal, spec)
            gone += [] if is_asked else lost_lines
    cited = cited_lines(spec, proposal.path)
    if not gone or (cited and len(gone) <= cited):
        return None
    more = f" and {len(gone) - 3} more lines" if len(gone) > 3 else ""
    message = f"it loses {', '.join(map(quoted, gone[:3]))}{more}, which the spec does not ask for"
    return LintError(proposal.path, new[-1][0], message, SEND_WHOLE)


def _really_lost(removed: Sequence[str], lost: Counter[str]) -> list[str]:
    """Return the lines that the new files no longer have, each as often as `lost` counts it."""
    lost_lines = []
    for line in removed:
        if lost[line] > 0:
            lost[line] -= 1
            lost_lines.append(line)
    return lost_lines


def find_marked_lines(proposal: FileChange) -> LintError | None:
    """Return the first old line that got a mark of a quotation, table or diff, if half of the old lines did."""
    old = {text for _, text in filled_lines(proposal.base or "") if len(text) > 3}
    marked = [
        (number, text)
        for number, text in filled_lines(proposal.content)
        if text not in old and text[:1] in _MARKS and text[1:].strip() in old
    ]
    if len(marked) < 3 or len(marked) * 2 < len(old):
        return None
    message = f"{quoted(marked[0][1])} and others begin with a mark that is not the file's"
    return LintError(proposal.path, marked[0][0], message, SEND_WHOLE)


def _is_lost(gone: Sequence[str], fresh: Sequence[str]) -> bool:
    """Return True if no similar lines, and clearly fewer words, replace the removed lines."""
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


def _is_asked(
    removed: Sequence[str], added: Sequence[str], heading: str, proposal: FileChange, spec: Spec
) -> bool:
    spec_text = text_about(spec, proposal.path)
    if added and all(line in spec_text and telling_words(line) for line in added):
        return True
    return may_go(spec, proposal.path, removed, heading=heading)
