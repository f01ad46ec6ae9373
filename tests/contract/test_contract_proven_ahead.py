"""Where cores are free, a candidate is proven on what the target will be; what lands is proven on its tree, as ever."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from world import World

ALONE = {"MINITASK_SANDBOX": "none"}


def prepare(world: World, log: Path, number: int, *, check: str = "true") -> None:
    """A task that writes a file; each green run of its validation takes a while, and leaves what it saw in the log."""
    name = f"{number}.txt"
    seen = f"echo {number}: $(ls ?.txt) >> {log}"
    world.task(
        f"p/0{number}-x",
        whole={name: "x\n"},
        validation=f"test -f {name} && sleep 0.4 && {check} && {seen}",
    )


def run(world: World, jobs: int) -> dict[str, Any]:
    outcome = world.minitask("run", "p", "--jobs", str(jobs), "--json", env=ALONE)
    return {task["task"]: task for task in outcome.json["tasks"]}


def test_what_was_proven_ahead_was_proven_on_what_lands(world: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number in range(3):
        prepare(world, log, number)
    tasks = run(world, 8)
    assert {task["verdict"] for task in tasks.values()} == {"merged"}
    runs = log.read_text().splitlines()
    landed = sorted(
        ((_texts(world, task["merge"]), number) for number, task in _numbered(tasks)),
        key=lambda row: len(row[0]),
    )
    for at, (_, number) in enumerate(landed):
        proofs = {f"{number}: {' '.join(texts)}" for texts, _ in landed[at:]}
        assert proofs & set(runs), "it was proven on the tree that landed, its own or its batch's"
    ways = Counter(run[0] for run in runs)
    assert max(ways.values()) <= 3, "alone, ahead, and again where others landed before it"


def _numbered(tasks: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name[3], task) for name, task in tasks.items()]


def _texts(world: World, commit: str) -> list[str]:
    names = world.git("ls-tree", "--name-only", commit).split()
    return sorted(name for name in names if name.endswith(".txt"))


def test_one_that_fails_takes_nobody_along(world: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    prepare(world, log, 0, check="false")
    prepare(world, log, 1)
    prepare(world, log, 2)
    tasks = run(world, 8)
    verdicts = [task["verdict"] for task in tasks.values()]
    assert verdicts == ["failed", "merged", "merged"]
    assert not world.has("0.txt")
    assert world.has("1.txt")
    assert world.has("2.txt")


@pytest.mark.parametrize("jobs", [1, 8])
def test_two_that_are_green_alone_and_red_together_do_not_both_land(
    world: World, tmp_path: Path, jobs: int
) -> None:
    log = tmp_path / "log"
    prepare(world, log, 0, check="! test -f 1.txt")
    prepare(world, log, 1, check="! test -f 0.txt")
    tasks = run(world, jobs)
    assert sorted(task["verdict"] for task in tasks.values()) == ["failed", "merged"]


def test_a_run_ends_what_it_proves_ahead_and_waits_for_none_of_it(
    world: World, tmp_path: Path
) -> None:
    """The first is red, and the second would hang on what the two come to."""
    prepare(world, tmp_path / "log", 0, check="false")
    world.task(
        "p/01-x",
        whole={"1.txt": "x\n"},
        validation="test -f 1.txt && sleep 0.4 && if test -f 0.txt; then sleep 5000; fi",
    )
    tasks = run(world, 8)
    assert [task["verdict"] for task in tasks.values()] == ["failed", "merged"]
    scratch = world.root / ".git/minitask/scratch"
    assert not scratch.exists() or list(scratch.iterdir()) == []


@pytest.mark.parametrize("jobs", [1, 8])
def test_checks_run_on_the_tree_alone_however_many_land(
    world: World, tmp_path: Path, jobs: int
) -> None:
    """What a validation leaves in the workspace is nothing that a check finds."""
    log = tmp_path / "log"
    world.configure(sandbox="none", checks=["! test -e left"])
    for number in range(4):
        prepare(world, log, number, check="touch left")
    tasks = run(world, jobs)
    assert {task["verdict"] for task in tasks.values()} == {"merged"}
