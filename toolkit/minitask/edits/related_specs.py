"""Which specs matter to those that are judged, and which come before which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.errors import UsageError
from minitask.spec.critical_path import predecessors
from minitask.spec.dependency_graph import Graph
from minitask.spec.file_dependencies import implied
from minitask.spec.model import FileAction, Spec
from minitask.spec.project import files_by_path

if TYPE_CHECKING:
    from minitask.spec.model import FileRef, Spec

MAKING = (FileAction.CREATE, FileAction.WRITE)


class Universe(Struct, frozen=True):
    """The judged specs, and the others of their project; further ones are taken in where these need them."""

    judged: Sequence[Spec]
    near: Sequence[Spec]
    is_there: Callable[[str], bool]
    far: Sequence[Spec] = ()

    @property
    def specs(self) -> list[Spec]:
        """All that matter."""
        return [*self.judged, *self.near, *self.far]

    @property
    def is_complete(self) -> bool:
        """Return True if every dependency, and every file that a spec starts from, is found among the specs or in
        the base.
        """
        return not (self._unknown_needs() or _missing(self.specs, self.is_there))

    def with_others(self, others: Sequence[Spec]) -> Universe:
        """Return the universe with those of other specs that are depended on, or make a file that is used."""
        known, left = self.specs, list(others)
        while True:
            found = _reached(known, left, self.is_there)
            if not found:
                far = known[len(self.judged) + len(self.near) :]
                return Universe(self.judged, self.near, self.is_there, far)
            known += found
            taken = set(map(id, found))
            left = [spec for spec in left if id(spec) not in taken]

    def _unknown_needs(self) -> bool:
        graph = Graph(tuple(self.specs))
        return any(
            not graph.find(entry, asker=place)
            for place, spec in enumerate(graph.specs)
            for entry in spec.options.depends_on
        )


def _missing(specs: Sequence[Spec], is_there: Callable[[str], bool]) -> set[str]:
    """Return the files that specs start from, and that are neither in the base nor made by one of them."""
    made = {ref.path for spec in specs for ref in spec.files if ref.action in MAKING}
    used = (ref for spec in specs for ref in spec.files if ref.action not in MAKING)
    return {
        ref.path
        for ref in used
        if not ref.optional and ref.path not in made and not is_there(ref.path)
    }


def _reached(
    known: Sequence[Spec], left: Sequence[Spec], is_there: Callable[[str], bool]
) -> list[Spec]:
    """Return the specs of `left` that one of `known` depends on, or whose new files it uses."""
    graph = Graph((*known, *left))
    wanted = {
        place for asker in range(len(known)) for place in graph.needs[asker] if place >= len(known)
    }
    missing = _missing(known, is_there)
    for at, spec in enumerate(left, len(known)):
        if any(ref.action in MAKING and ref.path in missing for ref in spec.files):
            wanted.add(at)
    return [graph.specs[place] for place in sorted(wanted)]


class Order(Struct, frozen=True):
    """Specs by place, in the order of a run: `ranks` gives each one's turn, `before` all that it waits for."""

    graph: Graph
    ranks: tuple[int, ...]
    before: tuple[frozenset[int], ...]
    touched: tuple[frozenset[str], ...]
    written: tuple[frozenset[str], ...]

    def needed(self, place: int) -> tuple[int, ...]:
        """Return the specs that the one at a place waits for and whose files matter to it, in the order of a run."""
        return self._relevant(place, self.before[place])

    def earlier(self, place: int) -> tuple[int, ...]:
        """Return all specs that come before it in a run and whose files matter to it, in that order."""
        rank = self.ranks[place]
        return self._relevant(
            place, frozenset(at for at, own in enumerate(self.ranks) if own < rank)
        )

    def _relevant(self, place: int, among: frozenset[int]) -> tuple[int, ...]:
        files = set(self.touched[place])
        found = []
        for other in sorted(among, key=self.ranks.__getitem__, reverse=True):
            if not files.isdisjoint(self.written[other]):
                found.append(other)
                files |= set(self.touched[other])
        return tuple(reversed(found))


def order_of(specs: Sequence[Spec], *, is_there: Callable[[str], bool]) -> Order:
    """Return the order of some specs; in a circle of dependencies nobody waits for anybody."""
    graph = Graph(tuple(specs))
    files = [files_by_path(spec) for spec in specs]
    touched = tuple(frozenset(own) for own in files)
    written = tuple(frozenset(path for path, refs in own.items() if _writes(refs)) for own in files)
    try:
        links = implied(specs, is_there=is_there, graph=graph).links
        direct = predecessors(graph, links)
    except UsageError:  # the circle has a rule of its own
        direct = [set() for _ in specs]
    return Order(graph, _ranks(specs, direct), _closed(direct), touched, written)


def _ranks(specs: Sequence[Spec], direct: Sequence[set[int]]) -> tuple[int, ...]:
    """Return each spec's turn: after all that it waits for, else by path and place in the file."""
    left = [len(needs) for needs in direct]
    keys = [(spec.path, spec.index, place) for place, spec in enumerate(specs)]
    ready = [keys[place] for place, count in enumerate(left) if not count]
    heapify(ready)
    ranks = [len(specs)] * len(specs)
    turn = 0
    while ready:
        place = heappop(ready)[2]
        ranks[place] = turn
        turn += 1
        for user, needs in enumerate(direct):
            if place in needs:
                left[user] -= 1
                if not left[user]:
                    heappush(ready, keys[user])
    return tuple(ranks)


def _closed(direct: Sequence[set[int]]) -> tuple[frozenset[int], ...]:
    found: list[frozenset[int]] = []
    for place in range(len(direct)):
        seen: set[int] = set()
        waiting = list(direct[place])
        while waiting:
            other = waiting.pop()
            if other not in seen:
                seen.add(other)
                waiting += direct[other]
        found.append(frozenset(seen))
    return tuple(found)


def _writes(refs: tuple[FileRef, ...]) -> bool:
    from minitask.spec.model import FileAction

    return any(ref.action is not FileAction.READ for ref in refs)
