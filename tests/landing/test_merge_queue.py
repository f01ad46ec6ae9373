"""The landing queue: how many runs of the commands it takes to land what is proven."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from minitask.engine.context import Context, open_context
from minitask.engine.find_tasks import list_tasks
from minitask.engine.repository_settings import load_settings
from minitask.engine.task_records import latest_record
from minitask.engine.tasks import Base, Task
from minitask.git.repository import discover
from minitask.landing import merge_queue
from minitask.landing.candidate_commits import Candidate
from minitask.landing.land import Landed
from minitask.ledger.record import Verdict
from world import World

TASKS = 16


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the chains that were put to the test, in order; the test itself is the real one."""
    found: list[int] = []
    real = merge_queue.prove_together

    def counted(engine: Context, tasks: list[Task], commit: str, **more: Any) -> object:
        found.append(len(tasks))
        return real(engine, tasks, commit, **more)

    monkeypatch.setattr(merge_queue, "prove_together", counted)
    return found


@contextmanager
def engine_of(world: World) -> Iterator[Context]:
    environ = {**os.environ, "MINITASK_SANDBOX": "none"}
    repository = discover(world.root, environ)
    settings = load_settings(repository, environ)
    with open_context(repository, settings, environ=environ, purpose="test") as engine:
        yield engine


def land_all(world: World) -> dict[str, Landed]:
    """Land every proven task at once: all wait, in their order, before the first one may begin."""
    with engine_of(world) as engine:
        tip = engine.tip("refs/heads/main")
        place = Base(tip, "refs/heads/main", Path(world.root))
        tasks = list_tasks(engine, ["p"], place)
        lander, landed = merge_queue.MergeQueue(engine), {}

        def land(task: Task) -> None:
            record = latest_record(engine, task.name)
            assert record.candidate is not None
            assert record.tree is not None
            candidate = Candidate(record.candidate, record.tree, record.attempt)
            landed[task.name] = lander.land(task, candidate)

        threads = [threading.Thread(target=land, args=(task,)) for task in tasks]
        with engine.landing:
            for count, thread in enumerate(threads, 1):
                thread.start()
                while len(lander._waiting) < count:
                    pass
        for thread in threads:
            thread.join()
    return landed


def proven(world: World, *, culprit: int | None = None) -> None:
    """Sixteen tasks that are proven and have not landed; `culprit` is red where another one is."""
    for number in range(TASKS):
        name = f"{number:02d}.txt"
        check = f"test -f {name}"
        if number == culprit:
            check += "\n! test -f 00.txt"
        world.task(f"p/{number:02d}-x", whole={name: "x\n"}, validation=check)
    env = {"MINITASK_SANDBOX": "none"}
    outcome = world.minitask("run", "p", "--no-merge", "--json", env=env)
    assert {*outcome.verdicts.values()} == {"ready"}, outcome.text


@pytest.mark.variant
def test_sixteen_proven_tasks_land_on_one_run(world: World, runs: list[int]) -> None:
    proven(world)
    landed = land_all(world)
    assert {each.verdict for each in landed.values()} == {Verdict.MERGED}
    assert len(runs) == 1, "but for one, whose merge has the very tree that it was proven on"
    merges = world.git("log", "--first-parent", "--merges", "--format=%s", "main").splitlines()
    assert len(merges) == TASKS, "each has a merge commit of its own"


@pytest.mark.variant
@pytest.mark.parametrize("culprit", [5, 15])
def test_one_culprit_among_sixteen_is_found_by_bisection(
    world: World, runs: list[int], culprit: int
) -> None:
    proven(world, culprit=culprit)
    landed = land_all(world)
    wrong = {name for name, each in landed.items() if each.verdict is not Verdict.MERGED}
    merged = len(landed) - len(wrong)
    assert merged >= TASKS - 2
    assert wrong <= {f"p/{culprit:02d}-x", "p/00-x"}
    assert len(runs) <= 6
    assert world.has("00.txt") or f"p/{culprit:02d}-x" not in wrong


@pytest.mark.variant
def test_a_flaky_command_puts_nobody_out(world: World, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flaky = f"test -f 1.txt\nif [ -e 0.txt ] && [ ! -e {flag} ]; then touch {flag}; false; fi"
    world.task("p/00-x", whole={"0.txt": "x\n"}, validation="test -f 0.txt")
    world.task("p/01-x", whole={"1.txt": "x\n"}, validation=flaky)
    world.task("p/02-x", whole={"2.txt": "x\n"}, validation="test -f 2.txt")
    env = {"MINITASK_SANDBOX": "none"}
    assert world.minitask("run", "p", "--no-merge", env=env).code == 0
    landed = land_all(world)
    assert {each.verdict for each in landed.values()} == {Verdict.MERGED}
    assert flag.exists()


@pytest.mark.variant
def test_one_that_conflicts_with_a_task_that_does_not_land_lands_all_the_same(world: World) -> None:
    for number, check in enumerate(("test -f s.txt\n! test -f moved.txt", "test -f s.txt")):
        world.task(f"p/0{number}-x", whole={"s.txt": f"{number}\n"}, validation=check)
    for number in range(2):
        outcome = world.minitask(
            "exec", f"p/0{number}-x", "--no-merge", env={"MINITASK_SANDBOX": "none"}
        )
        assert outcome.code == 0, outcome.text
    world.commit({"moved.txt": "x\n"}, message="the target moves")

    landed = land_all(world)

    verdicts = {name: each.verdict for name, each in landed.items()}
    assert verdicts == {"p/00-x": Verdict.FAILED, "p/01-x": Verdict.MERGED}
    assert world.show("s.txt") == "1\n"
