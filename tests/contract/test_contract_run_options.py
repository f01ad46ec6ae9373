"""What part of a project a run is for, what it would do, and how it tells of it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess

import pytest

from world import MINITASK, World, environment


def prepare(world: World) -> None:
    """Three tasks without a model; the second fails, the third needs nobody."""
    for number, check in ((1, "test -f 1.txt"), (2, "false"), (3, "test -f 3.txt")):
        name = f"{number}.txt"
        world.task(f"p/0{number}-x", whole={name: "x\n"}, validation=f"test -f {name}\n{check}")


def verdicts(world: World, *arguments: str) -> dict[str, str]:
    return world.minitask("run", "p", "--json", *arguments).verdicts


@pytest.mark.variant
def test_only_the_tasks_named_are_run(world: World) -> None:
    prepare(world)
    assert verdicts(world, "--only", "03-x", "--only", "p/01-x") == {
        "p/01-x": "merged",
        "p/03-x": "merged",
    }


def test_a_run_begins_where_it_is_told(world: World) -> None:
    prepare(world)
    assert list(verdicts(world, "--from", "02-x")) == ["p/02-x", "p/03-x"]


def test_what_failed_is_tried_again_alone(world: World) -> None:
    prepare(world)
    verdicts(world)
    assert verdicts(world, "--retry-failed") == {"p/02-x": "failed"}
    fixed = {"writes": ["2.txt"], "whole": {"2.txt": "x\n"}, "validation": "test -f 2.txt"}
    world.task("p/02-x", **fixed)
    assert verdicts(world, "--retry-failed") == {"p/02-x": "merged"}
    assert verdicts(world, "--retry-failed") == {}


def test_a_failure_stops_a_run_that_is_to_fail_fast(world: World) -> None:
    world.task("p/01-x", whole={"q.txt": "x\n"}, validation="test -f q.txt\nfalse")
    world.task("p/02-y", whole={"q.txt": "y\n"}, validation="grep -qx y q.txt")
    fast = world.minitask("run", "p", "--json", "--fail-fast").json["tasks"]
    assert [task["verdict"] for task in fast] == ["failed", "skipped"]
    assert "p/01-x" in fast[1]["reason"]
    assert verdicts(world, "--keep-going") == {"p/01-x": "failed", "p/02-y": "merged"}


def test_a_name_that_is_nobodys_is_bad_usage(world: World) -> None:
    prepare(world)
    outcome = world.minitask("run", "p", "--only", "09-z")
    assert outcome.code == 2
    assert "p/01-x" in outcome.text


def test_a_dry_run_of_a_project_says_who_would_be_asked_at_what_cost(world: World) -> None:
    with world.serve([]) as server:
        world.task("p/01-b", writes=["b.txt"], validation="test -f b.txt")
        world.task(
            "p/02-c",
            whole={"c.txt": "c\n"},
            validation="test -f c.txt",
            front={"depends_on": ["01-b"]},
        )
        said = world.minitask("run", "p", "--dry-run", "--json").json
        text = world.minitask("run", "p", "--dry-run").text
        assert server.requests == []
    assert said["waves"] == [["p/01-b"], ["p/02-c"]]
    first, second = said["tasks"]
    assert (first["tier"], first["model"]) == ("cheap", "tiny")
    assert first["estimate"]["input_tokens"] > 100
    assert (second["tier"], second["estimate"]["cost_usd"]) == ("none", "0")
    assert "wave 2" in text
    assert not world.has("c.txt")


def test_events_are_json_lines(world: World) -> None:
    prepare(world)
    outcome = world.minitask("run", "p", "--events", "--json")
    events = [json.loads(line) for line in outcome.stderr.splitlines()]
    done = {event["task"]: event["verdict"] for event in events if event["stage"] == "done"}
    assert done == {"p/01-x": "merged", "p/02-x": "failed", "p/03-x": "merged"}
    assert len(outcome.json["tasks"]) == 3


def test_a_terminal_shows_the_run_as_it_goes(world: World) -> None:
    prepare(world)
    ours, theirs = pty.openpty()
    env = environment({"TERM": "xterm", "COLUMNS": "100"})
    argv = (*MINITASK, "run", "p")
    with subprocess.Popen(
        argv, cwd=world.root, stdout=subprocess.PIPE, stderr=theirs, env=env
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:
                break
            shown += chunk
        assert process.stdout is not None
        stdout = process.stdout.read().decode()
    os.close(ours)
    assert b"3/3 done, 2 merged" in shown
    assert "2 of 3 on main" in stdout


def test_a_dry_run_shows_the_waves_that_files_imply(world: World) -> None:
    world.task("p/00-x", whole={"0.txt": "x\n"}, reads=["1.txt"], validation="test -f 0.txt")
    world.task("p/01-x", whole={"1.txt": "x\n"}, validation="test -f 1.txt")
    said = world.minitask("run", "p", "--dry-run", "--json").json
    assert said["waves"] == [["p/01-x"], ["p/00-x"]]


def test_a_dry_run_counts_nothing_for_what_has_landed_already(world: World) -> None:
    world.task("p/00-x", whole={"0.txt": "x\n"}, validation="test -f 0.txt")
    world.task("p/01-x", whole={"1.txt": "x\n"}, validation="test -f 1.txt")
    assert world.exec("p/00-x").code == 0

    said = world.minitask("run", "p", "--dry-run").text
    anew = world.minitask("run", "p", "--dry-run", "--again").text

    assert re.search(r"p/00-x +already merged \([0-9a-f]{12}\)", said)
    assert re.search(r"p/01-x +none", said)
    assert re.search(r"p/00-x +none", anew)
