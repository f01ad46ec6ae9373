"""Whatever is done to a repository, in whatever order, between runs and kills: what is on the target is proven.

Hypothesis chooses the order: runs, kills, commits on the target, edits of the user's, other branches, garbage
collection, a second process.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from world import MINITASK, World, environment

TASKS = 6
QUIET = subprocess.DEVNULL


class AnyOrder(RuleBasedStateMachine):
    """A repository with six tasks of which one always fails, and a user who works in it meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.world = World(self.folder / "repository")
        self.world.init()
        self.world.commit({"a.txt": "one\n", "mine.txt": "0\n"}, message="base")
        for number in range(1, TASKS + 1):
            name = f"{number}.txt"
            check = f"grep -qx {number} {name}" + ("\nfalse" if number == 4 else "")
            self.world.task(f"p/0{number}-x", whole={name: f"{number}\n"}, validation=check)
        self.env = environment({"MINITASK_SANDBOX": "none"})
        self.edits = 0
        self.commits = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> subprocess.Popen[bytes]:
        argv = (*MINITASK, "run", "p", "--into", "main")
        return subprocess.Popen(
            argv,
            cwd=self.world.root,
            env=self.env,
            stdout=QUIET,
            stderr=QUIET,
            start_new_session=True,
        )

    @rule()
    def run_to_the_end(self) -> None:
        with self.start() as process:
            assert process.wait(timeout=60) in (0, 1)

    @rule(seconds=st.floats(0.05, 1.2))
    def kill(self, seconds: float) -> None:
        with self.start() as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=seconds)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    @rule()
    def two_at_once(self) -> None:
        with self.start() as one, self.start() as other:
            assert one.wait(timeout=60) in (0, 1)
            assert other.wait(timeout=60) in (0, 1)

    @rule()
    def commit_on_the_target(self) -> None:
        self.go_to("main")
        self.commits += 1
        self.world.commit({f"own-{self.commits}.txt": "mine\n"}, message="mine")

    @rule()
    def edit(self) -> None:
        self.edits += 1
        self.world.write({"mine.txt": f"{self.edits}\n"})

    @rule(branch=st.sampled_from(["main", "aside"]))
    def go_to(self, branch: str) -> None:
        exists = self.world.git("branch", "--list", branch)
        self.world.git("checkout", "-q", *([] if exists else ["-b"]), branch)

    @rule()
    def collect_garbage(self) -> None:
        self.world.git("gc", "-q", "--prune=now")

    @rule()
    def prune(self) -> None:
        self.world.git("prune", "--expire=now")
        self.world.git("worktree", "prune")

    @invariant()
    def what_is_on_the_target_is_proven(self) -> None:
        found = self.world.git(
            "log", "--first-parent", "--format=%(trailers:key=Minitask,valueonly)", "main"
        ).split()
        assert len(found) == len(set(found))
        assert "p/04-x" not in found
        for task in found:
            number = task[3]
            assert self.world.show(f"{number}.txt") == f"{number}\n"

    @invariant()
    def what_is_the_users_is_as_it_was(self) -> None:
        assert (self.world.root / "mine.txt").read_text() == f"{self.edits}\n"
        for number in range(1, self.commits + 1):
            assert self.world.has(f"own-{number}.txt")
        assert self.world.git("fsck", "--strict", "--no-dangling") == ""


def explore(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=examples < 10,
        ),
    )


@pytest.mark.variant
def test_a_few_orders() -> None:
    explore(2, 6)


@pytest.mark.sweep
def test_many_orders() -> None:
    explore(60, 14)
