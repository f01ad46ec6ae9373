"""`graph` draws what a run goes by; files give a run its order as `depends_on` does."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from executors.model_server import Received
from world import Outcome, World, spec_path, spec_text


def tasks_of(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {each["task"]: each for each in outcome.json["tasks"]}


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def creating(world: World, name: str, path: str, **fields: Any) -> None:
    """A task that says it creates a file."""
    text = spec_text(whole={path: "x\n"}, validation=f"grep -qx x {path}", **fields)
    text = text.replace("**Files to Create/Edit**", "**Files to Create**")
    world.commit({spec_path(name): text})


def using(world: World, name: str, path: str, *, out: str, **fields: Any) -> None:
    """A task that reads a file and writes another."""
    world.task(name, whole={out: "y\n"}, reads=[path], validation=f"cat {path} {out}", **fields)


def landed(world: World) -> list[str]:
    form = "--format=%(trailers:key=Minitask,valueonly,separator=)"
    return world.git("log", "--first-parent", "--merges", "--reverse", form).splitlines()


@pytest.mark.variant
def test_a_task_runs_after_the_one_that_creates_what_it_reads(world: World) -> None:
    using(world, "p/01-reads", "new.txt", out="out.txt")
    creating(world, "p/02-creates", "new.txt")
    outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert list(outcome.verdicts) == ["p/01-reads", "p/02-creates"], "the plan's order is kept"
    assert landed(world) == ["p/02-creates", "p/01-reads"]


@pytest.mark.variant
def test_create_or_edit_counts_as_creation_where_there_is_no_such_file(world: World) -> None:
    using(world, "p/01-reads", "new.txt", out="out.txt")
    world.task("p/02-writes", whole={"new.txt": "x\n"}, validation="grep -qx x new.txt")
    outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert landed(world) == ["p/02-writes", "p/01-reads"]


def test_a_task_whose_file_was_not_created_is_skipped_with_the_reason(world: World) -> None:
    creating(world, "p/01-bad", "new.txt")
    text = (world.root / spec_path("p/01-bad")).read_text()
    world.commit({spec_path("p/01-bad"): text.replace("grep -qx x", "grep -qx never")})
    using(world, "p/02-reads", "new.txt", out="out.txt")
    using(world, "p/03-reads-that", "out.txt", out="last.txt")
    world.task("p/04-free", whole={"free.txt": "x\n"}, validation="test -e free.txt")
    outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 1, outcome.text
    assert list(outcome.verdicts.values()) == ["failed", "skipped", "skipped", "merged"]
    reasons = {name: task["reason"] for name, task in tasks_of(outcome).items()}
    assert "new.txt of p/01-bad (failed)" in reasons["p/02-reads"]
    assert "out.txt of p/02-reads (skipped)" in reasons["p/03-reads-that"]
    assert world.refs("refs/minitask/attempts/p/02-reads") == {}


@pytest.mark.variant
def test_the_task_with_the_longest_chain_behind_it_starts_first(world: World) -> None:
    asked: list[str] = []

    def reply(request: Received) -> str:
        found = re.search(r"# Write (\w+)", request.prompt)
        assert found is not None
        asked.append(found[1])
        return f"```text path={found[1]}.txt\nb\n```\n"

    needs = {"a": [], "b": [], "c": ["02-b"], "d": ["03-c"], "e": []}
    with world.serve(reply, concurrency={"requests": 1, "jobs": 1}):
        for number, (letter, after) in enumerate(needs.items(), 1):
            world.task(
                f"p/0{number}-{letter}",
                writes=[f"{letter}.txt"],
                validation=f"grep -qx b {letter}.txt",
                title=f"Write {letter}",
                front={"depends_on": after} if after else None,
            )
        outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert asked[0] == "b"
    assert asked.index("c") < asked.index("d")
    assert [name[-1] for name in outcome.verdicts] == list("abcde")


def drawn_project(world: World) -> None:
    world.commit({"app.py": "x = 1\n"})
    creating(world, "p/01-make", "new.txt", title='Make "it" & <b>go</b>')
    using(world, "p/02-use", "new.txt", out="out.txt")
    edit = {"writes": ["app.py"], "validation": "grep -q y app.py"}
    world.task("p/03-edit", **edit, front={"depends_on": ["02-use"]})
    world.task("p/04-edit", **edit)


@pytest.mark.variant
def test_graph_says_what_waits_for_what_and_why(world: World) -> None:
    drawn_project(world)
    assert world.exec("p/01-make").code == 0
    outcome = world.minitask("graph", "p", "--json")
    assert outcome.code == 0, outcome.text
    found = tasks_of(outcome)
    assert outcome.json["project"] == "p"
    assert outcome.json["critical_path"] == ["p/01-make", "p/02-use", "p/03-edit"]
    assert "forecast" not in outcome.json
    assert [(each["wave"], each["state"], each["urgency"]) for each in found.values()] == [
        (1, "merged", 3),
        (1, "new", 1),
        (2, "new", 2),
        (3, "new", 1),
    ]
    assert found["p/02-use"]["after"] == [
        {"task": "p/01-make", "path": "new.txt", "kind": "create-then-read"}
    ]
    assert found["p/03-edit"]["depends_on"] == ["p/02-use"]
    assert found["p/03-edit"]["clashes"] == [{"task": "p/04-edit", "path": "app.py"}]
    assert found["p/03-edit"]["path"] == spec_path("p/03-edit")


def test_graph_as_text_shows_waves_and_states(world: World) -> None:
    drawn_project(world)
    lines = world.minitask("graph", "p").stdout.splitlines()
    assert lines[:2] == ["4 tasks in 3 waves", "longest chain: p/01-make -> p/02-use -> p/03-edit"]
    assert [line for line in lines if line.startswith("wave")] == ["wave 1", "wave 2", "wave 3"]
    assert any("after: p/01-make (new.txt)" in line for line in lines)
    assert any("clashes: p/03-edit (app.py)" in line for line in lines)


def test_one_spec_is_drawn_with_the_names_of_what_it_depends_on(world: World) -> None:
    drawn_project(world)
    found = world.minitask("graph", spec_path("p/03-edit"), "--json").json["tasks"]
    assert [(each["task"], each["depends_on"]) for each in found] == [("p/03-edit", ["p/02-use"])]


@pytest.mark.parametrize("form", ["text", "mermaid", "dot", "svg"])
def test_graph_writes_nothing_but_where_it_is_told(world: World, form: str, tmp_path: Path) -> None:
    drawn_project(world)
    world.minitask("graph", "p")
    before = everything(world.root)
    printed = world.minitask("graph", "p", "--format", form)
    assert printed.code == 0, printed.text
    assert everything(world.root) == before
    target = tmp_path / "drawn"
    written = world.minitask("graph", "p", "--format", form, "--output", str(target))
    assert (written.code, written.stdout) == (0, "")
    assert target.read_text() == printed.stdout
    assert everything(world.root) == before


def test_a_file_that_cannot_be_written_is_the_machines_fault(world: World) -> None:
    drawn_project(world)
    outcome = world.minitask("graph", "p", "--output", "no/such/folder/x")
    assert outcome.code == 3
    assert "no/such/folder/x" in outcome.stderr


def test_a_circle_is_printed(world: World) -> None:
    for name, other in (("01-a", "02-b"), ("02-b", "03-c"), ("03-c", "01-a")):
        world.task(
            f"p/{name}",
            whole={f"{name}.txt": "x\n"},
            validation="true",
            front={"depends_on": [other]},
        )
    outcome = world.minitask("graph", "p")
    assert outcome.code == 2
    assert "p/01-a -> p/02-b -> p/03-c -> p/01-a" in outcome.stderr


@pytest.mark.variant
def test_a_random_graph_of_60_tasks_is_drawn_in_every_format(world: World, tmp_path: Path) -> None:
    chance = random.Random(3)
    specs = {}
    for number in range(60):
        earlier = chance.sample(range(number), min(number, chance.randrange(3)))
        specs[spec_path(f"big/{number:02}-x")] = spec_text(
            whole={f"{number}.txt": "x\n"},
            reads=[f"{other}.txt" for other in earlier[:1]],
            validation=f"test -e {number}.txt",
            title=f'Task "{number}" <&> \\ done',
            front={"depends_on": [f"{other:02}-x" for other in earlier[1:]]},
        )
    world.commit(specs)
    names = {f"big/{number:02}-x" for number in range(60)}
    document = world.minitask("graph", "big", "--json").json
    assert {each["task"] for each in document["tasks"]} == names
    wave = {each["task"]: each["wave"] for each in document["tasks"]}
    for each in document["tasks"]:
        before = [*each["depends_on"], *(tie["task"] for tie in each["after"])]
        assert wave[each["task"]] == 1 + max((wave[name] for name in before), default=0)
    shown = {
        form: world.minitask("graph", "big", "--format", form).stdout
        for form in ("text", "mermaid", "dot", "svg")
    }
    assert all(name in text for name in names for text in shown.values())
    ET.fromstring(shown["svg"])
    if shutil.which("dot"):
        subprocess.run(
            ["dot", "-Tsvg"], input=shown["dot"].encode(), check=True, capture_output=True
        )


def conflicting(world: World) -> None:
    """Two proven candidates that change one line each their way, and one that does not touch it."""
    world.commit({"app.txt": "one\n"})
    for name in ("01-a", "02-b"):
        text = f"```text path=app.txt\n<<<<<<< SEARCH\none\n=======\n{name}\n>>>>>>> REPLACE\n```\n"
        world.proven(
            f"p/{name}", snippets=text, writes=["app.txt"], validation=f"grep -qx {name} app.txt"
        )
    world.proven("p/03-c", whole={"c.txt": "x\n"}, validation="test -e c.txt")
    world.task("p/04-d", whole={"d.txt": "x\n"}, validation="test -e d.txt")


def test_a_forecast_lists_candidates_that_would_conflict_with_each_other(world: World) -> None:
    conflicting(world)
    world.minitask("graph", "p")
    before = everything(world.root)
    outcome = world.minitask("graph", "p", "--forecast", "--json")
    assert outcome.code == 0, outcome.text
    assert outcome.json["forecast"] == {
        "conflicts": [{"task": "p/01-a", "with": "p/02-b", "paths": ["app.txt"]}],
        "candidates": 3,
        "pairs": 3,
        "pairs_left_out": 0,
    }
    said = world.minitask("graph", "p", "--forecast").stdout
    assert "p/01-a conflicts with p/02-b: app.txt" in said
    assert everything(world.root) == before, "not even an object is left behind"


@pytest.mark.variant
def test_a_forecast_lists_candidates_that_would_conflict_with_the_target(world: World) -> None:
    conflicting(world)
    assert world.minitask("merge", "p/01-a").code == 0
    outcome = world.minitask("graph", "p", "--forecast", "--json")
    assert outcome.json["forecast"]["conflicts"] == [
        {"task": "p/02-b", "with": "main", "paths": ["app.txt"]}
    ]
    assert outcome.json["forecast"]["candidates"] == 2, "what has landed is no candidate"
