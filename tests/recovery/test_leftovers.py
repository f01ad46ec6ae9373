"""What a killed command left in the toolkit's own places is no obstacle to the next; what is not its own stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from crashes import MAIN, Aftermath, build, copy

from minitask.system import files
from world import World

HOLDER = """\
import os, subprocess, sys, time
from pathlib import Path
from minitask.system import files
with files.hold(Path(sys.argv[1]), on_wait=print) as held:
    held.claim("a test")
    if "child" in sys.argv:
        subprocess.Popen(["sleep", "1"], pass_fds=[held.fd], stdout=subprocess.DEVNULL)
    print("held", flush=True)
    if "wait" in sys.argv:
        time.sleep(60)
"""


@pytest.fixture(scope="session")
def used(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A repository in which a task was proven, but has not landed: slots and refs are there."""
    world = build(tmp_path_factory.mktemp("used") / "repository")
    assert world.exec("p/01-both", "--no-merge").code == 0
    return world


def break_a_slot_head(world: World) -> None:
    (world.slot / "git/HEAD").unlink()


def break_a_slot_index(world: World) -> None:
    index = world.slot / "git/index"
    index.write_bytes(index.read_bytes()[:20])


def break_a_slot_in_half(world: World) -> None:
    shutil.rmtree(world.slot / "git/refs")


def leave_a_slot_locked(world: World) -> None:
    for name in ("index.lock", "HEAD.lock", "config.lock"):
        (world.slot / "git" / name).touch()


def leave_files_in_a_slot(world: World) -> None:
    tree = world.slot / "tree"
    (tree / ".git").unlink()
    (tree / "src/app.py").write_text("LEVEL = 7\n")
    (tree / "src/left.py").write_text("LEVEL = 1\n")


def leave_refs_locked(world: World) -> None:
    (world.root / ".git" / "refs/minitask/ledger.lock").touch()
    (world.root / ".git" / "refs/heads/minitask/p/01-both.lock").touch()


def forget_the_attempt(world: World) -> None:
    """Of the refs that a killed update was to write, only that of the merge is there."""
    landing = world.root / ".git" / "refs/minitask/landing/p/01-both"
    (landing / "1").write_text((landing / "draft").read_text())
    shutil.rmtree(world.root / ".git" / "refs/minitask/attempts")
    shutil.rmtree(world.root / ".git" / "refs/heads/minitask")
    (world.root / ".git" / "refs/minitask/ledger").unlink()


def leave_drafts(world: World) -> None:
    (world.root / ".git" / "minitask/advance.new").write_text("{")
    (world.root / ".git" / "minitask/advance.json").write_text("{")
    (world.root / ".git" / "minitask/lock").write_text("1 killed\n")


@pytest.mark.variant
@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "leave",
    [
        *(break_a_slot_head, break_a_slot_index, break_a_slot_in_half, leave_a_slot_locked),
        *(leave_files_in_a_slot, leave_refs_locked, forget_the_attempt, leave_drafts),
    ],
)
def test_what_a_killed_command_left_is_no_obstacle(
    used: World, tmp_path: Path, leave: Callable[[World], None]
) -> None:
    world = copy(used, tmp_path / "repository")
    world.configure(sandbox="none")
    listed = (world.root / ".git/minitask/workspaces").read_text().strip("\0")
    shutil.copytree(Path(listed, "slots"), world.slot.parent, symlinks=True)
    borrowed = world.slot / "git/objects/info/alternates"
    borrowed.write_text(f"{world.root}/.git/objects\n")
    aftermath = Aftermath.before(world, MAIN)
    leave(world)
    aftermath.check_completion(tmp_path / "clones", "--again")


def hold(lock: Path, *words: str) -> subprocess.Popen[str]:
    """Another process that holds the lock, or has held it."""
    argv = (sys.executable, "-c", HOLDER, str(lock), *words)
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def is_abandoned(lock: Path) -> bool:
    """Whether the last holder was killed, asked once the lock is free; that changes nothing for the next who asks."""
    waited: list[str] = []
    with files.hold(lock, on_wait=waited.append) as held:
        return held.abandoned


def test_a_lock_tells_whether_its_last_holder_was_killed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not is_abandoned(lock)
    with hold(lock):
        pass
    assert not is_abandoned(lock)
    with hold(lock, "wait") as process:
        os.kill(process.pid, signal.SIGKILL)
    assert is_abandoned(lock)


def test_a_lock_is_held_as_long_as_a_child_of_the_killed_holder_lives(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with hold(lock, "wait", "child") as process:
        os.kill(process.pid, signal.SIGKILL)
    waited: list[str] = []
    with files.hold(lock, on_wait=waited.append) as held:
        assert held.abandoned
    assert waited == [f"{process.pid} a test"]
