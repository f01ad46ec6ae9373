"""A full disk and a read-only repository: an error that says so, nothing lost, and the same command completes later.

The small disk is a file system of its own that bubblewrap mounts for one child process, which runs `small_disk.py`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from crashes import MAIN, OTHER, Aftermath, Scene, build

from world import MINITASK, Outcome, World, run

SMALL_DISK = Path(__file__).with_name("small_disk.py")
DISK_BYTES = 6 << 20
ROOMS_AT_ONCE = 5


def can_mount() -> bool:
    """Whether bubblewrap can mount a small file system here."""
    try:
        argv = ("bwrap", "--bind", "/", "/", "--size", "65536", "--tmpfs", "/mnt", "true")
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not can_mount(), reason="needs bubblewrap")


@pytest.fixture
def ready(tmp_path: Path) -> World:
    """The repository of the sweep; its commands run without a sandbox, for they run in one already."""
    world = build(tmp_path / "repository")
    world.configure(sandbox="none")
    return world


def inside(options: Sequence[str | Path], *argv: str | Path, cwd: Path) -> Outcome:
    """Run a program where the options changed what is mounted."""
    here = ("bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", *options, "--")
    return run((*here, *argv), cwd=cwd, check=False)


@pytest.mark.parametrize("scene", [MAIN, OTHER], ids=["main", "other"])
def test_a_read_only_repository_is_an_error_that_names_it(ready: World, scene: Scene) -> None:
    aftermath = Aftermath.before(ready, scene)
    refs = ready.refs()
    done = inside(
        ("--ro-bind", ready.root, ready.root), *MINITASK, *scene.arguments, cwd=ready.root
    )
    assert done.code == 3, done.text
    assert str(ready.root) in done.text
    assert "Read-only" in done.text
    assert ready.refs() == refs
    aftermath.check_after_kill(ready.root.parent / "clones")
    aftermath.check_completion(ready.root.parent / "clones")


@pytest.mark.variant
def test_a_read_only_checkout_leaves_the_target_where_it_was(ready: World) -> None:
    """The git folder can be written to, the files of the checkout cannot."""
    aftermath = Aftermath.before(ready, MAIN)
    git_dir = ready.root / ".git"
    options = ("--ro-bind", ready.root, ready.root, "--bind", git_dir, git_dir)
    done = inside(options, *MINITASK, *MAIN.arguments, cwd=ready.root)
    assert done.code == 3, done.text
    assert done.json["verdict"] == "error"
    assert ready.tip() == aftermath.start
    aftermath.check_after_kill(ready.root.parent / "clones")
    aftermath.check_completion(ready.root.parent / "clones")


def small_disk(ready: World, folder: Path, *, scene: str, room: Sequence[int]) -> None:
    """Run the scene with as many bytes free as `room` says, one after another."""
    disk = folder / "disk"
    disk.mkdir()
    options = ("--size", str(DISK_BYTES), "--tmpfs", disk)
    for first in range(0, len(room), ROOMS_AT_ONCE):
        numbers = [str(number) for number in room[first : first + ROOMS_AT_ONCE]]
        places = (ready.root, disk, folder / "scratch")
        done = inside(options, sys.executable, SMALL_DISK, *places, scene, *numbers, cwd=folder)
        print(done.stdout)  # noqa: T201 - how it went, with -rA
        assert done.code == 0, done.text
        assert first or "error" in done.stdout


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize("scene", ["main", "other", "checkout"])
def test_a_full_disk_is_an_error_and_harms_nothing(
    ready: World, tmp_path: Path, scene: str
) -> None:
    room = [0, 1, 2, 3] if scene == "checkout" else [0, 45, 90]
    small_disk(ready, tmp_path, scene=scene, room=room)


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("scene", ["main", "other"])
@pytest.mark.sweep
def test_a_disk_that_fills_up_at_any_moment_harms_nothing(
    ready: World, tmp_path: Path, scene: str, part: int
) -> None:
    small_disk(ready, tmp_path, scene=scene, room=range(part, 160, 4))


def test_a_full_cache_folder_is_named_and_the_repository_is_not(
    ready: World, tmp_path: Path
) -> None:
    """Where a folder can still be made on the disk, but no file be written."""
    cache = tmp_path / "cache"
    cache.mkdir()
    script = 'head -c 1M /dev/zero > "$XDG_CACHE_HOME/fill"; "$@"'
    options = ("--size", "65536", "--tmpfs", cache, "--setenv", "XDG_CACHE_HOME", cache)
    done = inside(options, "sh", "-c", script, "sh", *MINITASK, "exec", "p/01-both", cwd=ready.root)
    assert done.code == 3, done.text
    assert f"error: cannot write to {cache}/minitask/" in done.stderr
    assert "No space left" in done.stderr
