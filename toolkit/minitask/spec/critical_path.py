"""Chains of tasks that wait for each other: which task is urgent, which wave shows it, which chain is the longest."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from minitask.spec.dependency_graph import Graph, check_acyclic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minitask.spec.file_dependencies import Dependency
    from minitask.spec.model import Spec


def urgency(specs: Sequence[Spec], links: Sequence[Dependency]) -> tuple[int, ...]:
    """Return for each spec the number of tasks on the longest chain that starts with it, itself included."""
    return chain_lengths(_followers(_predecessors(specs, links)))


def wave_numbers(specs: Sequence[Spec], links: Sequence[Dependency]) -> tuple[int, ...]:
    """Return for each spec the wave that it is in, from 1: all that it waits for is in earlier ones."""
    return chain_lengths(_predecessors(specs, links))


def critical_path(specs: Sequence[Spec], links: Sequence[Dependency]) -> tuple[int, ...]:
    """Return the indices of the longest chain, first task first; of several the one with the lowest indices."""
    followers = _followers(_predecessors(specs, links))
    lengths = chain_lengths(followers)
    chain: list[int] = []
    remaining, choice = max(lengths, default=0), set(range(len(specs)))
    while remaining:
        chain.append(min(index for index in choice if lengths[index] == remaining))
        remaining, choice = remaining - 1, followers[chain[-1]]
    return tuple(chain)


def predecessors(graph: Graph, links: Sequence[Dependency]) -> list[set[int]]:
    """Return for each spec of an acyclic graph those that it waits for, by `depends_on` or by a link."""
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
