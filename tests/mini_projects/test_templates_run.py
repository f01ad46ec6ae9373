"""Each template, filled in and run: a right reply merges, a wrong one does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from world import World

FOLDER = Path(__file__).with_name("templates")
SHIPPED = Path(__file__).parents[2] / "templates"
EXAMPLES = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in FOLDER.glob("*.yaml")}
CASES = [
    pytest.param(name, side, id=f"{name}-{side}")
    for name, example in sorted(EXAMPLES.items())
    for side in ("right", "wrong")
    if side in example or side == "right"
]


def test_each_template_has_an_example() -> None:
    shipped = {path.name.removesuffix(".md.j2") for path in SHIPPED.glob("*.md.j2")}
    assert shipped - {"mini-task"} == set(EXAMPLES), "mini-task is filled in by hand"


def reply(files: dict[str, str | None]) -> str:
    """A model's answer with these files whole; None deletes one."""
    parts = []
    for path, content in files.items():
        body = f"delete {path}\n" if content is None else content
        info = "edits" if content is None else f"text path={path}"
        parts.append(f"```{info}\n{body}```\n")
    return "".join(parts)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("name", "side"), CASES)
def test_what_a_template_asks_for_is_told_from_what_it_does_not(
    world: World, name: str, side: str
) -> None:
    example: dict[str, Any] = EXAMPLES[name]
    world.commit(example["files"])
    pairs = [
        word for key, value in example["values"].items() for word in ("--set", f"{key}={value}")
    ]
    made = world.minitask("new", "p", "Do it", "--template", name, *pairs)
    assert made.code == 0, made.text
    checked = world.minitask("validate", "p")
    assert checked.code == 0, checked.text
    world.git("add", ".")
    world.git("commit", "-qm", "spec")
    with world.serve([reply(example.get(side, {}))] * 2, routing={"repairs": 0}) as server:
        outcome = world.exec("p/01-do-it")
        assert len(server.requests) == ("right" in example)
    right = example.get("verdict", "merged")
    assert outcome.json["verdict"] == (right if side == "right" else "failed"), outcome.text
