"""What may be spent is reserved before a call is made, so that no limit is ever passed."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from executors.model_server import Received, completion, cut
from world import World

COST = Decimal("0.0014")
"""One request of the scripted server at the settings' prices: 100 tokens in, 20 out."""
RED = "```text path=b.txt\nnot b\n```\n"
LIMITED = {"models": {"tiny": {"max_output_tokens": 100}}}
"""An answer of at most 100 tokens is reserved for: 0.002 USD, besides the prompt's."""


def good(request: Received) -> str:
    names = (f"{number}.txt" for number in range(10))
    name = next((name for name in names if name in request.prompt), "b.txt")
    return f"```text path={name}\nb\n```\n"


def task(world: World, name: str, path: str = "b.txt", **fields: Any) -> None:
    world.task(name, writes=[path], validation=f"grep -qx b {path}", **fields)


@pytest.mark.variant
@pytest.mark.parametrize("where", ["spec", "config"])
def test_nothing_is_sent_where_the_budget_does_not_pay_for_the_call(
    world: World, where: str
) -> None:
    budget = {"budget": {"max_cost_usd": 0.0001}} if where == "config" else {}
    with world.serve(good, **LIMITED, **budget) as server:
        front = {"max_cost_usd": 0.0001} if where == "spec" else None
        task(world, "p/01-b", front=front)
        outcome = world.exec("p/01-b")
        assert server.requests == []
    assert (outcome.code, outcome.json["verdict"]) == (4, "skipped"), outcome.text
    assert "budget" in outcome.json["reason"]
    assert outcome.json["cost_usd"] == "0"
    assert outcome.json["usage"]["requests"] == 0
    assert world.refs("refs/minitask") == {}, "nothing was tried"


def test_run_takes_its_limit_from_the_command_line(world: World) -> None:
    with world.serve(good, **LIMITED) as server:
        task(world, "p/01-b")
        outcome = world.minitask("run", "p", "--max-cost", "0", "--json")
        assert server.requests == []
    (result,) = outcome.json["tasks"]
    assert (outcome.code, result["verdict"]) == (4, "skipped"), outcome.text
    assert "budget" in result["reason"]


@pytest.mark.variant
def test_a_budget_that_pays_for_the_longest_answer_lets_the_call_be_made(world: World) -> None:
    with world.serve(good, **LIMITED, budget={"max_cost_usd": 0.02}):
        task(world, "p/01-b", front={"max_cost_usd": 0.01})
        outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert Decimal(outcome.json["cost_usd"]) == COST


def test_a_spec_narrows_the_budget_and_never_widens_it(world: World) -> None:
    with world.serve(good, **LIMITED, budget={"max_cost_usd": 0.0001}) as server:
        task(world, "p/01-b", front={"max_cost_usd": 100})
        assert world.exec("p/01-b").code == 4
        assert server.requests == []


@pytest.mark.variant
def test_an_answer_may_be_no_longer_than_what_is_left_pays_for(world: World) -> None:
    with world.serve(good, budget={"max_cost_usd": 0.03}) as server:
        task(world, "p/01-b")
        outcome = world.exec("p/01-b")
        [request] = server.requests
    assert outcome.code == 0, outcome.text
    assert 0 < request.json["max_tokens"] <= 1500, "0.03 USD pay for 1,500 tokens of output"


@pytest.mark.variant
def test_calls_at_once_cannot_overshoot(world: World) -> None:
    """The server waits, so that all calls that will be made at once are made before one is paid."""
    go = threading.Event()
    timer = threading.Timer(2.0, go.set)

    def reply(request: Received) -> Any:
        go.wait(10)
        return costly(request)

    limit = Decimal("0.02")
    with world.serve(reply, **LIMITED) as server:
        for number in range(10):
            task(world, f"p/0{number}-x", f"{number}.txt", title=f"Write {number}.txt")
        timer.start()
        outcome = world.minitask("run", "p", "--max-cost", str(limit), "--json")
        requests = len(server.requests)
    timer.cancel()
    document = outcome.json
    verdicts = [each["verdict"] for each in document["tasks"]]
    assert 1 < requests < 10, (requests, verdicts)
    assert Decimal(document["cost_usd"]) <= limit
    assert verdicts.count("merged") == requests
    skipped = [each for each in document["tasks"] if each["verdict"] == "skipped"]
    assert len(skipped) == 10 - requests
    assert all("budget" in each["reason"] for each in skipped)
    assert outcome.code == 4


def costly(request: Received) -> Any:
    """A reply as long as it may be: 100 tokens in, and all that its limit allows out."""
    counts = {"prompt_tokens": 100, "completion_tokens": request.json["max_tokens"]}
    return completion(good(request), usage=counts)


