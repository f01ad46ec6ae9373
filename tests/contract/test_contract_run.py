"""A project runs in dependency order, and one failure does not stop what does not hang on it."""

from __future__ import annotations

from typing import Any

import pytest

from world import World, spec_text


def add(world: World, name: str, *, after: tuple[str, ...] = (), good: bool = True) -> None:
    """Commit the spec of a task that writes a file of its own name, and needs those of `after`."""
    needs = "".join(f"\ntest -e {other}.txt" for other in after)
    world.task(
        f"p/{name}",
        whole={f"{name}.txt": "x\n"},
        validation=f"grep -qx {'x' if good else 'never'} {name}.txt{needs}",
        front={"depends_on": list(after)} if after else None,
    )


def merged_order(world: World) -> list[str]:
    """The tasks that landed, oldest first."""
    form = "--format=%(trailers:key=Minitask,valueonly,separator=)"
    lines = world.git("log", "--first-parent", "--merges", "--reverse", form, "main")
    return lines.splitlines()


@pytest.mark.variant
def test_tasks_run_after_what_they_depend_on(world: World) -> None:
    add(world, "01-last", after=("02-middle",))
    add(world, "02-middle", after=("03-first",))
    add(world, "03-first")
    outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert merged_order(world) == ["p/03-first", "p/02-middle", "p/01-last"]
    assert set(outcome.verdicts.values()) == {"merged"}


def test_dependents_of_a_failed_task_are_skipped_with_the_reason_and_others_go_on(
    world: World,
) -> None:
    add(world, "01-bad", good=False)
    add(world, "02-needs-bad", after=("01-bad",))
    add(world, "03-needs-that", after=("02-needs-bad",))
    add(world, "04-free")
    outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 1
    assert outcome.verdicts == {
        "p/01-bad": "failed",
        "p/02-needs-bad": "skipped",
        "p/03-needs-that": "skipped",
        "p/04-free": "merged",
    }
    reasons = {task["task"]: task["reason"] for task in outcome.json["tasks"]}
    assert "01-bad" in reasons["p/02-needs-bad"]
    assert "02-needs-bad" in reasons["p/03-needs-that"]
    assert world.refs("refs/minitask/attempts/p/02-needs-bad") == {}


def test_a_dependency_that_landed_earlier_counts(world: World) -> None:
    add(world, "01-first")
    add(world, "02-second", after=("01-first",))
    assert world.exec("p/01-first").json["verdict"] == "merged"
    outcome = world.minitask("run", "mini-projects/p/02-second.md", "--json")
    assert outcome.code == 0, outcome.text
    assert outcome.verdicts["p/02-second"] == "merged"


def test_a_dependency_that_has_not_landed_keeps_a_task_back(world: World) -> None:
    add(world, "01-first")
    add(world, "02-second", after=("01-first",))
    outcome = world.minitask("run", "mini-projects/p/02-second.md", "--json")
    assert outcome.code == 1
    assert outcome.verdicts["p/02-second"] == "skipped"
    assert merged_order(world) == []


@pytest.mark.variant
def test_a_second_run_does_the_rest_alone(world: World) -> None:
    add(world, "01-first")
    add(world, "02-bad", good=False)
    assert world.minitask("run", "p").code == 1
    add(world, "02-bad")
    outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert outcome.verdicts["p/02-bad"] == "merged"
    assert merged_order(world) == ["p/01-first", "p/02-bad"]
    third = world.minitask("run", "p", "--json")
    assert third.code == 0
    assert merged_order(world) == ["p/01-first", "p/02-bad"]


@pytest.mark.variant
def test_without_merging_every_task_is_proven_and_none_lands(world: World) -> None:
    add(world, "01-one")
    add(world, "02-two")
    before = world.tip()
    outcome = world.minitask("run", "p", "--no-merge", "--json")
    assert outcome.code == 0
    assert set(outcome.verdicts.values()) == {"ready"}
    assert world.tip() == before
    assert world.minitask("merge", "p/01-one", "p/02-two").code == 0
    assert merged_order(world) == ["p/01-one", "p/02-two"]


