"""Find the specs that matter to those that are checked, and the order between them."""

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
        """Return all the specs of the universe."""
        return [*self.judged, *self.near, *self.far]

    @property
    def is_complete(self) -> bool:
        """Return True if every dependency, and every file that a spec starts from, is found among the specs or in
        the base.
        """
        return not (self._unknown_needs() or _missing(self.specs, self.is_there))

    def with_others(self, others: Sequence[Spec]) -> Universe:
        """Return the universe with those of other specs that are depended on, or make a file that is used."""
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
    """Return the files that specs start from, and that are neither in the base nor made by one of them."""
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
    reached = {
        index for asker in range(len(specs)) for index in graph.needs[asker] if index >= len(specs)
    }
    missing = _missing(specs, is_there)
    for at, spec in enumerate(candidates, len(specs)):
        if any(ref.action in MAKING and ref.path in missing for ref in spec.files):
            reached.add(at)
    return [graph.specs[index] for index in sorted(reached)]


class Order(Struct, frozen=True):
    """Specs by index, in the order of a run: `ranks` gives each one's turn, `before` all that it waits for."""

    graph: Graph
    ranks: tuple[int, ...]
    before: tuple[frozenset[int], ...]
    touched: tuple[frozenset[str], ...]
    written: tuple[frozenset[str], ...]

    def needed(self, index: int) -> tuple[int, ...]:
        """Return the specs that the one at an index waits for and whose files matter to it, in the order of a run."""
        return self._relevant(index, self.before[index])

    def earlier(self, index: int) -> tuple[int, ...]:
        """Return all specs that come before it in a run and whose files matter to it, in that order."""
        rank = self.ranks[index]
        return self._relevant(
            index, frozenset(at for at, other_rank in enumerate(self.ranks) if other_rank < rank)
        )

    def _relevant(self, index: int, among: frozenset[int]) -> tuple[int, ...]:
        files = set(self.touched[index])
        relevant = []
        for earlier in sorted(among, key=self.ranks.__getitem__, reverse=True):
            if not files.isdisjoint(self.written[earlier]):
                relevant.append(earlier)
                files |= set(self.touched[earlier])
        return tuple(reversed(relevant))


def order_of(specs: Sequence[Spec], *, is_there: Callable[[str], bool]) -> Order:
    """Return the order of some specs; in a cycle of dependencies no spec waits for another."""
    graph = Graph(tuple(specs))
    files = [files_by_path(spec) for spec in specs]
    touched = tuple(frozenset(by_path) for by_path in files)
    written = tuple(
        frozenset(path for path, refs in by_path.items() if _writes(refs)) for by_path in files
    )
    try:
        links = implied(specs, is_there=is_there, graph=graph).links
        direct = predecessors(graph, links)
    except UsageError:  # the circle has a rule of its own
        direct = [set() for _ in specs]
    return Order(graph, _ranks(specs, direct), _closed(direct), touched, written)


def _ranks(specs: Sequence[Spec], direct: Sequence[set[int]]) -> tuple[int, ...]:
    """Return each spec's turn: after all that it waits for, else by path and place in the file."""
    open_needs = [len(needs) for needs in direct]
    keys = [(spec.path, spec.index, index) for index, spec in enumerate(specs)]
    ready = [keys[index] for index, count in enumerate(open_needs) if not count]
    heapify(ready)
    ranks = [len(specs)] * len(specs)
    turn = 0
    while ready:
        index = heappop(ready)[2]
        ranks[index] = turn
        turn += 1
        for user, needs in enumerate(direct):
            if index in needs:
                open_needs[user] -= 1
                if not open_needs[user]:
                    heappush(ready, keys[user])
    return tuple(ranks)


def _closed(direct: Sequence[set[int]]) -> tuple[frozenset[int], ...]:
    closures: list[frozenset[int]] = []
    for index in range(len(direct)):
        reachable: set[int] = set()
        waiting = list(direct[index])
        while waiting:
            current = waiting.pop()
            if current not in reachable:
                reachable.add(current)
                waiting += direct[current]
        closures.append(frozenset(reachable))
    return tuple(closures)


def _writes(refs: tuple[FileRef, ...]) -> bool:
    from minitask.spec.model import FileAction

    return any(ref.action is not FileAction.READ for ref in refs)