@pytest.mark.parametrize("requests", [1, 8])
def test_what_a_call_did_not_use_is_there_for_the_next_one(world: World, requests: int) -> None:
    """Calls at once reserve more than is left; those that do not fit wait for the others."""
    with world.serve(good, **LIMITED, concurrency={"requests": requests}) as server:
        for number in range(3):
            task(world, f"p/0{number}-x", f"{number}.txt", title=f"Write {number}.txt")
        outcome = world.minitask("run", "p", "--max-cost", "0.011", "--json")
        assert len(server.requests) == 3, outcome.text
    assert outcome.code == 0
    assert Decimal(outcome.json["cost_usd"]) == 3 * COST


@pytest.mark.variant
def test_a_second_try_is_not_made_where_it_is_not_paid_for(world: World) -> None:
    dear = completion(RED, usage={"prompt_tokens": 300, "completion_tokens": 300})
    with world.serve(dear, **LIMITED) as server:
        task(world, "p/01-b", front={"max_cost_usd": 0.01})
        outcome = world.exec("p/01-b")
        assert len(server.requests) == 1
    assert outcome.code == 4, outcome.text
    result = outcome.json
    assert Decimal(result["cost_usd"]) == Decimal("0.009")
    assert len(result["attempts"]) == 1
    (record,) = world.records("p/01-b")
    assert (record["attempt"]["verdict"], record["attempt"]["gate"]) == ("failed", "validate")
    assert Decimal(record["attempt"]["cost_usd"]) == Decimal("0.009")


DEAR = {"prompt_tokens": 300, "completion_tokens": 300}
UNUSABLE = {
    "no end": completion(RED, finish_reason=None, usage=DEAR),
    "empty": completion("", usage={"prompt_tokens": 900, "completion_tokens": 0}),
    "cut short": cut(completion(RED, usage=DEAR), at=200),
}
"""Answers that are billed, are no reply, and are asked for again."""


@pytest.mark.variant
@pytest.mark.parametrize("name", UNUSABLE)
def test_a_request_is_not_repeated_where_that_is_not_paid_for(world: World, name: str) -> None:
    with world.serve(UNUSABLE[name], **LIMITED) as server:
        task(world, "p/01-b", front={"max_cost_usd": 0.0098 if name != "cut short" else 0.006})
        outcome = world.exec("p/01-b")
        assert len(server.requests) == 1, outcome.text
    assert outcome.code == 3, outcome.text
    assert (
        "(not sent again: the spec's own budget does not cover the call: it could cost $"
        in outcome.json["reason"]
    )


@pytest.mark.parametrize("command", ["exec", "run"])
def test_a_limit_holds_for_a_model_without_a_price(world: World, command: str) -> None:
    with world.serve(good, prices={}, budget={"max_cost_usd": 1}) as server:
        task(world, "p/01-b")
        outcome = world.minitask(command, "p/01-b" if command == "exec" else "p")
        assert server.requests == [], "nothing could count it"
    assert outcome.code == 4, outcome.text
    assert "no price" in outcome.text
    assert "unpriced: allow" in outcome.text


def test_an_unpriced_call_that_the_user_allows_is_made_and_said(world: World) -> None:
    with world.serve(good, prices={}, budget={"unpriced": "allow"}):
        task(world, "p/01-b")
        outcome = world.minitask("run", "p", "--max-cost", "0.0001")
    assert outcome.code == 0, outcome.text
    assert "no price" in outcome.stderr
    assert "unknown for 1 task, which no limit counts" in outcome.text


@pytest.mark.variant
def test_a_server_that_counts_no_tokens_does_not_make_a_budget_endless(world: World) -> None:
    def uncounted(request: Received) -> Any:
        return completion(good(request), usage={"prompt_tokens": 0, "completion_tokens": 0})

    with world.serve(uncounted, **LIMITED, concurrency={"requests": 1}) as server:
        for number in range(4):
            task(world, f"p/0{number}-x", f"{number}.txt", title=f"Write {number}.txt")
        outcome = world.minitask("run", "p", "--max-cost", "0.01", "--json")
        assert 0 < len(server.requests) < 4, "each took what was reserved for it"
    assert outcome.code == 4, outcome.text
    assert outcome.json["cost_usd"] is None, "unknown is never 0"


@pytest.mark.variant
def test_an_edit_script_costs_nothing_and_needs_no_budget(world: World) -> None:
    world.configure(budget={"max_cost_usd": 0})
    world.proven("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    assert world.minitask("run", "p", "--max-cost", "0").code == 0
