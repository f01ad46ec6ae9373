"""`run --engine dask://…`: a real scheduler and real workers, each with nothing but a git remote."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from contract.kit import GATES, ladder
from executors.model_server import Received
from processes import eventually
from world import World, environment, run

pytestmark = pytest.mark.skipif(
    find_spec("distributed") is None, reason="the extra dask is not installed"
)

Start = Callable[[int], list[subprocess.Popen[bytes]]]


@pytest.fixture
def remote(world: World, tmp_path: Path) -> Path:
    place = tmp_path / "remote.git"
    run(("git", "init", "-q", "--bare", "-b", "main", str(place)), cwd=tmp_path)
    return place


def spawn(*arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    argv = (sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:])
    return subprocess.Popen(
        argv, cwd=folder, env=environment(), stdout=quiet, stderr=quiet, start_new_session=True
    )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, Start]]:
    """A scheduler's address, and what starts workers, a process each."""
    started: list[subprocess.Popen[bytes]] = []
    about = tmp_path / "scheduler.json"
    flags = ("--port", "0", "--no-dashboard", "--scheduler-file", str(about))
    started.append(spawn("dask_scheduler", *flags, folder=tmp_path))
    assert eventually(lambda: about.exists() and about.read_text(), 30), (
        "the scheduler did not start"
    )

    def start(count: int) -> list[subprocess.Popen[bytes]]:
        flags = ("--scheduler-file", str(about), "--nthreads", "1", "--no-dashboard", "--no-nanny")
        more = [spawn("dask_worker", *flags, folder=tmp_path) for _ in range(count)]
        started.extend(more)
        return more

    address = json.loads(about.read_text())["address"].removeprefix("tcp://")
    try:
        yield f"dask://{address}", start
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def plan(world: World) -> None:
    for number in range(1, 5):
        name = f"{number}.txt"
        world.task(f"p/0{number}-x", writes=[name], validation=f"grep -qx x {name}")
    world.task("p/05-y", whole={"y.txt": "y\n"}, validation="test -f y.txt\nfalse")


def reply(request: Received) -> str:
    name = request.prompt.partition("write: ")[2].partition("\n")[0]
    return f"```text path={name}\nx\n```\n"


EXPECTED = {f"p/0{n}-x": "merged" for n in range(1, 5)} | {"p/05-y": "failed"}


def test_workers_do_the_attempts_and_what_is_proven_lands_here(
    world: World, remote: Path, cluster: tuple[str, Start]
) -> None:
    address, start = cluster
    start(2)
    with world.serve(reply, workers={"remote": str(remote)}) as server:
        plan(world)
        outcome = world.minitask("run", "p", "--engine", address, "--json")
        assert outcome.verdicts == EXPECTED, outcome.text
        assert len(server.requests) == 4
    assert outcome.code == 1
    for number in range(1, 5):
        (record,) = world.records(f"p/0{number}-x")
        assert record["attempt"]["cost_usd"] == "0.0014"
        assert world.tip(f"minitask/p/0{number}-x") == record["candidate"]
    held = run(("git", "for-each-ref", "--format=%(refname)"), cwd=remote).stdout.split()
    assert held == [], "what was pushed for the workers alone is taken away again"
    assert world.git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.variant
def test_a_worker_that_is_lost_has_its_task_done_elsewhere_and_landed_once(
    world: World, remote: Path, cluster: tuple[str, Start]
) -> None:
    address, start = cluster
    first = start(1)

    def kill_once(request: Received) -> str:
        if first:
            os.killpg(first.pop().pid, signal.SIGKILL)
            start(1)
            time.sleep(0.5)
        return reply(request)

    with world.serve(kill_once, workers={"remote": str(remote)}):
        plan(world)
        outcome = world.minitask("run", "p", "--engine", address, "--json")
        assert outcome.verdicts == EXPECTED, outcome.text
    merges = world.git("log", "--first-parent", "--merges", "--format=%s", "main").splitlines()
    assert len(merges) == 4


def test_a_cluster_without_a_remote_or_a_scheduler_is_met_with_the_way_out(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    outcome = world.minitask("run", "p", "--engine", "dask://127.0.0.1:1")
    assert outcome.code == 2
    assert "workers: {remote: URL}" in outcome.text
    assert world.minitask("run", "p", "--engine", "elsewhere").code == 2


@pytest.mark.variant
def test_a_worker_goes_by_the_ledger_here_and_its_reviews_come_back(
    world: World, remote: Path, cluster: tuple[str, Start]
) -> None:
    address, start = cluster
    asked: list[str] = []

    def answer(request: Received) -> str:
        if request.json["messages"][0]["content"].startswith("You review"):
            return "```verdict\n1 pass b.txt:1 it is there\n```\n"
        asked.append(request.json["model"])
        return f"```text path=b.txt\n{'b' if 'balanced' in asked[-1] else 'x'}\n```\n"

    routing, workers = {"max_escalations": 0}, {"remote": str(remote)}
    with ladder(world, answer, routing=routing, gates=GATES, workers=workers):
        assert world.exec("p/01-b").json["verdict"] == "failed"
        start(1)
        outcome = world.minitask("run", "p", "--engine", address, "--json")
    [task] = outcome.json["tasks"]
    assert task["verdict"] == "merged", outcome.text
    assert asked == ["cheap-model", "balanced-model"]
    assert [call["phase"] for call in task["calls"]] == ["review"]
    phases = world.minitask("report", "--format", "json").json["by_phase"]
    assert phases["review"]["requests"] == 1
    assert phases["implement"]["attempts"] == 2
