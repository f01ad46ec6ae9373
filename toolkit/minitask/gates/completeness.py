"""Check that a change did all that the spec lists: each file is created, edited or deleted, and none is emptied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from minitask.edits.reply.check_changes import is_excused
from minitask.edits.script_model import Change, Reader
from minitask.executors.agent_files import may_be_empty
from minitask.gates.candidate import FilesAfter, holds
from minitask.gates.parts import is_code, parts_of_both
from minitask.gates.prose_loss import unmatched
from minitask.gates.requested_removals import (
    FENCED,
    asks_for_less,
    asks_to_mend,
    cited_lines,
    has_loss_word,
    has_name,
    may_go,
    takes_away,
    task_sentences,
    text_about,
    words_of,
)
from minitask.gates.result import FileChange, GateResult, LintError, quoted
from minitask.patterns import lazy_pattern
from minitask.spec.model import FileAction, FileRef, Spec
from minitask.spec.notes import may_stay

_SAYS_GONE = lazy_pattern(
    r"\b(?:empt\w+|blank\w*|clear\w*|clean\w*|wip(?:e[sd]?|ing)|truncat\w+|reset\w*|remov\w+|delet\w+|drop\w*|purg\w+"
    r"|strip\w*|mov(?:e[sd]?|ing)|extract\w*|erase\w*|get rid|nothing|no longer)\b",
    2,
)
"""Words that ask for all of a file to go."""


class Work(Struct, frozen=True):
    """A change as its executor made it: how to read the base, and what the executor said of it.

    `explanation` is None if nobody spoke of every file, as in a reviewer's corrections. `scripted`: the spec's own edit
    script made it, which may create empty files.
    """

    changes: Sequence[Change]
    read: Reader
    explanation: str | None = None
    scripted: bool = False


def check_complete(spec: Spec, work: Work, *, candidate: FilesAfter) -> GateResult:
    """Judge what the candidate holds by what the spec lists, and by what was said of a file that did not change."""
    reason = next(_reasons(spec, work, candidate), "")
    return GateResult("scope", passed=not reason, reason=reason)


def _reasons(spec: Spec, work: Work, candidate: FilesAfter) -> Iterator[str]:
    changed = {change.path for change in work.changes}
    for ref in spec.writes():
        reason = _undone(ref, candidate)
        if not reason and not work.scripted:
            reason = _empty(ref, spec, work)
            is_left = ref.path not in changed or not holds(candidate, ref.path)
            reason = reason or (_left(ref, candidate, work) if is_left else "")
        if reason:
            yield reason


def _undone(ref: FileRef, candidate: FilesAfter) -> str:
    exists = holds(candidate, ref.path)
    if ref.action is FileAction.DELETE:
        return f"{ref.path}, a file to delete, is still there" if exists else ""
    if ref.action is not FileAction.CREATE or ref.optional or exists:
        return ""
    return f"{ref.path}, a file to create, was not created"


def _empty(ref: FileRef, spec: Spec, work: Work) -> str:
    file_change = next((change for change in work.changes if change.path == ref.path), None)
    if (
        file_change is None
        or file_change.content is None
        or file_change.content.strip()
        or may_be_empty(spec, ref.path)
    ):
        return ""
    base = work.read(file_change.mode_from or ref.path) or ""
    if ref.action is FileAction.CREATE and not ref.optional and not file_change.content:
        return f"{ref.path}, a file to create, is empty"
    if not base.strip() or _may_be_emptied(ref.path, base, spec, work.changes):
        return ""
    return f"{ref.path} would be empty, which the spec does not ask for; keep its lines"


def _may_be_emptied(path: str, base: str, spec: Spec, changes: Sequence[Change]) -> bool:
    """Return True if the spec asks for all of a file to go, or most of its lines went to others of the change."""
    if takes_away(spec, path) or any(map(_SAYS_GONE.search, task_sentences(spec, path))):
        return True
    lines = Counter(filter(None, map(str.strip, base.split("\n"))))
    others = "\n".join(change.content or "" for change in changes if change.path != path)
    moved = lines & Counter(map(str.strip, others.split("\n")))
    return moved.total() * 2 >= lines.total()


def _left(ref: FileRef, candidate: FilesAfter, work: Work) -> str:
    """Return why a file that did not change, or that is not there, does not pass."""
    exists = holds(candidate, ref.path)
    open_ended = ref.action is FileAction.WRITE and exists
    if work.explanation is None or open_ended or ref.action not in _DONE or may_stay(ref):
        return ""
    if is_excused(ref.path, work.explanation):
        return ""
    how = "leaves it as it is" if exists else "leaves no such file"
    return (
        f"{ref.path} is to be {_DONE[ref.action]}, and the change {how}; "
        f"do it, or say in a line of your last words why {ref.path} needs no change"
    )


_DONE = {FileAction.EDIT: "edited", FileAction.WRITE: "written"}


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
    proposal: FileChange, *, spec: Spec, others: Sequence[FileChange] = (), explanation: str = ""
) -> LintError | None:
    """Return the lines that a short file loses, that neither the spec nor the `explanation` of that fault names."""
    path = proposal.path
    if proposal.explicit or not proposal.base or takes_away(spec, path):
        return None
    old, new = _rows(proposal.base), _rows(proposal.content)
    if not 2 <= len(old) <= LONGEST or not new or asks_for_less(spec, path):
        return None
    lost = _lost(proposal, old, new, spec=spec, others=others)
    if (
        not lost
        or not _is_doubtful(old, new, lost, spec=spec, path=path)
        or is_meant(path, explanation)
    ):
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
    moved = {row for file in others for row in _rows(file.content)}
    fresh = [row for row in new if row not in set(old)]
    gone = [row for row in old if row not in moved.union(new)]
    unlike, _ = unmatched([row for row in gone if not row.isalpha()], fresh)
    alone = [row for row in gone if row.isalpha() or row in unlike]
    if len(alone) <= cited_lines(spec, proposal.path):
        return []
    text, new_words = "".join(proposal.content.split()), set(words_of("\n".join(fresh)))
    judged, keys = _in_other_parts(proposal, spec), {_key(row) for row in fresh}
    return [
        row
        for row in alone
        if row not in judged
        and not _IMPORTS.match(row)
        and not (_key(row) and _key(row) in keys)
        and "".join(row.split()) not in text
        and not new_words.issuperset(words_of(row))
        and not may_go(spec, proposal.path, [row])
    ]


def _key(row: str) -> str:
    """Return the name that a line gives a value to; empty where it does not."""
    match = _VALUE.match(row)
    return match[1] if match else ""


def _in_other_parts(proposal: FileChange, spec: Spec) -> frozenset[str]:
    """Return the lines of definitions that are still there, which others judge, and of parts that the spec names."""
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


def is_meant(path: str, explanation: str) -> bool:
    """Return True if a line of an answer, outside of its fences, says that a file is to lose lines."""
    name = path.rsplit("/", 1)[-1]
    lines = FENCED.sub("\n", explanation).split("\n")
    return any(name in line and _MEANT.search(line.replace(path, "")) for line in lines)
