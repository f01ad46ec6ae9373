"""The specs relevant to those that are checked, their order, and the tree that they leave.

In that tree, the results of edit scripts are known; of models' work, only the paths are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from minitask.edits.script_model import Change
from minitask.errors import UsageError
from minitask.spec.dependency_graph import Graph, reachable, turns
from minitask.spec.file_dependencies import implied, predecessors
from minitask.spec.model import FileAction, FileRef, Files, Kind, Spec
from minitask.spec.project import files_by_path

MAKING = (FileAction.CREATE, FileAction.WRITE)


class Universe(Struct, frozen=True):
    """The judged specs, the others of their project, and further ones on which these depend."""

    judged: Sequence[Spec]
    near: Sequence[Spec]
    is_there: Callable[[str], bool]
    far: Sequence[Spec] = ()

    @property
    def specs(self) -> list[Spec]:
        """All specs of the universe."""
        return [*self.judged, *self.near, *self.far]

    @property
    def is_complete(self) -> bool:
        """True if all dependencies and all files that specs start from are among the specs or in the base."""
        return not (self._unknown_needs() or _missing(self.specs, self.is_there))

    def with_others(self, others: Sequence[Spec]) -> Universe:
        """Return the universe with those of `others` that its specs depend on, or that create a file they use."""
        specs, remaining = self.specs, list(others)
        while True:
            reached = _reached(specs, remaining, self.is_there)
            if not reached:
                far = specs[len(self.judged) + len(self.near) :]
                return Universe(self.judged, self.near, self.is_there, far)
            specs += reached
            reached_ids = set(map(id, reached))
            remaining = [spec for spec in remaining if id(spec) not in reached_ids]

    def _unknown_needs(self) -> bool:
        graph = Graph(tuple(self.specs))
        return any(
            not graph.find(entry, asker=index)
            for index, spec in enumerate(graph.specs)
            for entry in spec.options.depends_on
        )


def _missing(specs: Sequence[Spec], is_there: Callable[[str], bool]) -> set[str]:
    """Return the files that specs start from and that neither the base has nor one of them creates."""
    created = {ref.path for spec in specs for ref in spec.files if ref.action in MAKING}
    used = (ref for spec in specs for ref in spec.files if ref.action not in MAKING)
    return {
        ref.path
        for ref in used
        if not ref.optional and ref.path not in created and not is_there(ref.path)
    }


def _reached(
    specs: Sequence[Spec], candidates: Sequence[Spec], is_there: Callable[[str], bool]
) -> list[Spec]:
    """Return the specs of `candidates` that one of `specs` depends on, or whose new files it uses."""
    graph = Graph((*specs, *candidates))
    needed = frozenset[int]().union(*graph.needs[: len(specs)])
    missing = _missing(specs, is_there)
    return [
        spec
        for at, spec in enumerate(candidates, len(specs))
        if at in needed or any(ref.action in MAKING and ref.path in missing for ref in spec.files)
    ]


class Order(Struct, frozen=True):
    """Specs by index, in the order of a run: `ranks` is the rank of each, `before` its predecessors."""

    graph: Graph
    ranks: tuple[int, ...]
    before: tuple[frozenset[int], ...]
    touched: tuple[frozenset[str], ...]
    written: tuple[frozenset[str], ...]

    def needed(self, index: int) -> tuple[int, ...]:
        """Return the predecessors of a spec whose files affect it, in the order of a run."""
        return self._relevant(index, self.before[index])

    def earlier(self, index: int) -> tuple[int, ...]:
        """Return all earlier specs of a run whose files affect the spec, in that order."""
        rank = self.ranks[index]
        before = (at for at, other_rank in enumerate(self.ranks) if other_rank < rank)
        return self._relevant(index, frozenset(before))

    def _relevant(self, index: int, among: frozenset[int]) -> tuple[int, ...]:
        files = set(self.touched[index])
        relevant = []
        for earlier in sorted(among, key=self.ranks.__getitem__, reverse=True):
            if not files.isdisjoint(self.written[earlier]):
                relevant.append(earlier)
                files |= set(self.touched[earlier])
        return tuple(reversed(relevant))


def order_of(specs: Sequence[Spec], *, is_there: Callable[[str], bool]) -> Order:
    """Return the order of the specs; if dependencies form a cycle, no spec waits for another."""
    graph = Graph(tuple(specs))
    files = [files_by_path(spec) for spec in specs]
    touched = tuple(frozenset(by_path) for by_path in files)
    written = tuple(
        frozenset(path for path, refs in by_path.items() if _writes(refs)) for by_path in files
    )
    try:
        links = implied(specs, is_there=is_there, graph=graph).links
        direct = predecessors(graph, links)
    except UsageError:  # the cycle is reported by its own rule
        direct = [set() for _ in specs]
    ordered = list(turns(direct, [(spec.path, spec.index) for spec in specs]))
    ranks = tuple(sorted(range(len(specs)), key=ordered.__getitem__))
    before = tuple(reachable(direct, index) for index in range(len(specs)))
    return Order(graph, ranks, before, touched, written)


def _writes(refs: tuple[FileRef, ...]) -> bool:
    return any(ref.action is not FileAction.READ for ref in refs)


RENAMED = 0.5
"""The share of lines that must remain for git, too, to detect a rename."""


class Overlay:
    """The files of a base with the changes of some specs; a file written by a model exists with unknown text."""

    def __init__(self, base: Files) -> None:
        self.base = base
        self._texts: dict[str, str | None] = {}
        self._unknown: dict[str, Spec] = {}
        self._authors: dict[str, Spec] = {}

    def copy(self) -> Overlay:
        """Return an independent copy."""
        twin = Overlay(self.base)
        twin._texts = dict(self._texts)
        twin._unknown = dict(self._unknown)
        twin._authors = dict(self._authors)
        return twin

    def apply(self, changes: Iterable[Change], spec: Spec) -> None:
        """Add the changes of a spec's edit script."""
        for change in changes:
            self._texts[change.path] = change.content
            self._unknown.pop(change.path, None)
            self._authors[change.path] = spec

    def assume(self, spec: Spec) -> None:
        """Add the files that a spec lists as written, with unknown text."""
        for ref in spec.writes():
            if ref.action not in MAKING and self.kind(ref.path) != "file":
                continue
            self._authors[ref.path] = spec
            if ref.action is FileAction.DELETE:
                self._texts[ref.path] = None
                self._unknown.pop(ref.path, None)
            else:
                self._unknown[ref.path] = spec

    def author(self, path: str) -> Spec | None:
        """Return the last spec that changed a path, or None."""
        return self._authors.get(path)

    def old_name(self, path: str) -> str | None:
        """Return the old name of a file that the base lacks: that of the most similar removed file, or None."""
        text = self._texts.get(path)
        if text is None or self.base.text(path) is not None:
            return None
        gone = [name for name, content in self._texts.items() if content is None]
        alike = {name: _likeness(self.base.text(name) or "", text) for name in gone}
        best = max(alike, key=alike.__getitem__, default=None)
        return best if best is not None and alike[best] >= RENAMED else None

    def is_known(self, path: str) -> bool:
        """Return False if the file's text is a model's work, and so unknown."""
        return path not in self._unknown

    def kind(self, path: str) -> Kind | None:
        """Return the kind of a path, or None if it does not exist."""
        if path in self._unknown or self._texts.get(path) is not None:
            return "file"
        inside = f"{path}/"
        created = (name for name, text in self._texts.items() if text is not None)
        if any(name.startswith(inside) for name in (*created, *self._unknown)):
            return "dir"
        return None if path in self._texts else self.base.kind(path)

    def line_count(self, path: str) -> int | None:
        """Return the number of a file's lines, or None if unknown."""
        if path in self._unknown:
            return None
        text = self._texts.get(path)
        if path not in self._texts:
            return self.base.line_count(path)
        return None if text is None else text.count("\n") + bool(text and not text.endswith("\n"))

    def names(self, folder: str) -> Iterable[str]:
        """Return the names in a folder."""
        start = f"{folder}/" if folder else ""
        created = [path for path, text in self._texts.items() if text is not None]
        inside = (path for path in (*created, *self._unknown) if path.startswith(start))
        new = {path[len(start) :].partition("/")[0] for path in inside}
        gone = {path for path, text in self._texts.items() if text is None}
        return new | {name for name in self.base.names(folder) if start + name not in gone}

    def text(self, path: str) -> str | None:
        """Return a file's content, or None if there is none."""
        return self._texts[path] if path in self._texts else self.base.text(path)

    def is_touched(self, path: str) -> bool:
        """Return True if a spec's edit script changed the path."""
        return path in self._texts


def _likeness(old: str, new: str) -> float:
    if old == new:
        return 1.0
    from difflib import SequenceMatcher

    return SequenceMatcher(None, old.split("\n"), new.split("\n"), autojunk=False).ratio()
