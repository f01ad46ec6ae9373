"""A call that was under way when its process was killed: on record, its cost an estimate, and done anew."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from executors.model_server import Received, Script, ScriptedServer, completion
from world import Checkpoint, World

GOOD = "```text path=b.txt\nb\n```\n"
RED = "```text path=b.txt\nnot b\n```\n"
COST = Decimal("0.0014")
"""One request of the scripted server at the settings' prices."""


class Holding:
    """A script whose reply to the request number `at` waits; the earlier ones are given at once."""

    def __init__(self, *first: Any) -> None:
        self.first = first
        self.asked = threading.Event()
        self.go = threading.Event()
        self.requests: list[Received] = []

    def __call__(self, request: Received) -> Any:
        self.requests.append(request)
        number = len(self.requests)
        if number <= len(self.first):
            return self.first[number - 1]
        self.asked.set()
        self.go.wait(20)
        return GOOD


@contextlib.contextmanager
def killed(world: World, holding: Holding, *arguments: str) -> Iterator[None]:
    """Run `minitask`, and kill it once the server holds its request; replies are given from then on."""
    with world.start(*arguments) as process:
        assert holding.asked.wait(20), "the server was not asked"
        process.kill()
    holding.go.set()
    yield


@contextlib.contextmanager
def serving(world: World, script: Script, **more: Any) -> Iterator[ScriptedServer]:
    """A task, and a model that answers so."""
    with world.serve(script, **more) as server:
        world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
        yield server


@pytest.mark.variant
def test_a_lost_call_is_on_record_with_an_estimate_and_the_task_is_done_anew(world: World) -> None:
    holding = Holding()
    with serving(world, holding, models={"tiny": {"max_output_tokens": 50}}):
        with killed(world, holding, "exec", "p/01-b"):
            before = world.refs("refs/minitask")
            outcome = world.exec("p/01-b")
        again = world.exec("p/01-b")
    assert before == {}
    assert len(holding.requests) == 2
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert "p/01-b" in outcome.stderr
    assert "in progress" in outcome.stderr
    assert "in progress" not in again.stderr, "it is booked once"
    lost, done = world.records("p/01-b")
    assert (lost["kind"], lost["attempt"]["verdict"]) == ("lost", "error")
    assert Decimal(lost["attempt"]["cost_usd"]) > 0
    used = lost["attempt"]["usage"]
    assert (used["requests"], used["input_tokens"] > 50) == (1, True)
    assert used["output_tokens"] <= 50, "no more than its longest answer"
    expected = Decimal(used["input_tokens"] * 10 + used["output_tokens"] * 20) / 10**6
    assert Decimal(lost["attempt"]["cost_usd"]) == expected
    assert lost["attempt"]["pricing"]["source"] == "config"
    assert (lost["attempt"]["executor"], lost["attempt"]["model"]) == ("scripted", "tiny")
    assert any("estimate" in note for note in lost["notes"])
    assert (done["kind"], done["attempt"]["verdict"], done["attempt"]["n"]) == (
        "attempt",
        "ready",
        2,
    )
    assert Decimal(outcome.json["cost_usd"]) == COST, "what this command spent"


@pytest.mark.variant
def test_rounds_before_the_lost_one_count_at_what_they_really_took(world: World) -> None:
    malformed = completion("No edits.", usage={"prompt_tokens": 5000, "completion_tokens": 7})
    holding = Holding(malformed)
    with serving(world, holding), killed(world, holding, "exec", "p/01-b"):
        world.exec("p/01-b")
    lost = world.records("p/01-b")[0]
    assert lost["kind"] == "lost"
    assert lost["attempt"]["usage"]["requests"] == 2
    assert lost["attempt"]["usage"]["input_tokens"] > 5000
    assert Decimal(lost["attempt"]["cost_usd"]) > Decimal("0.05")


@pytest.mark.variant
def test_a_lost_second_try_leaves_the_first_on_record(world: World) -> None:
    holding = Holding(RED)
    with serving(world, holding), killed(world, holding, "exec", "p/01-b"):
        outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    kinds = [(each["kind"], each["attempt"]["verdict"]) for each in world.records("p/01-b")]
    assert kinds == [("attempt", "failed"), ("lost", "error"), ("attempt", "ready")]
    assert [each["attempt"]["n"] for each in world.records("p/01-b")] == [1, 2, 3]


