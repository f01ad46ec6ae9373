"""A task that a model does, end to end, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from executors.model_server import (
    Received,
    Script,
    ScriptedServer,
    completion,
    error,
    reset,
)
from world import World

VALIDATION = "grep -qx b b.txt"
GOOD = "Done.\n\n```text path=b.txt\nb\n```\n"
RED = "```text path=b.txt\nnot b\n```\n"
MALFORMED = """\
```text path=a.txt
<<<<<<< SEARCH
no such line
=======
two
>>>>>>> REPLACE
```
"""
COST = Decimal("0.0014")
"""One request of the scripted server at the settings' prices."""


@contextmanager
def serving(world: World, script: Script, **more: object) -> Iterator[ScriptedServer]:
    """A task, and a model that answers so."""
    with world.serve(script, **more) as server:
        world.task("p/01-b", writes=["b.txt", "a.txt"], reads=["a.txt"], validation=VALIDATION)
        yield server


@pytest.mark.variant
def test_a_models_change_lands_with_its_cost(world: World) -> None:
    with serving(world, [GOOD]) as server:
        outcome = world.exec("p/01-b")
        (request,) = server.requests
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert world.show("b.txt") == "b\n"
    assert Decimal(outcome.json["cost_usd"]) == COST
    assert request.json["model"] == "tiny"
    (record,) = world.records("p/01-b")
    assert Decimal(record["attempt"]["cost_usd"]) == COST
    assert (record["attempt"]["tier"], record["attempt"]["model"]) == ("cheap", "tiny")


@pytest.mark.variant
def test_cached_input_costs_what_the_config_says(world: World) -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 600},
    }
    prices = {"tiny": {"input": 10, "output": 20, "cached": 1}}
    with serving(world, [completion(GOOD, usage=usage)], prices=prices):
        outcome = world.exec("p/01-b")
    assert outcome.json["usage"]["cached_input_tokens"] == 600
    assert Decimal(outcome.json["cost_usd"]) == Decimal("0.0066")


@pytest.mark.variant
def test_a_malformed_reply_is_sent_back_once_with_the_error_and_both_are_paid(world: World) -> None:
    with serving(world, [MALFORMED, GOOD]) as server:
        outcome = world.exec("p/01-b")
        first, second = server.requests
    assert outcome.json["verdict"] == "merged", outcome.text
    assert "no such line" not in first.prompt
    assert "no such line" in second.prompt
    assert second.prompt.startswith(first.prompt[:200])
    assert outcome.json["usage"]["requests"] == 2
    assert Decimal(outcome.json["cost_usd"]) == 2 * COST


@pytest.mark.variant
@pytest.mark.parametrize("reply", [MALFORMED, "I would rather not.", ""])
def test_a_reply_that_stays_malformed_fails_with_its_cost_on_record(
    world: World, reply: str
) -> None:
    with serving(world, reply) as server:
        before = world.tip()
        outcome = world.exec("p/01-b")
        assert len(server.requests) == 2
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed"), outcome.text
    assert world.tip() == before
    (record,) = world.records("p/01-b")
    assert Decimal(record["attempt"]["cost_usd"]) == 2 * COST


@pytest.mark.variant
def test_a_reply_cut_off_at_its_token_limit_is_never_applied(world: World) -> None:
    with serving(world, completion(GOOD, finish_reason="length")):
        outcome = world.exec("p/01-b")
    assert outcome.code != 0
    assert not world.has("b.txt")
    assert outcome.json["usage"]["requests"] >= 1


@pytest.mark.variant
def test_a_reply_is_applied_whole_or_not_at_all(world: World) -> None:
    with serving(world, GOOD + "\n" + MALFORMED):
        outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "failed"
    assert not world.has("b.txt")
    assert not world.has("b.txt", at="minitask/p/01-b")


@pytest.mark.variant
def test_a_transport_failure_is_tried_again(world: World) -> None:
    busy = error(503, "busy", headers={"retry-after": "0"})
    with serving(world, [reset(), busy, GOOD]) as server:
        outcome = world.exec("p/01-b")
        assert len(server.requests) == 3
    assert outcome.json["verdict"] == "merged", outcome.text


@pytest.mark.variant
def test_a_transport_failure_that_stays_is_an_error_with_a_record(world: World) -> None:
    busy = error(503, "busy", headers={"retry-after": "0"})
    with serving(world, busy):
        outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (3, "error")
    (record,) = world.records("p/01-b")
    assert record["attempt"]["verdict"] == "error"
    assert "busy" in record["attempt"]["reason"]
    assert world.refs("refs/heads/minitask") == {}


@pytest.mark.variant
def test_a_change_that_fails_the_validation_does_not_land_and_is_paid(world: World) -> None:
    with serving(world, RED) as server:
        before = world.tip()
        outcome = world.exec("p/01-b")
        requests = len(server.requests)
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed")
    assert world.tip() == before
    assert Decimal(outcome.json["cost_usd"]) == requests * COST
    assert world.show("b.txt", at="minitask/p/01-b") == "not b\n"


@pytest.mark.variant
def test_a_model_and_a_tier_may_be_named_on_the_command_line(world: World) -> None:
    models = {"cheap": "tiny", "frontier": "huge"}
    tiers = {tier: {"executor": "scripted", "model": model} for tier, model in models.items()}
    with world.serve(GOOD, tiers=tiers) as server:
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        tiered = world.exec("p/01-b", "--tier", "frontier", "--no-merge").json
        named = world.exec("p/01-b", "--model", "other", "--no-merge", "--again").json
        assert [request.json["model"] for request in server.requests] == ["huge", "other"]
    assert tiered["attempts"][0]["tier"] == "frontier"
    assert named["attempts"][0]["model"] == "other"


@pytest.mark.variant
def test_an_edit_script_is_done_without_a_model(world: World) -> None:
    with world.serve([]) as server:
        world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
        outcome = world.exec("p/01-b").json
        assert server.requests == []
    assert (outcome["attempts"][0]["tier"], outcome["cost_usd"]) == ("none", "0")


@pytest.mark.variant
def test_the_prompt_begins_with_what_stays_the_same_between_tasks(world: World) -> None:
    def reply(request: Received) -> str:
        name = "c.txt" if "c.txt" in request.prompt else "b.txt"
        return f"```text path={name}\nb\n```\n"

    with world.serve(reply) as server:
        for n, name in enumerate(("b.txt", "c.txt"), 1):
            world.task(
                f"p/0{n}-x", writes=[name], validation=f"test -e {name}", title=f"Write {name}"
            )
        assert world.minitask("run", "p").code == 0
        first, second = (request.json["messages"][0]["content"] for request in server.requests)
    assert first == second
