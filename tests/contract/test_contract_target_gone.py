"""A target that is renamed or deleted while a task runs costs nothing: what was paid for is on record, and lands."""

from __future__ import annotations

from pathlib import Path

import pytest

from world import Checkpoint, World

RENAME = ("branch", "-m", "main", "trunk")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("command", ["exec", "run"])
@pytest.mark.parametrize("gone", ["renamed", "deleted"])
def test_a_paid_answer_is_on_record_and_lands_later(
    world: World, tmp_path: Path, gone: str, command: str
) -> None:
    wait = Checkpoint(tmp_path, only_with="b.txt")
    world.task("p/01-b", writes=["b.txt"], validation=f"grep -qx b b.txt\n{wait.command}")
    if command == "run":
        world.task(
            "p/02-c",
            number=2,
            writes=["c.txt"],
            validation="grep c c.txt",
            front={"depends_on": ["01-b"]},
        )
    into: tuple[str, ...] = ()
    if gone == "deleted":
        world.git("branch", "side")
        into = ("--into", "side")
    with world.serve(["```text path=b.txt\nb\n```\n"], sandbox="none") as server:
        with wait.hold(world, command, "p/01-b" if command == "exec" else "p", *into) as held:
            world.git(*(RENAME if gone == "renamed" else ("branch", "-D", "side")))
        assert held.outcome.code == (0 if command == "exec" else 1), held.outcome.text
        assert "passed, but there is no branch" in held.outcome.stdout
        (attempt,) = world.ledger()
        assert (attempt["attempt"]["verdict"], attempt["merge"]) == ("ready", None)
        branch = "trunk" if gone == "renamed" else "main"
        outcome = world.exec("p/01-b")
        assert outcome.json["verdict"] == "merged", outcome.text
        assert world.show("b.txt", at=branch) == "b\n"
        assert len(server.requests) == 1
