"""Task names, and the dependencies between tasks: their order and cycles.

A name is `PROJECT/ID`, in characters that every git ref and file system accepts.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from pathlib import PurePosixPath
from typing import Any, TypeVar

from msgspec import Struct

from minitask.errors import UsageError
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec
from minitask.spec.paths import SPECS_FOLDER

Key = TypeVar("Key")
_NUMBER = lazy_pattern(r"[0-9]{1,6}[a-z]?(?![A-Za-z0-9])")
Indices = dict[Key, tuple[int, ...]]


class Graph(Struct, frozen=True, dict=True):
    """Specs by their index in `specs`, and the dependencies between them."""

    specs: tuple[Spec, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The task names, in the specs' order."""
        return task_names(self.specs)

    @cached_property
    def needs(self) -> tuple[frozenset[int], ...]:
        """For each spec, its direct dependencies, as far as its entries name tasks unambiguously."""
        return tuple(
            frozenset(
                index
                for entry in spec.options.depends_on
                if not self.is_ambiguous(matches := self.find(entry, asker=asker))
                for index in matches
            )
            for asker, spec in enumerate(self.specs)
        )

    @cached_property
    def reach(self) -> tuple[frozenset[int], ...]:
        """For each spec, its direct and indirect dependencies."""
        return tuple(reachable(self.needs, index) for index in range(len(self.specs)))

    def find(self, entry: str, *, asker: int) -> tuple[int, ...]:
        """Return the specs that a `depends_on` entry may mean.

        Tried in turn: task name, id, file and number in the same project, file elsewhere.
        """
        project = self._project(asker)
        by_name, by_id, by_file = self._index
        files = by_file.get(entry, ())
        return (
            by_name.get(entry, ())
            or by_id.get((project, entry), ())
            or tuple(index for index in files if self._project(index) == project)
            or self._numbered(normal_number(entry), asker=asker)
            or files
        )

    def is_ambiguous(self, matches: Sequence[int]) -> bool:
        """Return True if the matches of one entry share neither a name nor a file."""
        names = {self.names[index] for index in matches}
        paths = {self.specs[index].path for index in matches}
        return len(names) > 1 and len(paths) > 1

    @cached_property
    def _index(self) -> tuple[Indices[str], Indices[tuple[str, str]], Indices[str]]:
        """The indices by task name, by project and id, and by file name."""
        by_name: Indices[str] = defaultdict(tuple)
        by_id: Indices[tuple[str, str]] = defaultdict(tuple)
        by_file: Indices[str] = defaultdict(tuple)
        for index, name in enumerate(self.names):
            by_name[name] += (index,)
            project, _, task_id = name.partition("/")
            spec, path = self.specs[index], PurePosixPath(self.specs[index].path)
            for own_id in {task_id, spec.options.id or task_id}:
                by_id[project, own_id] += (index,)
            for file in {path.stem, path.name, spec.path, f"{spec.path}#{spec.number}"}:
                by_file[file] += (index,)
        return by_name, by_id, by_file

    def _numbered(self, number: str, *, asker: int) -> tuple[int, ...]:
        project = self._project(asker)
        fitting = tuple(
            index
            for index, spec in enumerate(self.specs)
            if self._project(index) == project
            and spec.number
            and normal_number(spec.number) == number
        )
        same_file = tuple(p for p in fitting if self.specs[p].path == self.specs[asker].path)
        return same_file or fitting

    def _project(self, index: int) -> str:
        return self.names[index].partition("/")[0]


def order(specs: Sequence[Spec]) -> tuple[Spec, ...]:
    """Return the specs in order of dependency, otherwise by path and position in the file.

    Dependencies on other tasks are ignored; a cycle raises `UsageError`.
    """
    graph = Graph(tuple(specs))
    check_acyclic(graph)
    keys = [(spec.path, spec.index) for spec in specs]
    return tuple(graph.specs[index] for index in turns(graph.needs, keys))


def turns(edges: Sequence[Collection[int]], keys: Sequence[Any]) -> Iterator[int]:
    """Yield the indices so that each follows those its (acyclic) edges lead to, otherwise by their keys."""
    sorter = TopologicalSorter(dict(enumerate(edges)))
    sorter.prepare()
    ready: list[tuple[Any, int]] = []
    while sorter.is_active():
        for index in sorter.get_ready():
            heappush(ready, (keys[index], index))
        index = heappop(ready)[1]
        sorter.done(index)
        yield index


def reachable(edges: Sequence[Collection[int]], start: int) -> frozenset[int]:
    """Return the indices that edges lead to from `start`, directly or indirectly."""
    reached: set[int] = set()
    waiting = list(edges[start])
    while waiting:
        index = waiting.pop()
        if index not in reached:
            reached.add(index)
            waiting.extend(edges[index])
    return frozenset(reached)


