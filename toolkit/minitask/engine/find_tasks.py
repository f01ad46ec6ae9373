"""Find tasks by the names that users give: paths, `FILE#N`, `PROJECT/ID`, projects."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from msgspec import Struct

from minitask.engine.context import Context, Progress
from minitask.engine.spec_files import is_spec_name
from minitask.engine.tasks import (
    PROJECTS,
    Base,
    LoadedFile,
    Task,
    check_committed,
    checkout_bytes,
    commit_command,
    load_file,
    refusal,
)
from minitask.errors import RefusedError, UsageError
from minitask.git import refs
from minitask.git.objects import FILE_MODES, TREE
from minitask.spec.dependency_graph import fits, without_branch
from minitask.spec.model import SpecFile
from minitask.system.files import real_path
from minitask.words import nearest

SHOWN = 6
FORMS = "name a spec's path, FILE#N, PROJECT/ID or a project"


class FoundTasks(Struct, frozen=True):
    """Tasks to run; `refused` are those whose file was edited after its commit."""

    tasks: tuple[Task, ...]
    refused: Mapping[str, RefusedError]


def find_tasks(engine: Context, names: Sequence[str], base: Base) -> FoundTasks:
    """Return the named tasks; raise `UsageError` if a name matches nothing, or if one of their specs has errors."""
    tasks: dict[str, Task] = {}
    refused: dict[str, RefusedError] = {}
    for word in names:
        chosen, files = _named(engine, word, base)
        if _paths(engine, word, base)[0]:
            _warn_of_no_tasks(engine, files)
        for task in chosen:
            _stop_on_errors(files[task.path].parsed)
            earlier = tasks.setdefault(task.name, task)
            if earlier.path != task.path:
                raise UsageError(
                    f"E211 two specs are named {task.name}: {earlier.path} and {task.path}",
                    where=task.path,
                    hint="give one of them another `id`",
                )
            try:
                check_committed(engine, task.path, base)
            except RefusedError as error:
                refused[task.name] = error
    return FoundTasks(tuple(tasks.values()), refused)


def _warn_of_no_tasks(engine: Context, files: Mapping[str, LoadedFile]) -> None:
    """Warn of a project's files without tasks; raise `UsageError` for an unreadable one."""
    for path, file in files.items():
        errors = [diagnostic for diagnostic in file.parsed.diagnostics if diagnostic.is_error]
        if not file.tasks and errors:
            if errors[0].code != "E101":
                _stop_on_errors(file.parsed)
            text = f"E101 {path}: {errors[0].message}, so nothing of it runs; {errors[0].hint}"
            engine.emit(Progress(path, "warning", text))


def list_tasks(engine: Context, names: Sequence[str], base: Base) -> tuple[Task, ...]:
    """Return the named tasks as committed, whatever their errors and edits in the checkout."""
    return tuple(
        {task.name: task for word in names for task in _named(engine, word, base)[0]}.values()
    )


def all_tasks(engine: Context, base: Base) -> tuple[Task, ...]:
    """Return all committed tasks."""
    if not spec_paths(engine, base.base, PROJECTS):
        return ()
    top = engine.repository.top
    return list_tasks(engine, [f"{top}/{PROJECTS}" if top else PROJECTS], base)


def full_name(engine: Context, word: str, base: Base) -> str:
    """Return the name `PROJECT/ID` of one task; raise `UsageError` if the word matches none or several.

    A task without a spec is found by its records, and a branch of the toolkit by its name.
    """
    name = without_branch(word)
    if name.partition("/")[2].startswith("@") and name.count("/") == 1:
        return name  # a planning call's
    if _is_known(engine, name):
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
    """Return the names of all tasks with records in the ledger."""
    ledger = engine.ledger_head()
    if ledger is None:
        return []
    entries = engine.objects.entries
    return [
        f"{project}/{name}"
        for project, entry in entries(engine.objects.tree_of(ledger)).items()
        if entry.mode == TREE
        for name in entries(entry.oid)
    ]


def _is_known(engine: Context, name: str) -> bool:
    """Return True if a task of exactly that name has records or a branch."""
    if name.count("/") != 1:
        return False
    ledger = engine.ledger_head()
    entry = engine.objects.entry(ledger, name) if ledger else None
    return entry is not None or engine.objects.commit(refs.branch(name)) is not None


