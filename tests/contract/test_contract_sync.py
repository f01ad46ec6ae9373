"""Two clones share task branches, attempts and the ledger through a remote, and nothing is lost on either side."""

from __future__ import annotations

from pathlib import Path

import pytest

from world import World, run


@pytest.fixture
def remote(world: World, tmp_path: Path) -> Path:
    return world.add_remote().root


def clone(remote: Path, world: World, folder: Path) -> World:
    world.git("push", "-q", "origin", "main")
    run(("git", "clone", "-q", str(remote), str(folder)), cwd=folder.parent)
    return World(folder)


def task(world: World, number: int) -> None:
    name = f"{number}.txt"
    world.task(f"p/{number:02d}-x", whole={name: "x\n"}, validation=f"grep -qx x {name}")


def ledger(world: World) -> set[str]:
    return set(world.git("ls-tree", "-r", "--name-only", "refs/minitask/ledger").splitlines())


def test_a_clone_gets_what_another_one_shared(world: World, remote: Path, tmp_path: Path) -> None:
    task(world, 1)
    other = clone(remote, world, tmp_path / "other")
    assert world.exec("p/01-x", "--no-merge").json["verdict"] == "ready"
    done = world.minitask("sync", "--json")
    assert done.code == 0, done.text
    assert "refs/heads/minitask/p/01-x" in done.json["pushed"]
    got = other.minitask("sync", "--json").json
    assert "refs/minitask/ledger" in got["fetched"]
    assert ledger(other) == ledger(world)
    assert other.tip("minitask/p/01-x") == world.tip("minitask/p/01-x")
    assert other.minitask("merge", "p/01-x").code == 0
    assert other.has("1.txt")


def test_a_merged_task_whose_records_nobody_shared_can_run_again(
    world: World, remote: Path, tmp_path: Path
) -> None:
    """As after `git push --all`: the task's branch is there, its attempts and the ledger are not."""
    task(world, 1)
    assert world.exec("p/01-x").json["verdict"] == "merged"
    world.git("push", "-q", "origin", "--all")
    other = clone(remote, world, tmp_path / "other")
    assert other.minitask("sync").code == 0
    assert other.minitask("undo", "p/01-x").code == 0
    again = other.exec("p/01-x")
    assert again.json["verdict"] == "merged", again.text


@pytest.mark.variant
def test_two_ledgers_merge_as_a_union(world: World, remote: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        task(world, number)
    other = clone(remote, world, tmp_path / "other")
    world.exec("p/01-x")
    other.exec("p/02-x")
    other.exec("p/03-x")
    for each in (world, other, world):
        outcome = each.minitask("sync")
        assert outcome.code == 0, outcome.text
    assert ledger(world) == ledger(other)
    assert {name.split("/")[1] for name in ledger(world)} == {"01-x", "02-x", "03-x"}
    assert world.git("fsck", "--strict") == ""


def test_attempts_of_one_number_and_branches_that_differ_are_both_kept(
    world: World, remote: Path, tmp_path: Path
) -> None:
    task(world, 1)
    other = clone(remote, world, tmp_path / "other")
    other.git("config", "user.name", "Otto Other")
    world.exec("p/01-x", "--no-merge")
    other.exec("p/01-x", "--no-merge")
    mine, theirs = world.tip("minitask/p/01-x"), other.tip("minitask/p/01-x")
    assert mine != theirs
    world.minitask("sync")
    said = other.minitask("sync", "--json").json
    assert said["kept"] == ["refs/heads/minitask/p/01-x"]
    assert other.tip("minitask/p/01-x") == theirs
    world.minitask("sync")
    assert world.tip("minitask/p/01-x") == mine
    held = run(("git", "for-each-ref", "--format=%(objectname)"), cwd=remote).stdout.split()
    assert {mine, theirs} <= set(held)
    assert len(ledger(world)) == 2


def test_a_remote_that_is_not_there_is_met_with_the_way_out(world: World) -> None:
    assert "git remote add" in world.minitask("sync").text
    assert world.minitask("sync", "nowhere").code == 2
    world.git("remote", "add", "origin", str(world.root / "gone"))
    outcome = world.minitask("sync")
    assert outcome.code == 3
    assert "Traceback" not in outcome.text


def test_syncing_again_moves_nothing(world: World, remote: Path) -> None:
    task(world, 1)
    world.exec("p/01-x")
    assert world.minitask("sync").code == 0
    again = world.minitask("sync", "--json").json
    assert (again["fetched"], again["pushed"], again["kept"]) == ([], [], [])


def test_a_repository_without_a_remote_is_told_so(world: World) -> None:
    outcome = world.minitask("sync")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "there is no git remote\n  fix: git remote add origin URL" in outcome.stderr


def test_a_remote_that_cannot_be_reached_is_a_matter_of_the_connection(world: World) -> None:
    world.git("remote", "add", "origin", "http://127.0.0.1:9/x.git")
    outcome = world.minitask("sync")
    assert (outcome.code, "fix: check the connection" in outcome.stderr) == (3, True), outcome.text
