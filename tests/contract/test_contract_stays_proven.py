"""What landed earlier in a run stays proven by what lands later."""

from __future__ import annotations

import time
from typing import Any

import pytest

from world import World


@pytest.mark.parametrize(
    ("front", "second"), [({}, "failed"), ({"depends_on": ["01-x"]}, "merged")]
)
def test_a_task_that_breaks_what_landed_before_does_not_land_unless_it_builds_on_that(
    world: World, front: dict[str, Any], second: str
) -> None:
    world.task("p/01-x", whole={"x.txt": "x\n"}, validation="test -e x.txt\ntest ! -e y.txt")
    world.task("p/02-y", whole={"y.txt": "y\n"}, validation="test -e y.txt", front=front)
    outcome = world.minitask("run", "p", "--json", "--jobs", "1")
    assert outcome.verdicts == {"p/01-x": "merged", "p/02-y": second}
    assert world.has("y.txt") == (second == "merged")


@pytest.mark.variant
def test_with_several_jobs_what_landed_is_validated_once_more_at_the_end(world: World) -> None:
    """The model of the second answers once the others have landed; none takes up another's work."""

    def reply(_request: object) -> str:
        while not (world.has("x.txt") and world.has("z.txt")):
            time.sleep(0.02)
        return "```text path=y.txt\ny\n```\n"

    with world.serve(reply):
        world.task("p/01-x", whole={"x.txt": "x\n"}, validation="test -e x.txt\ntest ! -e y.txt")
        world.task("p/02-y", writes=["y.txt"], validation="test -e y.txt")
        world.task("p/03-z", whole={"z.txt": "z\n"}, validation="test -e z.txt")
        outcome = world.minitask("run", "p", "--json", "--jobs", "2")
    results = {task["task"]: task for task in outcome.json["tasks"]}
    assert {task["verdict"] for task in results.values()} == {"merged"}
    assert outcome.code == 1
    assert "fails with what merged after it: `test ! -e y.txt`" in results["p/01-x"]["reason"]
    assert [results[name]["reason"] for name in ("p/02-y", "p/03-z")] == ["", ""]


def test_what_is_not_validated_again_is_named(world: World) -> None:
    slow = "sleep 0.3"
    world.task("p/01-x", whole={"x.txt": "x\n"}, validation=f"test -e x.txt\n{slow}")
    world.task("p/02-y", whole={"y.txt": "y\n"}, validation=f"test -e y.txt\n{slow}")
    world.task("p/03-z", whole={"z.txt": "z\n"}, validation="test -e z.txt")
    outcome = world.minitask("run", "p", "--jobs", "1")
    assert outcome.code == 0, outcome.text
    named = "passed when merged, not validated again after later merges: p/0" in outcome.stderr
    # Two that are ready at once are validated together, and then what is left pays for the third.
    assert named or "2 tasks are validated together" in outcome.stderr
