"""What an agent takes is estimated by the ledger, else by what it was measured to send; not as one call of a model."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from world import World, agent_settings, write_program

PRICES = {"tiny": {"input": 10, "cached": 1, "output": 20}}
CHAT = {"type": "openai", "base_url": "http://127.0.0.1:9/v1"}
USAGE = {"in": 20_000, "cached": 15_000, "out": 900}
POINTERS = {"input_tokens": "/in", "cached_input_tokens": "/cached", "output_tokens": "/out"}
MOVED = "Move lines 10-200 of `big.py` to `small.py`"


def estimate(world: World, *options: str) -> dict[str, Any]:
    [routed] = world.minitask("route", "p/01-b", *options, "--json").json
    found: dict[str, Any] = routed["estimate"]
    return found


def cost(fresh: int, cached: int, output: int) -> Decimal:
    return (Decimal(10) * fresh + cached + Decimal(20) * output) / 1_000_000


def agent_world(world: World, folder: Path, **settings: Any) -> Path:
    """Configure an agent that reports the same usage each time; return the file that it touches when it starts."""
    started = folder / "started"
    text = f"#!/bin/sh\ntouch {started}\ncp one $1\necho '{json.dumps(USAGE)}'\n"
    program = write_program(folder / "fake-agent", text)
    agent = agent_settings(program, "{files}", model="tiny", usage=POINTERS)
    world.configure(**agent, prices=PRICES, sandbox="none", **settings)
    return started


def agent_task(world: World, name: str, path: str) -> None:
    world.task(name, writes=[path], validation=f"grep -qx one {path}")


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [("aider", 2_000, 4_000), ("claude", 14_000, 60_000), ("qwen", 36_000, 120_000)],
)
def test_each_agent_is_known_by_what_it_sends(
    world: World, kind: str, least: int, most: int
) -> None:
    world.configure(
        executors={"agent": {"type": kind}, "chat": CHAT},
        tiers={
            "cheap": {"executor": "agent", "model": "tiny"},
            "balanced": {"executor": "chat", "model": "tiny"},
        },
        prices=PRICES,
    )
    world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
    by_agent, by_chat = estimate(world), estimate(world, "--tier", "balanced")
    assert by_chat["input_tokens"] < 1_500
    assert least < by_agent["input_tokens"] < most
    tokens = by_agent["input_tokens"], by_agent["output_tokens"]
    assert Decimal(by_agent["cost_usd"]) == cost(tokens[0], 0, tokens[1])


@pytest.mark.variant
def test_after_three_tasks_the_ledger_knows_better(world: World, tmp_path: Path) -> None:
    agent_world(world, tmp_path)
    world.commit({"one": "one\n"})
    agent_task(world, "p/01-b", "b.txt")
    before = estimate(world)
    for number, name in enumerate("cde", start=2):
        agent_task(world, f"p/0{number}-{name}", f"{name}.txt")
        outcome = world.exec(f"p/0{number}-{name}")
        assert outcome.code == 0, outcome.text
    after = estimate(world)
    [ahead] = [
        task
        for task in world.minitask("run", "p", "--dry-run", "--json").json["tasks"]
        if task["task"] == "p/01-b"
    ]
    assert before["input_tokens"] > 1_000
    assert after == {
        "input_tokens": 20_000,
        "output_tokens": 900,
        "cost_usd": after["cost_usd"],
    }
    assert Decimal(after["cost_usd"]) == cost(5_000, 15_000, 900)
    assert ahead["estimate"] == after
    world.exec("p/01-b")
    attempt = world.records("p/01-b")[0]["attempt"]
    assert {name: attempt["route"]["estimate"][name] for name in after} == after
    assert Decimal(attempt["cost_usd"]) == Decimal(after["cost_usd"])


@pytest.mark.variant
@pytest.mark.parametrize(("share", "starts"), [("0.99", False), ("1.01", True)])
def test_what_is_reserved_is_what_was_estimated(
    world: World, tmp_path: Path, share: str, starts: bool
) -> None:
    started = agent_world(world, tmp_path)
    world.commit({"one": "one\n"})
    agent_task(world, "p/01-b", "b.txt")
    most = Decimal(estimate(world)["cost_usd"]) * Decimal(share)
    outcome = world.minitask("run", "p", "--max-cost", f"{most:f}")
    assert started.exists() is starts, outcome.text


def moving_task(world: World, tiers: dict[str, Any], **fields: Any) -> None:
    world.configure(
        executors={"agent": {"type": "claude"}, "chat": CHAT}, tiers=tiers, prices=PRICES
    )
    world.commit({"big.py": "".join(f"x{number} = {number}\n" for number in range(300))})
    world.task(
        "p/01-b",
        writes=["small.py"],
        reads=["big.py (lines 10-200)"],
        validation="test -s small.py",
        title=MOVED,
        **fields,
    )


def test_a_spec_that_moves_lines_goes_to_a_model_that_can_name_them(world: World) -> None:
    moving_task(
        world,
        {
            "cheap": {"executor": "agent", "model": "tiny"},
            "balanced": {"executor": "chat", "model": "tiny"},
        },
    )
    outcome = world.minitask("route", "p/01-b")
    assert "balanced" in outcome.stdout.splitlines()[0], outcome.text
    assert "skipped cheap: an agent would write 191 moved lines again" in outcome.text
    [asked] = world.minitask("route", "p/01-b", "--tier", "cheap", "--json").json
    assert asked["executor"] == "agent"


def test_an_agent_moves_lines_where_nobody_else_can(world: World) -> None:
    moving_task(world, {"cheap": {"executor": "agent", "model": "tiny"}})
    [route] = world.minitask("route", "p/01-b", "--json").json
    assert route["executor"] == "agent"


def test_a_spec_may_ask_for_the_agent(world: World) -> None:
    tiers = {"cheap": {"executor": "agent", "model": "tiny"}}
    tiers["balanced"] = {"executor": "chat", "model": "tiny"}
    moving_task(world, tiers, front={"tier": "cheap"})
    [route] = world.minitask("route", "p/01-b", "--json").json
    assert route["executor"] == "agent"
