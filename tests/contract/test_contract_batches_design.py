"""Batches through the command line: what `validate` says of a whole project, and what `run` says of their tokens."""

from __future__ import annotations

from typing import Any

import pytest

from executors.model_server import Received, completion, error
from world import World, spec_path, spec_text

BATCHES = {"N411", "N412", "N413"}
RUN = {"project", "target", "tasks", "cost_usd", "baseline_cost_usd", "usage", "seconds"}


def add(world: World, name: str, *, after: tuple[str, ...] = (), tokens: str = "") -> None:
    """Commit the spec of a task that a model does: it writes a file of its own name."""
    text = spec_text(
        number=int(name[:2]),
        title=f"Write {name}.txt",
        writes=[f"{name}.txt"],
        validation=f"grep -qx x {name}.txt",
        front={"depends_on": list(after)} if after else None,
    )
    if tokens:
        field = f"**Estimated Tokens**: {tokens}\n\n**Files to Create/Edit**"
        text = text.replace("**Files to Create/Edit**", field)
    world.commit({spec_path(f"p/{name}"): text})


def chain(world: World) -> None:
    """Four tasks in a line."""
    add(world, "01-a")
    for before, name in (("01-a", "02-b"), ("02-b", "03-c"), ("03-c", "04-d")):
        add(world, name, after=(before,))


def told(world: World, *paths: str) -> list[dict[str, Any]]:
    """What `validate` says of batches."""
    outcome = world.minitask("validate", *paths, "--format", "json")
    return [item for item in outcome.json if item["code"] in BATCHES]


def answer(request: Received) -> Any:
    """A reply that writes the file that is asked for."""
    name = next(
        word for word in ("01-a", "02-b", "03-c", "04-d") if f"Write {word}" in request.prompt
    )
    return completion(f"```text path={name}.txt\nx\n```\n")


@pytest.mark.parametrize("paths", [(), ("mini-projects",), ("mini-projects/p",), (".",)])
def test_a_whole_project_is_told_of_its_sequential_batches(
    world: World, paths: tuple[str, ...]
) -> None:
    chain(world)
    [found] = told(world, *paths)
    assert (found["code"], found["severity"]) == ("N411", "note")
    assert (found["path"], found["line"]) == ("mini-projects/p/03-c.md", 2)
    assert "02-b to 01-a" in found["hint"]


def test_a_note_stops_nothing(world: World) -> None:
    chain(world)
    outcome = world.minitask("validate")
    assert (outcome.code, "1 note in 4 specs" in outcome.stdout) == (0, True)
    assert "N411 4 sequential batches" in outcome.stdout


@pytest.mark.variant
def test_a_part_of_a_project_is_not_told(world: World) -> None:
    chain(world)
    for name in "efgh":
        add(world, f"0{5 + 'efgh'.index(name)}-{name}")
    files = [spec_path(f"p/{name}") for name in ("01-a", "02-b", "03-c", "04-d")]
    assert told(world, files[2]) == []
    assert told(world, *files) == []
    assert [item["code"] for item in told(world)] == ["N411"]


@pytest.mark.variant
def test_a_project_whose_files_are_all_named_is_whole_for_as_long_as_they_are_all(
    world: World,
) -> None:
    chain(world)
    files = [spec_path(f"p/{name}") for name in ("01-a", "02-b", "03-c", "04-d")]
    assert [item["code"] for item in told(world, *files)] == ["N411"]
    world.write({spec_path("p/05-e"): (world.root / files[0]).read_text()})
    assert told(world, *files) == [], "what was remembered is of another project"


@pytest.mark.variant
def test_specs_that_are_not_committed_are_judged_too(world: World) -> None:
    chain(world)
    assert len(told(world)) == 1
    text = (world.root / spec_path("p/03-c")).read_text()
    world.write({spec_path("p/03-c"): text.replace("02-b", "01-a", 1)})
    text = (world.root / spec_path("p/04-d")).read_text()
    world.write({spec_path("p/04-d"): text.replace("03-c", "01-a", 1)})
    assert told(world) == [], "one task, then three at once"


def test_a_project_that_has_merged_is_not_told(world: World) -> None:
    before: list[str] = []
    for name in ("01-a", "02-b", "03-c", "04-d"):
        fields = {"front": {"depends_on": before}, "validation": f"test -f {name}.txt"}
        world.task(f"p/{name}", whole={f"{name}.txt": "x\n"}, **fields)
        before = [name]
    assert [item["code"] for item in told(world)] == ["N411"]
    assert world.minitask("run", "p").code == 0
    assert told(world) == []


def test_a_file_that_holds_its_whole_project_is_judged_by_itself(world: World) -> None:
    tasks = [
        spec_text(
            number=n,
            title=f"Write {n}",
            reads=[f"{n - 1}.txt"] if n > 1 else [],
            writes=[f"{n}.txt"],
            validation=f"test -e {n}.txt",
        )
        for n in range(1, 5)
    ]
    world.commit({"mini-projects/many.md": "\n".join(tasks)})
    [found] = told(world, "mini-projects/many.md")
    assert (found["code"], found["path"]) == ("N411", "mini-projects/many.md")
    assert "share files" in found["hint"]


