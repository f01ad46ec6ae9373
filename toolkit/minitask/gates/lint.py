"""The lint gate: reject a broken, incomplete or damaged change before it is committed and validated.

It rejects syntax errors, unresolved imports, comments in place of code, and files that lost what the spec does not ask
to remove. The reason is written for the change's author, who gets it to correct the change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from minitask.edits.script_model import Change, Locate, Reader
from minitask.gates.result import BaseLines, FileChange, FilesAfter, GateResult, LintError
from minitask.gates.source.grammars import GRAMMARS, JUDGED, suffix_of
from minitask.gates.source.prefilters import (
    IMPORTING,
    may_be_damaged,
    may_be_unfinished,
    may_elide,
    may_import,
)
from minitask.spec.model import Spec

Unresolved = Callable[[FileChange], Iterable[LintError]]
GATE = "lint"
_JUDGED_ELSEWHERE = frozenset({".md", ".json", ".toml", ".py", ".csv", ".xml"})
"""Endings of files that are judged by their syntax alone, or by checks of their own."""
_SHOWN = 5
"""Faults that a reason lists; the rest are counted."""


def check_lint(
    changes: Sequence[Change],
    *,
    read: Reader,
    spec: Spec,
    candidate: FilesAfter | None = None,
    locate: Locate | None = None,
    scripted: bool = False,
    explanation: str = "",
) -> GateResult:
    """Check a proposed change by the text of its files; `read` returns a file of the base, or None.

    Imports are checked only with a `candidate`. A `scripted` change comes from the spec's own edit script, whose author
    may remove anything. `locate` maps lines cited by the spec to the base. `explanation` answers an earlier fault. The
    reason has a line for each fault: `path:line: what is wrong; what to do`.
    """
    proposals = tuple(_proposals(changes, read))
    base_lines = _base_lines(changes, read, spec)
    unresolved = _unresolved_imports(changes, read=read, spec=spec, candidate=candidate)
    faults = [
        fault
        for proposal in proposals
        for fault in _faults(proposal, spec, base_lines=base_lines, unresolved=unresolved)
    ]
    faults += _broken_imports(changes, faults, read=read, spec=spec, candidate=candidate)
    faults += _broken_packages(changes, read, candidate)
    if not scripted:
        faults += _misfit_calls(changes, read, candidate)
        faults += _only_from_others(
            proposals, faults, spec=spec, base_lines=base_lines, explanation=explanation
        )
        faults += _left_behind(proposals, spec, locate)
        faults += _mixed_up(proposals, spec)
        faults += _undone(proposals, read, spec, candidate, explanation)
    if not faults:
        return GateResult(GATE, passed=True)
    return GateResult(GATE, passed=False, reason=_reason(faults))


def find_merge_faults(
    changes: Sequence[Change], *, read: Reader, spec: Spec, candidate: FilesAfter
) -> list[LintError]:
    """Return why a merge cannot run: faults of syntax, imports, names and keys; `read` returns its old side."""
    proposals = tuple(_proposals(changes, read))
    unresolved = _unresolved_imports(changes, read=read, spec=spec, candidate=candidate)
    faults = [fault for proposal in proposals for fault in unresolved(proposal)]
    for proposal in proposals:
        syntax = _syntax_fault(proposal)
        is_same = proposal.content == proposal.base
        others = tuple(file for file in proposals if file is not proposal)
        broken = () if is_same else _broken_names(proposal, others, spec, frozenset)
        faults += [syntax] if syntax is not None else broken
        faults += _defined_twice(proposal)
    faults += _broken_imports(changes, faults, read=read, spec=spec, candidate=candidate)
    faults += _broken_packages(changes, read, candidate)
    return [*faults, *_misfit_calls(changes, read, candidate)]


def _broken_packages(
    changes: Sequence[Change], read: Reader, candidate: FilesAfter | None
) -> Iterable[LintError]:
    endings = {suffix_of(change.path) for change in changes} & {".go", ".java", ".rs"}
    if candidate is None or not endings:
        return ()
    from minitask.gates.imports.packages import find_package_faults

    return find_package_faults(changes, read=read, candidate=candidate)


def _misfit_calls(
    changes: Sequence[Change], read: Reader, candidate: FilesAfter | None
) -> Iterable[LintError]:
    texts = [(change.path, change.content or "") for change in changes]
    is_python = any(
        path.endswith(".py") and ("def " in text or may_import(path, text)) for path, text in texts
    )
    if candidate is None or not is_python:
        return ()
    from minitask.gates.imports.importers import find_misfit_calls

    return find_misfit_calls(changes, read=read, candidate=candidate)


def _defined_twice(proposal: FileChange) -> Iterable[LintError]:
    if suffix_of(proposal.path) != ".py":
        return ()
    from minitask.gates.source.python_source import find_defined_twice

    return find_defined_twice(proposal)


def _proposals(changes: Sequence[Change], read: Reader) -> Iterator[FileChange]:
    for change in changes:
        if change.content is not None:
            base = read(change.path)
            if base is None and change.mode_from is not None:
                base = read(change.mode_from)
            yield FileChange(change.path, change.content, base, explicit=change.explicit)


def _faults(
    proposal: FileChange, spec: Spec, *, base_lines: BaseLines, unresolved: Unresolved
) -> Iterator[LintError]:
    """Yield a file's faults, at most one a line: a placeholder explains more than the syntax error that it causes."""
    if proposal.content == proposal.base:
        yield from unresolved(proposal)
        return
    faults = _placeholders(proposal, base_lines)
    syntax = _syntax_fault(proposal)
    if syntax is not None and all(fault.line != syntax.line for fault in faults):
        faults.append(syntax)
    lines = {fault.line for fault in faults}
    faults.extend(fault for fault in _damage(proposal, spec) if fault.line not in lines)
    faults.extend(unresolved(proposal))
    yield from sorted(faults, key=lambda fault: fault.line)


