"""Agents whose plan is used up: nobody fails, nobody escalates, and the work goes on elsewhere or later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from world import World, write_program

LIMIT = "You've hit your session limit · resets 3:50pm (Asia/Tokyo)"
Agents = Callable[..., None]


@pytest.fixture
def agents(world: World, tmp_path: Path) -> Agents:
    """Configure a script for each tier, which notes that it was asked; `entry` joins that of its executor."""

    def make(scripts: dict[str, str], *, entry: Any = (), **settings: Any) -> None:
        for tier, script in scripts.items():
            text = f"#!/bin/bash\necho {tier} >> {tmp_path}/asked\n{script}\n"
            write_program(tmp_path / tier, text)
        kind = {"type": "command", **dict(entry)}
        world.configure(
            executors={
                tier: {**kind, "command": [str(tmp_path / tier), "{files}"]} for tier in scripts
            },
            tiers={tier: {"executor": tier, "model": f"model-{tier}"} for tier in scripts},
            sandbox="none",
            **settings,
        )

    for number in (1, 2):
        name = f"{number}.txt"
        world.task(f"p/0{number}", writes=[name], validation=f"grep -qx b {name}")
    world.task("p/03", writes=["3.txt"], validation="grep -qx b 3.txt", front={"tier": "balanced"})
    return make


def asked(tmp_path: Path) -> list[str]:
    return (tmp_path / "asked").read_text().split()


REACHED = f'echo "{LIMIT}" >&2; exit 1'
WRITES = 'for file; do echo b > "$file"; done'


def test_a_limit_fails_no_task_and_stops_no_other_executor(
    world: World, agents: Agents, tmp_path: Path
) -> None:
    agents({"cheap": REACHED, "balanced": WRITES}, concurrency={"requests": 1, "jobs": 1})
    outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 4, outcome.text
    assert outcome.verdicts == {"p/01": "skipped", "p/02": "skipped", "p/03": "merged"}
    assert sorted(asked(tmp_path)) == ["balanced", "cheap"], "asked once, and no tier above it"
    (record,) = world.records("p/01") + world.records("p/02")
    assert (record["attempt"]["verdict"], record["attempt"]["route"]["settles"]) == (
        "skipped",
        False,
    )
    text = world.minitask("run", "p").stdout
    assert "cheap has reached its limit" in text
    assert "minitask run p" in text
    agents({"cheap": WRITES, "balanced": "exit 1"})
    assert world.minitask("run", "p").code == 0, "the same command goes on"


def test_another_tier_takes_over_where_the_settings_allow_it(
    world: World, agents: Agents, tmp_path: Path
) -> None:
    agents({"cheap": REACHED, "balanced": WRITES}, routing={"at_limit": ["cheap", "balanced"]})
    outcome = world.exec("p/01")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    first, second = outcome.json["attempts"]
    assert [first["verdict"], second["verdict"]] == ["skipped", "merged"]
    assert (second["executor"], second["route"]["step"]) == ("balanced", "first")
    assert asked(tmp_path) == ["cheap", "balanced"]
    pinned = world.exec("p/02", "--executor", "cheap")
    assert (pinned.code, pinned.json["verdict"]) == (4, "skipped"), "who was asked for is meant"


def test_a_task_waits_for_the_end_of_a_limit(world: World, agents: Agents, tmp_path: Path) -> None:
    end = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="seconds")
    once = f"[ $(wc -l < {tmp_path}/asked) = 1 ] && {{ echo 'usage limit reached, resets {end}' >&2; exit 1; }}"
    agents({"cheap": f"{once}\n{WRITES}"})
    outcome = world.exec("p/01", "--wait")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert [each["verdict"] for each in outcome.json["attempts"]] == ["skipped", "merged"]
    assert "waits until" in outcome.stderr
    assert world.git("status", "--porcelain") == ""


def test_a_subscription_costs_nothing_and_counts_windows(world: World, agents: Agents) -> None:
    says = f'{WRITES}; echo \'{{"usd": 0.5, "in": 900, "out": 40}}\''
    prices = {"model-cheap": "subscription"}
    usage = {"input_tokens": "/in", "output_tokens": "/out"}
    entry = {"cost": "/usd", "usage": usage}
    agents({"cheap": says}, entry=entry, prices=prices, budget={"max_cost_usd": 0.01})
    outcome = world.exec("p/01")
    assert (outcome.code, outcome.json["cost_usd"]) == (0, "0"), outcome.text
    (attempt,) = outcome.json["attempts"]
    assert (attempt["pricing"]["source"], attempt["usage"]["input_tokens"]) == ("subscription", 900)
    assert world.exec("p/02").code == 0
    report = world.minitask("report", "--json").json
    assert report["subscription"] == {"windows": 1, "limits_reached": 0}
    assert "1 window of five hours" in world.minitask("report").stdout