def test_a_missing_estimate_is_told_once(world: World) -> None:
    for name in ("01-a", "02-b"):
        add(world, name, tokens="900 input + 100 output")
    for name in ("03-c", "04-d"):
        add(world, name)
    [found] = told(world)
    assert (found["code"], found["path"]) == ("N413", "mini-projects/p/03-c.md")
    assert "03-c and 04-d" in found["message"]


def test_a_spec_that_carries_all_its_edits_needs_no_estimate(world: World) -> None:
    for name in ("01-a", "02-b", "03-c"):
        add(world, name, tokens="900 input + 100 output")
    world.task("p/04-s", whole={"s.txt": "s\n"}, validation="grep -qx s s.txt")
    assert told(world) == []


@pytest.mark.parametrize("code", sorted(BATCHES))
def test_the_rules_can_be_explained(world: World, code: str) -> None:
    outcome = world.minitask("validate", "--explain", code)
    assert outcome.code == 0
    assert outcome.stdout.startswith(f"{code}: ")


@pytest.mark.variant
def test_a_run_sets_each_batchs_tokens_against_its_plan(world: World) -> None:
    with world.serve(answer):
        add(world, "01-a", tokens="100 input + 25 output")
        add(world, "02-b", after=("01-a",), tokens="100 input + 20 output")
        add(world, "03-c", after=("01-a",), tokens="20 input + 20 output")
        outcome = world.minitask("run", "p")
    assert outcome.code == 0, outcome.text
    lines = outcome.stdout.splitlines()
    assert lines[-3:-1] == [
        "batch 1  1 task  120 tokens of 125 planned (-4 %)",
        "batch 2  2 tasks  240 tokens of 160 planned (+50 %, beyond 20 %)",
    ]
    assert lines[-1].startswith("3 of 3 on main")


@pytest.mark.variant
def test_every_call_of_a_run_counts_and_scripts_do_not(world: World) -> None:
    replies = [
        completion("```text path=02-b.txt\nnot x\n```\n"),
        *["```text path=02-b.txt\nx\n```\n"],
    ]
    with world.serve(replies):
        world.task("p/01-s", whole={"s.txt": "s\n"}, validation="grep -qx s s.txt")
        add(world, "02-b", tokens="200 input + 40 output")
        outcome = world.minitask("run", "p")
    assert outcome.code == 0, outcome.text
    batches = [line for line in outcome.stdout.splitlines() if line.startswith("batch")]
    assert batches == ["batch 1  1 task  240 tokens of 240 planned (0 %)"]


@pytest.mark.variant
def test_without_an_estimate_the_routes_stands_in(world: World) -> None:
    with world.serve(answer):
        add(world, "01-a")
        add(world, "02-b")
        outcome = world.minitask("run", "p")
    estimates = [
        world.records(f"p/{name}")[0]["attempt"]["route"]["estimate"] for name in ("01-a", "02-b")
    ]
    planned = sum(each["input_tokens"] + each["output_tokens"] for each in estimates)
    assert f"batch 1  2 tasks  240 tokens of {planned:,} planned" in outcome.stdout


@pytest.mark.variant
def test_neither_json_nor_a_single_task_nor_scripts_have_batches(world: World) -> None:
    with world.serve(answer):
        add(world, "01-a", tokens="100 input + 20 output")
        add(world, "02-b", tokens="100 input + 20 output")
        single = world.minitask("run", spec_path("p/01-a"))
        document = world.minitask("run", "p", "--again", "--json").json
    again = world.minitask("run", "p")
    assert "batch" not in single.stdout
    assert set(document) == RUN
    assert "batch" not in again.stdout, "all has landed: nobody was asked"


@pytest.mark.variant
def test_the_report_says_how_close_the_estimates_came(world: World) -> None:
    with world.serve(answer):
        add(world, "01-a", tokens="100 input + 25 output")
        world.minitask("run", "p")
    found = world.minitask("report", "--format", "json").json["estimate_error"]
    text = world.minitask("report").stdout
    assert found["tasks"] == 1
    assert ("not within 20 %" in text) == (found["within_20_percent"] == 0)
    assert "within 20 %" in text
    assert "output -20 %" in text


@pytest.mark.variant
def test_calls_that_nobody_answered_have_no_tokens_to_compare(world: World) -> None:
    with world.serve(lambda _request: error(401, "no")):
        add(world, "01-a", tokens="100 input + 25 output")
        add(world, "02-b", tokens="100 input + 25 output")
        outcome = world.minitask("run", "p")
    assert outcome.code == 3
    assert "batch" not in outcome.stdout
