"""The order of tasks: who depends on whom, what may run side by side, where a circle is."""

from __future__ import annotations

from functools import cached_property
from heapq import heapify, heappop, heappush
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.errors import UsageError
from minitask.spec.task_names import normal_number, project_of, task_name, task_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minitask.spec.model import Spec

__all__ = [
    "Graph",
    "check_acyclic",
    "find_cycle",
    "order",
    "project_of",
    "task_name",
    "task_names",
]


class Graph(Struct, frozen=True, dict=True):
    """Specs by their place in `specs`, and the dependencies between them."""

    specs: tuple[Spec, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the task names, in the specs' order."""
        return task_names(self.specs)

    @cached_property
    def needs(self) -> tuple[frozenset[int], ...]:
        """For each spec, those that it depends on directly, as far as its entries name tasks."""
        return tuple(
            frozenset(
                place
                for entry in spec.options.depends_on
                if not self.is_ambiguous(found := self.find(entry, asker=asker))
                for place in found
            )
            for asker, spec in enumerate(self.specs)
        )

    @cached_property
    def reach(self) -> tuple[frozenset[int], ...]:
        """For each spec, those that it depends on directly or by way of others."""
        return tuple(frozenset(self._walk(self.needs[place])) for place in range(len(self.specs)))

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
            or tuple(place for place in files if self._project(place) == project)
            or self._numbered(normal_number(entry), asker=asker)
            or files
        )

    def is_ambiguous(self, found: Sequence[int]) -> bool:
        """Return True if specs found for one entry are a choice, and share neither a name nor a file."""
        names = {self.names[place] for place in found}
        paths = {self.specs[place].path for place in found}
        return len(names) > 1 and len(paths) > 1

    @cached_property
    def _index(
        self,
    ) -> tuple[
        dict[str, tuple[int, ...]],
        dict[tuple[str, str], tuple[int, ...]],
        dict[str, tuple[int, ...]],
    ]:
        """Return the places by task name, by project and id, and by what their file may be called."""
        by_name: dict[str, tuple[int, ...]] = {}
        by_id: dict[tuple[str, str], tuple[int, ...]] = {}
        by_file: dict[str, tuple[int, ...]] = {}
        for place, name in enumerate(self.names):
            by_name[name] = (*by_name.get(name, ()), place)
            for own in set(self._ids(place)):
                key = (self._project(place), own)
                by_id[key] = (*by_id.get(key, ()), place)
            for file in set(self._file_names(place)):
                by_file[file] = (*by_file.get(file, ()), place)
        return by_name, by_id, by_file

    def _numbered(self, number: str, *, asker: int) -> tuple[int, ...]:
        fitting = tuple(
            place
            for place in self._near(asker)
            if self.specs[place].number and normal_number(self.specs[place].number) == number
        )
        same_file = tuple(p for p in fitting if self.specs[p].path == self.specs[asker].path)
        return same_file or fitting

    def _near(self, asker: int) -> tuple[int, ...]:
        project = self._project(asker)
        return tuple(place for place in range(len(self.specs)) if self._project(place) == project)

    def _project(self, place: int) -> str:
        return self.names[place].partition("/")[0]

    def _ids(self, place: int) -> tuple[str, ...]:
        own = self.names[place].partition("/")[2]
        return (own, self.specs[place].options.id or own)

    def _file_names(self, place: int) -> tuple[str, ...]:
        spec = self.specs[place]
        path = PurePosixPath(spec.path)
        return (path.stem, path.name, spec.path, f"{spec.path}#{spec.number}")

    def _walk(self, start: Iterable[int]) -> Iterator[int]:
        seen: set[int] = set()
        waiting = list(start)
        while waiting:
            place = waiting.pop()
            if place not in seen:
                seen.add(place)
                waiting.extend(self.needs[place])
                yield place


def order(specs: Sequence[Spec]) -> tuple[Spec, ...]:
    """Return the specs so that each follows all that it depends on, else by path and place in the file.

    Dependencies on tasks that are not among them count for nothing; a cycle is a `UsageError`.
    """
    graph = _acyclic(specs)
    left = [len(needs) for needs in graph.needs]
    ready = [(_key(graph.specs[place]), place) for place, count in enumerate(left) if not count]
    heapify(ready)
    users = _users(graph)
    done: list[Spec] = []
    while ready:
        _, place = heappop(ready)
        done.append(graph.specs[place])
        for user in users[place]:
            left[user] -= 1
            if not left[user]:
                heappush(ready, (_key(graph.specs[user]), user))
    return tuple(done)


def find_cycle(specs: Sequence[Spec]) -> tuple[Spec, ...]:
    """Specs of which each depends on the next and the last on the first; empty: no cycle."""
    graph = Graph(tuple(specs))
    return tuple(graph.specs[place] for place in find_circle(graph))


def find_circle(graph: Graph, *, among: frozenset[int] | None = None) -> tuple[int, ...]:
    """As `find_cycle`, by place, among the given places only."""
    left = set(range(len(graph.specs)) if among is None else among)
    while free := {place for place in left if not graph.needs[place] & left}:
        left -= free
    if not left:
        return ()
    trail = [min(left)]
    while (following := min(graph.needs[trail[-1]] & left)) not in trail:
        trail.append(following)
    return tuple(trail[trail.index(following) :])


def _acyclic(specs: Sequence[Spec]) -> Graph:
    graph = Graph(tuple(specs))
    check_acyclic(graph)
    return graph


def check_acyclic(graph: Graph) -> None:
    """Raise `UsageError`, and print the circle, where tasks depend on each other in one."""
    circle = find_circle(graph)
    if circle:
        loop = " -> ".join(graph.names[place] for place in (*circle, circle[0]))
        raise UsageError(
            f"the tasks depend on each other in a cycle: {loop}",
            hint="remove the `depends_on` entry that closes it",
            where=graph.specs[circle[0]].path,
        )


def _users(graph: Graph) -> list[list[int]]:
    users: list[list[int]] = [[] for _ in graph.specs]
    for place, needs in enumerate(graph.needs):
        for need in needs:
            users[need].append(place)
    return users


def _key(spec: Spec) -> tuple[str, int]:
    return (spec.path, spec.index)
