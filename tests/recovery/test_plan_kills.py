"""Planning another tool's tasks, killed at any git call: the same command goes on, and asks for no task twice."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from executors.model_server import Received, completion
from recovery.crashes import Killer, Plan
from world import World, spec_text

TASKS = [
    {"id": number, "title": f"Write {number}", "dependencies": [number - 1][: number - 1]}
    for number in (1, 2)
]
COMMAND = ("plan", "--from", "tasks.json", "--project", "p", "--tier", "cheap", "--json")


@pytest.mark.sampled(4)
@pytest.mark.parametrize("at", range(1, 25))
def test_a_killed_plan_goes_on_and_pays_once(world: World, tmp_path: Path, at: int) -> None:
    world.commit({"tasks.json": json.dumps({"tasks": TASKS})})
    asked: list[str] = []

    def answer(request: Received) -> object:
        [number] = set(re.findall(r"Carry out task (\d) of", request.prompt))
        asked.append(number)
        text = spec_text(
            number=int(number), writes=[f"{number}.txt"], validation=f"grep -q x {number}.txt"
        )
        return completion(f"````markdown path=0{number}-part.md\n{text}````\n")

    with world.serve(answer):
        Killer(world, tmp_path / "kill").run(Plan(at, "before"), *COMMAND)
        again = world.minitask(*COMMAND)
    assert again.code == 0, again.text
    kinds = [record["kind"] for record in world.ledger()]
    lost = kinds.count("lost")  # killed while the call was under way
    assert (len(asked), kinds.count("plan")) == (2 + lost, 2), (asked, kinds)
    assert lost <= 1
    assert {goal["state"] for goal in again.json["goals"]} <= {"planned", "present"}
    names = sorted(path.name for path in (world.root / "mini-projects/p").iterdir())
    assert names == ["01-part.md", "02-part.md"]
    assert world.minitask("validate", "p").code == 0
    assert list((world.root / ".git/minitask").rglob("answers/*")) == []
