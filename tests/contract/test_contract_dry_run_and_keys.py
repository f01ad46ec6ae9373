"""A dry run spends nothing; a key goes to its server and nowhere else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from executors.model_server import ScriptedReply, ScriptedServer, error, scripted_server
from world import World, model_settings

KEY = "sk-test-0123456789abcdef"
VARIABLE = "SCRIPTED_MODEL_KEY"
REPLY = "```text path=b.txt\nb\n```\n"


def prepare(world: World, server: ScriptedServer, *, validation: str = "grep -qx b b.txt") -> None:
    settings = model_settings(server.base_url)
    settings["executors"]["scripted"]["api_key_env"] = VARIABLE
    world.configure(**settings)
    world.commit({"secret.txt": "not for the model\n"})
    world.task("p/01-b", writes=["b.txt"], reads=["a.txt"], validation=validation)


def assert_key_is_nowhere(world: World, *outputs: str) -> None:
    """In no output, no git object, and no file below the repository and the home."""
    batch = ("git", "cat-file", "--batch", "--batch-all-objects", "--unordered")
    objects = subprocess.run(batch, cwd=world.root, capture_output=True, check=True).stdout
    texts = [*(text.encode() for text in outputs), objects]
    for folder in (world.root, Path(os.environ["HOME"])):
        texts += [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert not [text for text in texts if KEY.encode() in text]


@pytest.mark.variant
def test_a_dry_run_prints_what_would_be_sent_to_whom_and_sends_nothing(world: World) -> None:
    with scripted_server([REPLY]) as server:
        prepare(world, server)
        before = world.refs()
        outcome = world.minitask("exec", "p/01-b", "--dry-run", env={VARIABLE: KEY})
        assert server.requests == []
        assert outcome.code == 0
        for part in (server.base_url, "tiny", "cheap", VARIABLE, "grep -qx b b.txt"):
            assert part in outcome.stdout
        assert world.refs() == before
        sent = world.exec("p/01-b", env={VARIABLE: KEY})
        assert sent.json["verdict"] == "merged"
        for message in server.requests[0].json["messages"]:
            for line in message["content"].splitlines():
                assert line.strip() in outcome.stdout
    assert_key_is_nowhere(world, outcome.text, sent.text)


def test_a_dry_run_says_that_a_key_is_missing_and_exits_with_0(world: World) -> None:
    with scripted_server([REPLY]) as server:
        prepare(world, server)
        outcome = world.minitask("exec", "p/01-b", "--dry-run")
        assert server.requests == []
    assert outcome.code == 0
    assert VARIABLE in outcome.text
    assert "not set" in outcome.text.lower()


def test_a_dry_run_says_that_a_program_is_missing_and_exits_with_0(world: World) -> None:
    entry = {"type": "command", "command": ["no-such-agent", "{prompt_file}"]}
    world.configure(executors={"x": entry}, tiers={"cheap": {"executor": "x", "model": "m"}})
    world.task("p/01-b", writes=["b.txt"], validation="test -f b.txt")
    outcome = world.minitask("exec", "p/1", "--dry-run")
    assert (outcome.code, "  MISSING  no-such-agent is not on PATH" in outcome.stdout) == (0, True)
    assert world.exec("p/1", "--dry-run").json["missing"] == "no-such-agent"


@pytest.mark.variant
def test_a_dry_run_of_a_script_needs_no_executor(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    before = world.refs()
    outcome = world.minitask("exec", "p/01-b", "--dry-run")
    assert outcome.code == 0
    assert "none" in outcome.stdout
    assert world.refs() == before


def test_a_dry_run_says_what_becomes_of_a_task_that_merged(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    world.exec("p/01-b")
    assert "exec would skip it" in world.minitask("exec", "p/1", "--dry-run").stdout
    anew = world.minitask("exec", "p/1", "--dry-run", "--again").stdout
    assert "merged   already; it would be run again" in anew


def test_a_dry_run_in_json_is_one_document(world: World) -> None:
    with scripted_server([REPLY]) as server:
        prepare(world, server)
        document = world.exec("p/01-b", "--dry-run", env={VARIABLE: KEY}).json
    assert (document["task"], document["dry_run"]) == ("p/01-b", True)
    assert (document["tier"], document["executor"], document["model"]) == (
        "cheap",
        "scripted",
        "tiny",
    )


@pytest.mark.variant
def test_the_key_reaches_its_server_and_is_written_nowhere(world: World) -> None:
    with scripted_server([REPLY]) as server:
        prepare(world, server)
        env = {VARIABLE: KEY}
        outcome = world.exec("p/01-b", env=env)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert KEY not in server.requests[0].prompt
    shown = world.minitask("show", "p/01-b", env=env)
    config = world.minitask("config", "show", "--sources", env=env)
    assert outcome.json["verdict"] == "merged"
    assert_key_is_nowhere(world, outcome.text, shown.text, config.text)


@pytest.mark.variant
@pytest.mark.parametrize(
    "reply", [error(401, f"invalid key {KEY}"), f"I was called with {KEY}.", error(400, KEY)]
)
def test_a_server_that_repeats_the_key_does_not_spread_it(
    world: World, reply: ScriptedReply
) -> None:
    with scripted_server(lambda request: reply) as server:
        prepare(world, server)
        outcome = world.exec("p/01-b", env={VARIABLE: KEY})
    assert outcome.code in {1, 2, 3}
    assert_key_is_nowhere(world, outcome.text)


def test_a_refused_key_comes_with_one_next_step(world: World) -> None:
    with scripted_server(lambda request: error(401, "invalid key")) as server:
        prepare(world, server)
        tries = [world.minitask("exec", "p/01-b", env={VARIABLE: KEY}) for _ in "ab"]
    advice = f"check the key in {VARIABLE} and its permissions"
    for text in (tries[1].stdout, world.minitask("show", "p/01-b").stdout):
        assert text.count(advice) == 1, text
        assert (
            f"  next {' ' * (text.startswith('p/') * 3)}  {advice}; then: minitask exec p/01-b"
            in text
        )
    log = world.minitask("report", "--format", "log").stdout
    assert "what its spec left open" not in log, "no spec is at fault"


@pytest.mark.variant
def test_a_validation_does_not_see_the_key(world: World) -> None:
    with scripted_server([REPLY]) as server:
        prepare(world, server, validation=f'grep -qx b b.txt\nenv\ntest -z "${{{VARIABLE}-}}"')
        outcome = world.exec("p/01-b", env={VARIABLE: KEY})
    assert outcome.json["verdict"] == "merged", outcome.text
    assert_key_is_nowhere(world, outcome.text)


@pytest.mark.variant
def test_only_the_listed_files_are_sent(world: World) -> None:
    with scripted_server([REPLY]) as server:
        prepare(world, server)
        world.exec("p/01-b", env={VARIABLE: KEY})
        (request,) = server.requests
    assert "one" in request.prompt
    assert "not for the model" not in request.prompt
    assert "secret.txt" not in request.prompt


@pytest.mark.variant
def test_only_the_listed_lines_of_a_file_are_sent(world: World) -> None:
    lines = "".join(f"line number {n}\n" for n in range(1, 31))
    world.commit({"long.txt": lines})
    with world.serve([REPLY]) as server:
        reads = ["long.txt (lines 5-7)"]
        world.task("p/01-b", writes=["b.txt"], reads=reads, validation="test -e b.txt")
        outcome = world.exec("p/01-b")
        assert outcome.json["verdict"] == "merged", outcome.text
        (request,) = server.requests
    assert "line number 6" in request.prompt
    assert "line number 4\n" not in request.prompt
    assert "line number 8" not in request.prompt


def test_a_key_that_goes_to_another_machine_over_plain_http_is_said(world: World) -> None:
    world.configure(
        executors={
            "far": {
                "type": "openai",
                "base_url": "http://models.invalid/v1",
                "api_key_env": "FAR_KEY",
            },
            "near": {
                "type": "openai",
                "base_url": "http://127.0.0.1:9/v1",
                "api_key_env": "FAR_KEY",
            },
        },
        tiers={
            "cheap": {"executor": "far", "model": "m"},
            "balanced": {"executor": "near", "model": "m"},
        },
    )
    world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
    key = {"FAR_KEY": "sk-0123456789"}
    warning = "FAR_KEY goes to models.invalid over plain http"
    assert warning in world.minitask("exec", "p/01-b", "--dry-run", env=key).text
    ran = world.minitask("exec", "p/01-b", env=key)
    assert warning in ran.stderr
    assert "sk-0123456789" not in ran.text
    near = world.minitask("exec", "p/01-b", "--dry-run", "--tier", "balanced", env=key)
    assert "plain http" not in near.text
