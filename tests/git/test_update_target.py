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


def locked(world: World) -> tuple[str, str]:
    """Try to move the branch while its ref is locked; the new commit, and what is in the way."""
    old = world.tip()
    world.git("rm", "-q", "gone.txt")
    world.commit({"a.txt": "new\n", "deep/er/new.txt": "n\n"})
    world.git("commit", "-q", "--amend", "-m", "all", "-a")
    new = world.tip()
    world.git("reset", "-q", "--hard", old)
    world.write({"b.txt": "staged\n"})
    world.git("add", "b.txt")
    world.write({"b.txt": "edited\n", "mine.txt": "mine\n"})
    repository = discover(world.root, os.environ)
    repository.home.mkdir(exist_ok=True)
    lock = world.root / f".git/{TARGET}.lock"
    lock.touch()
    outcome = update_target(repository, TargetMove(TARGET, old, new))
    lock.unlink()
    assert (outcome.done, world.tip()) == (False, old)
    return new, outcome.obstacle


def test_a_branch_that_git_cannot_lock_stays_with_its_files_and_its_index(world: World) -> None:
    world.commit({"b.txt": "b\n", "gone.txt": "g\n"})
    new, obstacle = locked(world)
    assert "remove the file" in obstacle
    assert f"{TARGET}.lock" in obstacle
    assert "edits" not in obstacle
    assert world.git("status", "--porcelain").splitlines() == ["MM b.txt", "?? mine.txt"]
    assert (world.root / "b.txt").read_text() == "edited\n"
    repository = discover(world.root, os.environ)
    assert update_target(repository, TargetMove(TARGET, world.tip(), new)).done
    assert world.git("status", "--porcelain").splitlines() == ["MM b.txt", "?? mine.txt"]
