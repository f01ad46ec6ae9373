"""Output in an encoding that lacks a character says it in ASCII, and the command ends as it would."""

from __future__ import annotations

import pytest

from world import World


@pytest.mark.sampled(2)
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp437", "ascii", "koi8-r:strict"])
def test_a_task_lands_whatever_the_encoding(world: World, encoding: str) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    outcome = world.minitask("exec", "p/01-b", env={"PYTHONIOENCODING": encoding})
    assert outcome.code == 0, outcome.text
    assert "p/01-b" in outcome.stdout
    assert world.show("b.txt") == "b\n"
    assert world.minitask("doctor", env={"PYTHONIOENCODING": encoding}).code in (0, 1)