def spec_paths(engine: Context, base: str, folder: str) -> list[str]:
    """Return the spec files at or below a path of a commit: `*.md` without READMEs and folders named `base`."""
    if not folder:
        return sorted(_markdown(engine, engine.objects.tree_of(base), ""))
    entry = engine.objects.entry(base, folder)
    if entry is None:
        return []
    if entry.mode == TREE:
        return sorted(_markdown(engine, entry.oid, f"{folder.rstrip('/')}/"))
    return [folder] if entry.mode in FILE_MODES else []


def _markdown(engine: Context, tree: str, above: str) -> list[str]:
    paths: list[str] = []
    for name, entry in engine.objects.entries(tree).items():
        if entry.mode == TREE:
            paths += _markdown(engine, entry.oid, f"{above}{name}/") if name != "base" else []
        elif is_spec_name(name) and entry.mode in FILE_MODES:
            paths.append(above + name)
    return paths


def _named(engine: Context, word: str, base: Base) -> tuple[list[Task], dict[str, LoadedFile]]:
    """Return the tasks that a word names, and the files searched; existing paths take precedence."""
    if not word:
        raise UsageError("the name of a task or project is empty", hint=FORMS)
    paths, number = _paths(engine, word, base)
    word = word if paths else without_branch(word)
    if len(paths) == 1:
        engine.look_back(base.base, paths[0])
    files = {name: load_file(engine, name, base) for name in paths or _likely(engine, word, base)}
    tasks = [task for file in files.values() for task in file.tasks]
    if paths:
        chosen = [task for task in tasks if not number or task.spec.number == number]
    else:
        chosen = [task for task in tasks if _is_called(task, word)]
        chosen = chosen or _choose_fitting(word, tasks, base)
    path = _in_checkout(engine, word, base) if base.worktree_spec and not chosen else ""
    if path not in ("", word):
        return _named(engine, path, base)
    if not chosen:
        for file in files.values():
            _stop_on_errors(file.parsed)
        raise _unknown_name(engine, word, [task.name for task in tasks], base)
    return chosen, files


def _paths(engine: Context, word: str, base: Base) -> tuple[list[str], str]:
    """Return the spec files at a path, or of the project folder of that name, and the number after a `#`."""
    before, _, number = word.rpartition("#")
    for path, own_number in ((word, ""), *([(before, number)] if before else [])):
        inside = _inside(engine, path, base)
        paths = spec_paths(engine, base.base, inside) if inside is not None else []
        if inside and not paths and checkout_bytes(engine, inside) is not None:
            check_committed(engine, inside, base)
            paths = [inside]
        if paths:
            return paths, own_number
    for name in _spellings(engine, word, base) if "/" not in word else ():
        paths = spec_paths(engine, base.base, f"{PROJECTS}/{name}")
        if paths:
            return paths, ""
    return [], ""


def _spellings(engine: Context, word: str, base: Base) -> list[str]:
    """Return the project folders whose names equal a word, up to Unicode composition."""
    folder = engine.objects.entry(base.base, PROJECTS)
    if folder is None or folder.mode != TREE:
        return []
    composed = normalize("NFC", word)
    entries = engine.objects.entries(folder.oid).items()
    return [
        name for name, entry in entries if entry.mode == TREE and normalize("NFC", name) == composed
    ]


def _likely(engine: Context, word: str, base: Base) -> list[str]:
    """Return the files that may hold a task or project of that name."""
    first = word.partition("/")[0]
    project = first.partition("#")[0]
    candidates = (
        *(f"{PROJECTS}/{name}" for name in _spellings(engine, first, base)),
        f"{PROJECTS}/{project}",
        f"{PROJECTS}/{project}.md",
        f"{word}.md",
        PROJECTS,
    )
    paths = (spec_paths(engine, base.base, candidate) for candidate in candidates)
    return next(filter(None, paths), [])


def _is_called(task: Task, word: str) -> bool:
    """Return True for a task's name, its project's, `PROJECT#N`, or `FOLDER/ID` with the folder's spelling."""
    project, _, task_id = task.name.partition("/")
    if word in (task.name, project):
        return True
    if "/" in word:
        folder, _, name = word.partition("/")
        written = normalize("NFC", f"{PROJECTS}/{folder}/")
        return name == task_id and normalize("NFC", task.path).startswith(written)
    before, sign, number = word.rpartition("#")
    return bool(sign) and before == project and task.spec.number == number


