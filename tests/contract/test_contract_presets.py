"""Whole settings by name: Ollama and nothing else; canned replies in place of a model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from executors.model_server import Received, Reply, ollama_chat, ollama_error, raw
from world import World

GOOD = "```text path=b.txt\nb\n```\n"
RED = "```text path=b.txt\nnot b\n```\n"
VALIDATION = "grep -qx b b.txt"


class Ollama:
    """A server with some models that replies in turn."""

    def __init__(self, *models: str, replies: tuple[Reply, ...] = (ollama_chat(GOOD),)) -> None:
        self.models = models
        self.chats: list[Received] = []
        self.replies = replies

    def __call__(self, request: Received) -> Reply:
        if request.path == "/api/tags":
            return raw(json.dumps({"models": [{"name": name} for name in self.models]}))
        if request.path != "/api/chat":
            return ollama_error(404, f"no {request.path} here")
        self.chats.append(request)
        return self.replies[min(len(self.chats), len(self.replies)) - 1]


def local(base_url: str, **more: Any) -> dict[str, Any]:
    ollama = {"type": "ollama", "base_url": base_url.removesuffix("/v1")}
    return {"preset": "local", "executors": {"ollama": ollama}, **more}


def task(world: World) -> None:
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)


def findings(world: World, what: str) -> list[dict[str, Any]]:
    document = world.minitask("doctor", "--json").json
    rows: list[dict[str, Any]] = document["findings"]
    return [row for row in rows if what in json.dumps(row)]


@pytest.mark.variant
def test_the_local_preset_needs_nothing_but_ollama(world: World) -> None:
    ollama = Ollama("llama3:8b", "qwen2.5-coder:14b", replies=(ollama_chat(RED), ollama_chat(GOOD)))
    with world.serve(ollama, local):
        task(world)
        outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    first, second = ollama.chats
    assert first.json["model"] == second.json["model"] == "qwen2.5-coder:14b", "one made for code"
    assert [each["role"] for each in second.json["messages"]][2:] == ["assistant", "user"]
    assert first.json["options"]["num_ctx"] >= first.json["options"]["num_predict"] > 0
    assert outcome.json["cost_usd"] == "0", "it ran on this machine"
    red, held = (record["attempt"] for record in world.records("p/01-b"))
    assert (red["verdict"], held["verdict"]) == ("failed", "ready")
    assert (held["tier"], held["model"], held["executor"]) == (
        "free",
        "qwen2.5-coder:14b",
        "ollama",
    )
    assert held["reply_format"] == "whole", "a weak model writes whole files"
    assert held["pricing"]["source"] == "local"


@pytest.mark.parametrize("models", [(), ("gone",)])
def test_an_ollama_without_models_or_that_is_away_is_said_with_a_way_out(
    world: World, models: tuple[str, ...]
) -> None:
    with world.serve(Ollama(), local):
        task(world)
        if not models:
            outcome = world.exec("p/01-b")
            assert outcome.code == 2, outcome.text
            assert "ollama pull" in outcome.stderr
            return
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (3, "error"), outcome.text
    assert "cannot be reached" in outcome.json["reason"]
    assert outcome.json["cost_usd"] == "0"


@pytest.mark.variant
def test_a_prompt_that_ollama_cut_is_an_error_and_teaches_nothing_of_the_model(
    world: World,
) -> None:
    cut = ollama_chat("What task?", counts={"prompt_eval_count": 4090, "eval_count": 4})
    ollama = Ollama("qwen2.5-coder:14b", replies=(cut,))
    with world.serve(ollama, local):
        world.commit({"long.txt": "one more line of the file to read\n" * 1_500})
        world.task("p/01-b", reads=["long.txt"], writes=["b.txt"], validation=VALIDATION)
        outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (3, "error"), outcome.text
    assert "cut" in outcome.json["reason"]
    (record,) = world.records("p/01-b")
    assert record["attempt"]["malformed"] == 0
    assert len(ollama.chats) == 1


def test_doctor_lists_what_ollama_serves_and_names_what_is_missing(world: World) -> None:
    models = {"free": "auto", "cheap": "phi4", "balanced": "qwen2.5-coder:32b"}
    tiers = {tier: {"executor": "ollama", "model": model} for tier, model in models.items()}
    with world.serve(Ollama("llama3:8b", "phi4"), local, tiers=tiers) as server:
        (served,) = findings(world, "serves llama3:8b, phi4")
        (missing,) = findings(world, "qwen2.5-coder:32b")[-1:]
    assert server.origin in json.dumps(served)
    assert "balanced" in json.dumps(missing)
    assert "ollama pull qwen2.5-coder:32b" in json.dumps(missing)


def test_doctor_says_that_ollama_does_not_answer(world: World) -> None:
    with world.serve(Ollama(), local):
        pass
    assert findings(world, "ollama serve")


@pytest.fixture
def canned(world: World) -> World:
    """A world whose only executor has canned replies in the folder `replies`."""
    replies_in(world, str(world.root / "replies"))
    task(world)
    return world


def replies_in(world: World, folder: str) -> None:
    world.configure(
        executors={"canned": {"type": "scripted", "folder": folder}},
        tiers={"cheap": {"executor": "canned", "model": "script"}},
    )


@pytest.mark.variant
def test_canned_replies_are_a_models_and_cost_nothing(canned: World) -> None:
    canned.write({"replies/p/01-b.md": GOOD})
    outcome = canned.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert outcome.json["cost_usd"] == "0"
    (record,) = canned.records("p/01-b")
    assert (record["attempt"]["executor"], record["attempt"]["cost_usd"]) == ("canned", "0")
    assert canned.trailers("main^2")["Minitask-Cost"] == "0 USD"


@pytest.mark.parametrize("first", [RED, "No edits here."])
def test_the_second_canned_reply_answers_a_repair(canned: World, first: str) -> None:
    canned.write({"replies/p/01-b.md": first, "replies/p/01-b.2.md": GOOD})
    outcome = canned.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert outcome.json["cost_usd"] == "0"


@pytest.mark.parametrize("where", ["root", "below", "-C"])
def test_the_folder_is_named_from_the_repositorys_root(canned: World, where: str) -> None:
    """As the schema of the config says, wherever the command is run."""
    replies_in(canned, "replies")
    canned.write({"replies/default.md": GOOD, "deep/er/x": "x\n"})
    folder = {"root": ".", "below": "deep/er", "-C": ".."}[where]
    options = ("-C", str(canned.root)) if where == "-C" else ()
    arguments = (*options, "exec", "p/01-b", "--json")
    outcome = canned.minitask(*arguments, cwd=canned.root / folder)
    assert outcome.json["verdict"] == "merged", outcome.json["reason"]


def test_a_reply_that_is_not_there_is_an_error_that_names_its_place(canned: World) -> None:
    outcome = canned.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (3, "error"), outcome.text
    assert "replies/p/01-b.md" in outcome.json["reason"]
