"""The spec files that words name, as they stand in the checkout."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import PROJECTS, Base, Task, parse_once
from minitask.errors import UsageError
from minitask.git import refs
from minitask.patterns import lazy_pattern
from minitask.spec.dependency_graph import normal_number, task_names
from minitask.spec.frontmatter import MAX_BYTES, MAX_FILES
from minitask.words import nearest


class Sources(Struct, frozen=True):
    """The spec files to check: their paths below `top`, with their texts.

    `whole` are the folders below `top` of which all specs are among them, with all folders in them.
    """

    top: Path
    texts: Mapping[str, str]
    whole: frozenset[str] = frozenset()

    def has_whole(self, home: str) -> bool:
        """Return True if a project's every spec is here, be it a file or a folder."""
        parents = (home, *map(str, PurePosixPath(home).parents))
        return home in self.texts or not self.whole.isdisjoint(parents)


def read_sources(top: Path, folder: Path, names: Sequence[str]) -> Sources:
    """Return the spec files that paths name, or all below `mini-projects`; raise `UsageError` if one is not there."""
    texts: dict[str, str] = {}
    whole: set[str] = set()
    root = top.resolve()
    for start in _places(top, folder, names) or [top / PROJECTS]:
        if not start.exists():
            raise UsageError(
                f"{start} does not exist",
                hint=_hint(top, start),
            )
        if start.is_dir() and start.resolve().is_relative_to(root):
            whole.add(start.resolve().relative_to(root).as_posix())
        for path in spec_files(start.resolve()):
            real = path.resolve() if path.is_symlink() else path
            if not real.is_relative_to(root):
                raise UsageError(f"{path} is outside {top}")
            name = real.relative_to(root).as_posix()
            texts[name] = _read_spec(real).decode("utf-8", "surrogateescape")
            if len(texts) > MAX_FILES:
                raise UsageError(f"more than {MAX_FILES:,} spec files", hint="name fewer folders")
    sources = Sources(top, texts, frozenset(whole))
    return replace(sources, whole=sources.whole | set(_completed(sources, root)))


def _hint(top: Path, start: Path) -> str:
    """Return what to name in place of a path that does not exist."""
    if start == top / PROJECTS:
        return "`minitask new PROJECT TITLE` writes a spec"
    projects = (path.name.removesuffix(".md") for path in (top / PROJECTS).glob("*"))
    near = nearest(start.name, projects)
    return (
        f"did you mean {near}?"
        if near
        else "name spec files or folders that hold them, a project or a task"
    )


