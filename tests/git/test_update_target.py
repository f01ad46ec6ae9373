"""The target moves by compare-and-swap, from the commit that was merged into, or it does not move."""

from __future__ import annotations

import os

import pytest

from minitask.git.repository import discover
from minitask.git.restore_checkout import TargetMove
from minitask.git.update_target import update_target
from world import World

TARGET = "refs/heads/main"


@pytest.mark.parametrize("is_checked_out", [True, False])
def test_a_target_that_moved_meanwhile_stays_where_it_is(
    world: World, *, is_checked_out: bool
) -> None:
    old = world.tip()
    new = world.git("commit-tree", "-p", old, "-m", "merge", "main^{tree}")
    moved = world.commit({"meanwhile.txt": "m\n"})
    if not is_checked_out:
        world.git("checkout", "-q", "-b", "aside")
    repository = discover(world.root, os.environ)
    repository.home.mkdir(exist_ok=True)
    outcome = update_target(repository, TargetMove(TARGET, old, new))
    assert (outcome.done, outcome.moved_meanwhile) == (False, True)
    assert world.tip() == moved
    new = world.git("commit-tree", "-p", moved, "-m", "merge", "main^{tree}")
    assert update_target(repository, TargetMove(TARGET, moved, new)).done
    assert world.tip() == new
