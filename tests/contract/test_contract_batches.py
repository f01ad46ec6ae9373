"""`run --batch`: a wave of model calls as one batch at half price, which survives all that may happen meanwhile."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contract.batch_servers import (
    CANCELED,
    DAMAGED,
    ERRORED,
    EXPIRED,
    OVERLOADED,
    Answer,
    AnthropicBatches,
    Ask,
    Batches,
    OpenAiBatches,
)
from executors.model_server import (
    Received,
    Script,
    ScriptedServer,
    claude_error,
    error,
    reset,
    scripted_server,
)
from world import World

KINDS: dict[str, type[Batches]] = {"anthropic": AnthropicBatches, "openai": OpenAiBatches}
MODELS = {"anthropic": "claude-haiku-4-5", "openai": "gpt-5.4-mini"}
HALF = {"anthropic": Decimal("0.0001"), "openai": Decimal("0.0000825")}
"""A request of 100 tokens in and 20 out, at half the list price."""


def good(ask: Ask) -> str:
    return f"```text path={ask.file}\nb\n```\n"


def scripted(**words: list[str]) -> Answer:
    """Good answers but for the files named by number (`t1`): their answers in turn, then good ones."""

    def answer(ask: Ask) -> str:
        turns = words.get(f"t{ask.file[0]}", [])
        return turns[ask.times - 1] if ask.times <= len(turns) else good(ask)

    return answer


def write_tasks(world: World, *numbers: int, **fields: Any) -> None:
    for n in numbers:
        check, title = f"grep -qx b {n}.txt", f"Write {n}.txt"
        world.task(f"p/0{n}-x", writes=[f"{n}.txt"], validation=check, title=title, **fields)


@contextmanager
def serving(
    world: World, kind: str, script: Script, *, tasks: int, **more: Any
) -> Iterator[ScriptedServer]:
    """Tasks, and a provider of batches."""

    def settings(base_url: str) -> dict[str, Any]:
        entry = {"type": kind, "base_url": base_url, "api_key_env": "BATCH_KEY"}
        tiers = {"cheap": {"executor": "batcher", "model": MODELS[kind]}}
        return {"executors": {"batcher": entry}, "tiers": tiers, **more}

    with world.serve(script, settings) as server:
        write_tasks(world, *range(tasks))
        yield server


pytestmark = pytest.mark.sampled(1)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("BATCH_KEY", "sk-batch-secret")
    return str(request.param)


def run(world: World) -> Any:
    return world.minitask("run", "p", "--batch", "--json")


def merged(count: int) -> dict[str, str]:
    return {f"p/0{number}-x": "merged" for number in range(count)}


def test_a_wave_is_one_batch_at_half_price(world: World, kind: str) -> None:
    batches = KINDS[kind](good)
    with serving(world, kind, batches, tasks=5) as server:
        outcome = run(world)
        requests = server.requests
    assert outcome.code == 0, outcome.text
    assert outcome.verdicts == merged(5)
    assert {number: world.show(f"{number}.txt") for number in range(5)} == dict.fromkeys(
        range(5), "b\n"
    )
    (batch,) = batches.created
    assert (len(batch.asks), batches.single) == (5, 0)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", ask.own_id) for ask in batch.asks)
    assert {ask.body["model"] for ask in batch.asks} == {MODELS[kind]}
    assert Decimal(outcome.json["cost_usd"]) == 5 * HALF[kind]
    (record,) = world.records("p/03-x")
    assert Decimal(record["attempt"]["cost_usd"]) == HALF[kind]
    assert record["attempt"]["pricing"]["source"].startswith("genai-prices")
    shown = [each.headers.get("x-api-key", each.headers.get("authorization")) for each in requests]
    assert all("sk-batch-secret" in (key or "") for key in shown), "each request has the key"


def test_what_a_request_of_a_batch_came_to_is_its_own_affair(world: World, kind: str) -> None:
    """One errs, one expires and one is overloaded (sent again), one is malformed (goes back)."""
    answer = scripted(t1=[ERRORED], t2=[EXPIRED], t3=["No edits."], t4=[OVERLOADED])
    batches = KINDS[kind](answer)
    with serving(world, kind, batches, tasks=5):
        outcome = run(world)
    assert outcome.verdicts == {**merged(5), "p/01-x": "error"}, outcome.text
    assert outcome.code == 3
    first, second = batches.created
    assert (first.files, second.files) == (
        [f"{number}.txt" for number in range(5)],
        ["2.txt", "3.txt", "4.txt"],
    )
    repaired = next(ask for ask in second.asks if ask.file == "3.txt")
    assert "No edits." in json.dumps(repaired.body["messages"]), "a continued conversation"
    costs = {each["task"]: Decimal(each["cost_usd"]) for each in outcome.json["tasks"]}
    price = HALF[kind]
    assert list(costs.values()) == [price, 0, price, 2 * price, price], (
        "what ended without an answer is free"
    )


def test_a_result_that_is_damaged_is_fetched_again(world: World, kind: str) -> None:
    fetched: list[str] = []

    def answer(ask: Ask) -> str:
        fetched.append(ask.file)
        return good(ask) if fetched.count(ask.file) > 1 else DAMAGED

    batches = KINDS[kind](answer)
    with serving(world, kind, batches, tasks=2):
        outcome = run(world)
    assert outcome.verdicts == merged(2), outcome.text
    assert len(batches.created) == 1, "nothing was paid for twice"
    assert Decimal(outcome.json["cost_usd"]) == 2 * HALF[kind]


@pytest.mark.variant
def test_a_result_that_is_lost_is_not_paid_for_again_unasked(world: World, kind: str) -> None:
    batches = KINDS[kind](scripted(t1=[DAMAGED]))
    with serving(world, kind, batches, tasks=2):
        outcome = run(world)
        assert outcome.verdicts == {**merged(2), "p/01-x": "error"}, outcome.text
        assert (len(batches.created), outcome.json["cost_usd"]) == (1, None), "it may be billed"
        assert run(world).verdicts == merged(2)
    assert [batch.files for batch in batches.created] == [["0.txt", "1.txt"], ["1.txt"]]


def test_a_change_that_fails_its_validation_goes_back_in_the_next_batch(
    world: World, kind: str
) -> None:
    batches = KINDS[kind](scripted(t0=["```text path=0.txt\nnot b\n```\n"], t1=[CANCELED]))
    with serving(world, kind, batches, tasks=2):
        outcome = run(world)
    assert outcome.verdicts == merged(2), outcome.text
    assert [batch.files for batch in batches.created] in (
        [["0.txt", "1.txt"], ["0.txt", "1.txt"]],
        [["0.txt", "1.txt"], ["0.txt"], ["1.txt"]],
        [["0.txt", "1.txt"], ["1.txt"], ["0.txt"]],
    )
    assert len(world.records("p/00-x")) == 2


def journals(world: World) -> list[Path]:
    return [*world.root.rglob(".git/minitask/batches/*.json")]


def interrupt(world: World, moment: Any, end: signal.Signals) -> int:
    """Begin the run, and end it by a signal at the moment; its exit code."""
    with world.start("run", "p", "--batch") as process:
        assert moment.wait(20), "the moment did not come"
        process.send_signal(end)
        return process.wait(5)


@pytest.mark.variant
def test_a_run_that_is_ended_while_it_waits_finds_its_batch_again(world: World, kind: str) -> None:
    end = signal.SIGKILL if kind == "anthropic" else signal.SIGINT
    batches = KINDS[kind](good)
    batches.ended.clear()
    with serving(world, kind, batches, tasks=3):
        code = interrupt(world, batches.polled, end)
        world.commit({"meanwhile.txt": "x\n"})
        batches.ended.set()
        outcome = run(world)
    assert code == (130 if end is signal.SIGINT else -9)
    assert outcome.verdicts == merged(3), outcome.text
    assert len(batches.created) == 1
    assert [record["kind"] for record in world.records("p/00-x")] == ["attempt"], "nothing was lost"
    assert Decimal(outcome.json["cost_usd"]) == 3 * HALF[kind]
    assert world.show("meanwhile.txt") == "x\n"


def test_a_run_of_one_task_leaves_the_other_answers_of_its_batch_for_the_next(
    world: World, kind: str
) -> None:
    batches = KINDS[kind](good)
    batches.ended.clear()
    with serving(world, kind, batches, tasks=3):
        interrupt(world, batches.polled, signal.SIGKILL)
        batches.ended.set()
        one = world.minitask("run", "p", "--batch", "--only", "p/01-x", "--json")
        assert journals(world), "two answers are left"
        rest = run(world)
    assert one.verdicts["p/01-x"] == "merged", one.text
    assert rest.verdicts == merged(3), rest.text
    assert len(batches.created) == 1, "no answer was paid for twice"
    assert not journals(world)


def test_a_batch_of_which_no_answers_are_kept_any_more_is_forgotten(
    world: World, kind: str
) -> None:
    batches = KINDS[kind](good)
    batches.ended.clear()
    with serving(world, kind, batches, tasks=1):
        interrupt(world, batches.polled, signal.SIGKILL)
        (journal,) = journals(world)
        held = json.loads(journal.read_text("utf-8"))
        journal.write_text(json.dumps(held | {"created": held["created"] - 30 * 86_400}), "utf-8")
        batches.removed.add(batches.created[0].id)
        batches.ended.set()
        outcome = run(world)
    assert outcome.verdicts == merged(1), outcome.text
    assert len(batches.created) == 2
    assert not journals(world)


@pytest.mark.variant
def test_a_run_that_is_killed_before_it_learns_its_batchs_id_applies_one_result_a_task(
    world: World, kind: str
) -> None:
    batches = KINDS[kind](good)
    batches.hold_at = batches.create_path
    with serving(world, kind, batches, tasks=3):
        assert interrupt(world, batches.received, signal.SIGKILL) == -9
        batches.hold_at = ""
        batches.holds.set()
        outcome = run(world)
    assert outcome.verdicts == merged(3), outcome.text
    assert len(batches.created) == 1, "the server lists it, so it is found again"
    for number in range(3):
        (record,) = world.records(f"p/0{number}-x")
        assert record["attempt"]["verdict"] == "ready"


def test_a_run_that_is_killed_before_its_batch_was_made_sends_it_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCH_KEY", "sk-batch-secret")
    batches = OpenAiBatches(good)
    batches.hold_at = "/v1/files"
    with serving(world, "openai", batches, tasks=2):
        assert interrupt(world, batches.received, signal.SIGKILL) == -9
        batches.hold_at = ""
        batches.holds.set()
        outcome = run(world)
    assert outcome.verdicts == merged(2), outcome.text
    assert [batch.files for batch in batches.created] == [["0.txt", "1.txt"]]


def test_a_batch_that_is_refused_is_an_error_of_its_tasks(world: World, kind: str) -> None:
    status = 401 if kind == "anthropic" else 400
    batches = KINDS[kind](good)
    complain = claude_error if kind == "anthropic" else error
    batches.refusal = complain(status, "the provider's own words")
    with serving(world, kind, batches, tasks=2):
        outcome = run(world)
    found = [*outcome.verdicts.values()]
    assert outcome.code == 3, outcome.text
    assert set(found) <= {"error", "skipped"}
    assert "error" in found
    assert "the provider's own words" in outcome.json["tasks"][0]["reason"]
    assert Decimal(outcome.json["cost_usd"]) == 0
    assert world.git("log", "--merges", "--format=%s") == ""


@pytest.mark.parametrize("kind", ["openai"], indirect=True)
def test_what_depends_on_a_task_waits_for_it_to_land(world: World, kind: str) -> None:
    batches = KINDS[kind](good)
    with serving(world, kind, batches, tasks=2):
        write_tasks(world, 2, front={"depends_on": ["00-x"]})
        outcome = run(world)
    assert outcome.verdicts == merged(3), outcome.text
    assert [batch.files for batch in batches.created] == [["0.txt", "1.txt"], ["2.txt"]]


@pytest.mark.parametrize("kind", ["anthropic"], indirect=True)
def test_nothing_is_sent_where_the_budget_does_not_pay_for_it(world: World, kind: str) -> None:
    batches = KINDS[kind](good)
    with serving(world, kind, batches, tasks=2, budget={"max_cost_usd": 0.000001}) as server:
        outcome = run(world)
        assert server.requests == []
    assert (outcome.code, set(outcome.verdicts.values())) == (4, {"skipped"}), outcome.text


def test_a_batch_whose_answer_was_lost_is_found_and_not_made_twice(world: World, kind: str) -> None:
    batches = KINDS[kind](good)
    lost: list[str] = []

    def reply(request: Received) -> Any:
        answer = batches(request)
        if request.method == "POST" and request.path.endswith("/batches") and not lost:
            lost.append(request.path)
            return reset()
        return answer

    with serving(world, kind, reply, tasks=2):
        outcome = run(world)
    assert lost
    assert [batch.files for batch in batches.created] == [["0.txt", "1.txt"]]
    assert outcome.verdicts == merged(2)


@pytest.mark.variant
def test_a_review_goes_to_its_own_provider_in_a_batch_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_KEY", "sk-openai")
    monkeypatch.setenv("ANTHROPIC_KEY", "sk-anthropic")
    makes = OpenAiBatches(good)
    judges = AnthropicBatches(lambda _ask: "```verdict\n1 pass - fine\n```\n")
    with scripted_server(makes) as first, scripted_server(judges) as second:
        world.configure(
            executors={
                name: {"type": kind, "base_url": url, "api_key_env": f"{kind.upper()}_KEY"}
                for name, kind, url in (
                    ("maker", "openai", first.base_url),
                    ("judge", "anthropic", second.base_url),
                )
            },
            tiers={
                "cheap": {"executor": "maker", "model": MODELS["openai"]},
                "balanced": {"executor": "judge", "model": MODELS["anthropic"]},
            },
            gates=["scope", "lint", "validate", "review"],
        )
        write_tasks(world, 0, 1)
        outcome = run(world)
        keys = {request.headers.get("x-api-key", "") for request in second.requests}
    assert outcome.verdicts == merged(2), outcome.text
    assert [len(batch.asks) for batch in makes.created] == [2]
    assert [len(batch.asks) for batch in judges.created] == [2]
    assert keys == {"sk-anthropic"}
    assert {call["phase"] for task in outcome.json["tasks"] for call in task["calls"]} == {"review"}
