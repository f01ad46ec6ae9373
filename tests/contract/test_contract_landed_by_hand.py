"""A candidate that a person brought to the target with git is known there; nothing is landed or taken back twice."""

from __future__ import annotations

import pytest

from world import World

NEEDS = {"depends_on": ["01-b"]}
BRANCH = "minitask/p/01-b"


def ready(world: World) -> None:
    """A task that is proven, and not landed."""
    world.proven("p/01-b", whole={"b.txt": "good\n"}, validation="grep -qx good b.txt")


@pytest.mark.parametrize("command", [("cherry-pick", BRANCH), ("merge", "-q", "--ff-only", BRANCH)])
def test_a_candidate_that_git_brought_is_not_landed_again(
    world: World, command: tuple[str, ...]
) -> None:
    ready(world)
    if command[0] == "cherry-pick":
        world.commit({"c.txt": "c\n"})
    world.git(*command)
    there = world.tip()
    assert world.minitask("merge", "p/01-b", "--json").json["tasks"][0]["merge"] == there
    assert world.tip() == there
    assert world.minitask("undo", "p/01-b").code == 0
    assert not world.has("b.txt")


@pytest.mark.parametrize("how", ["--no-ff", "--squash"])
def test_a_branch_that_was_merged_by_hand_is_merged(world: World, how: str) -> None:
    ready(world)
    world.commit({"c.txt": "c\n"})
    world.git("merge", "-q", how, "--no-commit", BRANCH)
    world.git("commit", "-q", "-m", "by hand")
    there = world.tip()
    merged = world.minitask("merge", "p/01-b", "--json").json["tasks"][0]
    assert (merged["verdict"], merged["merge"], world.tip()) == ("merged", there, there)
    (task,) = world.minitask("status", "p", "--json").json["tasks"]
    assert task["state"] == "merged"
    again = world.exec("p/01-b").json
    assert "already merged" in again["reason"], again
    (task,) = world.minitask("run", "p", "--json").json["tasks"]
    assert "already merged" in task["reason"], task
    assert world.minitask("validate", "p").code == 0
    assert world.tip() == there
    world.task("p/02-c", whole={"d.txt": "d\n"}, validation="test -f d.txt", front=NEEDS)
    assert world.exec("p/02-c").json["verdict"] == "merged", "what it depends on has landed"


def test_a_candidate_merges_into_a_history_that_was_replaced(world: World) -> None:
    ready(world)
    world.git("checkout", "-q", "--orphan", "new")
    world.git("commit", "-q", "-m", "all anew")
    world.git("branch", "-M", "main")
    assert world.minitask("status", "p", "--json").json["tasks"][0]["state"] != "merged"
    assert world.minitask("merge", "p/01-b").code == 0
    assert world.show("b.txt") == "good\n"


def test_a_merge_by_hand_is_taken_back_and_its_revert_is_seen(world: World) -> None:
    ready(world)
    world.git("merge", "-q", "--no-ff", "-m", "by hand", BRANCH)
    world.git("revert", "-m1", "--no-edit", "HEAD")
    assert world.minitask("status", "p", "--json").json["tasks"][0]["state"] != "merged"
    world.git("revert", "--no-edit", "HEAD")
    assert world.minitask("undo", "p/01-b").code == 0
    assert not world.has("b.txt")


def test_undo_says_when_nothing_is_left_to_take_back(world: World) -> None:
    ready(world)
    world.git("merge", "-q", "--squash", BRANCH)
    world.git("commit", "-q", "-m", "by hand")
    assert world.minitask("merge", "p/01-b").code == 0
    there = world.tip()
    undone = world.minitask("undo", "p/01-b")
    assert (undone.code, world.tip()) == (1, there), undone.text
    assert "nothing of its merge" in undone.text
    assert world.has("b.txt")