def find_circle(graph: Graph, *, among: frozenset[int] | None = None) -> tuple[int, ...]:
    """Return a cycle of specs (each depends on the next, the last on the first), only `among` the given ones; or ()."""
    remaining = set(range(len(graph.specs)) if among is None else among)
    while free := {index for index in remaining if not graph.needs[index] & remaining}:
        remaining -= free
    if not remaining:
        return ()
    trail = [min(remaining)]
    while (following := min(graph.needs[trail[-1]] & remaining)) not in trail:
        trail.append(following)
    return tuple(trail[trail.index(following) :])


def check_acyclic(graph: Graph) -> None:
    """Raise a `UsageError` that names the cycle if the dependencies have one."""
    circle = find_circle(graph)
    if circle:
        loop = " -> ".join(graph.names[index] for index in (*circle, circle[0]))
        message = f"the tasks depend on each other in a cycle: {loop}"
        hint = "remove the `depends_on` entry that closes it"
        raise UsageError(message, hint=hint, where=graph.specs[circle[0]].path)


MAX_COMPONENT = 80
MAX_SLUG = 48

_FOREIGN = lazy_pattern(r"[^A-Za-z0-9._-]")


def project_of(spec: Spec, *, siblings: int = 1) -> str:
    """Return the project of a spec; `siblings` is the number of specs in its file, if known."""
    path = PurePosixPath(spec.path)
    in_folder = len(path.parts) > 1 and path.parts[0] == SPECS_FOLDER
    if _is_shared(spec, siblings) or (in_folder and len(path.parts) == 2):
        return _component(path.stem)
    return _component(path.parts[1] if in_folder else path.parent.name or "tasks")


def id_of(spec: Spec, *, siblings: int = 1) -> str:
    """Return the spec's id in its project: from its front matter, otherwise derived from its path or title."""
    if spec.options.id:
        return _component(spec.options.id)
    parts = _path_parts(spec)
    if _is_shared(spec, siblings) or not parts:
        return _component(_numbered_slug(spec))
    return _component("-".join(parts))


def task_name(spec: Spec, *, siblings: int = 1) -> str:
    """Return `PROJECT/ID`, the name that the task's branch, record and report use."""
    return f"{project_of(spec, siblings=siblings)}/{id_of(spec, siblings=siblings)}"


def task_names(specs: Sequence[Spec]) -> tuple[str, ...]:
    """Return the names of the specs, in order; specs with the same path share a file."""
    shared = Counter(spec.path for spec in specs)
    return tuple(task_name(spec, siblings=shared[spec.path]) for spec in specs)


def normal_number(number: str) -> str:
    """Return a task's number in a form for comparison: `02` becomes `2`, `1A` becomes `1a`."""
    return number.strip().lower().lstrip("0") or "0"


def without_branch(word: str) -> str:
    """Return the name of the task whose branch a word names, or else the word."""
    name = word.removeprefix("refs/heads/")
    return name.removeprefix("minitask/") if name.count("/") > 1 else name


def fits(word: str, name: str, number: str = "") -> bool:
    """Return True if a word is the ID or number of the task `PROJECT/ID`, with or without its project."""
    project, _, task_id = name.partition("/")
    given_project, _, given = word.replace("#", "/").rpartition("/")
    if given_project not in ("", project):
        return False
    if given == task_id:
        return True
    leading = _NUMBER.match(task_id)
    own = leading[0] if leading else number
    return bool(own and _NUMBER.fullmatch(given)) and normal_number(given) == normal_number(own)


def _is_shared(spec: Spec, siblings: int) -> bool:
    return max(siblings, spec.siblings) > 1 or spec.index > 0


def _path_parts(spec: Spec) -> tuple[str, ...]:
    """Return the path below the project's folder, without `.md`; empty for a file that is the whole project."""
    path = PurePosixPath(spec.path)
    if len(path.parts) > 1 and path.parts[0] == SPECS_FOLDER:
        inner = path.parts[2:-1]
        return (*inner, path.stem) if len(path.parts) > 2 else ()
    return (path.stem,)


def _numbered_slug(spec: Spec) -> str:
    number = (spec.number or str(spec.index + 1)).strip().lower().zfill(2)
    title_slug = slug(spec.title)
    return f"{number}-{title_slug}" if title_slug else number


def slug(title: str) -> str:
    """Return a title as lower-case ASCII words joined by dashes, cut at a word; may be empty."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    dashed = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(dashed) <= MAX_SLUG:
        return dashed
    return dashed[: MAX_SLUG + 1].rpartition("-")[0] or dashed[:MAX_SLUG]


def _component(text: str) -> str:
    """Return the text if it is valid in a ref; otherwise its valid characters and a hash that keeps it unique."""
    clean = _FOREIGN.sub("-", text)
    clean = re.sub(r"\.\.+", ".", clean).lstrip(".-")[:MAX_COMPONENT].rstrip(".")
    if clean == text and not clean.lower().endswith(".lock"):
        return clean
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{clean}-{digest}" if clean else f"task-{digest}"
