"""From what the user names to tasks: specs at one committed version, in the order in which they can run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from minitask.errors import RefusedError, UsageError
from minitask.repo.objects import FILE_MODES, TREE
from minitask.run.engine import Engine
from minitask.spec.model import Severity, Spec, SpecFile
from minitask.spec.names import task_names

PROJECTS = "mini-projects"


@dataclass(frozen=True, slots=True)
class Task:
    """A spec at one version. `base` is the commit it starts from, `target` the full ref that it lands on."""

    name: str
    spec: Spec
    path: str
    blob: str
    base: str
    target: str
    uncommitted: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look for specs: a commit, the branch that it is the tip of, and where the user stands."""

    base: str
    target: str
    folder: Path
    worktree_spec: bool = False


def find_tasks(engine: Engine, words: Sequence[str], place: Place) -> tuple[Task, ...]:
    """The tasks that paths, `FILE#N`, `PROJECT/ID` or `PROJECT` name; `UsageError` where one names nothing."""
    found: dict[str, Task] = {}
    for word in words:
        for task in _named(engine, word, place):
            found.setdefault(task.name, task)
    return tuple(found.values())


def load_file(engine: Engine, path: str, place: Place) -> tuple[str, SpecFile]:
    """The blob id and the parsed specs of a committed file; refused where the checkout's copy differs."""
    entry = engine.objects.entry(place.base, path)
    present = _present(engine, path)
    if place.worktree_spec and present is not None:
        blob = engine.repository.git.output("hash-object", "-w", "--stdin", stdin=present)
        return blob.decode().strip(), parse(
            engine, present.decode("utf-8", "surrogateescape"), path
        )
    if entry is None or entry.mode not in FILE_MODES:
        _refuse_uncommitted(engine, path, place, exists=present is not None)
        raise UsageError(
            f"no spec {path} at {_short(place)}", hint="check the path, or commit the file"
        )
    content = engine.objects.blob(entry.oid)
    if (
        present is not None
        and _is_checked_out(engine, place)
        and not _same(engine, path, present, entry.oid)
    ):
        _refuse_uncommitted(engine, path, place, exists=True)
    return entry.oid, parse(engine, content.decode("utf-8", "surrogateescape"), path)


def parse(engine: Engine, text: str, path: str) -> SpecFile:
    """Parse a spec file, or remember how it parsed."""

    def read() -> SpecFile:
        from minitask.spec.parse import parse_file

        return parse_file(text, path=path)

    found = engine.cache.values(f"spec\0{path}\0{text}", read)
    assert isinstance(found, SpecFile)  # noqa: S101
    return found


def spec_paths(engine: Engine, base: str, folder: str) -> list[str]:
    """The spec files at or below a path of a commit: `*.md`, but no README."""
    entry = engine.objects.entry(base, folder) if folder else None
    if entry is not None and entry.mode in FILE_MODES:
        return [folder]
    tree = engine.objects.tree_of(base) if not folder else (entry.oid if entry else None)
    if tree is None:
        return []
    return sorted(_markdown(engine, tree, PurePosixPath(folder)))


def _markdown(engine: Engine, tree: str, folder: PurePosixPath) -> list[str]:
    found: list[str] = []
    for name, entry in engine.objects.entries(tree).items():
        if entry.mode == TREE:
            found += _markdown(engine, entry.oid, folder / name) if name != "base" else []
        elif (
            name.endswith(".md")
            and not name.upper().startswith("README")
            and entry.mode in FILE_MODES
        ):
            found.append(str(folder / name))
    return found


def _named(engine: Engine, word: str, place: Place) -> list[Task]:
    path, _, number = word.partition("#")
    inside = _inside(engine, path, place)
    paths = spec_paths(engine, place.base, inside) if inside else []
    if inside and not paths and _present(engine, inside) is not None:
        paths = [inside]
    if paths:
        tasks = _load_all(engine, paths, place)
        return [task for task in tasks if not number or task.spec.number == number] or _nothing(
            word
        )
    tasks = _load_all(engine, _project_paths(engine, word, place), place)
    return [task for task in tasks if _is_called(task, word)] or _nothing(word)


def _is_called(task: Task, word: str) -> bool:
    project, _, number = word.partition("#")
    own_project = task.name.partition("/")[0]
    if number:
        return own_project == project and task.spec.number == number
    return word in (task.name, own_project)


def _nothing(word: str) -> list[Task]:
    raise UsageError(
        f"nothing is called {word}", hint="name a spec's path, FILE#N, PROJECT/ID or a project"
    )


def _project_paths(engine: Engine, word: str, place: Place) -> list[str]:
    project = word.split("/", maxsplit=1)[0].split("#", maxsplit=1)[0]
    for candidate in (f"{PROJECTS}/{project}", f"{PROJECTS}/{project}.md", PROJECTS):
        paths = spec_paths(engine, place.base, candidate)
        if paths:
            return paths
    return []


def _load_all(engine: Engine, paths: Sequence[str], place: Place) -> list[Task]:
    tasks = []
    for path in paths:
        blob, parsed = load_file(engine, path, place)
        _stop_on_errors(parsed)
        tasks += [
            Task(name, spec, path, blob, place.base, place.target, place.worktree_spec)
            for name, spec in zip(task_names(parsed.specs), parsed.specs, strict=True)
        ]
    return tasks


def _stop_on_errors(parsed: SpecFile) -> None:
    errors = [item for item in parsed.diagnostics if item.severity is Severity.ERROR]
    if errors:
        first = errors[0]
        more = (
            f" (and {len(errors) - 1} more: run `minitask validate {parsed.path}`)"
            if len(errors) > 1
            else ""
        )
        raise UsageError(
            f"{first.code} {first.message}{more}",
            where=f"{first.path}:{first.line}",
            hint=first.hint,
        )


def _inside(engine: Engine, path: str, place: Place) -> str:
    """A path as the user typed it, relative to the repository's root; empty where it is not below it."""
    top = engine.repository.top
    if top is None:
        return path
    joined = Path(place.folder, path)
    try:
        return str(PurePosixPath(joined.resolve().relative_to(top.resolve())))
    except ValueError:
        return ""


def _present(engine: Engine, path: str) -> bytes | None:
    top = engine.repository.top
    try:
        return (top / path).read_bytes() if top else None
    except OSError:
        return None


def _is_checked_out(engine: Engine, place: Place) -> bool:
    return engine.objects.commit("HEAD") == place.base


def _same(engine: Engine, path: str, present: bytes, oid: str) -> bool:
    kind = hashlib.sha1 if len(oid) == 40 else hashlib.sha256
    if kind(b"blob %d\0" % len(present) + present).hexdigest() == oid:
        return True
    git = engine.repository.git.with_user_config(engine.repository.top)
    return (
        git.output("hash-object", f"--path={path}", "--stdin", stdin=present).decode().strip()
        == oid
    )


def _refuse_uncommitted(engine: Engine, path: str, place: Place, *, exists: bool) -> None:
    if not exists:
        return
    known = engine.objects.entry(place.base, path) is not None
    what = "was edited since it was committed" if known else f"is not committed at {_short(place)}"
    raise RefusedError(
        f"the spec {path} {what}: what runs is what is committed",
        hint=f"git add -- {path} && git commit -m 'spec: {PurePosixPath(path).stem}' -- {path}",
    )


def _short(place: Place) -> str:
    return f"{place.target.removeprefix('refs/heads/')} ({place.base[:12]})"