def _choose_fitting(word: str, tasks: Iterable[Task], base: Base) -> list[Task]:
    """Return the task that a word matches, preferring the user's folder; raise `UsageError` if several match."""
    fitting = [task for task in tasks if fits(word, task.name, task.spec.number)]
    near = [task for task in fitting if PurePosixPath(task.path).parent.name == base.folder.name]
    chosen = near or fitting
    if len(chosen) > 1:
        names = ", ".join(task.name for task in chosen[:SHOWN])
        raise UsageError(f"several tasks are called {word}", hint=f"name one of: {names}")
    return chosen


def _stop_on_errors(parsed: SpecFile) -> None:
    errors = [diagnostic for diagnostic in parsed.diagnostics if diagnostic.is_error]
    if errors:
        raise refusal(parsed.path, errors)


def _inside(engine: Context, path: str, base: Base) -> str | None:
    """Return a path that the user typed, relative to the repository's root, or None if it is outside."""
    top = engine.repository.top
    if top is None:
        return path
    try:
        inside = real_path(Path(base.folder, path)).relative_to(real_path(top)).as_posix()
    except (ValueError, OSError):
        return None
    return "" if inside == "." else inside


def _unknown_name(engine: Context, word: str, names: list[str], base: Base) -> UsageError:
    """Return the error for an unknown name, with the location of an uncommitted spec or a similar name."""
    message = f"no project, task or spec file {word}"
    uncommitted = _in_checkout(engine, word, base)
    if uncommitted:
        return UsageError(
            f"{message}: {uncommitted} is not committed",
            hint=commit_command(engine, uncommitted, base, word),
        )
    branch = _on_branch(engine, word, base)
    if branch:
        return UsageError(
            f"{message} at {base}: it is on branch {branch}",
            hint=f"git switch {shlex.quote(branch)}, or merge it",
        )
    if not names:
        paths = spec_paths(engine, base.base, PROJECTS)
        names = [task.name for path in paths for task in load_file(engine, path, base).tasks]
    projects = {name.partition("/")[0] for name in names}
    ids = {} if "/" in word else {name.partition("/")[2]: name for name in names}
    own = [name for name in names if "/" in word and name.startswith(f"{word.partition('/')[0]}/")]
    stem = word.removeprefix(f"{PROJECTS}/").removesuffix(".md")
    near = nearest(stem, own or [*names, *projects, *ids])
    if own and not near:
        return UsageError(message, hint=f"choose from {', '.join(own[:SHOWN])}")
    return UsageError(message, hint=f"did you mean {ids.get(near, near)}?" if near else FORMS)


def _candidates(word: str) -> tuple[str, ...]:
    path = word.partition("#")[0].strip("/")
    inside = f"{PROJECTS}/{path.removeprefix(f'{PROJECTS}/')}"
    return (path, f"{inside}.md", inside) if path else ()


def _in_checkout(engine: Context, word: str, base: Base) -> str:
    """Return the spec, or folder of specs, in the checkout that a word may mean, or ""."""
    top = engine.repository.top
    if top is None:
        return ""
    folder = base.folder.relative_to(top) if base.folder.is_relative_to(top) else Path()
    beside = (folder / f"{word.rpartition('/')[2].removesuffix('.md')}.md").as_posix()
    for path in (*_candidates(word), beside):
        if (path.endswith(".md") and (top / path).is_file()) or any((top / path).glob("*.md")):
            return path
    specs = sorted(top.glob(f"{PROJECTS}/*/*.md"))
    fitting = (path for path in specs if fits(word, f"{path.parent.name}/{path.stem}"))
    return next((path.relative_to(top).as_posix() for path in fitting), "")


def _on_branch(engine: Context, word: str, base: Base) -> str:
    """Return another branch of the user with a file that a word may mean, or ""."""
    for ref, oid in refs.snapshot(engine.repository.git, "refs/heads").items():
        is_other = ref != base.target and not ref.startswith(f"{refs.BRANCHES}/")
        if is_other and any(engine.objects.entry(oid, path) for path in _candidates(word)):
            return ref.removeprefix("refs/heads/")
    return ""
