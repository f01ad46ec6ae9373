"""Files of a commit and of a checkout, and the spec files that the user's paths name in a checkout."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from minitask.engine.tasks import PROJECTS, parse_once
from minitask.errors import UsageError
from minitask.git.objects import FILE_MODES, SUBMODULE, SYMLINK, TREE, Entry, Objects
from minitask.spec.dependency_graph import fits, task_names, without_branch
from minitask.spec.frontmatter import MAX_BYTES, MAX_FILES
from minitask.spec.model import Kind
from minitask.system.files import real_path
from minitask.words import nearest

_SHOWN = 6
_SMALL, _MOST_TEXTS = 100_000, 200
"""Characters of a text that is kept, since many specs read the same file, and how many are."""


class CommittedFiles(Struct):
    """A commit's files; lookups are cached, because a commit never changes."""

    objects: Objects
    commit: str
    _counts: dict[str, int | None] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _entries: dict[str, Entry | None] = field(default_factory=dict)
    _tree: str | None = None

    def kind(self, path: str) -> Kind | None:
        """Return the kind of a path."""
        entry = self.entry(path)
        if entry is None:
            return None
        if entry.mode in FILE_MODES:
            return "file"
        return {SYMLINK: "symlink", SUBMODULE: "submodule"}.get(entry.mode, "dir")  # type: ignore[return-value]

    def line_count(self, path: str) -> int | None:
        """Return the number of lines of a file."""
        if path not in self._counts:
            entry = self.entry(path)
            blob = self.objects.blob(entry.oid) if entry and entry.mode in FILE_MODES else None
            self._counts[path] = None if blob is None else count_lines(blob)
        return self._counts[path]

    def entry(self, path: str) -> Entry | None:
        """Return the mode and object at a path."""
        if path not in self._entries:
            folder, _, name = path.rpartition("/")
            self._entries[path] = self.names(folder).get(name)
        return self._entries[path]

    def text(self, path: str) -> str | None:
        """Return a file's content, or None if it does not exist."""
        entry = self.entry(path)
        if entry is None or entry.mode not in FILE_MODES:
            return None
        if path in self._texts:
            return self._texts[path]
        text = self.objects.blob(entry.oid).decode("utf-8", "surrogateescape")
        if len(text) <= _SMALL and len(self._texts) < _MOST_TEXTS:
            self._texts[path] = text
        return text

    def names(self, folder: str) -> dict[str, Entry]:
        """Return the entries of a folder by name; empty if it is not a folder."""
        if not folder:
            if self._tree is None:
                self._tree = self.objects.tree_of(self.commit)
            return self.objects.entries(self._tree)
        entry = self.entry(folder)
        return self.objects.entries(entry.oid) if entry and entry.mode == TREE else {}


