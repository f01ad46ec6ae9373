"""What a model was told and what it answered stays on record, for every attempt, without the user's keys."""

from __future__ import annotations

from pathlib import Path

from world import World, agent_settings, write_program

VALIDATION = "grep -qx b b.txt"


def test_every_attempts_prompt_and_reply_are_on_record(world: World, tmp_path: Path) -> None:
    replies = tmp_path / "replies"
    replies.mkdir()
    count = f"n=$(ls {replies} | wc -l); touch {replies}/$n"
    edit = "[ $n = 0 ] && echo wrong > b.txt || echo b > b.txt"
    script = f"{count}; echo said $n sk-shop-0123456789; {edit}"
    program = write_program(tmp_path / "agent", f"#!/bin/bash\n{script}\n")
    settings = agent_settings(program, sandbox=False, api_key_env="SHOP_KEY")
    world.configure(**settings, routing={"max_escalations": 0, "repairs": 1})
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


def test_a_reply_that_cannot_be_used_is_told_from_what_the_user_can_do(world: World) -> None:
    replies = ["I do not know.", "```text path=b.txt\nno\n```\n", "```text path=b.txt\nb\n```\n"]
    world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
    with world.serve(replies, routing={"max_escalations": 0, "repairs": 0}):
        first = world.minitask("exec", "p/1").stdout
        assert "\n  for the model: put each file in a fence" in first
        assert "fix:" not in first + world.minitask("review", "p/1").stdout
        assert "--approve" not in world.minitask("review", "p/1").stdout, "there is no change"
        assert world.minitask("diff", "p/1").stderr.count("fix:") == 1
        world.minitask("exec", "p/1")
        assert world.minitask("exec", "p/1").code == 0
    older = world.minitask("show", "p/1", "--attempt", "2").stdout
    assert older.startswith("p/01-b: merged; attempt 2 failed\n")
    assert "  merged    " not in older, "that attempt did not merge"
