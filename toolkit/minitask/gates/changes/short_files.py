"""Find lines that a change drops from a short file although neither the spec nor the answer names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from minitask.gates.changes.prose_loss import unmatched
from minitask.gates.removal_words import has_loss_word
from minitask.gates.requested_removals import (
    FENCED,
    asks_for_something,
    asks_to_mend,
    cited_lines,
    has_name,
    may_go,
    takes_away,
    task_sentences,
    text_about,
    words_of,
)
from minitask.gates.result import FileChange, LintError, last_line, quoted
from minitask.gates.source.parts import is_code, parts_of_both
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

LONGEST = 40
"""Highest number of lines with a letter or digit in a file that counts as short."""
_ADDS = lazy_pattern(
    r"(?i)\b(?:add(?:s|ed|ing)?|append\w*|insert\w*|extend\w*|includ(?:e|es|ing))\b"
)
_IMPORTS = lazy_pattern(r"(?:from\s+\S+\s+import|import|use|using|require|#include|package)\b")
_VALUE = lazy_pattern(r"(?:export\s+|(?:const|let|var)\s+)?([\w.-]+)\s*(?::[^=]*)?[:=]")
_MEANT = lazy_pattern(
    r"(?i)\b(?:remov\w+|drop\w*|delet\w+|gone|los(?:e|es|t|ing)|replac\w+|inten\w+|meant|deliberate\w*|purpose"
    r"|no longer"
    r"|not needed|obsolete|unused|superseded|redundant|rewr\w+|simplif\w+)\b"
)


def find_dropped(
    proposal: FileChange, *, spec: Spec, others: Sequence[FileChange] = (), explanation: str = ""
) -> LintError | None:
    """Return the lines dropped from a short file that neither the spec nor the answer's `explanation` names."""
    path = proposal.path
    if proposal.explicit or not proposal.base or takes_away(spec, path):
        return None
    old, new = _rows(proposal.base), _rows(proposal.content)
    if not 2 <= len(old) <= LONGEST or not new or asks_for_something(spec, path):
        return None
    lost = _lost(proposal, spec=spec, others=others)
    if (
        not lost
        or is_meant(path, explanation)
        or not _is_doubtful(old, new, lost, spec=spec, path=path)
    ):
        return None
    shown = ", ".join(map(quoted, lost[:3])) + (f" and {len(lost) - 3} more" if lost[3:] else "")
    message = f"it drops {shown}, which the spec does not name"
    remedy = f"keep them, or if that is meant, say in a line that {path} is to lose them"
    return LintError(path, last_line(proposal.content), message, remedy)


def _rows(text: str) -> list[str]:
    """Return the stripped lines that have a letter or digit."""
    return [row for row in map(str.strip, text.split("\n")) if any(map(str.isalnum, row))]


def _lost(proposal: FileChange, *, spec: Spec, others: Sequence[FileChange]) -> list[str]:
    """Return the dropped lines that have no similar new line, are in no other file, and are not covered by the spec."""
    old, new = _rows(proposal.base or ""), _rows(proposal.content)
    moved = {row for file in others for row in _rows(file.content)}
    fresh = [row for row in new if row not in set(old)]
    gone = [row for row in old if row not in moved.union(new)]
    unlike, _ = unmatched([row for row in gone if not row.isalpha()], fresh)
    alone = [row for row in gone if row.isalpha() or row in unlike]
    if len(alone) <= cited_lines(spec, proposal.path):
        return []
    text, new_words = "".join(proposal.content.split()), set(words_of("\n".join(fresh)))
    judged, keys = _in_other_parts(proposal, spec), {_key(row) for row in fresh} - {""}
    return [
        row
        for row in alone
        if row not in judged
        and not _IMPORTS.match(row)
        and _key(row) not in keys
        and "".join(row.split()) not in text
        and not new_words.issuperset(words_of(row))
        and not may_go(spec, proposal.path, [row])
    ]


def _key(row: str) -> str:
    """Return the name that the line assigns a value to, or an empty string."""
    match = _VALUE.match(row)
    return match[1] if match else ""


def _in_other_parts(proposal: FileChange, spec: Spec) -> frozenset[str]:
    """Return the lines of definitions still in the file (judged by other checks) and of parts that the spec names."""
    base = proposal.base or ""
    spec_text, rows = text_about(spec, proposal.path).lower(), base.split("\n")
    before, after = parts_of_both(proposal.path, base, proposal.content)
    now = {part.name for part in after if part.kind == "code"}
    judged_parts = (
        part
        for part in before
        if part.name in now
        or (part.kind in {"code", "heading"} and has_name(spec_text, part.leaf.lower()))
    )
    return frozenset(
        row.strip() for part in judged_parts for row in rows[max(part.start - 1, 0) : part.end]
    )


def _is_doubtful(
    old: Sequence[str], new: Sequence[str], lost: Sequence[str], *, spec: Spec, path: str
) -> bool:
    """Return True if no line is kept, if the task only adds but the file gets shorter, or if most lines are dropped."""
    sentences = task_sentences(spec, path)
    adds = any(map(_ADDS.search, sentences)) and not any(map(has_loss_word, sentences))
    if not (Counter(old) & Counter(new)) and len(lost) > 1:
        return adds or len(new) < len(old)
    if len(new) >= len(old) or adds:
        return len(new) < len(old)
    mends = is_code(path) and asks_to_mend(spec, path)
    return not mends and len(lost) > 1 and len(lost) * 2 > len(old)


def is_meant(path: str, explanation: str) -> bool:
    """Return True if a line of the answer, outside its fences, says that the file is meant to lose lines."""
    name = path.rsplit("/", 1)[-1]
    lines = FENCED.sub("\n", explanation).split("\n")
    return any(name in line and _MEANT.search(line.replace(path, "")) for line in lines)
