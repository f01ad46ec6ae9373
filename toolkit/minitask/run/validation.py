"""Checking specs as they stand in the checkout: form, repository, project, quality."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from minitask.edits.lint import check_script, is_free
from minitask.errors import UsageError
from minitask.repo import history
from minitask.repo.cache import Cache
from minitask.repo.objects import Objects, blob_id, open_objects
from minitask.repo.repository import Repository
from minitask.run.finding import is_spec_name
from minitask.run.parsing import parse_once
from minitask.run.tasks import PROJECTS
from minitask.run.trees import CommitTree, WorkTree
from minitask.spec.batches import check_batches, home_of
from minitask.spec.checks import check_all, check_anchor
from minitask.spec.limits import MAX_BYTES, MAX_FILES
from minitask.spec.model import Diagnostic, Severity, Spec
from minitask.spec.names import task_names
from minitask.spec.tree import Tree
from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, and in how many specs."""

    diagnostics: tuple[Diagnostic, ...]
    spec_count: int

    @property
    def has_errors(self) -> bool:
        """Whether a task could not run."""
        return any(item.severity is Severity.ERROR for item in self.diagnostics)


@dataclass(frozen=True, slots=True)
class Sources:
    """The spec files to check: their paths below `top`, with their texts.

    `whole` are the folders below `top` of which all specs are among them, with all folders in them.
    """

    top: Path
    texts: Mapping[str, str]
    whole: frozenset[str] = frozenset()

    def has_whole(self, home: str) -> bool:
        """Whether a project's every spec is here, be it a file or a folder."""
        parents = (home, *map(str, PurePosixPath(home).parents))
        return home in self.texts or not self.whole.isdisjoint(parents)


def read_sources(top: Path, folder: Path, words: Sequence[str]) -> Sources:
    """The spec files that paths name, or all below `mini-projects`; `UsageError` where one is not there."""
    found: dict[str, str] = {}
    whole: set[str] = set()
    root = top.resolve()
    for place in [folder / word for word in words] or [top / PROJECTS]:
        if not place.exists():
            raise UsageError(
                f"{place} does not exist", hint="name spec files or folders that hold them"
            )
        if place.is_dir() and place.resolve().is_relative_to(root):
            whole.add(place.resolve().relative_to(root).as_posix())
        for path in _spec_files(place.resolve()):
            real = path.resolve() if path.is_symlink() else path
            if not real.is_relative_to(root):
                raise UsageError(f"{path} is outside {top}")
            name = real.relative_to(root).as_posix()
            found[name] = _read_spec(real).decode("utf-8", "surrogateescape")
            if len(found) > MAX_FILES:
                raise UsageError(f"more than {MAX_FILES:,} spec files", hint="name fewer folders")
    sources = Sources(top, found, frozenset(whole))
    return replace(sources, whole=sources.whole | set(_completed(sources, root)))


def _read_spec(path: Path) -> bytes:
    """A file's first bytes, as many as show that it is too large; `UsageError` for a pipe or a device."""
    if not path.is_file():
        raise UsageError(f"{path} is no regular file", hint="name spec files or folders")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _completed(sources: Sources, root: Path) -> Iterator[str]:
    """The projects' folders that were not named, and of which every spec was."""
    names = (name.split("/") for name in sources.texts)
    projects = {parts[1] for parts in names if len(parts) > 2 and parts[0] == PROJECTS}
    for home in (f"{PROJECTS}/{project}" for project in projects):
        files = () if sources.has_whole(home) else _spec_files(root / home)
        if files and all(path.relative_to(root).as_posix() in sources.texts for path in files):
            yield home


def check_sources(sources: Sources, repository: Repository | None) -> Checked:
    """Everything that can be said of the specs without running them."""
    if repository is None:
        return _check(sources, Surroundings(sources, None, None))[0]
    cache = Cache(repository.home / "cache")
    with open_objects(repository.git) as objects:
        head = objects.commit("HEAD")
        key = _key(sources, head)
        kept = cache.peek(key)
        if kept is not None and WorkTree(sources.top).holds(kept["seen"]):
            return Checked(tuple(_diagnostic(item) for item in kept["diagnostics"]), kept["count"])
        checked, seen = _check(sources, Surroundings(sources, repository, objects, head))
    rows = [_row(item) for item in checked.diagnostics]
    cache.keep(key, {"seen": seen, "diagnostics": rows, "count": checked.spec_count})
    return checked


@dataclass(slots=True)
class Surroundings:
    """What specs are checked against; without a repository, the files as they are."""

    sources: Sources
    repository: Repository | None
    objects: Objects | None
    head: str | None = None

    def tip(self) -> CommitTree | None:
        """HEAD's files."""
        return CommitTree(self.objects, self.head) if self.objects and self.head else None

    def committed(self) -> set[str]:
        """The spec files that are at HEAD just as they are in the checkout."""
        tree = self.tip()
        if tree is None:
            return set()
        texts = self.sources.texts.items()
        return {path for path, text in texts if _is_committed(tree, path, text)}

    def anchors(self, paths: Iterable[str]) -> dict[str, str]:
        """The commit that brought each committed spec in."""
        if self.repository is None or self.head is None:
            return {}
        return history.introduced_by_all(self.repository.git, self.head, tuple(paths))