# Checks are imported on first use: their patterns and parsers take longer than the rest of a small task.


def _only_from_others(
    proposals: Sequence[FileChange],
    faults: Sequence[LintError],
    *,
    spec: Spec,
    base_lines: BaseLines,
    explanation: str,
) -> Iterator[LintError]:
    """Yield the faults checked only for models and agents: lost text and unfinished work."""
    for proposal in proposals:
        if proposal.content == proposal.base:
            continue
        others = tuple(file for file in proposals if file is not proposal)
        yield from _unreported(_unfinished(proposal, spec, base_lines), faults)
        yield from _broken_names(proposal, others, spec, base_lines)
        yield from _shrunk_or_rewritten(proposal, others, spec, explanation)
        yield from _forbidden(proposal, spec)


def _unreported(more: Iterable[LintError], faults: Sequence[LintError]) -> Iterator[LintError]:
    """Yield those of `more` on whose lines there is no fault yet."""
    reported = {(fault.path, fault.line) for fault in faults}
    return (fault for fault in more if (fault.path, fault.line) not in reported)


def _broken_names(
    proposal: FileChange, others: Sequence[FileChange], spec: Spec, base_lines: BaseLines
) -> Iterator[LintError]:
    """Yield code that cannot work, and names that the file still uses but no longer imports or defines."""
    lost = list(_lost_names(proposal, others))
    yield from lost
    yield from _unreported(_broken_code(proposal, others, spec, base_lines), lost)


def _broken_code(
    proposal: FileChange, others: Sequence[FileChange], spec: Spec, base_lines: BaseLines
) -> Iterator[LintError]:
    suffix = suffix_of(proposal.path)
    if suffix not in _JUDGED_ELSEWHERE:
        from minitask.gates.broken.by_language import find_rejected

        yield from find_rejected(proposal)
    if suffix not in JUDGED:
        return
    if suffix == ".py":
        from minitask.gates.broken.python_code import find_broken_python

        yield from find_broken_python(proposal, others, spec, base_lines)
    else:
        from minitask.gates.broken.declared_twice import find_declared_twice

        yield from find_declared_twice(proposal)


def _lost_names(proposal: FileChange, others: Sequence[FileChange]) -> Iterable[LintError]:
    if suffix_of(proposal.path) not in {".py", *GRAMMARS}:
        return ()
    from minitask.gates.broken.lost_names import find_lost_names

    return find_lost_names(proposal, others)


def _left_behind(
    proposals: Sequence[FileChange], spec: Spec, locate: Locate | None
) -> Iterable[LintError]:
    edited = [proposal for proposal in proposals if proposal.base]
    if not edited or (len(proposals) == 1 and suffix_of(edited[0].path) not in IMPORTING):
        return ()
    from minitask.gates.broken.declared_twice import find_left_behind

    return find_left_behind(proposals, spec=spec, locate=locate)


