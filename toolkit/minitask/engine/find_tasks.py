"""From what the user names to tasks: paths, `FILE#N`, `PROJECT/ID`, projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from msgspec import Struct

from minitask.engine.context import Context, Progress
from minitask.engine.spec_files import (
    SHOWN,
    choose_fitting,
    commit_command,
    fits,
    is_spec_name,
    unknown_name,
)
from minitask.engine.tasks import PROJECTS, Base, LoadedFile, Task, checkout_bytes, load_file
from minitask.errors import RefusedError, UsageError
from minitask.git import refs
from minitask.git.objects import FILE_MODES, TREE, Entry, blob_id
from minitask.spec.model import SpecFile


class FoundTasks(Struct, frozen=True):
    """Tasks that are to run, and for those whose file was edited since it was committed why they may not."""

    tasks: tuple[Task, ...]
    refused: Mapping[str, RefusedError]


def find_tasks(engine: Context, names: Sequence[str], base: Base) -> FoundTasks:
    """Return the tasks that are meant; raise `UsageError` if a word names nothing, or a spec of theirs has errors."""
    tasks: dict[str, Task] = {}
    refused: dict[str, RefusedError] = {}
    for word in names:
        chosen, files = _named(engine, word, base)
        if _paths(engine, word, base)[0]:
            _tell_of_no_tasks(engine, files)
        for task in chosen:
            _stop_on_errors(files[task.path].parsed)
            _add(tasks, task)
            try:
                check_committed(engine, task.path, base)
            except RefusedError as error:
                refused[task.name] = error
    return FoundTasks(tuple(tasks.values()), refused)


def _tell_of_no_tasks(engine: Context, files: Mapping[str, LoadedFile]) -> None:
    """Say which files of a project hold no task; raise `UsageError` for one that cannot be read."""
    for path, file in files.items():
        errors = [diagnostic for diagnostic in file.parsed.diagnostics if diagnostic.is_error]
        if not file.tasks and errors:
            if errors[0].code != "E101":
                _stop_on_errors(file.parsed)
            text = f"E101 {path}: {errors[0].message}, so nothing of it runs; {errors[0].hint}"
            engine.emit(Progress(path, "warning", text))


def _add(tasks: dict[str, Task], task: Task) -> None:
    earlier = tasks.setdefault(task.name, task)
    if earlier.path != task.path:
        raise UsageError(
            f"E211 two specs are named {task.name}: {earlier.path} and {task.path}",
            where=task.path,
            hint="give one of them another `id`",
        )


def list_tasks(engine: Context, names: Sequence[str], base: Base) -> tuple[Task, ...]:
    """Return the tasks that are committed, to be looked at: errors and edits in the checkout are no matter."""
    return tuple(
        {task.name: task for word in names for task in _named(engine, word, base)[0]}.values()
    )


def full_name(engine: Context, word: str, base: Base) -> str:
    """Return the name `PROJECT/ID` that a word stands for; raise `UsageError` if it is none, or several.

    A task whose spec is gone is known by its records, and a branch of the toolkit's by its name.
    """
    name = word.removeprefix("refs/heads/")
    name = name.removeprefix("minitask/") if name.count("/") > 1 else name
    if "/@" in name or _is_known(engine, name):
        return name
    try:
        names = [task.name for task in list_tasks(engine, [name], base)]
    except UsageError:
        names = [known for known in recorded_names(engine) if fits(name, known)]
        if not names:
            raise
    if len(names) == 1:
        return names[0]
    hint = f"name one of: {', '.join(names[:SHOWN])}{' …' if len(names) > SHOWN else ''}"
    raise UsageError(f"{word} stands for {len(names)} tasks", hint=hint)


def is_project(engine: Context, word: str, base: Base) -> bool:
    """Return True if a word is the name of a project with committed tasks."""
    folders = (f"{PROJECTS}/{word}", f"{PROJECTS}/{word}.md")
    return "/" not in word and any(spec_paths(engine, base.base, path) for path in folders)


def recorded_names(engine: Context) -> list[str]:
    """Return the names of all tasks that the ledger has records of."""
    ledger = engine.objects.commit(refs.LEDGER)
    if ledger is None:
        return []
    entries = engine.objects.entries
    projects = entries(engine.objects.tree_of(ledger))
    return [
        f"{project}/{name}"
        for project, entry in projects.items()
        if entry.mode == TREE
        for name in entries(entry.oid)
    ]


def _is_known(engine: Context, name: str) -> bool:
    """Return True if a task of exactly that name has records or a branch."""
    if name.count("/") != 1:
        return False
    ledger = engine.objects.commit(refs.LEDGER)
    entry = engine.objects.entry(ledger, name) if ledger else None
    return entry is not None or engine.objects.commit(refs.branch(name)) is not None


def spec_paths(engine: Context, base: str, folder: str) -> list[str]:
    """Return the spec files at or below a path of a commit: `*.md`, but no README, and nothing in a folder `base`."""
    entry = engine.objects.entry(base, folder) if folder else None
    if entry is not None and entry.mode in FILE_MODES:
        return [folder]
    tree = engine.objects.tree_of(base) if not folder else (entry.oid if entry else None)
    if tree is None or (entry is not None and entry.mode != TREE):
        return []
    return sorted(_markdown(engine, tree, f"{folder.rstrip('/')}/" if folder else ""))


def _markdown(engine: Context, tree: str, above: str) -> list[str]:
    paths: list[str] = []
    for name, entry in engine.objects.entries(tree).items():
        if entry.mode == TREE:
            paths += _markdown(engine, entry.oid, f"{above}{name}/") if name != "base" else []
        elif is_spec_name(name) and entry.mode in FILE_MODES:
            paths.append(above + name)
    return paths


def _named(engine: Context, word: str, base: Base) -> tuple[list[Task], dict[str, LoadedFile]]:
    """Return the tasks that a word names, and the files that were looked into: a path that exists is a path."""
    paths, number = _paths(engine, word, base)
    if len(paths) == 1:
        engine.look_back(base.base, paths[0])
    files = {name: load_file(engine, name, base) for name in paths or _likely(engine, word, base)}
    tasks = [task for file in files.values() for task in file.tasks]
    if paths:
        chosen = [task for task in tasks if not number or task.spec.number == number]
    else:
        chosen = [task for task in tasks if _is_called(task, word)]
        chosen = chosen or choose_fitting(word, tasks, base)
    if not chosen:
        for file in files.values():
            _stop_on_errors(file.parsed)
        names = [task.name for task in tasks] or _all_names(engine, base)
        raise unknown_name(engine, word, names, base)
    return chosen, files


def _paths(engine: Context, word: str, base: Base) -> tuple[list[str], str]:
    """Return the spec files at a path, or of the project whose folder has that name, and the number behind a `#`."""
    before, sign, number = word.rpartition("#")
    for path, own_number in ((word, ""), *([(before, number)] if sign else [])):
        inside = _inside(engine, path, base)
        paths = spec_paths(engine, base.base, inside) if inside is not None else []
        if inside and not paths and checkout_bytes(engine, inside) is not None:
            check_committed(engine, inside, base)
            paths = [inside]
        if paths:
            return paths, own_number
    if "/" not in word:
        for name in _spellings(engine, word, base):
            paths = spec_paths(engine, base.base, f"{PROJECTS}/{name}")
            if paths:
                return paths, ""
    return [], ""


def _spellings(engine: Context, word: str, base: Base) -> list[str]:
    """Return the names in the projects' folder that are a word as some keyboard or file system composes it."""
    folder = engine.objects.entry(base.base, PROJECTS)
    if folder is None or folder.mode != TREE:
        return []
    composed = normalize("NFC", word)
    names = (
        name for name, entry in engine.objects.entries(folder.oid).items() if entry.mode == TREE
    )
    return [name for name in names if normalize("NFC", name) == composed]