def _check(sources: Sources, around: Surroundings) -> tuple[Checked, list[Any]]:
    cache = Cache(around.repository.home / "cache") if around.repository else None
    files = [parse_once(text, path=path, cache=cache) for path, text in sources.texts.items()]
    found = [item for file in files for item in file.diagnostics]
    specs = [spec for file in files for spec in file.specs]
    worktree = WorkTree(sources.top)
    committed = around.committed()
    for group, tree, anchors in _groups(specs, around, worktree, committed):
        judged = set(map(id, group))
        beside = [spec for spec in specs if id(spec) not in judged]
        found += check_all(group, tree=tree, known=beside, anchors=anchors)
    for spec in specs:
        found += check_script(spec)
        named = spec.options.anchor
        commit = around.objects.commit(named) if around.objects and named else named
        found += check_anchor(spec, commit=commit)
    for project in _whole_projects(specs, sources):
        is_new = not committed.issuperset(spec.path for spec in project)
        here = worktree if is_new else around.tip() or worktree
        found += check_batches(
            project, is_there=partial(_is_file, here), is_free=is_free, found=found
        )
    ordered = sorted(set(found), key=lambda item: (item.path, item.line, item.code, item.message))
    return Checked(tuple(ordered), len(specs)), worktree.seen()


def _whole_projects(specs: Sequence[Spec], sources: Sources) -> list[list[Spec]]:
    """The specs by project, of those projects that are here as a whole."""
    homes: dict[str, list[Spec]] = {}
    for spec in specs:
        homes.setdefault(home_of(spec), []).append(spec)
    return [group for home, group in homes.items() if sources.has_whole(home)]


def _is_file(tree: Tree, path: str) -> bool:
    return tree.kind(path) == "file"


def _is_committed(tree: CommitTree, path: str, text: str) -> bool:
    entry = tree.entry(path)
    if entry is None:
        return False
    content = text.encode("utf-8", "surrogateescape")
    return blob_id(content, like=entry.oid) == entry.oid


def _groups(
    specs: Sequence[Spec], around: Surroundings, worktree: WorkTree, committed: set[str]
) -> list[tuple[list[Spec], Tree, dict[str, Tree]]]:
    """Specs with the tree that each starts from: HEAD, the checkout, or its anchor where it has landed."""
    if around.repository is None or around.objects is None or around.head is None or not committed:
        return [(list(specs), worktree, {})]
    objects, head = around.objects, around.head
    commits = around.anchors(committed)
    trees = {commit: CommitTree(objects, commit) for commit in set(commits.values())}
    anchors: dict[str, Tree] = {path: trees[commit] for path, commit in commits.items()}
    landed = _landed(specs, around)
    has_landed = set(map(id, landed))
    new = [spec for spec in specs if spec.path not in committed]
    open_ = [spec for spec in specs if spec.path in committed and id(spec) not in has_landed]
    groups: list[tuple[list[Spec], Tree, dict[str, Tree]]] = []
    if new:
        groups.append((new, worktree, {}))
    if open_:
        groups.append((open_, CommitTree(objects, head), anchors))
    for commit, tree in trees.items():
        done = [spec for spec in landed if commits.get(spec.path) == commit]
        if done:
            groups.append((done, tree, {}))
    return groups


def _landed(specs: Sequence[Spec], around: Surroundings) -> list[Spec]:
    assert around.repository is not None  # noqa: S101
    assert around.objects is not None  # noqa: S101
    landings = history.landings(around.repository.git, around.head or "HEAD")
    if not landings:
        return []
    done = []
    for name, spec in zip(task_names(specs), specs, strict=True):
        landing = landings.get(name)
        entry = around.objects.entry(around.head or "HEAD", spec.path)
        if landing and not landing.undone and entry and landing.spec == f"{spec.path}@{entry.oid}":
            done.append(spec)
    return done


def _spec_files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(
        path
        for path in place.rglob("*.md")
        if path.is_file()
        and is_spec_name(path.name)
        and "base" not in path.relative_to(place).parts[:-1]
    )


def _key(sources: Sources, head: str | None) -> str:
    digest = hashlib.sha256()
    for path, text in sources.texts.items():
        digest.update(f"{path}\0{len(text)}\0{text}".encode("utf-8", "surrogateescape"))
    digest.update("\0".join(sorted(sources.whole)).encode("utf-8", "surrogateescape"))
    return f"validate\0{head}\0{digest.hexdigest()}"


def _row(item: Diagnostic) -> list[Any]:
    return [item.path, item.line, item.code, item.severity.value, item.message, item.hint]


def _diagnostic(row: list[Any]) -> Diagnostic:
    path, line, code, severity, message, hint = row
    return Diagnostic(path, line, code, Severity(severity), message, hint)
