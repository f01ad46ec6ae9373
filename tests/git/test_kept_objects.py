"""What is written stays, whatever `git prune` and `git gc` remove while it is."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from minitask.git.commits import (
    KEPT_SECONDS,
    Database,
    FileWrite,
    NewCommit,
    open_database,
    write_commits,
)
from minitask.git.repository import Repository, Signature, discover
from minitask.git.trees import merge_tree
from world import World, run

WHO = Signature("A", "a@b", "1 +0000")
ELSEWHERE = (Path("/dev/shm"), Path("/var/tmp"))


@pytest.fixture(params=["linked", "copied"])
def store(request: pytest.FixtureRequest, world: World) -> Iterator[World]:
    """A repository of packs alone; its objects can be linked, or lie on another file system."""
    world.git("gc", "-q")
    (world.root / ".git/minitask").mkdir(exist_ok=True)
    if request.param == "linked":
        yield world
        return
    device = world.root.stat().st_dev
    others = [path for path in ELSEWHERE if path.is_dir() and path.stat().st_dev != device]
    if not others:
        pytest.skip("there is no other file system here")
    with tempfile.TemporaryDirectory(dir=others[0]) as folder:
        objects = world.root / ".git/objects"
        shutil.move(objects, f"{folder}/objects")
        objects.symlink_to(f"{folder}/objects")
        yield world


def opened(world: World) -> Repository:
    """The repository as a command has it that holds the lock."""
    return discover(world.root, dict(os.environ)).locked(0)


def commit(database: Database, world: World, name: str) -> str:
    file = FileWrite(f"{name}/b.txt", name.encode() * 100)
    new = NewCommit(f"refs/heads/{name}", "x\n", WHO, WHO, (world.tip(),), (file,))
    return write_commits(database, [new])[0]


def loose(world: World, folder: str = ".git/objects") -> list[Path]:
    return list((world.root / folder).glob("??/*"))


def lose(world: World) -> None:
    """Take away every loose object, as a prune does that began before any ref led to it."""
    for path in loose(world):
        path.unlink()


def test_what_a_prune_takes_that_began_before_comes_back(store: World) -> None:
    repository = opened(store)
    with open_database(repository) as database:
        first = commit(database, store, "one")
        lose(store)
        entry = database.objects.entry(first, "one/b.txt")
        assert entry is not None
        assert database.objects.blob(entry.oid) == b"one" * 100
        second = commit(database, store, "two")
        lose(store)
        merged = merge_tree(repository.git, ours=first, theirs=second).tree
        lose(store)
        assert repository.git.succeeds("cat-file", "-e", f"{merged}:two/b.txt")
    assert store.git("fsck", "--strict", "--no-dangling") == ""
    store.git("cat-file", "-e", f"{merged}:one/b.txt")


@pytest.mark.variant
def test_what_is_lost_after_the_end_comes_back_with_the_next_command(store: World) -> None:
    with open_database(opened(store)) as database:
        commit(database, store, "one")
    lose(store)
    assert run(("git", "fsck"), cwd=store.root, check=False).code != 0
    with open_database(opened(store)):
        pass
    assert store.git("fsck", "--strict", "--no-dangling") == ""


def test_an_object_that_was_there_before_is_kept_too(store: World) -> None:
    blob = store.git("hash-object", "-w", "--stdin")
    with open_database(opened(store)) as database:
        assert database.objects.write_blob(b"") == blob
        lose(store)
    store.git("cat-file", "-e", blob)


@pytest.mark.parametrize("packs", [True, False])
def test_what_is_safe_for_long_is_kept_no_more(store: World, *, packs: bool) -> None:
    with open_database(opened(store)) as database:
        commit(database, store, "one")
    if packs:
        store.git("gc", "-q")
    assert loose(store, ".git/minitask/objects")
    past = time.time() - 2 * KEPT_SECONDS
    for path in loose(store, ".git/minitask/objects"):
        os.utime(path, (past, past))
    with open_database(opened(store)):
        assert bool(loose(store)) is not packs, "what git packed is not written again"
    assert loose(store, ".git/minitask/objects") == []
    assert store.git("fsck", "--strict", "--no-dangling") == ""


def test_a_folder_with_any_name_is_read(tmp_path: Path) -> None:
    odd = World(tmp_path / 'a:b "c" \\d')
    odd.init("--initial-branch=main")
    odd.commit({"a.txt": "a\n"})
    (odd.root / ".git/minitask").mkdir()
    odd.git("gc", "-q")
    with open_database(opened(odd)) as database:
        first = commit(database, odd, "one")
        lose(odd)
        assert database.objects.entry(first, "one/b.txt") is not None
