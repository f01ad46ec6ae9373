"""Exit codes that scripts can rely on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from executors.model_server import error, scripted_server
from world import World, model_settings, spec_text

B = {"b.txt": "b\n"}
REPLY = "```text path=b.txt\nb\n```\n"
VALIDATION = "grep -qx b b.txt"


@pytest.mark.variant
def test_0_where_every_task_is_merged_or_ready(world: World) -> None:
    world.proven("p/01-b", whole=B, validation=VALIDATION)
    assert world.minitask("merge", "p/01-b").code == 0


@pytest.mark.variant
def test_1_where_a_task_failed(world: World) -> None:
    world.task("p/01-b", whole=B, validation="false")
    assert world.minitask("exec", "p/01-b").code == 1


def test_2_for_a_bad_spec_and_nothing_ran(world: World) -> None:
    world.commit({"mini-projects/p/01-b.md": "# Mini-Task 1: Nothing to do\n"})
    before = world.refs()
    assert world.minitask("exec", "p/01-b").code == 2
    assert world.minitask("run", "p").code == 2
    assert world.minitask("validate").code == 2
    assert world.refs() == before


def test_2_where_no_executor_is_configured(world: World) -> None:
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    outcome = world.minitask("exec", "p/01-b")
    assert outcome.code == 2
    assert "executors" in outcome.text or "tier" in outcome.text
    assert world.refs("refs/minitask/attempts") == {}


@pytest.mark.variant
def test_a_missing_key_is_named_and_nothing_was_sent(world: World) -> None:
    with scripted_server([REPLY]) as server:
        settings = model_settings(server.base_url)
        settings["executors"]["scripted"]["api_key_env"] = "NO_SUCH_VARIABLE"
        world.configure(**settings)
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        outcome = world.minitask("exec", "p/01-b")
        assert server.requests == []
    assert outcome.code in {2, 3}
    assert "NO_SUCH_VARIABLE" in outcome.text


@pytest.mark.variant
def test_3_where_the_model_server_is_down_with_a_record(world: World) -> None:
    with world.serve([]) as server:
        base_url = server.base_url
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    before = world.tip()
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (3, "error")
    assert base_url.split("/")[2] in outcome.json["reason"]
    assert world.tip() == before
    (record,) = world.records("p/01-b")
    assert record["attempt"]["verdict"] == "error"


def test_3_where_the_provider_refuses_the_key(world: World) -> None:
    with world.serve([error(401, "bad key")]) as server:
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        outcome = world.exec("p/01-b")
        assert len(server.requests) == 1
    assert outcome.code in {2, 3}
    assert outcome.json["verdict"] == "error"


@pytest.mark.variant
def test_4_where_the_budget_is_spent_and_no_further_call_is_made(world: World) -> None:
    with world.serve(lambda request: REPLY.replace("b.txt", wanted(request.prompt))) as server:
        for n, name in enumerate(("b.txt", "c.txt"), 1):
            fields = {"writes": [name], "validation": f"grep -qx b {name}"}
            world.task(f"p/0{n}-x", **fields)
        outcome = world.minitask("run", "p", "--max-cost", "0.003", "--json")
        assert len(server.requests) == 1
    assert outcome.code == 4
    by_verdict = {task["verdict"]: task for task in outcome.json["tasks"]}
    assert set(by_verdict) == {"merged", "skipped"}
    assert "budget" in by_verdict["skipped"]["reason"]


def wanted(prompt: str) -> str:
    return "c.txt" if "c.txt" in prompt else "b.txt"


@pytest.mark.variant
def test_4_where_the_budget_is_nothing_and_a_model_would_have_to_be_paid(world: World) -> None:
    with world.serve([REPLY]) as server:
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        world.task("p/02-c", whole={"c.txt": "c\n"}, validation="grep -qx c c.txt")
        outcome = world.minitask("run", "p", "--max-cost", "0", "--json")
        assert server.requests == []
    assert outcome.code == 4, outcome.text
    assert world.has("c.txt")


@pytest.mark.variant
def test_4_where_a_specs_own_limit_would_be_passed_and_nothing_is_sent(world: World) -> None:
    with world.serve([REPLY]) as server:
        front = {"max_cost_usd": 0.0001}
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION, front=front)
        outcome = world.minitask("exec", "p/01-b")
        assert server.requests == []
    assert outcome.code == 4, outcome.text


@pytest.mark.variant
def test_4_where_the_configs_budget_would_be_passed_and_nothing_is_sent(world: World) -> None:
    with world.serve([REPLY], budget={"max_cost_usd": 0.0001}) as server:
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        outcome = world.minitask("exec", "p/01-b")
        assert server.requests == []
    assert outcome.code == 4, outcome.text


@pytest.mark.variant
def test_every_command_explains_itself_with_an_example(world: World) -> None:
    for command in (
        *("exec", "run", "status", "show", "merge", "undo", "verify", "validate", "clean"),
    ):
        outcome = world.minitask(command, "--help")
        assert outcome.code == 0
        assert f"minitask {command}" in outcome.stdout
        assert "Example" in outcome.stdout


def test_output_that_nobody_reads_is_no_bug(world: World) -> None:
    world.write({"mini-projects/p/01-b.md": spec_text(whole=B, validation=VALIDATION)})
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            (sys.executable, "-m", "minitask", "--help"),
            cwd=world.root,
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=20,
            check=False,
        )
    finally:
        os.close(write)
    assert done.returncode != 70
    assert b"Traceback" not in done.stderr
