"""Lines of a short file that a rewrite drops without a word: asked back once, and taken where it is said to be meant.

A long file that loses half of its lines is a fault by itself. In a short one a few lines may well do what many did, so
what is judged is whether the task asks for it: a task that adds does not make a file shorter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from minitask.gates.lint_error import FileChange, LintError, quoted
from minitask.gates.parts import is_code, parts_of_both
from minitask.gates.prose_loss import unmatched
from minitask.gates.requested_removals import (
    FENCED,
    asks_for_less,
    cited_lines,
    has_loss_word,
    takes_away,
    task_sentences,
)
from minitask.gates.spec_words import asks_to_mend, may_go, told, words_of
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

LONGEST = 40
"""Telling lines of a file up to which it is short."""
_ADDS = lazy_pattern(
    r"\b(?:add(?:s|ed|ing)?|append\w*|insert\w*|extend\w*|includ(?:e|es|ing))\b", 2
)
_IMPORTS = lazy_pattern(r"(?:from\s+\S+\s+import|import|use|using|require|#include|package)\b")
_VALUE = lazy_pattern(r"(?:export\s+|(?:const|let|var)\s+)?([\w.-]+)\s*(?::[^=]*)?[:=]")
_MEANT = lazy_pattern(
    r"\b(?:remov\w+|drop\w*|delet\w+|gone|los(?:e|es|t|ing)|replac\w+|inten\w+|meant|deliberate\w*|purpose|no longer"
    r"|not needed|obsolete|unused|superseded|redundant|rewr\w+|simplif\w+)\b",
    2,
)


def find_dropped(
    proposal: FileChange, *, spec: Spec, others: Sequence[FileChange] = (), said: str = ""
) -> LintError | None:
    """Return the lines that a short file loses, which neither the spec nor `said`, an answer to that fault, names."""
    path = proposal.path
    if proposal.explicit or not proposal.base or takes_away(spec, path):
        return None
    old, new = _rows(proposal.base), _rows(proposal.content)
    if not 2 <= len(old) <= LONGEST or not new or asks_for_less(spec, path):
        return None
    lost = _lost(proposal, old, new, spec=spec, others=others)
    if not lost or not _is_doubtful(old, new, lost, spec=spec, path=path) or _is_meant(path, said):
        return None
    shown = ", ".join(map(quoted, lost[:3])) + (f" and {len(lost) - 3} more" if lost[3:] else "")
    message = f"it drops {shown}, which the spec does not name"
    remedy = f"keep them, or if that is meant, say in a line that {path} is to lose them"
    return LintError(path, len(proposal.content.rstrip("\n").split("\n")), message, remedy)


def _rows(text: str) -> list[str]:
    """Return the lines that say something, without what is around them."""
    return [row for row in map(str.strip, text.split("\n")) if any(map(str.isalnum, row))]


def _lost(
    proposal: FileChange,
    old: Sequence[str],
    new: Sequence[str],
    *,
    spec: Spec,
    others: Sequence[FileChange],
) -> list[str]:
    """Return the lines that are gone: nothing is like them, no other file has them, and the spec speaks of none."""
    moved = {row for other in others for row in _rows(other.content)}
    fresh = [row for row in new if row not in set(old)]
    gone = [row for row in old if row not in moved.union(new)]
    unlike, _ = unmatched([row for row in gone if not row.isalpha()], fresh)
    alone = [row for row in gone if row.isalpha() or row in unlike]
    if len(alone) <= cited_lines(spec, proposal.path):
        return []
    text, words = "".join(proposal.content.split()), set(words_of("\n".join(fresh)))
    judged, keys = _in_other_parts(proposal, spec), {_key(row) for row in fresh}
    return [
        row
        for row in alone
        if row not in judged
        and not _IMPORTS.match(row)
        and not (_key(row) and _key(row) in keys)
        and "".join(row.split()) not in text
        and not words.issuperset(words_of(row))
        and not may_go(spec, proposal.path, [row])
    ]


def _key(row: str) -> str:
    """Return the name that a line gives a value to; empty where it does not."""
    found = _VALUE.match(row)
    return found[1] if found else ""


def _in_other_parts(proposal: FileChange, spec: Spec) -> frozenset[str]:
    """Return the lines of definitions that are still there, which others judge, and of parts that the spec names."""
    base = proposal.base or ""
    said, rows = told(spec, proposal.path).lower(), base.split("\n")
    before, after = parts_of_both(proposal.path, base, proposal.content)
    now = {part.name for part in after if part.kind == "code"}
    own = (
        part
        for part in before
        if part.name in now or (part.kind in {"code", "heading"} and part.leaf.lower() in said)
    )
    return frozenset(row.strip() for part in own for row in rows[max(part.start - 1, 0) : part.end])


def _is_doubtful(
    old: Sequence[str], new: Sequence[str], lost: Sequence[str], *, spec: Spec, path: str
) -> bool:
    """Return True if nothing else is kept, if a task that only adds makes the file shorter, or if most of it goes."""
    sentences = task_sentences(spec, path)
    adds = any(map(_ADDS.search, sentences)) and not any(map(has_loss_word, sentences))
    if not (Counter(old) & Counter(new)) and len(lost) > 1:
        return adds or len(new) < len(old)
    if len(new) >= len(old):
        return False
    if adds and len(old) - len(new) >= 1:
        return True
    mends = is_code(path) and asks_to_mend(spec, path)
    return not mends and len(lost) > 1 and len(lost) * 2 > len(old)


def _is_meant(path: str, said: str) -> bool:
    """Return True if a line of an answer, outside of its fences, says that a file is to lose lines."""
    name = path.rsplit("/", 1)[-1]
    lines = FENCED.sub("\n", said).split("\n")
    return any(name in line and _MEANT.search(line.replace(path, "")) for line in lines)