@pytest.mark.variant
def test_a_lost_call_of_a_model_without_a_price_costs_null(world: World) -> None:
    holding = Holding()
    with serving(world, holding, prices={}), killed(world, holding, "exec", "p/01-b"):
        world.exec("p/01-b")
    lost = world.records("p/01-b")[0]
    assert (lost["kind"], lost["attempt"]["cost_usd"]) == ("lost", None)


@pytest.mark.variant
def test_every_call_of_a_killed_run_is_on_record(world: World) -> None:
    meet = threading.Barrier(4)
    go = threading.Event()

    def reply(request: Received) -> str:
        if not go.is_set():
            meet.wait(20)
            go.wait(20)
        name = next(name for name in ("0.txt", "1.txt", "2.txt") if name in request.prompt)
        return f"```text path={name}\nb\n```\n"

    with world.serve(reply):
        for number in range(3):
            path = f"{number}.txt"
            world.task(f"p/0{number}-x", writes=[path], validation=f"grep -qx b {path}", title=path)
        with world.start("run", "p") as process:
            meet.wait(20)
            process.kill()
        go.set()
        outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 0, outcome.text
    for number in range(3):
        records = world.records(f"p/0{number}-x")
        assert [each["kind"] for each in records] == ["lost", "attempt"]
        assert Decimal(records[0]["attempt"]["cost_usd"]) > 0


def test_an_answer_that_came_and_was_not_recorded_is_used_and_not_asked_for_again(
    world: World, tmp_path: Path
) -> None:
    place = Checkpoint(tmp_path, only_with="b.txt")
    with world.serve(lambda request: GOOD, sandbox="none") as server:
        validation = f"{place.command}\ngrep -qx b b.txt"
        world.task("p/01-b", writes=["b.txt"], validation=validation)
        with place.hold(world, "exec", "p/01-b") as held:
            held.process.kill()
        outcome = world.exec("p/01-b")
        assert len(server.requests) == 1
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert "in progress" not in outcome.stderr, "nothing was lost"
    (record,) = world.records("p/01-b")
    assert record["kind"] == "attempt"
    assert Decimal(record["attempt"]["cost_usd"]) == COST, "it was paid, by the killed command"
    assert record["attempt"]["usage"]["requests"] == 1
    assert record["attempt"]["pricing"], "its rates are on record as any other's"
    assert record["attempt"]["pricing"]["source"] == "config"


def test_an_answer_that_was_kept_is_not_used_for_another_spec(world: World, tmp_path: Path) -> None:
    place = Checkpoint(tmp_path, only_with="b.txt")
    validation = f"{place.command}\ngrep -qx b b.txt"
    with world.serve(lambda request: GOOD, sandbox="none") as server:
        world.task("p/01-b", writes=["b.txt"], validation=validation)
        with place.hold(world, "exec", "p/01-b") as held:
            held.process.kill()
        world.task("p/01-b", writes=["b.txt"], validation=validation, title="Another")
        outcome = world.exec("p/01-b")
        assert len(server.requests) == 2
    assert outcome.json["verdict"] == "merged", outcome.text
    costs = [Decimal(each["attempt"]["cost_usd"]) for each in world.records("p/01-b")]
    assert sum(costs) == 2 * COST, "the answer that nobody used was paid for all the same"


KILLED_BEHIND_ITS_RECORD = """
import os, sys
from minitask.task import paid_calls
paid_calls.settle = lambda *_: os._exit(9)
sys.argv = ["minitask", "exec", "p/01-b"]
from minitask.cli import main
main()
"""


def test_a_command_that_is_killed_right_behind_its_record_leaves_one_record(world: World) -> None:
    with serving(world, RED) as server:
        command = (sys.executable, "-c", KILLED_BEHIND_ITS_RECORD)
        died = subprocess.run(command, cwd=world.root, capture_output=True, check=False)
        assert died.returncode == 9, died.stderr
        outcome = world.exec("p/01-b")
        requests = len(server.requests)
    attempts = [record["attempt"] for record in world.records("p/01-b")]
    assert outcome.code == 1, outcome.text
    assert sum(attempt["usage"]["requests"] for attempt in attempts) == requests
    assert sum(Decimal(attempt["cost_usd"]) for attempt in attempts) == requests * COST