def _read_spec(path: Path) -> bytes:
    """Return a file's first bytes, as many as show that it is too large; raise `UsageError` for a pipe or a device."""
    if not path.is_file():
        raise UsageError(f"{path} is not a regular file", hint="name spec files or folders")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _places(top: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """Return the files and folders that words name: a path that exists, from the folder or from the top, else `FILE#N`,
    a project, or `PROJECT/ID`.
    """
    paths = []
    for word in names:
        path = folder / word
        if path.exists():
            paths.append(path)
            continue
        candidates = (
            folder / word.rpartition("#")[0],
            top / word,
            top / PROJECTS / word,
            top / PROJECTS / f"{word}.md",
        )
        existing = [
            candidate
            for candidate in candidates
            if candidate.is_file() or (candidate.is_dir() and candidate != folder)
        ]
        paths += existing[:1] or _files_of(top, word) or [path]
    return paths


def _files_of(top: Path, word: str) -> list[Path]:
    """Return the spec files of a project, or of a task of it, by the names that `status` lists."""
    paths = []
    for path in spec_files(top / PROJECTS) if (top / PROJECTS).is_dir() else ():
        name = path.relative_to(top).as_posix()
        text = _read_spec(path).decode("utf-8", "surrogateescape")
        names = task_names(parse_once(text, path=name, cache=None).specs)
        if word in names or any(word == task_name.partition("/")[0] for task_name in names):
            paths.append(path)
    return paths


def _completed(sources: Sources, root: Path) -> Iterator[str]:
    """Yield the projects' folders that were not named, and of which every spec was."""
    names = (name.split("/") for name in sources.texts)
    projects = {parts[1] for parts in names if len(parts) > 2 and parts[0] == PROJECTS}
    for home in (f"{PROJECTS}/{project}" for project in projects):
        files = () if sources.has_whole(home) else spec_files(root / home)
        if files and all(path.relative_to(root).as_posix() in sources.texts for path in files):
            yield home


def spec_files(start: Path) -> list[Path]:
    """Return the spec files at or below a path."""
    if start.is_file():
        return [start]
    return sorted(
        path
        for path in start.rglob("*.md")
        if path.is_file()
        and is_spec_name(path.name)
        and "base" not in path.relative_to(start).parts[:-1]
    )


_NUMBER = lazy_pattern(r"[0-9]{1,6}[a-z]?(?![A-Za-z0-9])")
SHOWN = 6
FORMS = "name a spec's path, FILE#N, PROJECT/ID or a project"


def fits(word: str, name: str, number: str = "") -> bool:
    """Return True if a word is the ID or the number of the task `PROJECT/ID`, with or without its project."""
    project, _, task_id = name.partition("/")
    given_project, _, given = word.replace("#", "/").rpartition("/")
    if given_project not in ("", project):
        return False
    if given == task_id:
        return True
    leading = _NUMBER.match(task_id)
    own = leading[0] if leading else number
    return bool(own and _NUMBER.fullmatch(given)) and normal_number(given) == normal_number(own)


def choose_fitting(word: str, tasks: Iterable[Task], base: Base) -> list[Task]:
    """Return the task that a word fits, of the user's own folder first; raise `UsageError` where it fits several."""
    fitting = [task for task in tasks if fits(word, task.name, task.spec.number)]
    near = [task for task in fitting if PurePosixPath(task.path).parent.name == base.folder.name]
    chosen = near or fitting
    if len(chosen) > 1:
        names = ", ".join(task.name for task in chosen[:SHOWN])
        raise UsageError(f"several tasks are called {word}", hint=f"name one of: {names}")
    return chosen


def unknown_name(engine: Context, word: str, names: Sequence[str], base: Base) -> UsageError:
    """Return the error for a word that names nothing: where the spec is, if it is elsewhere, or what is like it."""
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
    projects = {name.partition("/")[0] for name in names}
    ids = {} if "/" in word else {name.partition("/")[2]: name for name in names}
    near = nearest(word, [*names, *projects, *ids])
    return UsageError(message, hint=f"did you mean {ids.get(near, near)}?" if near else FORMS)


def commit_command(engine: Context, path: str, base: Base, name: str) -> str:
    """Return the command that commits a spec, to be given in the user's folder."""
    top = engine.repository.top
    shown = shlex.quote(os.path.relpath(top / path, base.folder) if top else path)
    return f"git add -- {shown} && git commit -m {shlex.quote(f'spec: {name}')} -- {shown}"


def _candidates(word: str) -> tuple[str, ...]:
    path = word.partition("#")[0].strip("/")
    inside = f"{PROJECTS}/{path.removeprefix(f'{PROJECTS}/')}"
    return (path, f"{inside}.md", inside) if path else ()


def _in_checkout(engine: Context, word: str, base: Base) -> str:
    """Return the path of the spec, or folder of specs, in the checkout that a word may mean; "" for none."""
    top = engine.repository.top
    if top is None:
        return ""
    folder = base.folder.relative_to(top) if base.folder.is_relative_to(top) else Path()
    beside = (folder / f"{word.rpartition('/')[2].removesuffix('.md')}.md").as_posix()
    for path in (*_candidates(word), beside):
        place = top / path
        if (path.endswith(".md") and place.is_file()) or any(place.glob("*.md")):
            return path
    specs = sorted(top.glob(f"{PROJECTS}/*/*.md"))
    fitting = (path for path in specs if fits(word, f"{path.parent.name}/{path.stem}"))
    return next((path.relative_to(top).as_posix() for path in fitting), "")


def _on_branch(engine: Context, word: str, base: Base) -> str:
    """Return another branch of the user's that holds what a word may mean; "" for none."""
    heads = refs.snapshot(engine.repository.git, "refs/heads")
    for ref, oid in heads.items():
        if ref != base.target and not ref.startswith(f"{refs.BRANCHES}/"):
            found = (engine.objects.entry(oid, path) for path in _candidates(word))
            if any(found):
                return ref.removeprefix("refs/heads/")
    return ""


def is_spec_name(name: str) -> bool:
    """Return True if a file of a project is taken for a spec."""
    return name.endswith(".md") and not name.upper().startswith("README")