def _undone(
    proposals: Sequence[FileChange],
    read: Reader,
    spec: Spec,
    candidate: FilesAfter | None,
    explanation: str,
) -> Iterable[LintError]:
    from minitask.gates.changes.undone import find_undone

    return find_undone(
        proposals, spec=spec, read=read, candidate=candidate, explanation=explanation
    )


def _forbidden(proposal: FileChange, spec: Spec) -> Iterator[LintError]:
    from minitask.gates.changes.forbidden import find_forbidden, find_unwanted

    yield from find_forbidden(proposal, spec)
    yield from find_unwanted(proposal, spec)


def _mixed_up(proposals: Sequence[FileChange], spec: Spec) -> Iterable[LintError]:
    if len(proposals) < 2:
        return ()
    from minitask.gates.changes.mixed_up import find_mixed_up

    return find_mixed_up(proposals, spec)


def _shrunk_or_rewritten(
    proposal: FileChange, others: Sequence[FileChange], spec: Spec, explanation: str
) -> Iterable[LintError]:
    from minitask.gates.changes.rewrites import find_rewrite_faults
    from minitask.gates.changes.shrinkage import find_shrinkage

    shrunk = find_shrinkage(proposal, spec=spec, others=others) if proposal.base else None
    if shrunk is not None:
        return (shrunk,)
    return find_rewrite_faults(proposal, spec=spec, others=others, explanation=explanation)


def _unfinished(proposal: FileChange, spec: Spec, base_lines: BaseLines) -> Iterable[LintError]:
    if not may_be_unfinished(proposal.content):
        return ()
    from minitask.gates.changes.unfinished import find_unfinished

    return find_unfinished(proposal, spec=spec, base_lines=base_lines)


def _damage(proposal: FileChange, spec: Spec) -> Iterable[LintError]:
    if not may_be_damaged(proposal.content) and "\0" not in (proposal.base or ""):
        return ()
    from minitask.gates.changes.damage import find_damage

    return find_damage(proposal, spec)


def _placeholders(proposal: FileChange, base_lines: BaseLines) -> list[LintError]:
    if not may_elide(proposal.content):
        return []
    from minitask.gates.changes.placeholders import find_placeholders

    return list(find_placeholders(proposal, base_lines=base_lines))


def _syntax_fault(proposal: FileChange) -> LintError | None:
    if suffix_of(proposal.path) not in JUDGED:
        return None
    from minitask.gates.source.syntax import find_syntax_fault

    return find_syntax_fault(proposal)


def _unresolved_imports(
    changes: Sequence[Change], *, read: Reader, spec: Spec, candidate: FilesAfter | None
) -> Unresolved:
    def unresolved(proposal: FileChange) -> Iterable[LintError]:
        if candidate is None or not may_import(proposal.path, proposal.content):
            return ()
        from minitask.gates.imports.imports import find_unresolved_imports

        return find_unresolved_imports(
            proposal, changes=changes, read=read, spec=spec, candidate=candidate
        )

    return unresolved


def _broken_imports(
    changes: Sequence[Change],
    faults: Sequence[LintError],
    *,
    read: Reader,
    spec: Spec,
    candidate: FilesAfter | None,
) -> Iterator[LintError]:
    """Yield the imports that the change breaks and that `faults` does not report yet."""
    if candidate is None or not any(suffix_of(change.path) in IMPORTING for change in changes):
        return
    if all(read(change.path) is None for change in changes):
        return
    from minitask.gates.imports.importers import find_broken_imports

    broken = find_broken_imports(changes, read=read, spec=spec, candidate=candidate)
    yield from _unreported(broken, faults)


def _base_lines(changes: Sequence[Change], read: Reader, spec: Spec) -> BaseLines:
    """Return a lazy reader of all lines of the base's files from which the change may have moved or copied text."""
    lines: list[frozenset[str]] = []

    def known() -> frozenset[str]:
        if not lines:
            paths = {*(change.path for change in changes), *(ref.path for ref in spec.files)}
            texts = filter(None, map(read, paths))
            lines.append(frozenset(line.strip() for text in texts for line in text.split("\n")))
        return lines[0]

    return known


def _reason(faults: Sequence[LintError]) -> str:
    shown = [str(fault) for fault in faults[:_SHOWN]]
    more = len(faults) - len(shown)
    return "\n".join([*shown, f"and {more} more"] if more else shown)
