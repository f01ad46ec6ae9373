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
    """For each spec, the number of tasks on the longest chain that starts with it, itself included."""
    return chain_lengths(_followers(_predecessors(specs, links)))


def wave_numbers(specs: Sequence[Spec], links: Sequence[Dependency]) -> tuple[int, ...]:
    """For each spec, the wave that it is in, from 1: all that it waits for is in earlier ones."""
    return chain_lengths(_predecessors(specs, links))


def critical_path(specs: Sequence[Spec], links: Sequence[Dependency]) -> tuple[int, ...]:
    """Return the places of the longest chain, first task first; of several the one that begins with the lowest
    places.
    """
    followers = _followers(_predecessors(specs, links))
    lengths = chain_lengths(followers)
    chain: list[int] = []
    left, choice = max(lengths, default=0), set(range(len(specs)))
    while left:
        chain.append(min(place for place in choice if lengths[place] == left))
        left, choice = left - 1, followers[chain[-1]]
    return tuple(chain)


def predecessors(graph: Graph, links: Sequence[Dependency]) -> list[set[int]]:
    """For each spec of a graph without a circle, those that it waits for, as it says itself or by a link."""
    found = [set(needs) for needs in graph.needs]
    for link in links:
        found[link.after].add(link.before)
    return found


def _predecessors(specs: Sequence[Spec], links: Sequence[Dependency]) -> list[set[int]]:
    graph = Graph(tuple(specs))
    check_acyclic(graph)
    return predecessors(graph, links)


def _followers(predecessors: Sequence[set[int]]) -> list[set[int]]:
    found: list[set[int]] = [set() for _ in predecessors]
    for place, before in enumerate(predecessors):
        for each in before:
            found[each].add(place)
    return found


def chain_lengths(edges: Sequence[set[int]]) -> tuple[int, ...]:
    """For each place, the number of places on the longest way along the edges."""
    lengths = [1] * len(edges)
    for place in TopologicalSorter(dict(enumerate(edges))).static_order():
        lengths[place] = 1 + max((lengths[each] for each in edges[place]), default=0)
    return tuple(lengths)
