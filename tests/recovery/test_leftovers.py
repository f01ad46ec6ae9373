"""What a killed command left in the toolkit's own places is no obstacle to the next; what is not its own stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from crashes import MAIN, Aftermath, build, copy

from minitask.system import files
from world import World, run

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


LEFT = {
    "a slot without its HEAD": 'rm "$SLOT/git/HEAD"',
    "a slot whose index is cut short": 'truncate -s 20 "$SLOT/git/index"',
    "half a slot": 'rm -r "$SLOT/git/refs"',
    "a slot that is locked": 'cd "$SLOT/git"; touch index.lock HEAD.lock config.lock',
    "files in a slot": 'cd "$SLOT/tree"; rm .git; echo LEVEL = 7 > src/app.py; echo LEVEL = 1 > src/left.py',
    "refs that are locked": "touch refs/minitask/ledger.lock refs/heads/minitask/p/01-both.lock",
    "of the refs that an update was to write, only that of the merge": (
        "cd refs/minitask; cp landing/p/01-both/draft landing/p/01-both/1; rm -r attempts ../heads/minitask ledger"
    ),
    "drafts": "cd minitask; printf { | tee advance.new > advance.json; echo 1 killed > lock",
}  # fmt: skip
"""What a killed command left in the repository's `.git`, as a command that leaves it."""


@pytest.mark.variant
@pytest.mark.sampled(2)
@pytest.mark.parametrize("leave", LEFT.values(), ids=LEFT)
def test_what_a_killed_command_left_is_no_obstacle(used: World, tmp_path: Path, leave: str) -> None:
    world = copy(used, tmp_path / "repository")
    world.configure(sandbox="none")
    listed = (world.root / ".git/minitask/workspaces").read_text().strip("\0")
    shutil.copytree(Path(listed, "slots"), world.slot.parent, symlinks=True)
    borrowed = world.slot / "git/objects/info/alternates"
    borrowed.write_text(f"{world.root}/.git/objects\n")
    aftermath = Aftermath.before(world, MAIN)
    run(("sh", "-e", "-c", leave), cwd=world.root / ".git", env={"SLOT": str(world.slot)})
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
