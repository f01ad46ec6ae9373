"""Whether a change did all that the spec lists: each file is created, edited or deleted, and none is emptied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from minitask.edits.reply.check_changes import is_excused
from minitask.edits.script_model import Change, Reader
from minitask.executors.agent_files import may_be_empty
from minitask.gates.candidate import Candidate, holds
from minitask.gates.requested_removals import takes_away, task_sentences
from minitask.gates.result import GateResult
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

    `said` is None where nobody spoke of every file: a reviewer's corrections. `scripted`: the spec's own edit script
    made it, which may create empty files.
    """

    changes: Sequence[Change]
    read: Reader
    said: str | None = None
    scripted: bool = False


def check_complete(spec: Spec, work: Work, *, candidate: Candidate) -> GateResult:
    """Judge what the candidate holds by what the spec lists, and by what was said of a file that did not change."""
    reason = next(_reasons(spec, work, candidate), "")
    return GateResult("scope", passed=not reason, reason=reason)


def _reasons(spec: Spec, work: Work, candidate: Candidate) -> Iterator[str]:
    changed = {change.path for change in work.changes}
    for ref in spec.writes():
        reason = _undone(ref, candidate)
        if not reason and not work.scripted:
            reason = _empty(ref, spec, work)
            is_left = ref.path not in changed or not holds(candidate, ref.path)
            reason = reason or (_left(ref, candidate, work) if is_left else "")
        if reason:
            yield reason


def _undone(ref: FileRef, candidate: Candidate) -> str:
    there = holds(candidate, ref.path)
    if ref.action is FileAction.DELETE:
        return f"{ref.path}, a file to delete, is still there" if there else ""
    if ref.action is not FileAction.CREATE or ref.optional or there:
        return ""
    return f"{ref.path}, a file to create, was not created"


def _empty(ref: FileRef, spec: Spec, work: Work) -> str:
    made = next((change for change in work.changes if change.path == ref.path), None)
    if made is None or made.content is None or made.content.strip() or may_be_empty(spec, ref.path):
        return ""
    base = work.read(made.mode_from or ref.path) or ""
    if ref.action is FileAction.CREATE and not ref.optional and not made.content:
        return f"{ref.path}, a file to create, is empty"
    if not base.strip() or _may_be_emptied(ref.path, base, spec, work.changes):
        return ""
    return f"{ref.path} would be empty, which the spec does not ask for; keep its lines"


def _may_be_emptied(path: str, base: str, spec: Spec, changes: Sequence[Change]) -> bool:
    """Return True if the spec asks for all of a file to go, or most of its lines went to others of the change."""
    if takes_away(spec, path) or any(map(_SAYS_GONE.search, task_sentences(spec, path))):
        return True
    lines = Counter(filter(None, map(str.strip, base.split("\n"))))
    others = "\n".join(each.content or "" for each in changes if each.path != path)
    kept = lines & Counter(map(str.strip, others.split("\n")))
    return kept.total() * 2 >= lines.total()


def _left(ref: FileRef, candidate: Candidate, work: Work) -> str:
    """Return why a file that did not change, or that is not there, does not pass."""
    there = holds(candidate, ref.path)
    open_ended = ref.action is FileAction.WRITE and there
    if work.said is None or open_ended or ref.action not in _DONE or may_stay(ref):
        return ""
    if is_excused(ref.path, work.said):
        return ""
    how = "leaves it as it is" if there else "leaves no such file"
    return (
        f"{ref.path} is to be {_DONE[ref.action]}, and the change {how}; "
        f"do it, or say in a line of your last words why {ref.path} needs no change"
    )


_DONE = {FileAction.EDIT: "edited", FileAction.WRITE: "written"}
