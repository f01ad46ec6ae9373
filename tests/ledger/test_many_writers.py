"""Many processes that append to one ledger at once: every record is there in the end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from world import World, environment

WRITER = """
import os, sys
from msgspec.structs import replace
from pathlib import Path
from minitask.git.repository import discover
from minitask.engine.repository_settings import load_settings
from minitask.engine.context import open_context
from minitask.engine.task_records import latest_record
from minitask.task.record_attempt import append_record

top, writer, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
environ = dict(os.environ)
repository = discover(top, environ)
settings = load_settings(repository, environ)
for number in range(1, count + 1):
    with open_context(repository, settings, environ=environ, purpose="test") as engine:
        record = latest_record(engine, "p/01-b")
        attempt = replace(record.attempt, n=number)
        append_record(engine, replace(record, task=f"w/{writer}", attempt=attempt))
"""


def write_at_once(world: World, *, writers: int, records: int) -> int:
    """Have processes append at once; how many records of theirs are there afterwards."""
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    assert world.exec("p/01-b").code == 0
    argv = [sys.executable, "-c", WRITER, str(world.root)]
    running = [
        subprocess.Popen([*argv, f"writer-{number}", str(records)], env=environment())
        for number in range(writers)
    ]
    assert [process.wait(timeout=300) for process in running] == [0] * writers
    names = world.git("ls-tree", "-r", "--name-only", "refs/minitask/ledger").splitlines()
    return sum(name.startswith("w/") for name in names)


@pytest.mark.variant
def test_no_record_of_many_writers_is_lost(world: World) -> None:
    assert write_at_once(world, writers=4, records=5) == 20


@pytest.mark.sweep
def test_no_record_of_eight_writers_with_fifty_each_is_lost(world: World) -> None:
    assert write_at_once(world, writers=8, records=50) == 400