class CheckoutFiles(Struct):
    """The files of a checkout; lookups are recorded, to detect later changes."""

    top: Path
    _seen: dict[str, list[Any]] = field(default_factory=dict)

    def kind(self, path: str) -> Kind | None:
        """Return the kind of a path."""
        return self._look(path)[0]  # type: ignore[no-any-return]

    def line_count(self, path: str) -> int | None:
        """Return the number of lines of a file."""
        content = self._read(path)
        return None if content is None else count_lines(content)

    def text(self, path: str) -> str | None:
        """Return a file's content, or None if it does not exist."""
        content = self._read(path)
        return None if content is None else content.decode("utf-8", "surrogateescape")

    def names(self, folder: str) -> Iterable[str]:
        """Return the entries of a folder."""
        if self._look(f"{folder}/")[0] != "names":
            return ()
        return [path.name for path in (self.top / folder).iterdir() if path.name != ".git"]

    def seen(self) -> list[Any]:
        """Return each recorded lookup as `[path, kind, size, mtime_ns]`; a final `/` marks a folder's names."""
        return [[path, *facts] for path, facts in self._seen.items()]

    def holds(self, entries: list[Any]) -> bool:
        """Return True if all paths of an earlier `seen` are unchanged."""
        return all(self._look(path) == facts for path, *facts in entries)

    def _read(self, path: str) -> bytes | None:
        try:
            return (self.top / path).read_bytes() if self.kind(path) == "file" else None
        except OSError:
            return None

    def _look(self, path: str) -> list[Any]:
        if path not in self._seen:
            self._seen[path] = self._stat(path)
        return self._seen[path]

    def _stat(self, path: str) -> list[Any]:
        try:
            status = (self.top / path.rstrip("/")).lstat()
        except (OSError, ValueError):
            return [None, 0, 0]
        is_folder = stat.S_ISDIR(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            return ["symlink", 0, 0]
        if path.endswith("/"):
            return ["names", 0, status.st_mtime_ns] if is_folder else [None, 0, 0]
        if stat.S_ISREG(status.st_mode):
            return ["file", status.st_size, status.st_mtime_ns]
        is_submodule = is_folder and path and (self.top / path / ".git").exists()
        return ["submodule" if is_submodule else "dir", 0, 0]


def count_lines(content: bytes) -> int | None:
    """Return the number of lines of a text, with or without a final newline, or None if it is not text."""
    if b"\0" in content[:8000]:
        return None
    return content.count(b"\n") + (not content.endswith(b"\n") and bool(content))


class Sources(Struct, frozen=True):
    """The spec files to check: their paths below `top`, with their texts.

    `whole` are the folders below `top` whose specs are all included, at any depth.
    """

    top: Path
    texts: Mapping[str, str]
    whole: frozenset[str] = frozenset()

    def has_whole(self, home: str) -> bool:
        """Return True if all specs of a project, in a file or a folder, are included."""
        parents = (home, *map(str, PurePosixPath(home).parents))
        return home in self.texts or not self.whole.isdisjoint(parents)


def read_sources(top: Path, folder: Path, names: Sequence[str]) -> Sources:
    """Return the spec files at the given paths, or all below `mini-projects`; raise `UsageError` if one is missing."""
    texts: dict[str, str] = {}
    whole: set[str] = set()
    root = real_path(top)
    for start in _paths_of(top, folder, names) or [top / PROJECTS]:
        if not start.exists():
            raise UsageError(f"{start} does not exist", hint=_hint(top, start))
        if start.is_dir() and real_path(start).is_relative_to(root):
            whole.add(real_path(start).relative_to(root).as_posix())
        for path in spec_files(real_path(start)):
            real = real_path(path) if path.is_symlink() else path
            if not real.is_relative_to(root):
                raise UsageError(f"{path} is outside {top}")
            name = real.relative_to(root).as_posix()
            texts[name] = _read_spec(real)
            if len(texts) > MAX_FILES:
                raise UsageError(f"more than {MAX_FILES:,} spec files", hint="name fewer folders")
    sources = Sources(top, texts, frozenset(whole))
    return replace(sources, whole=sources.whole | set(_completed(sources, root)))


def _hint(top: Path, start: Path) -> str:
    """Return how to correct a path that does not exist."""
    if start == top / PROJECTS:
        return "`minitask new PROJECT TITLE` writes a spec"
    near = nearest(start.name, (p.name.removesuffix(".md") for p in (top / PROJECTS).glob("*")))
    if near:
        return f"did you mean {near}?"
    return "name spec files or folders that hold them, a project or a task"


def _read_spec(path: Path) -> str:
    """Return enough of a file to detect that it is too large; raise `UsageError` for a pipe or device."""
    if not path.is_file():
        raise UsageError(f"{path} is not a regular file", hint="name spec files or folders")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1).decode("utf-8", "surrogateescape")


def _paths_of(top: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """Return the named files and folders.

    An existing path, relative to `folder` or `top`, takes precedence over `FILE#N`, a project and `PROJECT/ID`.
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
        paths += existing[:1] or _files_of(top, folder, word) or [path]
    return paths


def _files_of(top: Path, folder: Path, word: str) -> list[Path]:
    """Return the spec files of a project, or of the task that a word names as `exec` takes it."""
    word, paths, fitting = without_branch(word), [], dict[str, Path]()
    for path in spec_files(top / PROJECTS) if (top / PROJECTS).is_dir() else ():
        where = path.relative_to(top).as_posix()
        specs = parse_once(_read_spec(path), path=where, cache=None).specs
        names = dict(zip(task_names(specs), specs, strict=True))
        if word in names or any(word == name.partition("/")[0] for name in names):
            paths.append(path)
        fitting |= {name: path for name, spec in names.items() if fits(word, name, spec.number)}
    near = {name: path for name, path in fitting.items() if path.parent.name == folder.name}
    chosen = near or fitting
    if not paths and len(chosen) > 1:
        hint = f"name one of: {', '.join([*chosen][:_SHOWN])}"
        raise UsageError(f"several tasks are called {word}", hint=hint)
    return paths or [*chosen.values()]


def _completed(sources: Sources, root: Path) -> Iterator[str]:
    """Yield the folders of projects that were not named, but whose specs were all named."""
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


def is_spec_name(name: str) -> bool:
    """Return True if a file of that name in a project is a spec."""
    return name.endswith(".md") and not name.upper().startswith("README")
