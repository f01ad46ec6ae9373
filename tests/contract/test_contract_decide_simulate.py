"""`decide` and `simulate`: advice before anything is spent, by the command line."""

from __future__ import annotations

import os
import pty
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from executors.model_server import Received, completion, scripted_server
from world import MINITASK, TIMEOUT_SECONDS, Outcome, World, model_settings

PAIR = "DeepSeek-V3.2-Exp (Chat),gpt-5 (high)"
SHIPPED = ("simulate", "--table", "aider-polyglot")
POLICY_KEYS = {
    *("policy", "cost_usd", "baseline_cost_usd", "saved_usd"),
    *("saved_percent", "solved_min", "solved_max", "steps"),
}


def on_a_terminal(world: World, typed: str, *arguments: str) -> Outcome:
    """Run `minitask` with a terminal as its stdin, on which somebody types."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed.encode())
        done = subprocess.run(
            (*MINITASK, *arguments),
            cwd=world.root,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return Outcome(done.returncode, done.stdout, done.stderr)


def new_task(world: World, number: int, **fields: Any) -> None:
    name = f"n{number:02}"
    world.task(
        f"p/{number:02}-{name}",
        whole={f"{name}.txt": "x\n"},
        validation=f"grep -qx x {name}.txt",
        number=number,
        **fields,
    )


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        (("--well-defined", "--repetitive"), "delegate"),
        (("--well-defined", "--not-repetitive", "--small"), "current model"),
        (("--well-defined", "--not-repetitive", "--large", "--atomic-tasks", "5"), "delegate"),
        (("--well-defined", "--not-repetitive", "--large", "--atomic-tasks", "4"), "big model"),
        (("--not-well-defined", "--exploration"), "big model"),
        (("--not-well-defined", "--no-exploration"), "ask the user"),
        (("--well-defined", "--judgement"), "big model"),
    ],
)
def test_options_lead_to_a_verdict(world: World, options: tuple[str, ...], verdict: str) -> None:
    outcome = world.minitask("decide", *options, "--json")
    assert outcome.code == 0, outcome.text
    assert outcome.json["verdict"] == verdict
    assert outcome.json["reason"]
    sources = [each["source"] for each in outcome.json["path"]]
    assert [source for source in sources if not source.startswith("assumed")] == [
        option if option != "--atomic-tasks" else f"{option} {options[-1]}"
        for option in options
        if option.startswith("--")
    ]
    assert {each["answer"] for each in outcome.json["path"]} <= {"yes", "no"}


def test_the_first_line_is_the_verdict_and_the_path_follows(world: World) -> None:
    lines = world.minitask("decide", "--well-defined", "--repetitive").stdout.splitlines()
    assert lines[0].startswith("delegate: ")
    assert lines[1].split("  ")[-1] == "(--well-defined)"
    assert "assumed" in lines[2]
    assert "repetitive" in lines[3]
    assert len(lines) == 4


def test_on_a_terminal_only_what_is_needed_is_asked(world: World) -> None:
    outcome = on_a_terminal(world, "y\n\n6\n", "decide", "--large", "--not-repetitive", "--json")
    assert outcome.code == 0, outcome.text
    assert outcome.json["verdict"] == "delegate"
    assert [each["source"] for each in outcome.json["path"]] == [
        *("you said so", "you said so", "--not-repetitive", "--large", "you said 6"),
    ]
    assert "explored" not in outcome.stderr


def test_it_works_outside_of_a_repository(world: World, tmp_path: Path) -> None:
    outcome = world.minitask("decide", "--not-well-defined", "--exploration", cwd=tmp_path)
    assert outcome.stdout.startswith("big model: ")


@pytest.mark.variant
def test_ten_similar_specs_are_delegated(world: World) -> None:
    for number in range(1, 11):
        new_task(world, number)
    outcome = world.minitask("decide", "mini-projects/p", "--json")
    assert outcome.code == 0, outcome.text
    assert outcome.json["verdict"] == "delegate"
    first, *_, last = outcome.json["path"]
    assert first["source"] == "specs: 10 of 10 pass `minitask validate`, 10 have a validation"
    assert last["source"] == "specs: 10 of 10 are similar"


@pytest.mark.variant
@pytest.mark.parametrize(("count", "verdict"), [(4, "big model"), (5, "delegate")])
def test_a_few_atomic_specs_are_worth_it_from_five_on(
    world: World, count: int, verdict: str
) -> None:
    for number in range(1, count + 1):
        new_task(world, number)
    outcome = world.minitask("decide", "p", "--json")
    assert outcome.json["verdict"] == verdict, "the name of a project will do"
    assert f"{count} of {count} are atomic" in outcome.json["path"][-1]["source"]


@pytest.mark.variant
def test_broken_specs_are_not_well_defined_and_vague_ones_need_exploring(world: World) -> None:
    new_task(world, 1, title="Improve some files as needed")
    world.task("p/02-b", writes=["b.txt"], reads=["absent.txt"], validation="test -e b.txt")
    outcome = world.minitask("decide", "mini-projects/p", "--json")
    assert outcome.json["verdict"] == "big model"
    assert [each["answer"] for each in outcome.json["path"]] == ["no", "yes"]
    assert "1 of 2 pass" in outcome.json["path"][0]["source"]
    assert "1 vague" in outcome.json["path"][1]["source"]


def test_an_option_stands_above_the_specs(world: World) -> None:
    new_task(world, 1)
    outcome = world.minitask("decide", "p", "--not-well-defined", "--no-exploration", "--json")
    assert outcome.json["verdict"] == "ask the user"


def test_a_folder_without_specs_is_bad_usage(world: World) -> None:
    (world.root / "empty").mkdir()
    outcome = world.minitask("decide", "empty")
    assert (outcome.code, "empty" in outcome.stderr) == (2, True)


def test_the_published_figures_give_the_published_saving(world: World, tmp_path: Path) -> None:
    outcome = world.minitask(*SHIPPED, "--policy", PAIR, cwd=tmp_path)
    assert outcome.code == 0, outcome.text
    assert "$9.54 against $29.08 (-67 %), solves 88.0 to 96.4 %" in outcome.stdout
    assert "solved is a range" in outcome.stdout
    found = world.minitask(*SHIPPED, "--policy", PAIR, "--json").json
    assert (found["source"], found["tasks"]) == ("aider-polyglot", 225)
    (policy,) = found["policies"]
    assert set(policy) >= POLICY_KEYS
    assert policy["policy"] == PAIR.split(",")
    assert (policy["cost_usd"], policy["baseline_cost_usd"]) == ("9.535841", "29.0829")
    assert policy["saved_usd"] == "19.547059"
    assert (policy["saved_percent"], policy["solved_min"], policy["solved_max"]) == (
        67.2,
        0.88,
        0.9643,
    )
    assert policy["steps"] == [
        {"name": PAIR.partition(",")[0], "q": 0.7022, "cost_usd": "0.8756", "reached": 1.0},
        {"name": "gpt-5 (high)", "q": 0.88, "cost_usd": "29.0829", "reached": 0.2978},
    ]


def test_by_default_models_pairs_and_the_ladder_are_shown(world: World) -> None:
    policies = world.minitask(*SHIPPED, "--json").json["policies"]
    assert ["gpt-5 (high)"] in [each["policy"] for each in policies]
    pairs = [each["policy"] for each in policies if len(each["policy"]) == 2]
    assert PAIR.split(",") in pairs
    assert {pair[1] for pair in pairs} == {"gpt-5 (high)"}
    assert "o3 (high)" not in [pair[0] for pair in pairs], "it is dearer than the best one"
    assert [each["is_ladder"] for each in policies].count(True) == 1
    for each in policies:
        assert Decimal(each["cost_usd"]) <= Decimal(each["cost_usd_at_most"])
        assert 0 <= each["solved_min"] <= each["solved_max"] <= 1
    text = world.minitask(*SHIPPED).stdout
    assert "the best ladder: " in text
    assert "aider's polyglot leaderboard" in text


def test_a_table_of_ones_own_is_read_from_a_file(world: World) -> None:
    rows = (
        "[{name: a, tasks: 4, passed: 2, cost_usd: 1}, {name: b, tasks: 4, passed: 4, cost_usd: 8}]"
    )
    world.write({"t.yaml": f"models: {rows}\n"})
    found = world.minitask("simulate", "--table", "t.yaml", "--policy", "a,b", "--json").json
    assert found["policies"][0]["cost_usd"] == "5"


def test_a_repository_without_attempts_says_so(world: World) -> None:
    outcome = world.minitask("simulate")
    assert outcome.code == 0
    assert "attempts" in outcome.stdout
    assert world.minitask("simulate", "--json").json["policies"] == []


def answer(request: Received) -> Any:
    """Repairs b at the second request, and never gets c right."""
    if "c.txt" in request.prompt:
        return completion("```text path=c.txt\nnot c\n```\n")
    first = len(request.json["messages"]) == 2
    return completion(f"```text path=b.txt\n{'not b' if first else 'b'}\n```\n")


def test_the_ledger_of_real_runs_is_replayed(world: World) -> None:
    with scripted_server(answer) as server:
        settings = model_settings(server.base_url)
        settings["tiers"]["balanced"] = {"executor": "scripted", "model": "tiny"}
        world.configure(**settings)
        for name in "bc":
            world.task(
                f"p/0-{name}",
                writes=[f"{name}.txt"],
                validation=f"grep -qx {name} {name}.txt",
                title=f"Write {name}.txt",
            )
        assert world.exec("p/0-b").json["verdict"] == "merged"
        world.exec("p/0-c", "--tier", "cheap")
        world.exec("p/0-c", "--tier", "balanced")
    costs = {tier: Decimal(0) for tier in ("cheap", "balanced")}
    for record in (*world.records("p/0-b"), *world.records("p/0-c")):
        costs[record["attempt"]["tier"]] += Decimal(record["attempt"]["cost_usd"])
    before = world.refs()
    found = world.minitask("simulate", "--policy", "cheap,balanced", "--json").json
    assert (found["source"], found["tasks"], found["baseline"]) == ("ledger", 2, "balanced")
    cheap, balanced = found["policies"][0]["steps"]
    assert (cheap["q"], balanced["q"], balanced["reached"]) == (0.5, 0.0, 0.5)
    assert Decimal(cheap["cost_usd"]) == costs["cheap"]
    assert Decimal(balanced["cost_usd"]) == 2 * costs["balanced"], "for all tasks, not for one"
    text = world.minitask("simulate").stdout
    assert "ledger: 2 tasks; balanced alone costs" in text
    assert world.refs() == before