def test_a_circle_of_dependencies_is_bad_usage_and_nothing_runs(world: World) -> None:
    add(world, "01-one", after=("02-two",))
    add(world, "02-two", after=("01-one",))
    before = world.refs()
    outcome = world.minitask("run", "p")
    assert outcome.code == 2
    assert "01-one" in outcome.text
    assert "02-two" in outcome.text
    assert world.refs() == before


def test_a_dependency_that_nobody_knows_is_bad_usage(world: World) -> None:
    add(world, "01-one", after=("09-nowhere",))
    before = world.refs()
    assert world.minitask("validate").code == 2
    outcome = world.minitask("run", "p")
    assert outcome.code == 2
    assert "09-nowhere" in outcome.text
    assert world.refs() == before


def many(*, texts: tuple[str, ...] = ("x", "y", "z")) -> str:
    """A project in one file, a task a heading."""
    specs: list[Any] = [
        spec_text(number=n, whole={f"{name}.txt": "1\n"}, validation=f"grep -qx 1 {name}.txt")
        for n, name in enumerate(texts, 1)
    ]
    return "\n".join(specs)


@pytest.mark.variant
def test_one_task_of_a_file_with_several_runs_alone(world: World) -> None:
    world.commit({"mini-projects/many.md": many()})
    outcome = world.exec("mini-projects/many.md#2")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert [world.has(f"{name}.txt") for name in "xyz"] == [False, True, False]
    task = outcome.json["task"]
    assert outcome.json["branch"] == f"minitask/{task}"
    assert world.exec("mini-projects/many.md#2").json["attempts"] == []
    assert world.minitask("show", task).code == 0


@pytest.mark.variant
def test_a_file_with_several_tasks_runs_as_a_project(world: World) -> None:
    world.commit({"mini-projects/many.md": many()})
    outcome = world.minitask("run", "mini-projects/many.md", "--json")
    assert outcome.code == 0, outcome.text
    assert list(outcome.verdicts.values()) == ["merged"] * 3
    assert [world.has(f"{name}.txt") for name in "xyz"] == [True, True, True]


def test_exec_of_a_file_with_several_tasks_asks_which(world: World) -> None:
    world.commit({"mini-projects/many.md": many()})
    outcome = world.minitask("exec", "mini-projects/many.md")
    assert outcome.code == 2
    assert "minitask run" in outcome.stderr


@pytest.mark.variant
def test_line_numbers_stay_right_while_earlier_tasks_take_parts_of_the_file_away(
    world: World,
) -> None:
    world.commit({"long.txt": "".join(f"line {n}\n" for n in range(1, 31))})
    for n, (first, last) in enumerate(((1, 5), (21, 25), (11, 15)), 1):
        world.task(
            f"p/0{n}-take",
            snippets=f"```edits\nmove long.txt:{first}-{last} -> part{n}.txt\n```\n",
            writes=["long.txt", f"part{n}.txt"],
            validation=f"grep -qx 'line {first}' part{n}.txt\n! grep -qx 'line {first}' long.txt",
        )
    outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 0, outcome.text
    parts = [world.show(f"part{n}.txt").splitlines() for n in (1, 2, 3)]
    assert [(part[0], part[-1], len(part)) for part in parts] == [
        ("line 1", "line 5", 5),
        ("line 21", "line 25", 5),
        ("line 11", "line 15", 5),
    ]
    assert len(world.show("long.txt").splitlines()) == 15


@pytest.mark.variant
def test_cited_lines_that_changed_since_are_refused_and_told(world: World) -> None:
    world.commit({"long.txt": "".join(f"line {n}\n" for n in range(1, 11))})
    world.task(
        "p/01-take",
        snippets="```edits\nmove long.txt:3-5 -> part.txt\n```\n",
        writes=["long.txt", "part.txt"],
        validation="test -e part.txt",
    )
    text = (world.root / "long.txt").read_text().replace("line 4\n", "line four\n")
    world.commit({"long.txt": text})
    before = world.refs()
    outcome = world.exec("p/01-take")
    assert (outcome.code, outcome.json["verdict"]) == (1, "refused")
    assert "long.txt" in outcome.json["reason"]
    assert world.refs() == before
