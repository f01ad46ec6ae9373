"""Routing and escalation: who does a task, why, and what happens when a tier cannot."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from contract.kit import TIERS, exec_b, ladder, settings_for, task_b, writes
from executors.model_server import Received, completion, error, scripted_server
from world import World, spec_text


@pytest.mark.variant
def test_a_failure_goes_to_the_next_tier_with_what_was_wrong(world: World) -> None:
    with ladder(world, [writes("not b"), writes("b")]) as server:
        found = world.exec("p/01-b").json
        asked = server.requests
    assert found["verdict"] == "merged"
    assert [each["tier"] for each in found["attempts"]] == ["cheap", "balanced"]
    assert [each.json["model"] for each in asked] == ["cheap-model", "balanced-model"]
    assert "grep -qx b b.txt" in asked[1].prompt
    assert "An earlier attempt failed" in asked[1].prompt
    records = world.records("p/01-b")
    assert [each["attempt"]["route"]["settles"] for each in records] == [True, True]
    assert "cheap failed" in records[1]["attempt"]["route"]["reason"]
    assert world.minitask("report", "--format", "json").json["escalations"] == 1


def test_a_filtered_reply_goes_to_the_next_tier_and_teaches_nothing(world: World) -> None:
    filtered = completion("", finish_reason="content_filter")
    found = exec_b(world, [filtered, writes("b")]).json
    assert found["verdict"] == "merged"
    assert [each["tier"] for each in found["attempts"]] == ["cheap", "balanced"]
    records = world.records("p/01-b")
    assert [each["attempt"]["route"]["settles"] for each in records] == [False, True]


@pytest.mark.variant
def test_a_run_after_a_refusal_starts_at_another_rung(world: World) -> None:
    asked: list[str] = []

    def answer(request: Received) -> Any:
        asked.append(request.json["model"])
        filtered = request.json["model"] == "cheap-model"
        return completion("", finish_reason="content_filter") if filtered else writes("x")

    with ladder(world, answer, routing={"max_escalations": 0}):
        assert world.exec("p/01-b").json["verdict"] == "failed"
        [route] = world.minitask("route", "p/01-b", "--json").json
        world.exec("p/01-b")
        world.exec("p/01-b", "--tier", "cheap")
    assert route["tier"] == "balanced"
    assert "cheap declined this spec before" in route["reason"]
    assert list(dict.fromkeys(asked[:-1])) == ["cheap-model", "balanced-model"]
    assert asked[-1] == "cheap-model"


def test_a_refusal_of_the_only_rung_asks_it_again(world: World) -> None:
    only = {"cheap": {"executor": "scripted", "model": "cheap-model"}}
    filtered = completion("", finish_reason="content_filter")
    with ladder(world, filtered, routing={"max_escalations": 0}, tiers=only):
        found = [world.exec("p/01-b").json["attempts"][0]["tier"] for _ in range(2)]
    assert found == ["cheap", "cheap"]


def test_what_is_next_after_a_rejected_key_is_the_key(world: World) -> None:
    with ladder(world, error(401, "no such key")):
        told = world.minitask("run", "p")
    assert told.code == 3
    assert "next: check the key" in told.stdout
    assert "minitask show" not in told.text
    assert "fix the spec" not in told.text


@pytest.mark.variant
def test_escalations_are_bounded(world: World) -> None:
    outcome = exec_b(world, writes("wrong"), routing={"max_escalations": 1})
    assert outcome.code == 1
    assert [each["tier"] for each in outcome.json["attempts"]] == ["cheap", "balanced"]


def test_a_tier_asked_for_on_the_command_line_is_the_only_one(world: World) -> None:
    found = exec_b(world, writes("wrong"), "--tier", "cheap").json
    assert [each["tier"] for each in found["attempts"]] == ["cheap"]


def test_a_run_after_a_failure_starts_above_what_failed(world: World) -> None:
    def answer(request: Received) -> Any:
        return writes("b" if "balanced" in request.json["model"] else "x")

    with ladder(world, answer, routing={"max_escalations": 0}):
        assert world.exec("p/01-b").json["verdict"] == "failed"
        found = world.exec("p/01-b").json
    assert [each["tier"] for each in found["attempts"]] == ["balanced"]
    assert "cheap failed" in world.records("p/01-b")[-1]["attempt"]["route"]["reason"]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("front", "tier"),
    [
        ({"tags": ["SECURITY"]}, "frontier"),
        ({"tags": ["arch"]}, "frontier"),
        ({"complexity": "high"}, "frontier"),
        ({"complexity": "low"}, "cheap"),
        ({"tier": "free"}, "free"),
    ],
)
def test_rules_decide_where_a_task_starts(world: World, front: dict[str, Any], tier: str) -> None:
    with world.serve(writes("b"), settings_for):
        task_b(world, **front)
        [route] = world.minitask("route", "p/01-b", "--json").json
        found = world.exec("p/01-b").json
    assert route["tier"] == tier
    assert route["reason"]
    assert found["attempts"][0]["tier"] == tier


def test_a_spec_cannot_go_above_the_cap_and_the_user_can(world: World) -> None:
    with world.serve(writes("b"), settings_for, routing={"cap": "balanced"}):
        task_b(world, tier="frontier")
        refused = world.exec("p/01-b")
        merged = world.exec("p/01-b", "--tier", "frontier")
    assert (refused.code, refused.json["verdict"]) == (1, "refused")
    assert "cap" in refused.json["reason"]
    assert merged.json["verdict"] == "merged"


def test_a_free_model_that_is_not_there_falls_back(world: World) -> None:
    with scripted_server(lambda _request: writes("b")) as server:
        settings = settings_for(server.base_url, routing={"entry": {"implement": "free"}})
        settings["executors"]["local"] = {"type": "ollama", "base_url": "http://127.0.0.1:9"}
        settings["tiers"]["free"] = {"executor": "local", "model": "small"}
        world.configure(**settings)
        task_b(world)
        found = world.exec("p/01-b").json
    assert found["verdict"] == "merged"
    assert [each["tier"] for each in found["attempts"]] == ["free", "cheap"]
    settled = [each["attempt"]["route"]["settles"] for each in world.records("p/01-b")]
    assert settled == [False, True], "an outage teaches nothing"


@pytest.mark.variant
def test_the_budget_stops_an_escalation(world: World) -> None:
    outcome = exec_b(world, writes("wrong"), budget={"max_cost_usd": 0.02})
    assert outcome.code == 4
    assert [each["tier"] for each in outcome.json["attempts"]] == ["cheap"]
    assert Decimal(outcome.json["cost_usd"]) > 0


def test_a_route_is_explained_tier_by_tier(world: World) -> None:
    with ladder(world, writes("b")):
        [route] = world.minitask("route", "p/01-b", "--json").json
        text = world.minitask("route", "p/01-b", "--explain").stdout
        again = world.minitask("route", "p/01-b", "--json").json
    assert set(route) == {"task", "tier", "executor", "model", "reason", "ladder", "estimate"}
    assert [step["tier"] for step in route["ladder"]] == list(TIERS)
    assert [step["use"] for step in route["ladder"]] == [False, True, True, True]
    assert all(step["reason"] for step in route["ladder"])
    assert set(route["estimate"]) == {"input_tokens", "output_tokens", "cost_usd"}
    assert "below cheap" in text
    assert again == [route]


def test_what_does_not_fit_a_models_window_goes_to_a_larger_one(world: World) -> None:
    with ladder(world, writes("b"), models={"cheap-model": {"context_tokens": 1_000}}):
        [route] = world.minitask("route", "p/01-b", "--json").json
    assert route["tier"] == "balanced"
    assert "1,000" in route["ladder"][1]["reason"]


def test_what_the_ledger_has_learned_leaves_a_rung_out(world: World) -> None:
    """Twenty tasks that cheap could not do, at the price of balanced: the next one starts at balanced."""

    def answer(request: Received) -> Any:
        number = request.prompt.split("Write part ")[1].split()[0].strip(".")
        good = request.json["model"] != "cheap-model"
        return completion(f"```text path=b{number}.txt\n{'b' if good else 'x'}\n```\n")

    with scripted_server(answer) as server:
        settings = settings_for(server.base_url)
        settings["prices"]["cheap-model"] = settings["prices"]["balanced-model"]
        world.configure(**settings)
        for number in range(1, 25):
            world.write(
                {
                    f"mini-projects/p/{number:02}-b.md": spec_text(
                        number=number,
                        title=f"Write part {number}",
                        writes=[f"b{number}.txt"],
                        validation=f"grep -qx b b{number}.txt",
                    )
                }
            )
        world.git("add", "mini-projects")
        world.git("commit", "--quiet", "--message", "specs")
        before = world.minitask("route", "p/24-b", "--json").json[0]
        only = [word for n in range(1, 21) for word in ("--only", f"p/{n:02}-b")]
        run = world.minitask("run", "p", *only, "--json")
        routes = world.minitask("route", *(f"p/{n}-b" for n in range(21, 25)), "--json").json
        again = world.minitask("route", *(f"p/{n}-b" for n in range(21, 25)), "--json").json
    assert {*run.verdicts.values()} == {"merged"}
    assert before["tier"] == "cheap"
    skipped = [route for route in routes if route["tier"] == "balanced"]
    assert len(skipped) >= 3, "one in twenty explores"
    assert "skipped cheap: q ." in skipped[0]["reason"]
    assert again == routes
