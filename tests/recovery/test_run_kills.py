"""`minitask run` killed at random moments, and run again until it completes, against a run that nobody disturbed.

Thirty tasks: most are done by a slow model, some by their edit script; some fail, two cannot both land, some depend on
others. The process group is killed with SIGKILL, and what is on the target is looked at after each kill.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from executors.model_server import Received, ScriptedServer
from world import MINITASK, World, environment

TASKS = 30
ANSWER_SECONDS = 0.15
LONGEST_SECONDS = 2.5
SOON_SECONDS = 20
INTERRUPTED = 130
RUN = ("run", "p", "--jobs", "2")


def content(number: int) -> str:
    """What a task's file holds; every seventh task's model is wrong, and stays so."""
    return "wrong\n" if number % 7 == 0 else f"{number}\n"


def answer(request: Received) -> str:
    time.sleep(ANSWER_SECONDS)
    found = re.search(r"made/(\d+)\.txt", request.prompt)
    assert found is not None
    number = int(found[1])
    return f"```text path=made/{number:02d}.txt\n{content(number)}```\n"


def plan(world: World) -> None:
    """Write and commit the specs."""
    for number in range(1, TASKS + 1):
        name = f"made/{number:02d}.txt"
        needs = [f"{number - 2:02d}-x"] if number % 5 == 0 else []
        front = {"depends_on": needs} if needs else None
        fields: dict[str, object] = {"validation": f"grep -qx {number} {name}", "front": front}
        if number % 3 == 0:
            fields["whole"] = {name: content(number)}
        else:
            fields["writes"] = [name]
        world.task(f"p/{number:02d}-x", **fields)  # type: ignore[arg-type]


@contextmanager
def disturbed_world(folder: Path) -> Iterator[tuple[World, ScriptedServer]]:
    world = World(folder)
    world.init()
    world.commit({"a.txt": "one\n"}, message="base")
    plan(world)
    with world.serve(answer, sandbox="none") as server:
        world.write({"a.txt": "two\n", "untracked.txt": "mine\n"})
        yield world, server


def run_and_kill(world: World, after_seconds: float, number: signal.Signals) -> bool:
    """Begin the run and end it after a while; whether it ended by itself before.

    SIGKILL goes to all of the group, any other signal to the command alone, which then ends soon.
    """
    quiet = subprocess.DEVNULL
    argv = (*MINITASK, *RUN)
    with subprocess.Popen(
        argv, cwd=world.root, stdout=quiet, stderr=quiet, start_new_session=True, env=environment()
    ) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=after_seconds)
            return True
        if number is not signal.SIGKILL:
            process.send_signal(number)
            code = process.wait(timeout=SOON_SECONDS)
            assert code in (INTERRUPTED, -number, 1), "interrupted, not begun, or over already"
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
            assert number is signal.SIGKILL, "nothing that it started is left in its group"
    return False


def check_target(world: World) -> None:
    """All that landed is right, whenever one looks, and the user's files are as they were."""
    landed = world.git(
        "log", "--first-parent", "--format=%(trailers:key=Minitask,valueonly)", "main"
    ).split()
    assert len(landed) == len(set(landed)), "nothing landed twice"
    for task in landed:
        number = int(task.removeprefix("p/").removesuffix("-x"))
        assert world.show(f"made/{number:02d}.txt") == f"{number}\n"
    assert (world.root / "a.txt").read_text() == "two\n"
    assert (world.root / "untracked.txt").read_text() == "mine\n"


def check_end(world: World, server: ScriptedServer) -> None:
    """The end is that of an undisturbed run, and every call is accounted for."""
    outcome = world.minitask("run", "p", "--json")
    world.minitask(
        "exec", "p/01-x"
    )  # an answer that nobody can use any more is booked by the next command
    merged = {task["task"] for task in outcome.json["tasks"] if task["verdict"] == "merged"}
    wrong = {number for number in range(1, TASKS + 1) if number % 7 == 0}
    barred = {n for n in range(1, TASKS + 1) if n % 5 == 0 and n - 2 in wrong}
    expected = {f"p/{n:02d}-x" for n in range(1, TASKS + 1) if n not in wrong | barred}
    assert merged == expected, outcome.text
    check_target(world)
    assert world.git("fsck", "--strict", "--no-dangling") == ""
    records = [
        record
        for number in range(1, TASKS + 1)
        if f"p/{number:02d}-x" not in {f"p/{n:02d}-x" for n in barred}
        for record in world.records(f"p/{number:02d}-x")
    ]
    asked = sum(record["attempt"]["usage"]["requests"] or 0 for record in records)
    assert asked >= len(server.requests), "every call is on record, be it as lost"


def sweep(folder: Path, *, kills: int, seed: int, number: signal.Signals) -> None:
    dice = random.Random(seed)
    with disturbed_world(folder) as (world, server):
        for _ in range(kills):
            ended = run_and_kill(world, dice.uniform(0.1, LONGEST_SECONDS), number)
            check_target(world)
            if ended:
                break
        check_end(world, server)


ENDS = pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])


@pytest.mark.variant
@ENDS
def test_a_run_that_is_ended_at_random_completes(tmp_path: Path, number: signal.Signals) -> None:
    sweep(tmp_path / "repository", kills=4, seed=number, number=number)


@pytest.mark.sweep
@ENDS
@pytest.mark.parametrize("seed", range(100, 120))
def test_runs_that_are_ended_at_random_complete(
    tmp_path: Path, seed: int, number: signal.Signals
) -> None:
    sweep(tmp_path / "repository", kills=5, seed=seed, number=number)
