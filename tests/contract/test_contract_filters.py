"""A file that git stores in another form is written by no task."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from world import World

VALIDATION = "test -f data/new.dat"


def set_up(world: World, name: str) -> None:
    for key, value in {"clean": "tr a-z A-Z", "smudge": "tr A-Z a-z", "required": "true"}.items():
        world.git("config", f"filter.{name}.{key}", value)


@pytest.mark.variant
@pytest.mark.parametrize(
    ("place", "line", "is_refused"),
    [
        (".gitattributes", "*.dat filter=up\n", True),
        ("data/.gitattributes", "[attr]big filter=up\n", False),
        (".gitattributes", "[attr]big filter=up\n*.dat big\n", True),
        (".gitattributes", "*.dat filter=lfs\n", True),
        (".gitattributes", "*.dat filter=nobody\n*.bin filter=up\n", False),
        (".gitattributes", "*.dat filter=up\ndata/*.dat -filter\n", False),
    ],
)
def test_a_filtered_file_is_refused_before_money_is_spent(
    world: World, place: str, line: str, *, is_refused: bool
) -> None:
    set_up(world, "up")
    world.commit({place: line})
    with world.serve(["```text path=data/new.dat\nnew\n```\n"]) as server:
        world.task("p/01-b", writes=["data/new.dat"], validation=VALIDATION)
        outcome = world.exec("p/01-b")
        assert len(server.requests) == (0 if is_refused else 1)
    assert outcome.json["verdict"] == ("refused" if is_refused else "merged"), outcome.text
    assert world.git("status", "--porcelain") == ""


def test_attributes_of_the_user_count_too(world: World) -> None:
    set_up(world, "up")
    attributes = Path(os.environ["XDG_CONFIG_HOME"], "git", "attributes")
    attributes.parent.mkdir(parents=True)
    attributes.write_text("*.dat filter=up\n")
    world.task("p/01-b", whole={"data/new.dat": "new\n"}, validation=VALIDATION)
    assert world.exec("p/01-b").json["verdict"] == "refused"


def test_a_filter_that_came_after_the_proof_keeps_the_file_from_landing(world: World) -> None:
    set_up(world, "up")
    world.proven("p/01-b", whole={"data/new.dat": "new\n"}, validation=VALIDATION)
    tip = world.commit({".gitattributes": "*.dat filter=up\n"})
    outcome = world.minitask("merge", "p/01-b", "--json").json["tasks"][0]
    assert (outcome["verdict"], world.tip()) == ("refused", tip)
    assert "data/new.dat" in outcome["reason"]
