"""Whether a change did all that the spec lists: files to create are there, files to delete are not."""

from __future__ import annotations

from collections.abc import Sequence

from minitask.edits.script_model import Change
from minitask.executors.agent_files import may_be_empty
from minitask.gates.candidate import Candidate, holds
from minitask.gates.result import GateResult
from minitask.spec.model import FileAction, FileRef, Spec


def check_complete(
    spec: Spec, changes: Sequence[Change], *, candidate: Candidate, scripted: bool = False
) -> GateResult:
    """Judge what the candidate holds by what the spec lists; a `scripted` change may create empty files."""
    for ref in spec.writes():
        reason = _reason(ref, candidate)
        if not reason and not scripted and _is_left_empty(ref, spec, changes):
            reason = f"{ref.path}, a file to create, is empty"
        if reason:
            return GateResult("scope", passed=False, reason=reason)
    return GateResult("scope", passed=True)


def _reason(ref: FileRef, candidate: Candidate) -> str:
    if ref.action is FileAction.DELETE:
        return f"{ref.path}, a file to delete, is still there" if holds(candidate, ref.path) else ""
    if ref.action is not FileAction.CREATE or ref.optional or holds(candidate, ref.path):
        return ""
    return f"{ref.path}, a file to create, was not created"


def _is_left_empty(ref: FileRef, spec: Spec, changes: Sequence[Change]) -> bool:
    if ref.action is not FileAction.CREATE or ref.optional:
        return False
    made = next((change for change in changes if change.path == ref.path), None)
    return made is not None and made.content == "" and not may_be_empty(spec, ref.path)
