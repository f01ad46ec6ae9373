"""Which candidates would conflict as text, with the target or with each other, found before anything more is spent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, islice

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.task_status import State, TaskStatus
from minitask.engine.tasks import Base
from minitask.git import refs
from minitask.git.merge_tree import merge_tree
from minitask.workspace.temporary_objects import temporary_objects

MOST_PAIRS = 200
"""Pairs of candidates that are merged at most: each takes a git process."""


class Collision(Struct, frozen=True):
    """A task's candidate, and the branch or task that it conflicts with, in which paths."""

    task: str
    other: str
    paths: tuple[str, ...]


class Collisions(Struct, frozen=True):
    """The conflicts found, among how many candidates and pairs of them, and how many pairs were left out."""

    found: tuple[Collision, ...]
    candidates: int
    pairs: int
    left_out: int


def find_collisions(
    engine: Context, tasks: Sequence[TaskStatus], place: Base, *, most_pairs: int = MOST_PAIRS
) -> Collisions:
    """Merge every candidate that has not landed with the target's tip, and with each other one, in memory."""
    candidates = _candidates(engine, tasks)
    target = place.target.removeprefix("refs/heads/")
    count = len(candidates) * (len(candidates) - 1) // 2
    tried = [((name, oid), (target, place.base)) for name, oid in candidates]
    tried += islice(combinations(candidates, 2), most_pairs)
    found = []
    with temporary_objects(engine.repository) as git:
        for (name, theirs), (other, ours) in tried:
            paths = merge_tree(git, ours=ours, theirs=theirs).conflicts
            if paths:
                found.append(Collision(name, other, paths))
    pairs = min(count, most_pairs)
    return Collisions(tuple(found), len(candidates), pairs, count - pairs)


def _candidates(engine: Context, tasks: Sequence[TaskStatus]) -> list[tuple[str, str]]:
    heads = refs.snapshot(engine.repository.git, refs.BRANCHES)
    names = [item.task.name for item in tasks if item.state is not State.MERGED]
    return [(name, heads[refs.branch(name)]) for name in names if refs.branch(name) in heads]