def _likely(engine: Context, word: str, base: Base) -> list[str]:
    """Return the files in which a task or project of that name would be."""
    first = word.partition("/")[0]
    project = first.partition("#")[0]
    folders = [f"{PROJECTS}/{name}" for name in _spellings(engine, first, base)]
    for candidate in (
        *folders,
        f"{PROJECTS}/{project}",
        f"{PROJECTS}/{project}.md",
        f"{word}.md",
        PROJECTS,
    ):
        paths = spec_paths(engine, base.base, candidate)
        if paths:
            return paths
    return []


def _is_called(task: Task, word: str) -> bool:
    """Return True for a task's name, its project's, `PROJECT#N`, or `FOLDER/ID` as the folder is written."""
    project, _, task_id = task.name.partition("/")
    if word in (task.name, project):
        return True
    if "/" in word:
        folder, _, name = word.partition("/")
        written = normalize("NFC", f"{PROJECTS}/{folder}/")
        return name == task_id and normalize("NFC", task.path).startswith(written)
    before, sign, number = word.rpartition("#")
    return bool(sign) and before == project and task.spec.number == number


def _all_names(engine: Context, base: Base) -> list[str]:
    paths = spec_paths(engine, base.base, PROJECTS)
    return [task.name for path in paths for task in load_file(engine, path, base).tasks]


def _stop_on_errors(parsed: SpecFile) -> None:
    errors = [diagnostic for diagnostic in parsed.diagnostics if diagnostic.is_error]
    if not errors:
        return
    first, others = errors[0], len(errors) - 1
    more = f" (and {others} more: run `minitask validate {parsed.path}`)" if others else ""
    where = f"{first.path}:{first.line}"
    raise UsageError(f"{first.code} {first.message}{more}", where=where, hint=first.hint)


def _inside(engine: Context, path: str, base: Base) -> str | None:
    """Return a path as the user typed it, relative to the repository's root; None if it is not below it."""
    top = engine.repository.top
    if top is None:
        return path
    joined = Path(base.folder, path)
    try:
        inside = str(PurePosixPath(joined.resolve().relative_to(top.resolve())))
    except (ValueError, OSError):
        return None
    return "" if inside == "." else inside


def check_committed(engine: Context, path: str, base: Base) -> None:
    """Refuse a spec whose file in the checkout is not the one that is committed."""
    if base.worktree_spec:
        return
    present = checkout_bytes(engine, path)
    if present is None:
        return
    head = engine.objects.commit("HEAD")
    entry = engine.objects.entry(head, path) if head else None
    if entry is None:
        if engine.objects.entry(base.base, path) is None:
            raise _refusal(engine, base, path, f"is not committed at {base}")
    elif not _is_same(engine, path, present, entry):
        raise _refusal(engine, base, path, "was edited since it was committed")


def _is_same(engine: Context, path: str, present: bytes, entry: Entry) -> bool:
    """Return True if the content is the blob's, as it is or as git's own conversion of line ends would commit it."""
    if blob_id(present, like=entry.oid) == entry.oid:
        return True
    git = engine.repository.git.with_user_config(engine.repository.top)
    oid = git.output("hash-object", f"--path={path}", "--stdin", stdin=present).decode().strip()
    return oid == entry.oid


def _refusal(engine: Context, base: Base, path: str, reason: str) -> RefusedError:
    name = path.removeprefix(f"{PROJECTS}/").removesuffix(".md")
    return RefusedError(
        f"the spec {path} {reason}: only committed specs run",
        hint=commit_command(engine, path, base, name),
    )
