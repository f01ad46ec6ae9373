"""A build cache where no layer can be mounted, its size, and what it belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from minitask.git.commits import open_database
from minitask.git.repository import discover
from minitask.sandbox.policy import Strength
from minitask.sandbox.sandbox import Sandbox
from minitask.workspace.checkout import Workspace
from minitask.workspace.incremental import IncrementalCheckout
from minitask.workspace.pool import BuildCache, open_build_cache
from world import World

NAME = "DEMO_CACHE"
SANDBOX = Sandbox(Strength.PARTIAL)


@pytest.fixture
def slot(world: World) -> Iterator[IncrementalCheckout]:
    repository = discover(world.root, dict(os.environ))
    with open_database(repository) as database:
        workspace = Workspace(repository.home / "slots" / "0", repository)
        found = IncrementalCheckout(workspace, database.objects)
        yield found
        found.close()


@pytest.fixture
def cache(world: World, tmp_path: Path) -> BuildCache:
    git = discover(world.root, dict(os.environ)).git
    return open_build_cache(tmp_path, (NAME,), where="here", layered=False, git=git)


def run(
    cache: BuildCache, slot: IncrementalCheckout, commit: str, *, adds: bool, writes: str = ""
) -> list[str]:
    """Write a file as a run on a commit does; the names of those that were there, `-` where there is no cache."""
    slot.checkout(commit)
    with cache.use(slot, commit, adds=adds), cache.session(slot, SANDBOX) as session:
        session.whole = True
        if NAME not in session.sandbox.caches:
            return ["-"]
        folder = session.sandbox.caches[NAME]
        found = sorted(path.name for path in folder.iterdir())
        if writes:
            (folder / writes).write_text(writes * 4096)
        return found


@pytest.mark.variant
def test_a_copy_serves_where_no_layer_can_be_mounted(
    world: World, cache: BuildCache, slot: IncrementalCheckout
) -> None:
    first = world.tip()
    assert run(cache, slot, first, adds=False, writes="x") == ["-"]
    assert run(cache, slot, first, adds=True, writes="base") == []
    later = world.commit({"one.txt": "1\n"})
    assert run(cache, slot, later, adds=False, writes="poison") == ["base"]
    assert run(cache, slot, later, adds=True, writes="more") == ["base"]
    assert run(cache, slot, later, adds=False) == ["base", "more"]
    assert run(cache, slot, first, adds=False) == ["-"], "it holds what a later commit's run wrote"
    assert run(cache, slot, first, adds=True, writes="anew") == []
    assert run(cache, slot, later, adds=False) == ["anew"]


@pytest.mark.variant
def test_a_file_is_newer_than_all_in_the_cache(
    world: World, cache: BuildCache, slot: IncrementalCheckout
) -> None:
    run(cache, slot, world.tip(), adds=True, writes="base")
    (made,) = cache.folder.rglob("base")
    run(cache, slot, world.tip(), adds=False)
    for path in (slot.tree / name for name in world.git("ls-files").split("\n")):
        assert int(path.stat().st_mtime) > int(made.stat().st_mtime)
    assert not slot.is_changed()


def test_one_that_is_too_large_goes_and_that_of_other_programs_first(
    world: World, cache: BuildCache, slot: IncrementalCheckout, tmp_path: Path
) -> None:
    other = open_build_cache(tmp_path, (NAME,), where="there", layered=False, git=cache.git)
    (other.folder / "kept").mkdir()
    (other.folder / "kept/large").write_bytes(bytes(1 << 20))
    small = replace(cache, limit_bytes=1 << 20)
    run(small, slot, world.tip(), adds=True, writes="base")
    assert not other.folder.exists()
    assert run(small, slot, world.tip(), adds=False) == ["base"]
    run(replace(cache, limit_bytes=1), slot, world.tip(), adds=True, writes="more")
    assert run(cache, slot, world.tip(), adds=False) == ["-"]
    assert not list(cache.folder.rglob("base"))


def test_what_is_added_follows_no_link(
    world: World, cache: BuildCache, slot: IncrementalCheckout, tmp_path: Path
) -> None:
    """The code of a base plants a link, and later writes below its name."""
    (tmp_path / "mine").mkdir()
    for makes_folder in (False, True):
        slot.checkout(world.tip())
        with cache.use(slot, world.tip(), adds=True), cache.session(slot, SANDBOX) as session:
            session.whole = True
            place = session.sandbox.caches[NAME] / "below"
            if makes_folder:
                place.unlink()
                place.mkdir()
                (place / "planted").touch()
            else:
                place.symlink_to(tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []
    assert len(list(cache.folder.rglob("kept/*/below/planted"))) == 1
