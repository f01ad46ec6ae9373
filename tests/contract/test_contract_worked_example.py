"""The worked example that the template's users start from: as it was written, with no front matter, by a model."""

from __future__ import annotations

import re
from pathlib import Path

from world import World

EXAMPLE = Path(__file__).parents[1] / "spec" / "cases" / "positive" / "original_example.md"
TARGET = "core/agents/todoist/base.py"
LINES = 390
"""How long the new file is; the example's own words ask for about 400 lines."""


def module() -> str:
    """A module of 500 lines with the example's class in it."""
    lines = [f"import_{number} = {number}" for number in range(1, 16)]
    lines += ["", "", "class TodoistAgent:", *[f"    attribute_{n} = {n}" for n in range(7)]]
    lines += ["", *[f"    value_{n} = {n}" for n in range(500 - len(lines) - 1)]]
    return "\n".join(lines) + "\n"


def reply() -> str:
    """The new file as a whole, as long as the example asks for."""
    kept = module().splitlines()[:LINES]
    return "I copied what the task names.\n\n```python path=" + "\n".join([TARGET, *kept, "```\n"])


def test_it_runs_as_it_was_written(world: World) -> None:
    world.commit({"core/agents/todoist.py": module()})
    path = "mini-projects/todoist/02-extract-base.md"
    world.commit({path: EXAMPLE.read_bytes()})
    with world.serve([reply()]) as server:
        outcome = world.exec(path)
        prompt = server.requests[0].prompt
    assert outcome.json["verdict"] == "merged", outcome.text
    assert "class TodoistAgent:" in world.show(TARGET)
    assert "value_70 = 70" in prompt
    assert "value_100 = 100" not in prompt
    commands = outcome.json["attempts"][0]["commands"]
    assert [command["passed"] for command in commands] == [True, True, True]
    report = world.minitask("show", "todoist/02-extract-base").stdout
    assert re.search(rf"create +{TARGET} \(\+{LINES} -0\)", report)


def test_it_fails_where_the_model_leaves_the_class_out(world: World) -> None:
    world.commit({"core/agents/todoist.py": module()})
    path = "mini-projects/todoist/02-extract-base.md"
    world.commit({path: EXAMPLE.read_bytes()})
    tip = world.tip()
    with world.serve([f"```python path={TARGET}\npass\n```\n"] * 2):
        outcome = world.exec(path)
    assert outcome.json["verdict"] == "failed"
    assert outcome.json["attempts"][0]["gate"] == "validate"
    assert world.tip() == tip
