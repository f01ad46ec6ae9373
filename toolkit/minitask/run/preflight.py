"""What must hold before anything is run or spent; the first thing that does not is why the task is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minitask.edits.grammar import parse_script, paths_written
from minitask.errors import EditError, RefusedError, UsageError
from minitask.repo import refs
from minitask.repo.filters import filtered_paths
from minitask.repo.objects import FILE_MODES, SYMLINK, TREE, Objects
from minitask.repo.repository import Repository
from minitask.run.tasks import Task
from minitask.spec.model import FileAction, FileRef, Severity
from minitask.spec.paths import check_path, is_protected


def check_files(task: Task, objects: Objects, *, protected: Sequence[str] = ()) -> None:
    """Refuse a task whose files may not be touched, or are not there."""
    for ref in task.spec.files:
        reason = check_path(ref.path)
        if reason:
            raise _refusal(task, ref, f"{ref.path!r} is no path that a task may name: {reason}")
        _check_kind(task, objects, ref)
        writes = ref.action is not FileAction.READ
        if writes and (ref.path == task.path or is_protected(ref.path, protected)):
            raise _refusal(
                task, ref, f"{ref.path} is protected", "change it by hand, in a commit of your own"
            )


def check_filters(task: Task, repository: Repository, objects: Objects) -> None:
    """Refuse a task that would write a file which the user's git sends through a filter."""
    writes = [ref for ref in task.spec.writes() if ref.action is not FileAction.DELETE]
    found = filtered_paths(repository, objects, task.base, [ref.path for ref in writes])
    for ref in writes:
        if ref.path in found:
            message = (
                f"{ref.path} goes through the git filter {found[ref.path]}, which no task runs"
            )
            raise _refusal(task, ref, message, "change it by hand, in a commit of your own")


def check_complete(task: Task) -> None:
    """Raise `UsageError` for a spec that changes nothing, or that nothing can prove."""
    spec = task.spec
    where = f"{task.path}:{spec.line_of('title')}"
    if not spec.writes():
        hint = "list them in its header, as **Files to Create** or **Files to Edit**"
        raise UsageError("E212 the spec lists no file to create or edit", where=where, hint=hint)
    if not spec.commands:
        hint = "add a Validation section with a bash fence"
        raise UsageError("E401 the spec has no validation command", where=where, hint=hint)


def check_edits(task: Task) -> None:
    """Refuse a task whose edit script cannot be read, or writes what the spec does not list."""
    listed = {ref.path for ref in task.spec.writes()}
    try:
        if paths_written(parse_script(task.spec.snippets, source=task.path)) <= listed:
            return
    except EditError:
        pass  # the rules below say it with a code and a line
    from minitask.edits.lint import check_script

    for item in check_script(task.spec):
        if item.severity is Severity.ERROR:
            where = f"{item.path}:{item.line}"
            raise RefusedError(f"{item.code} {item.message}", where=where, hint=item.hint)


def check_branch(task: Task, objects: Objects, heads: Mapping[str, str]) -> None:
    """Refuse a task whose branch cannot be made or moved. `heads` are the refs of the task.

    Another branch may have a part of its name, or a person may have added commits to it.
    """
    own = refs.branch(task.name)
    parts = own.split("/")
    above = ["/".join(parts[:count]) for count in range(3, len(parts))]
    below = [name for name in heads if name.startswith(f"{own}/")]
    taken = next((name for name in (*above, *below) if objects.commit(name) is not None), None)
    if taken is not None:
        name = taken.removeprefix("refs/heads/")
        raise RefusedError(
            f"the branch {name} is in the way of {own.removeprefix('refs/heads/')}",
            hint=f"rename it: git branch -m {name} OTHER",
        )
    attempts = {oid for name, oid in heads.items() if name.startswith(refs.ATTEMPTS)}
    if own in heads and heads[own] not in attempts:
        name = own.removeprefix("refs/heads/")
        raise RefusedError(
            f"{name} holds commits that no attempt made, which a new attempt would leave behind",
            hint=f"land them: minitask merge {task.name}; or put them aside: git branch -m {name} OTHER",
        )


def _check_kind(task: Task, objects: Objects, ref: FileRef) -> None:
    parts = ref.path.split("/")
    for count in range(1, len(parts)):
        parent = objects.entry(task.base, "/".join(parts[:count]))
        if parent is not None and parent.mode != TREE:
            kind = "a symbolic link" if parent.mode == SYMLINK else "not a folder"
            raise _refusal(
                task, ref, f"{ref.path}: {'/'.join(parts[:count])} is {kind} in the base"
            )
    entry = objects.entry(task.base, ref.path)
    if entry is not None and entry.mode not in FILE_MODES:
        raise _refusal(task, ref, f"{ref.path} is not a regular file in the base")
    if entry is None and ref.action in (FileAction.EDIT, FileAction.DELETE):
        raise _refusal(
            task, ref, f"{ref.path} does not exist, so the task cannot {ref.action.value} it"
        )
    if entry is None and ref.action is FileAction.READ and not ref.optional:
        raise _refusal(task, ref, f"{ref.path} does not exist, so it cannot be read")
    if entry is not None and ref.action is FileAction.CREATE:
        raise _refusal(
            task,
            ref,
            f"{ref.path} exists already",
            "list it under **Files to Edit** if it is to be replaced",
        )


def _refusal(task: Task, ref: FileRef | None, message: str, hint: str = "") -> RefusedError:
    line = ref.line if ref else task.spec.line_of("title")
    return RefusedError(
        message, where=f"{task.path}:{line}", hint=hint or "mend the spec, and commit it again"
    )
