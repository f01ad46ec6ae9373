"""What a model was told and what it answered stays on record, for every attempt, without the user's keys."""

from __future__ import annotations

from pathlib import Path

from world import World

VALIDATION = "grep -qx b b.txt"


def test_every_attempts_prompt_and_reply_are_on_record(world: World, tmp_path: Path) -> None:
    replies = tmp_path / "replies"
    replies.mkdir()
    count = f"n=$(ls {replies} | wc -l); touch {replies}/$n"
    edit = "[ $n = 0 ] && echo wrong > b.txt || echo b > b.txt"
    script = f"{count}; echo said $n sk-shop-0123456789; {edit}"
    program = tmp_path / "agent"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    entry = {"type": "command", "command": [str(program)], "sandbox": False}
    world.configure(
        executors={"fake": {**entry, "api_key_env": "SHOP_KEY"}},
        tiers={"cheap": {"executor": "fake", "model": "m"}},
        routing={"max_escalations": 0, "repairs": 1},
    )
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    outcome = world.exec("p/01-b", env={"SHOP_KEY": "sk-shop-0123456789"})
    assert outcome.json["verdict"] == "merged"

    latest = world.minitask("show", "p/01-b", "--reply", "--json").json
    first = world.minitask("show", "p/01-b", "--reply", "--prompt", "--attempt", "1", "--json").json
    assert latest == {"task": "p/01-b", "attempt": 2, "reply": "said 1 [SHOP_KEY]"}
    assert first["reply"] == "said 0 [SHOP_KEY]"
    assert "Write a file" in first["prompt"]
    told = world.minitask("show", "p/01-b", "--prompt").stdout
    assert "Your earlier change is in the files already, and it failed" in told
    assert "attempt   1," in world.minitask("show", "p/01-b", "--attempt", "1").stdout
    assert world.minitask("show", "p/01-b", "--attempt", "9").code == 2
    report = world.minitask("report", "--format", "json").json
    assert report["totals"]["attempts"] == 2


def test_an_edit_script_has_nothing_to_say(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    world.exec("p/01-b")

    outcome = world.minitask("show", "p/01-b", "--reply")

    assert outcome.code == 2
    assert "edit scripts have no prompt or reply" in outcome.text
