"""`merge` and `undo` of a whole project: its ready tasks in order, its merged ones newest first."""

from __future__ import annotations

import pytest

from world import Once, Outcome, World


@pytest.fixture
def ready(once: Once) -> World:
    return once(prove)


def prove(world: World) -> None:
    """Prove two tasks, of which the first by name depends on the second, and try one that fails."""
    world.task("p/02-b", front={"depends_on": ["03-c"]}, whole={"b": "x\n"}, validation="test -f b")
    world.task("p/03-c", whole={"c": "x\n"}, validation="test -f c")
    world.task("p/04-d", whole={"d": "x\n"}, validation="false")
    world.exec("p/03-c")
    world.exec("p/02-b", "--no-merge")
    world.minitask("undo", "p/03-c")
    for name in ("p/03-c", "p/04-d"):
        world.exec(name, "--no-merge")


def verdicts(outcome: Outcome) -> list[tuple[str, str]]:
    return [(item["task"], item["verdict"]) for item in outcome.json["tasks"]]


def test_merge_of_a_project_lands_its_ready_tasks_in_order(ready: World) -> None:
    outcome = ready.minitask("merge", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert verdicts(outcome) == [("p/03-c", "merged"), ("p/02-b", "merged")]
    again = ready.minitask("merge", "p")
    assert (again.code, "no task of p is ready to merge" in again.text) == (2, True)


def test_a_task_of_a_project_whose_dependency_does_not_merge_is_skipped(ready: World) -> None:
    ready.commit({"c": "mine\n"})
    outcome = ready.minitask("merge", "mini-projects/p", "--json")
    assert outcome.code == 1, outcome.text
    assert verdicts(outcome) == [("p/03-c", "conflict"), ("p/02-b", "skipped")]
    assert "it depends on p/03-c" in outcome.json["tasks"][1]["reason"]
    assert not ready.has("b")


def test_undo_of_a_project_takes_its_tasks_back_newest_first(ready: World) -> None:
    before = ready.git("rev-parse", "main^{tree}")
    ready.minitask("merge", "p")
    outcome = ready.minitask("undo", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert verdicts(outcome) == [("p/02-b", "merged"), ("p/03-c", "merged")]
    assert ready.git("rev-parse", "main^{tree}") == before
    again = ready.minitask("undo", "p")
    assert (again.code, "no task of p has merged into main" in again.text) == (2, True)


def test_a_merged_project_is_undone_without_its_specs(ready: World) -> None:
    ready.minitask("merge", "p")
    ready.git("rm", "-rq", "mini-projects/p")
    ready.git("commit", "-qm", "archive")
    assert len(verdicts(ready.minitask("undo", "p", "--json"))) == 2
    assert not ready.has("b")


def test_a_project_that_is_all_merged_is_no_error(world: World) -> None:
    for name in ("p/01-b", "p/02-c"):
        world.landed(name, whole={f"{name[2:]}": "x\n"}, validation=f"test -f {name[2:]}")
    outcome = world.minitask("merge", "p")
    assert outcome.code == 0, outcome.text
    assert outcome.stdout.count("already merged") == 2
