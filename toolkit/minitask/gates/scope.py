"""The scope gate: a change touches what the spec lists, in the way that it lists it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from minitask.edits.script_model import Change
from minitask.gates.candidate import FilesAfter, find_kind
from minitask.gates.result import GateResult, printable
from minitask.git.merge_tree import TreeChange
from minitask.git.objects import FILE_MODES
from minitask.spec.model import FileAction, Spec
from minitask.spec.paths import fold, is_protected
from minitask.spec.task_names import find_hidden, find_nested, find_twin

ALLOWED = {
    FileAction.CREATE: "A",
    FileAction.EDIT: "M",
    FileAction.WRITE: "AM",
    FileAction.DELETE: "D",
}
WORDS = {"A": "creates", "M": "edits", "D": "deletes", "T": "changes the type of"}


_STARTS = (
    ".vscode/tasks.json",
    ".vscode/launch.json",
    ".vscode/settings.json",
    ".idea/*",
    ".devcontainer/*",
    ".devcontainer.json",
    ".envrc",
    ".npmrc",
    ".pnpmfile.cjs",
    ".yarnrc*",
    ".cargo/config*",
    "package.json",
    "makefile",
    "gnumakefile",
    "justfile",
    "taskfile.y*ml",
    "build.rs",
    "setup.py",
    "conftest.py",
    "sitecustomize.py",
    "usercustomize.py",
    "*.pth",
)
"""Files by which editors, shells and package managers start programs, wherever they stand."""


def starts_programs(path: str) -> bool:
    """Return True if a change of the file makes some tool run a program."""
    folded = fold(path)
    return any(fnmatchcase(f"/{folded}", f"*/{pattern}") for pattern in _STARTS)


def check_scope(
    spec: Spec, changes: Iterable[TreeChange], *, protected: Sequence[str] = ()
) -> GateResult:
    """Judge the difference between the base and the candidate, path by path."""
    listed = {ref.path: ref.action for ref in spec.writes()}
    tree_changes = tuple(changes)
    if not tree_changes:
        return GateResult(
            "scope", passed=False, reason="the change is empty: nothing differs from the base"
        )
    for change in tree_changes:
        reason = _reason(change, listed, spec=spec, protected=protected)
        reason = reason or _mode_reason(change)
        if reason:
            return GateResult("scope", passed=False, reason=reason, refused=True)
    return GateResult("scope", passed=True)


def check_paths(
    spec: Spec, changes: Iterable[Change], *, protected: Sequence[str] = ()
) -> GateResult:
    """Judge a proposed change by its paths alone, before anything of it is written."""
    listed = {ref.path for ref in spec.writes()}
    proposed = tuple(changes)
    for change in proposed:
        if change.path not in listed:
            reason = f"it changes {change.path}, which the spec does not list"
            return GateResult("scope", passed=False, reason=reason, refused=True)
        if change.path == spec.path or is_protected(change.path, protected):
            reason = f"it changes {change.path}, which is protected"
            return GateResult("scope", passed=False, reason=reason, refused=True)
    clash = find_clash(proposed)
    return GateResult("scope", passed=not clash, reason=clash, refused=bool(clash))


def check_names(
    changes: Iterable[TreeChange], *, base: FilesAfter, candidate: FilesAfter
) -> GateResult:
    """Judge the names of the created files."""
    created = [change.path for change in changes if change.status == "A"]
    reason = find_bad_name(created, base=base, candidate=candidate) if created else ""
    return GateResult("scope", passed=not reason, reason=reason, refused=bool(reason))


def _reason(
    change: TreeChange, listed: dict[str, FileAction], *, spec: Spec, protected: Sequence[str]
) -> str:
    verb = WORDS.get(change.status, "changes")
    action = listed.get(change.path)
    if action is None:
        return f"it {verb} {change.path}, which the spec does not list"
    if change.path == spec.path or is_protected(change.path, protected):
        return f"it {verb} {change.path}, which is protected"
    if change.status not in ALLOWED.get(action, ""):
        return f"it {verb} {change.path}, which the spec lists to {action.value}"
    return ""


def _mode_reason(change: TreeChange) -> str:
    """Return why a change of mode is refused; a file may become executable."""
    if change.status == "D":
        return ""
    if change.new_mode not in FILE_MODES:
        return f"{change.path} would be a link or a submodule (mode {change.new_mode})"
    if change.status == "M" and (change.old_mode, change.new_mode) == ("100755", "100644"):
        return f"{change.path} would be executable no longer"
    return ""


def find_clash(changes: Iterable[Change]) -> str:
    """Return why two paths of a change cannot both be there: one is a file, and a folder of the other; or ""."""
    nested = find_nested(change.path for change in changes if change.content is not None)
    return (
        f"it writes {nested[0]} as a file, and {nested[1]} in a folder of that name"
        if nested
        else ""
    )


def find_bad_name(paths: Iterable[str], *, base: FilesAfter, candidate: FilesAfter) -> str:
    """Return why one of the created paths may not be, or ""."""
    return next(filter(None, (_bad_name(path, base, candidate) for path in paths)), "")


def _bad_name(path: str, base: FilesAfter, candidate: FilesAfter) -> str:
    hidden = find_hidden(path)
    if hidden:
        return f"it creates {printable(path)}, whose name holds an invisible character ({hidden})"
    twins = find_twin(
        path,
        names=candidate.names,
        is_there=lambda other_path: find_kind(base, other_path) is not None,
    )
    if twins is None:
        return ""
    return f"it creates {twins[0]} beside {twins[1]}: some file systems take both for one file"
