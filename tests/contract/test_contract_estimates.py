"""One estimate of a task, whoever asks for it: `route`, a dry run, and the record of the attempt."""

from __future__ import annotations

from decimal import Decimal

import pytest

from executors.model_server import scripted_server
from world import World, model_settings

REPLY = "```text path=b.txt\nb\n```\n"


@pytest.mark.variant
@pytest.mark.parametrize("model", ["tiny", "claude-haiku-4-5"])
@pytest.mark.parametrize("stated", [None, "900 input, 300 output"])
def test_route_a_dry_run_and_the_record_say_the_same(
    world: World, model: str, stated: str | None
) -> None:
    with scripted_server([REPLY]) as server:
        settings = model_settings(server.base_url)
        world.configure(
            **{**settings, "tiers": {"cheap": {"executor": "scripted", "model": model}}}
        )
        world.commit({"a.txt": "one\ntwo\nthree\n" * 20}, message="file")
        path = world.task(
            "p/01-b", writes=["b.txt"], reads=["a.txt"], validation="grep -qx b b.txt"
        )
        if stated:
            text = (world.root / path).read_text()
            told = text.replace(
                "# Mini-Task 1: Write a file\n",
                f"# Mini-Task 1: Write a file\n\n**Estimated Tokens**: {stated}\n",
            )
            world.commit({path: told}, message="estimate")
        [routed] = world.minitask("route", "p/01-b", "--json").json
        [ahead] = world.minitask("run", "p", "--dry-run", "--json").json["tasks"]
        world.exec("p/01-b")
    known = world.records("p/01-b")[0]["attempt"]["route"]["estimate"]
    assert ahead["estimate"] == routed["estimate"]
    assert {name: known[name] for name in routed["estimate"]} == routed["estimate"]
    estimate = routed["estimate"]
    assert estimate["output_tokens"] == (300 if stated else 1500)
    rates = (10, 20) if model == "tiny" else (1, 5)
    tokens = (estimate["input_tokens"], estimate["output_tokens"])
    right = (
        sum(Decimal(rate * count) for rate, count in zip(rates, tokens, strict=True)) / 1_000_000
    )
    assert Decimal(estimate["cost_usd"]) == right
