"""Runs a scene on a small disk with some pages left free, and checks it; `test_disk_trouble.py` starts it.

    small_disk.py TEMPLATE DISK SCRATCH SCENE ROOM…

ROOM is counted in pages. In the scene `checkout` only the files of the checkout are on the disk, the git folder is not.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

from crashes import MAIN, OTHER, Aftermath, copy  # noqa: E402 - the folder above holds `world`

from world import World  # noqa: E402

PAGE_BYTES = 4096
CHUNK = bytes(PAGE_BYTES)


def fill(disk: Path, *, room: int) -> Path:
    """Fill the disk but for some pages; the file that does."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(CHUNK)
        except OSError:
            stream.truncate(max(0, stream.tell() - room * PAGE_BYTES))
    return ballast


def place(template: World, disk: Path, scratch: Path, *, only_checkout: bool) -> World:
    """The repository on the disk."""
    world = copy(template, disk / "repository")
    if only_checkout:
        git_dir = scratch / "git"
        shutil.move(world.root / ".git", git_dir)
        (world.root / ".git").symlink_to(git_dir)
    return world


def main(template: World, disk: Path, scratch: Path, scene: str, *rooms: int) -> None:
    """Run with each room in turn: an error at worst, and complete once there is space."""
    what = OTHER if scene == "other" else MAIN
    for room in rooms:
        here = scratch / str(room)
        here.mkdir(parents=True)
        world = place(template, disk, here, only_checkout=scene == "checkout")
        aftermath = Aftermath.before(world, what)
        ballast = fill(disk, room=room)
        done = world.minitask(*what.arguments, env={"TMPDIR": str(here)})
        verdict = done.json["verdict"] if done.stdout else "error"
        said = done.text.strip().splitlines()[-1:]
        print(room, done.code, verdict, said)  # noqa: T201 - the report to the test
        assert (done.code, verdict) in {(3, "error"), (0, "merged")}, done.text
        aftermath.check_after_kill(here / "clones")
        ballast.unlink()
        aftermath.check_completion(here / "clones")
        shutil.rmtree(world.root)


if __name__ == "__main__":
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    _, template, disk, scratch, scene, *rooms = sys.argv
    main(World(Path(template)), Path(disk), Path(scratch), scene, *map(int, rooms))
