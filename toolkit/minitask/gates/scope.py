"""The scope gate: a change does to each file what the spec lists, and touches no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.reply.check_changes import is_excused
from minitask.edits.script_model import Change, Reader
from minitask.gates.removal_words import asks_to_empty
from minitask.gates.requested_removals import takes_away, task_sentences
from minitask.gates.result import FilesAfter, GateResult, find_kind, holds, printable
from minitask.git.objects import FILE_MODES
from minitask.git.trees import TreeChange
from minitask.patterns import lazy_pattern
from minitask.spec.model import FileAction, FileRef, Spec
from minitask.spec.notes import may_be_empty, may_stay
from minitask.spec.paths import find_hidden, find_nested, find_twin, fold, is_protected

ALLOWED = {
    FileAction.CREATE: "A",
    FileAction.EDIT: "M",
    FileAction.WRITE: "AM",
    FileAction.DELETE: "D",
}
WORDS = {"A": "creates", "M": "edits", "D": "deletes", "T": "changes the type of"}


_START_NAMES = """
.vscode/tasks.json .vscode/launch.json .vscode/settings.json .devcontainer.json .envrc .npmrc .pnpmfile.cjs package.json
makefile gnumakefile justfile taskfile.yaml taskfile.yml build.rs setup.py conftest.py sitecustomize.py
usercustomize.py
"""
_ENDS = (*(f"/{name}" for name in _START_NAMES.split()), ".pth")
_PARTS = ("/.idea/", "/.devcontainer/", "/.yarnrc", "/.cargo/config")
"""Files in any folder through which editors, shells and package managers start programs."""


def starts_programs(path: str) -> bool:
    """Return True if a change of the file can make a tool run a program."""
    rooted = f"/{fold(path)}"
    return rooted.endswith(_ENDS) or any(part in rooted for part in _PARTS)


def check_scope(
    spec: Spec, changes: Iterable[TreeChange], *, protected: Sequence[str] = ()
) -> GateResult:
    """Check the difference between the base and the candidate, path by path."""
    listed = {ref.path: ref.action for ref in spec.writes()}
    tree_changes = tuple(changes)
    if not tree_changes:
        reason = "the change is empty: nothing differs from the base"
        return GateResult("scope", passed=False, reason=reason)
    reasons = (
        _reason(change, listed, spec=spec, protected=protected) or _mode_reason(change)
        for change in tree_changes
    )
    return _refused(next(filter(None, reasons), ""))


def _refused(reason: str) -> GateResult:
    """Return a refusal for the reason, or a pass if there is none."""
    return GateResult("scope", passed=not reason, reason=reason, refused=bool(reason))


def check_paths(
    spec: Spec, changes: Iterable[Change], *, protected: Sequence[str] = ()
) -> GateResult:
    """Check a proposed change by its paths alone, before it is written."""
    listed = {ref.path for ref in spec.writes()}
    proposed = tuple(changes)
    for change in proposed:
        if change.path not in listed:
            return _refused(f"it changes {change.path}, which the spec does not list")
        if change.path == spec.path or is_protected(change.path, protected):
            return _refused(f"it changes {change.path}, which is protected")
    return _refused(find_clash(proposed))


def check_names(
    changes: Iterable[TreeChange], *, base: FilesAfter, candidate: FilesAfter
) -> GateResult:
    """Check the names of the created files."""
    created = [change.path for change in changes if change.status == "A"]
    return _refused(find_bad_name(created, base=base, candidate=candidate))


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
    """Return why a change of mode is refused, or an empty string; a file may become executable."""
    if change.status == "D":
        return ""
    if change.new_mode not in FILE_MODES:
        return f"{change.path} would be a link or a submodule (mode {change.new_mode})"
    if change.status == "M" and (change.old_mode, change.new_mode) == ("100755", "100644"):
        return f"{change.path} would be executable no longer"
    return ""


def find_clash(changes: Iterable[Change]) -> str:
    """Return why two paths clash (one is a file, the other is in a folder of that name), or an empty string."""
    nested = find_nested(change.path for change in changes if change.content is not None)
    if nested is None:
        return ""
    return f"it writes {nested[0]} as a file, and {nested[1]} in a folder of that name"


def find_bad_name(paths: Iterable[str], *, base: FilesAfter, candidate: FilesAfter) -> str:
    """Return why one of the created paths is refused, or an empty string."""
    return next(filter(None, (_bad_name(path, base, candidate) for path in paths)), "")


def _bad_name(path: str, base: FilesAfter, candidate: FilesAfter) -> str:
    hidden = find_hidden(path)
    if hidden:
        return f"it creates {printable(path)}, whose name holds an invisible character ({hidden})"
    twins = find_twin(
        path, names=candidate.names, is_there=lambda other: find_kind(base, other) is not None
    )
    if twins is None:
        return ""
    return f"it creates {twins[0]} beside {twins[1]}: some file systems take both for one file"


class Work(Struct, frozen=True):
    """A change as its executor made it, with a reader of the base and the executor's explanation.

    `explanation` is None if the author did not speak for every file, as in a reviewer's corrections. `scripted`: made
    by the spec's own edit script, which may create empty files.
    """

    changes: Sequence[Change]
    read: Reader
    explanation: str | None = None
    scripted: bool = False


def check_complete(spec: Spec, work: Work, *, candidate: FilesAfter) -> GateResult:
    """Check that the candidate does all that the spec lists, or that the explanation excuses an unchanged file."""
    reason = next(filter(None, _reasons(spec, work, candidate)), "")
    return GateResult("scope", passed=not reason, reason=reason)


def _reasons(spec: Spec, work: Work, candidate: FilesAfter) -> Iterator[str]:
    """Yield why each listed file does not pass; an empty string for each check that it passes."""
    changed = {change.path for change in work.changes}
    for ref in spec.writes():
        yield _undone(ref, candidate)
        if not work.scripted:
            yield _empty(ref, spec, work)
            is_there = ref.path in changed and holds(candidate, ref.path)
            if not is_there or _is_spaced(ref.path, spec, work):
                yield _left(ref, candidate, work)


def _is_spaced(path: str, spec: Spec, work: Work) -> bool:
    """Return True if the change adds or removes white space at the ends of lines or of the file, and nothing else."""
    change = next((change for change in work.changes if change.path == path), None)
    base = work.read(path) if change is not None and change.mode_from is None else None
    if change is None or base is None or change.content is None or change.executable:
        return False
    before, after = (
        [row.rstrip() for row in text.split("\n") if row.strip()] for text in (base, change.content)
    )
    if before != after or base == change.content:
        return False
    from minitask.gates.changes.changed_form import ABOUT_FORM

    texts = (spec.title, spec.task, spec.context, *(c.text for c in spec.criteria))
    return not any(ABOUT_FORM.search(text) or _ENDINGS.search(text) for text in texts)


_ENDINGS = lazy_pattern(
    r"(?i)\b(?:new-?lines?|line (?:ends?|endings?)|eof|crlf|lf|blank|empty lines?|trailing)\b"
)


def _undone(ref: FileRef, candidate: FilesAfter) -> str:
    exists = holds(candidate, ref.path)
    if ref.action is FileAction.DELETE:
        return f"{ref.path}, a file to delete, is still there" if exists else ""
    if ref.action is not FileAction.CREATE or ref.optional or exists:
        return ""
    return f"{ref.path}, a file to create, was not created"


def _empty(ref: FileRef, spec: Spec, work: Work) -> str:
    file_change = next((change for change in work.changes if change.path == ref.path), None)
    if file_change is None or file_change.content is None:
        return ""
    base = work.read(file_change.mode_from or ref.path) or ""
    # what is said of new files counts for a file that has something in it only in its own note
    told = spec if not base.strip() else replace(spec, title="", task="", criteria=())
    if file_change.content.strip() or may_be_empty(told, ref.path):
        return ""
    if ref.action is FileAction.CREATE and not ref.optional:
        return f"{ref.path}, a file to create, is empty"
    if not base.strip() or _may_be_emptied(ref.path, base, spec, work.changes):
        return ""
    return f"{ref.path} would be empty, which the spec does not ask for; keep its lines"


def _may_be_emptied(path: str, base: str, spec: Spec, changes: Sequence[Change]) -> bool:
    """Return True if the spec asks to empty the file, or if at least half of its lines moved to other changed files."""
    if takes_away(spec, path) or any(
        asks_to_empty(part, path) for part in task_sentences(spec, path)
    ):
        return True
    lines = Counter(filter(None, map(str.strip, base.split("\n"))))
    others = "\n".join(change.content or "" for change in changes if change.path != path)
    moved = lines & Counter(map(str.strip, others.split("\n")))
    return moved.total() * 2 >= lines.total()


def _left(ref: FileRef, candidate: FilesAfter, work: Work) -> str:
    """Return why a listed file that is unchanged or missing does not pass, or an empty string."""
    exists = holds(candidate, ref.path)
    open_ended = ref.action is FileAction.WRITE and exists
    if work.explanation is None or open_ended or ref.action not in _DONE or may_stay(ref):
        return ""
    if is_excused(ref.path, work.explanation):
        return ""
    how = "leaves it as it is" if exists else "leaves no such file"
    if exists and any(change.path == ref.path for change in work.changes):
        how = "changes white space alone"
    return (
        f"{ref.path} is to be {_DONE[ref.action]}, and the change {how}; "
        f"do it, or say in a line of your last words why {ref.path} needs no change"
    )


_DONE = {FileAction.EDIT: "edited", FileAction.WRITE: "written"}
