"""The shapes of JSON documents: what scripts read."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from executors.model_server import USAGE as COUNTS
from executors.model_server import completion, scripted_server
from world import World, model_settings, spec_path, spec_text

TASK = {
    *("task", "spec", "verdict", "reason", "branch", "base", "commit"),
    *("merge", "cost_usd", "baseline_cost_usd", "usage", "seconds", "attempts"),
}
USAGE = {"requests", "input_tokens", "cached_input_tokens", "output_tokens"}
ATTEMPT = {
    *("n", "tier", "executor", "model", "verdict", "gate"),
    *("usage", "cost_usd", "seconds", "sandbox", "commands"),
}
COMMAND = {"line", "command", "exit_code", "passed", "seconds", "output_tail"}
RUN = {"project", "target", "tasks", "cost_usd", "baseline_cost_usd", "usage", "seconds"}
DIAGNOSTIC = {"path", "line", "code", "severity", "message", "hint"}
SCHEMAS = Path(__file__).parents[2] / "schemas"
VALIDATION = "grep -qx b b.txt"
REPLY = "```text path=b.txt\nb\n```\n"


def assert_is_money(value: Any) -> None:
    """A decimal string, never in scientific form, or null."""
    if value is not None:
        assert isinstance(value, str)
        assert Decimal(value) >= 0
        assert set(value) <= set("0123456789.")


def assert_is_task(document: Any) -> None:
    assert set(document) == TASK
    assert set(document["spec"]) == {"path", "blob"}
    assert set(document["usage"]) == USAGE
    assert isinstance(document["seconds"], (int, float))
    for money in (document["cost_usd"], document["baseline_cost_usd"]):
        assert_is_money(money)
    for attempt in document["attempts"]:
        assert set(attempt) >= ATTEMPT
        assert set(attempt["usage"]) == USAGE
        assert_is_money(attempt["cost_usd"])
        for command in attempt["commands"]:
            assert set(command) >= COMMAND


@pytest.mark.parametrize(
    ("validation", "verdict", "arguments"),
    [
        (VALIDATION, "merged", ()),
        (VALIDATION, "ready", ("--no-merge",)),
        ("false", "failed", ()),
        ("true", "refused", ()),
    ],
)
def test_exec(world: World, validation: str, verdict: str, arguments: tuple[str, ...]) -> None:
    path = world.task("p/01-b", whole={"b.txt": "b\n"}, validation=validation)
    document = world.exec("p/01-b", *arguments).json
    assert_is_task(document)
    assert document["verdict"] == verdict
    assert document["task"] == "p/01-b"
    assert document["spec"] == {"path": path, "blob": world.git("rev-parse", f"HEAD:{path}")}
    assert (document["merge"] is None) == (verdict != "merged")
    assert isinstance(document["reason"], str)


def test_exec_of_a_task_that_has_landed_or_is_not_committed(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    world.exec("p/01-b")
    assert_is_task(world.exec("p/01-b").json)
    world.write({spec_path("p/01-b"): "changed\n"})
    assert_is_task(world.exec("p/01-b").json)


def test_exec_with_a_model(world: World) -> None:
    usage = {**COUNTS, "prompt_tokens_details": {"cached_tokens": 0}}
    with world.serve([completion(REPLY, usage=usage)]):
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        document = world.exec("p/01-b").json
    assert_is_task(document)
    expected = {"requests": 1, "input_tokens": 100, "cached_input_tokens": 0, "output_tokens": 20}
    assert document["usage"] == document["attempts"][0]["usage"] == expected
    assert (document["attempts"][0]["executor"], document["attempts"][0]["model"]) == (
        "scripted",
        "tiny",
    )


def test_a_cost_that_is_unknown_is_null(world: World) -> None:
    with scripted_server([REPLY]) as server:
        settings = model_settings(server.base_url)
        del settings["prices"]
        settings["tiers"]["cheap"]["model"] = "nobody-knows-this-one"
        world.configure(**settings)
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        document = world.exec("p/01-b").json
    assert document["verdict"] == "merged"
    assert document["cost_usd"] is None


def test_run(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    world.task("p/02-c", whole={"c.txt": "c\n"}, validation="false")
    document = world.minitask("run", "p", "--json").json
    assert set(document) == RUN
    assert (document["project"], document["target"]) == ("p", "main")
    assert set(document["usage"]) == USAGE
    assert [task["verdict"] for task in document["tasks"]] == ["merged", "failed"]
    for task in document["tasks"]:
        assert_is_task(task)


def test_merge(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    world.exec("p/01-b", "--no-merge")
    (document,) = world.minitask("merge", "p/01-b", "--json").json["tasks"]
    assert_is_task(document)
    assert document["verdict"] == "merged"


@pytest.mark.variant
def test_status_follows_a_task_through_its_life(world: World) -> None:
    def state() -> str:
        (task,) = world.minitask("status", "p", "--json").json["tasks"]
        assert task["task"] == "p/01-b"
        return str(task["state"])

    path = world.task("p/01-b", whole={"b.txt": "x\n"}, validation=VALIDATION)
    assert state() == "new"
    world.exec("p/01-b")
    assert state() == "failed"
    world.commit({path: spec_text(whole={"b.txt": "b\n"}, validation=VALIDATION)})
    assert state() == "changed"
    world.exec("p/01-b", "--no-merge")
    assert state() == "ready"
    world.minitask("merge", "p/01-b")
    assert state() == "merged"
    world.minitask("undo", "p/01-b")
    assert state() == "undone"


def test_show_holds_records_that_fit_their_schema(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    world.exec("p/01-b")
    document = world.minitask("show", "p/01-b", "--json").json
    assert document["task"] == "p/01-b"
    assert document["state"] == "merged"
    schema = json.loads((SCHEMAS / "record.schema.json").read_text())
    for record in document["records"]:
        jsonschema.validate(record, schema)
    assert len(document["records"]) == 1


def test_verify(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    world.exec("p/01-b")
    document = world.minitask("verify", "minitask/p/01-b", "--json").json
    assert (document["task"], document["passed"]) == ("p/01-b", True)
    assert document["commit"] == world.tip("minitask/p/01-b")
    assert all(set(command) >= COMMAND for command in document["commands"])


def test_validate(world: World) -> None:
    world.commit({"mini-projects/p/01-b.md": "# Mini-Task 1: Nothing to do\n"})
    outcome = world.minitask("validate", "--format", "json")
    assert outcome.code == 2
    assert outcome.json
    for diagnostic in outcome.json:
        assert set(diagnostic) == DIAGNOSTIC
        assert diagnostic["path"] == "mini-projects/p/01-b.md"
        assert diagnostic["severity"] in {"error", "warning", "note"}


def test_validate_of_a_good_spec_is_an_empty_list_or_holds_no_error(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    outcome = world.minitask("validate", "--format", "json")
    assert outcome.code == 0
    assert [item for item in outcome.json if item["severity"] == "error"] == []


def test_validate_speaks_sarif_and_github_too(world: World) -> None:
    world.commit({"mini-projects/p/01-b.md": "# Mini-Task 1: Nothing to do\n"})
    sarif = world.minitask("validate", "--format", "sarif")
    assert (sarif.code, sarif.json["version"]) == (2, "2.1.0")
    github = world.minitask("validate", "--format", "github")
    assert github.code == 2
    assert "::error file=mini-projects/p/01-b.md,line=" in github.stdout


def test_messages_go_to_stderr(world: World) -> None:
    world.commit({"minitask.yaml": "executors: {x: {type: openai, base_url: 'http://h/v1'}}\n"})
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged"
    assert "minitask trust" in outcome.stderr
    assert "\x1b" not in outcome.text


def test_the_page_names_the_keys_that_are_printed(world: World) -> None:
    page = (SCHEMAS.parent / "docs/ci.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z]+)` \| ([^;\n]*)", page, re.MULTILINE)
    world.landed("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    words = {"status": (), "log": (), "audit": (), "run": ("p",)}
    for command, keys in rows:
        document = world.minitask(command, *words.get(command, ("p/01-b",)), "--json").json
        nested = document["tasks"] if command == "status" else document
        printed = nested[0] if isinstance(nested, list) else nested
        named = re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", keys))
        assert [key for key in named if key not in printed and key not in document] == [], command
    assert len(rows) == 8
