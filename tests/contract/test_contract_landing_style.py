"""With `landing.style`, a team keeps a linear history; what lands is still what was proven."""

from __future__ import annotations

import pytest

from world import World

STYLES = ("merge", "squash", "rebase", "ff")


def task(world: World, name: str) -> None:
    world.task(f"p/{name}", whole={f"{name}.txt": "x\n"}, validation=f"test -f {name}.txt")


@pytest.mark.parametrize("style", STYLES)
def test_a_task_lands_in_the_style_that_is_set(world: World, style: str) -> None:
    world.configure(landing={"style": style})
    task(world, "01-b")
    before = world.tip()
    result = world.exec("p/01-b").json
    assert result["verdict"] == "merged"
    parents = world.git("log", "-1", "--format=%P").split()
    assert parents[0] == before
    assert len(parents) == (2 if style == "merge" else 1)
    assert world.tip() == result["merge"]
    assert world.trailers("HEAD")["Minitask"] == "p/01-b"
    subject, author = world.git("log", "-1", "--format=%s%x00%an").strip().split("\0")
    if style == "merge":
        assert (subject, author) == ("Merge minitask/p/01-b: Write a file", "Una User")
    else:
        assert (subject, author) == ("Write a file", "edit script (minitask)")
    assert "already merged" in world.exec("p/01-b").json["reason"]
    assert [row["task"] for row in world.minitask("log", "--json").json] == ["p/01-b"]
    assert world.minitask("verify", "HEAD").code == 0
    assert "minitask/p/01-b" in world.minitask("clean", "--branches").stdout
    assert world.minitask("undo", "p/01-b").code == 0
    assert not world.has("01-b.txt")


@pytest.mark.variant
@pytest.mark.parametrize("style", STYLES[1:])
def test_a_run_keeps_the_history_linear(world: World, style: str) -> None:
    world.configure(landing={"style": style})
    names = ("01-b", "02-c", "03-d", "04-e")
    for name in names:
        task(world, name)
    outcome = world.minitask("run", "p", "--json", "--jobs", "2")
    assert {*outcome.verdicts.values()} == {"merged"}
    assert world.git("rev-list", "--merges", "HEAD") == ""
    assert all(world.has(f"{name}.txt") for name in names)
    landed = world.git("log", "-4", "--format=%H").split()
    assert {row["merge"] for row in outcome.json["tasks"]} == set(landed)
    assert set(landed) <= {record["merge"] for record in world.ledger()}, "each is on record"


def test_a_reviewed_task_keeps_its_message(world: World) -> None:
    world.configure(landing={"style": "squash"}, review="required")
    task(world, "01-b")
    assert world.exec("p/01-b").json["verdict"] == "ready"
    world.commit({"c.txt": "c\n"})
    assert world.minitask("review", "p/01-b", "--approve").code == 0
    assert world.git("log", "-1", "--format=%s").strip() == "Write a file"
    assert world.git("rev-list", "--merges", "HEAD") == ""
    assert world.has("01-b.txt")
