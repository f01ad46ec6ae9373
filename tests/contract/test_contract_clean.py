"""Cleaning removes what is the toolkit's own, and nothing else."""

from __future__ import annotations

import pytest

from world import World


@pytest.fixture
def used(world: World) -> World:
    """One landed, one failed and one ready task, among things of the user's own."""
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    world.task("p/02-c", whole={"c.txt": "c\n"}, validation="grep -qx never c.txt")
    world.task("p/03-d", whole={"d.txt": "d\n"}, validation="grep -qx d d.txt")
    assert world.exec("p/01-b").json["verdict"] == "merged"
    assert world.exec("p/02-c").json["verdict"] == "failed"
    assert world.exec("p/03-d", "--no-merge").json["verdict"] == "ready"
    for branch in ("mine", "minitask-notes", "minitask/mine"):
        world.git("branch", branch)
    world.git("tag", "v1")
    world.write({"a.txt": "stashed\n"})
    world.git("stash", "push", "--quiet")
    world.write({"a.txt": "edited\n", "untracked.txt": "u\n"})
    return world


def users(world: World) -> dict[str, object]:
    """What is not the toolkit's own."""
    landing = "refs/minitask/landing/"
    files = {p: p.read_bytes() for p in world.root.iterdir() if p.is_file()}
    refs = {name: oid for name, oid in world.refs().items() if not name.startswith(landing)}
    return {
        "refs": refs,
        "files": files,
        "index": world.git("ls-files", "--stage"),
        "stash": world.git("stash", "list"),
        "config": (world.root / ".git/config").read_bytes(),
    }


def own_folders(world: World) -> list[str]:
    folder = world.root / ".git/minitask"
    return (
        sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.exists() else []
    )


def test_clean_keeps_branches_attempts_records_and_all_that_is_the_users(used: World) -> None:
    before = users(used)
    assert own_folders(used) != []
    outcome = used.minitask("clean")
    assert outcome.code == 0, outcome.text
    assert users(used) == before
    assert own_folders(used) == []
    assert used.refs("refs/minitask/landing") == {}
    for words in (("clean", "--dry-run"), ("clean", "--dry-run"), ("clean",)):
        outcome = used.minitask(*words)
        assert outcome.stdout == "nothing to clean\n", "what the command itself made"
        assert own_folders(used) == []


@pytest.mark.variant
def test_all_goes_on_after_a_clean(used: World) -> None:
    used.minitask("clean")
    assert used.minitask("status", "p").code == 0
    assert used.minitask("show", "p/01-b").code == 0
    outcome = used.minitask("merge", "p/03-d")
    assert outcome.code == 0, outcome.text
    assert used.has("d.txt")


@pytest.mark.variant
def test_clean_branches_removes_only_the_branches_of_landed_tasks(used: World) -> None:
    before = used.refs("refs/heads", "refs/tags", "refs/stash", "refs/minitask/attempts")
    outcome = used.minitask("clean", "--branches")
    assert outcome.code == 0, outcome.text
    after = used.refs("refs/heads", "refs/tags", "refs/stash", "refs/minitask/attempts")
    gone = set(before) - set(after)
    assert gone == {"refs/heads/minitask/p/01-b"}
    assert set(after) <= set(before)
    assert used.minitask("exec", "p/01-b").code == 0


def test_clean_branches_keeps_one_that_is_checked_out_or_was_edited_since(used: World) -> None:
    used.git("checkout", "-q", "minitask/p/01-b")
    used.minitask("clean", "--branches")
    assert "refs/heads/minitask/p/01-b" in used.refs()
    used.commit({"more.txt": "by hand\n"})
    used.git("checkout", "-q", "main")
    used.minitask("clean", "--branches")
    assert "refs/heads/minitask/p/01-b" in used.refs()


def test_a_dry_run_says_what_would_go_and_removes_nothing(used: World) -> None:
    before, folders = used.refs(), own_folders(used)
    outcome = used.minitask("clean", "--branches", "--dry-run")
    assert outcome.code == 0
    assert "minitask/p/01-b" in outcome.text
    assert used.refs() == before
    assert own_folders(used) == folders


def test_clean_of_a_repository_that_was_never_used_does_nothing(world: World) -> None:
    before = world.refs()
    assert world.minitask("clean").code == 0
    assert world.refs() == before
