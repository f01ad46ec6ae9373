"""Derive the order of tasks from their declared files, besides `depends_on`.

Rules, with paths compared as the least strict file system does:

- A task that creates a file comes before all that read, edit or delete it. If no task creates a missing file, those
  that "create or edit" it do.
- A task that deletes a file comes after all that read or edit it. If two delete it, there is no order.
- An existing file that one task creates and another deletes gives no order: either may come first.
- Optional references give no order. A rename in an edit script counts as the spec's listed actions on both paths.
- The Next Task section gives an order only on request.

`depends_on` takes precedence: an implied link that contradicts it, directly or indirectly, is dropped. So is one that
contradicts an earlier implied link: creations come first, then deletions, then Next Task, each by index.

Two unordered tasks clash if one writes a file that the other reads or writes: they must not run at once, but either may
be first. Cited lines do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from graphlib import TopologicalSorter

from msgspec import Struct

from minitask.spec.dependency_graph import Graph, check_acyclic
from minitask.spec.model import FileAction, FileRef, Spec
from minitask.spec.project import TASK_NUMBER, files_by_path, shared_files

Touched = Sequence[Mapping[str, tuple[FileRef, ...]]]


class DependencyKind(StrEnum):
    """The reason why one task comes before another, strongest first."""

    CREATE_READ = "create-then-read"
    CREATE_EDIT = "create-then-edit"
    USE_DELETE = "use-then-delete"
    NEXT_TASK = "next-task"


RANKS = {
    DependencyKind.CREATE_READ: 0,
    DependencyKind.CREATE_EDIT: 0,
    DependencyKind.USE_DELETE: 1,
    DependencyKind.NEXT_TASK: 2,
}


class Dependency(Struct, frozen=True):
    """The spec at index `before` comes before the one at `after`; `path` is empty for a Next Task."""

    before: int
    after: int
    kind: DependencyKind
    path: str = ""


class WriteClash(Struct, frozen=True):
    """The specs at `first` and `second` (the higher index) must not run at once: both use `path`, one writes it."""

    first: int
    second: int
    path: str


class ImpliedOrder(Struct, frozen=True):
    """The order implied by files: links that hold, clashes between unordered tasks, and links dropped for a cycle."""

    links: tuple[Dependency, ...] = ()
    clashes: tuple[WriteClash, ...] = ()
    dropped: tuple[Dependency, ...] = ()


def implied(
    specs: Sequence[Spec],
    *,
    next_task: bool = False,
    is_there: Callable[[str], bool] = lambda _path: True,
    graph: Graph | None = None,
) -> ImpliedOrder:
    """Return the order that the specs' files imply, by index in `specs`.

    `is_there` tells if a file exists before the tasks. The links are consistent with `depends_on`; a cycle of
    `depends_on` itself raises `UsageError`. `graph` is the specs' graph, if the caller has it.
    """
    graph = graph or Graph(tuple(specs))
    check_acyclic(graph)
    touched = [files_by_path(spec) for spec in specs]
    candidates = set(_by_files(touched, is_there))
    if next_task:
        candidates.update(_by_next_task(graph))
    order = WriterOrder(len(specs))
    for index, needs in enumerate(graph.needs):
        for need in needs:
            order.add(need, index)
    links: list[Dependency] = []
    dropped: list[Dependency] = []
    for link in sorted(
        candidates, key=lambda d: (RANKS[d.kind], d.before, d.after, d.path, d.kind)
    ):
        (links if order.add(link.before, link.after) else dropped).append(link)
    return ImpliedOrder(tuple(links), tuple(_clashes(touched, order)), tuple(dropped))


class WriterOrder:
    """A growing acyclic order of indices: for each index, bit sets of those before and after it."""

    def __init__(self, size: int) -> None:
        self._before = [0] * size
        self._behind = [0] * size

    def add(self, first: int, then: int) -> bool:
        """Put one index before another; return False and change nothing if that closes a cycle."""
        if first == then or self._before[first] >> then & 1:
            return False
        if self._before[then] >> first & 1:
            return True
        before = self._before[first] | 1 << first
        behind = self._behind[then] | 1 << then
        for index in _set_bits(behind):
            self._before[index] |= before
        for index in _set_bits(before):
            self._behind[index] |= behind
        return True

    def holds(self, first: int, second: int) -> bool:
        """Return True if one of the two comes before the other."""
        return bool((self._before[first] | self._behind[first]) >> second & 1)


def _set_bits(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _by_files(touched: Touched, is_there: Callable[[str], bool]) -> Iterator[Dependency]:
    for path, uses in _written_files(touched):
        exists = is_there(path)
        makers = _makers(uses, exists=exists)
        removers = [index for index, actions in uses.items() if FileAction.DELETE in actions]
        if makers and removers and exists:
            continue
        yield from _creations(path, uses, makers)
        if len(removers) == 1:
            users = (user for user in uses if user not in {*removers, *makers})
            kind = DependencyKind.USE_DELETE
            yield from (Dependency(user, removers[0], kind, path) for user in users)


def _written_files(touched: Touched) -> Iterator[tuple[str, dict[int, set[FileAction]]]]:
    """Yield each file that a spec writes and others name, with what each spec certainly does to it."""
    paths: dict[str, str] = {}
    users: dict[str, dict[int, set[FileAction]]] = {}
    for index, files in enumerate(touched):
        for key, refs in files.items():
            paths.setdefault(key, refs[0].path)
            actions = {ref.action for ref in refs if not ref.optional}
            users.setdefault(key, {})[index] = actions
    for key, actions_by_spec in users.items():
        path = paths[key]
        uses = {index: verbs for index, verbs in actions_by_spec.items() if verbs}
        if len(uses) > 1 and any(verbs != {FileAction.READ} for verbs in uses.values()):
            yield path, uses


def _makers(uses: Mapping[int, set[FileAction]], *, exists: bool) -> list[int]:
    """Return the specs that create a file: explicitly or, if it does not exist, possibly."""
    creators = [index for index, actions in uses.items() if FileAction.CREATE in actions]
    if creators or exists:
        return creators
    return [index for index, actions in uses.items() if FileAction.WRITE in actions]


def _creations(
    path: str, uses: Mapping[int, set[FileAction]], makers: Sequence[int]
) -> Iterator[Dependency]:
    for user, actions in uses.items():
        reads = actions == {FileAction.READ}
        kind = DependencyKind.CREATE_READ if reads else DependencyKind.CREATE_EDIT
        if user not in makers:
            yield from (Dependency(maker, user, kind, path) for maker in makers)


def _by_next_task(graph: Graph) -> Iterator[Dependency]:
    for index, spec in enumerate(graph.specs):
        for number in dict.fromkeys(TASK_NUMBER.findall(spec.next_task)):
            matches = graph.find(number, asker=index)
            if not graph.is_ambiguous(matches):
                yield from (Dependency(index, then, DependencyKind.NEXT_TASK) for then in matches)


def _clashes(touched: Touched, order: WriterOrder) -> Iterator[WriteClash]:
    for (first, second), keys in sorted(shared_files(touched).items()):
        if not order.holds(first, second):
            paths = sorted(touched[first][key][0].path for key in keys)
            yield from (WriteClash(first, second, path) for path in paths)


def urgency(specs: Sequence[Spec], links: Sequence[Dependency]) -> tuple[int, ...]:
    """Return for each spec the length of the longest chain that starts with it, itself included."""
    return chain_lengths(_followers(_predecessors(specs, links)))


def wave_numbers(specs: Sequence[Spec], links: Sequence[Dependency]) -> tuple[int, ...]:
    """Return the wave of each spec, from 1: its predecessors are in earlier waves."""
    return chain_lengths(_predecessors(specs, links))


def critical_path(specs: Sequence[Spec], links: Sequence[Dependency]) -> tuple[int, ...]:
    """Return the longest chain of indices, first task first; among equals, the one with the lowest indices."""
    followers = _followers(_predecessors(specs, links))
    lengths = chain_lengths(followers)
    chain: list[int] = []
    remaining, choice = max(lengths, default=0), set(range(len(specs)))
    while remaining:
        chain.append(min(index for index in choice if lengths[index] == remaining))
        remaining, choice = remaining - 1, followers[chain[-1]]
    return tuple(chain)


def predecessors(graph: Graph, links: Sequence[Dependency]) -> list[set[int]]:
    """Return for each spec of an acyclic graph its predecessors, by `depends_on` or by a link."""
    edges = [set(needs) for needs in graph.needs]
    for link in links:
        edges[link.after].add(link.before)
    return edges


def _predecessors(specs: Sequence[Spec], links: Sequence[Dependency]) -> list[set[int]]:
    graph = Graph(tuple(specs))
    check_acyclic(graph)
    return predecessors(graph, links)


def _followers(predecessors: Sequence[set[int]]) -> list[set[int]]:
    followers: list[set[int]] = [set() for _ in predecessors]
    for index, before in enumerate(predecessors):
        for earlier in before:
            followers[earlier].add(index)
    return followers


def chain_lengths(edges: Sequence[set[int]]) -> tuple[int, ...]:
    """Return for each index the number of indices on the longest path along the edges."""
    lengths = [1] * len(edges)
    for index in TopologicalSorter(dict(enumerate(edges))).static_order():
        lengths[index] = 1 + max((lengths[neighbour] for neighbour in edges[index]), default=0)
    return tuple(lengths)
