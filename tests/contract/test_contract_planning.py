"""Planning: a goal becomes specs that are checked, written and paid for; and the verification of what came of them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from test_contract_workflows import planned, settings_of, usage, whole

from executors.model_server import Received, completion
from world import World, spec_text, write_program

SCHEMA = Path(__file__).parents[2] / "schemas" / "record.schema.json"
GOOD = planned(1, path="part1.txt")


def plan(world: World, *options: str) -> Any:
    """Run `minitask plan … --json`."""
    return world.minitask("plan", "Write a part", "--project", "p", "--json", *options)


@pytest.mark.variant
def test_a_plan_is_written_and_not_committed_and_its_cost_is_on_record(world: World) -> None:
    before = world.tip()
    with world.serve(completion(GOOD, usage=usage(1_000, 100)), settings_of):
        outcome = plan(world)
    assert outcome.code == 0, outcome.text
    assert outcome.json["specs"] == ["mini-projects/p/01-part.md"]
    assert Decimal(outcome.json["cost_usd"]) == Decimal("0.0045")
    assert world.tip() == before
    assert world.git("status", "--porcelain") == "?? mini-projects/"
    [record] = world.ledger()
    assert (record["kind"], record["task"]) == ("plan", "p/@plan")
    assert record["spec"]["blob"] is None
    assert "goal: Write a part" in record["notes"]
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(record)


@pytest.mark.variant
def test_the_planner_sees_the_goal_the_tree_the_files_and_the_template(world: World) -> None:
    asked: list[Received] = []

    def answer(request: Received) -> Any:
        asked.append(request)
        return completion(GOOD)

    world.commit(
        {"src/app.py": "one\ntwo\nthree\n", "docs/a.md": "text\n", "secret.txt": "hidden\n"}
    )
    with world.serve(answer, settings_of):
        plan(world, "--read", "src/app.py")
    prompt = asked[0].prompt
    for word in ("Write a part", "docs/a.md", "2\ttwo", "# Mini-Task", "Validation", "depends_on"):
        assert word in prompt
    assert "hidden" not in prompt
    assert asked[0].json["model"] == "sonnet"


CHECK = "grep -qx 'part 1' part1.txt"


@pytest.mark.parametrize("check", ["", "echo done", f"{CHECK} || true"])
def test_specs_that_cannot_run_or_prove_anything_go_back(world: World, check: str) -> None:
    bad = GOOD.replace(CHECK, check)
    asked: list[Received] = []

    def answer(request: Received) -> Any:
        asked.append(request)
        return completion(GOOD if len(asked) == 3 else bad)

    with world.serve(answer, settings_of):
        outcome = plan(world)
    assert outcome.code == 0, outcome.text
    assert len(asked) == 3
    assert ("W402" if check else "E401") in asked[1].prompt
    assert outcome.json["calls"][0]["usage"]["requests"] == 3


def test_a_plan_whose_specs_have_only_warnings_is_taken(world: World) -> None:
    with world.serve(GOOD.replace(CHECK, f"{CHECK}\nls || true"), settings_of):
        outcome = plan(world)
    assert outcome.code == 0, outcome.text
    assert [item["code"] for item in outcome.json["diagnostics"]] == ["W402"]
    assert outcome.json["calls"][0]["usage"]["requests"] == 1


def test_after_two_repairs_what_there_is_is_written_with_its_errors(world: World) -> None:
    bad = GOOD.replace("grep -qx 'part 1' part1.txt", "")
    with world.serve(bad, settings_of):
        outcome = plan(world)
    assert outcome.code == 1
    assert outcome.json["specs"] == ["mini-projects/p/01-part.md"]
    assert any(item["severity"] == "error" for item in outcome.json["diagnostics"])
    assert Decimal(outcome.json["cost_usd"]) > 0


@pytest.mark.variant
def test_an_answer_that_holds_no_spec_is_kept(world: World) -> None:
    with world.serve("I would rather talk about it.", settings_of):
        outcome = plan(world)
    assert outcome.code == 1
    assert Path(outcome.json["kept"]).read_text() == "I would rather talk about it."
    assert not (world.root / "mini-projects").exists()


@pytest.mark.parametrize(
    "front",
    [{"executor": "any"}, {"model": "opus"}, {"network": True}, {"proof": "none"}],
    ids=lambda front: next(iter(front)),
)
def test_a_plan_may_not_say_who_works_or_loosen_the_proof(
    world: World, front: dict[str, Any]
) -> None:
    text = spec_text(writes=["b.txt"], validation="grep -qx b b.txt", front=front)
    answer = tmp = world.root / "answer.md"
    tmp.write_text(f"````markdown path=01-b.md\n{text}````\n")
    outcome = world.minitask("plan", "--from", str(answer), "--project", "p")
    assert outcome.code == 2
    assert next(iter(front)) in outcome.stderr
    assert not (world.root / "mini-projects").exists()


def test_a_plan_cannot_write_outside_its_project(world: World) -> None:
    text = spec_text(writes=["b.txt"], validation="grep -qx b b.txt")
    (world.root / "answer.md").write_text(f"````markdown path=../../evil.md\n{text}````\n")
    world.minitask("plan", "--from", "answer.md", "--project", "p")
    found = [path.name for path in (world.root / "mini-projects" / "p").iterdir()]
    assert found == ["evil.md"]
    assert not (world.root / "evil.md").exists()


def test_the_prompt_can_be_taken_to_a_chat_and_its_answer_back(world: World) -> None:
    prompt = world.minitask("plan", "Write a part", "--prompt-only")
    assert prompt.code == 0
    assert "Write a part" in prompt.stdout
    assert "Mini-Task" in prompt.stdout
    one = spec_text(number=1, title="One", writes=["1.txt"], validation="grep -qx 1 1.txt")
    two = spec_text(number=2, title="Two", writes=["2.txt"], validation="grep -qx 2 2.txt")
    (world.root / "answer.md").write_text(f"Here you are:\n\n{one}\n{two}")
    outcome = world.minitask("plan", "--from", "answer.md", "--project", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert [Path(name).name for name in outcome.json["specs"]] == ["01-one.md", "02-two.md"]
    assert world.minitask("validate").code == 0
    assert world.refs("refs/minitask/ledger") == {}


def test_files_that_are_there_are_never_overwritten(world: World) -> None:
    world.write({"mini-projects/p/01-part.md": "mine\n"})
    (world.root / "answer.md").write_text(GOOD)
    outcome = world.minitask("plan", "--from", "answer.md", "--project", "p")
    assert outcome.code == 2
    assert "01-part.md already exists" in outcome.stderr
    assert (world.root / "mini-projects/p/01-part.md").read_text() == "mine\n"


def test_too_much_to_read_is_said_before_anybody_is_asked(world: World) -> None:
    world.commit({"big.txt": "some words here\n" * 2_000})
    world.configure(**settings_of("http://127.0.0.1:9/v1"))
    outcome = world.minitask("plan", "Go", "--read", "big.txt", "--read-tokens", "1000")
    assert outcome.code == 2
    assert "big.txt" in outcome.stderr
    assert "--read-tokens" in outcome.stderr


def test_a_budget_that_is_too_small_stops_the_planning(world: World) -> None:
    with world.serve(GOOD, settings_of) as server:
        outcome = plan(world, "--max-cost", "0.000001")
        assert server.requests == []
    assert outcome.code == 4


def test_a_verification_writes_what_it_finds_as_specs(world: World) -> None:
    fix = planned(2, path="part2.txt")
    words = "```verdict\np/01-part fix the second part is missing\n```\n\n" + fix

    asked: list[str] = []

    def answer(request: Received) -> Any:
        if request.json["messages"][0]["content"].startswith("You verify"):
            asked.append(request.json["messages"][1]["content"])
            return completion(words, usage=usage(1_000, 100))
        return completion(whole("part1.txt", "part 1\n"))

    with world.serve(answer, settings_of):
        (world.root / "answer.md").write_text(GOOD)
        world.minitask("plan", "--from", "answer.md", "--project", "p")
        (world.root / "mini-projects/p/README.md").write_text("Two parts that make a whole.\n")
        world.git("add", "mini-projects")
        world.git("commit", "--quiet", "--message", "specs")
        early = world.minitask("review", "p", "--tier", "frontier")
        world.minitask("run", "p")
        outcome = world.minitask("review", "p", "--tier", "frontier", "--json")
    assert early.code == 2
    assert "merged" in early.stderr
    assert outcome.code == 1
    assert outcome.json["tasks"] == [
        {"task": "p/01-part", "approved": False, "why": "the second part is missing"}
    ]
    assert outcome.json["fixes"]["specs"] == ["mini-projects/p/02-part.md"]
    assert Decimal(outcome.json["cost_usd"]) == Decimal("0.0045")
    assert asked[0].startswith("# The goal\nTwo parts that make a whole.\n\n# The tasks\n## p/01")
    assert "Its checks printed:\n```text\n$ " in asked[0]
    record = next(each for each in world.ledger() if each["task"] == "p/@review")
    assert record["attempt"]["verdict"] == "failed"


def test_an_agent_can_plan_and_is_told_what_was_wrong(world: World, tmp_path: Path) -> None:
    answer = tmp_path / "bin" / "answer.md"
    agent = tmp_path / "bin" / "agent"
    agent.parent.mkdir()
    answer.write_text(GOOD)
    write_program(
        agent,
        "#!/bin/bash\necho scribble > scribble.txt\n"
        f'if grep -q "could not be used" "$1"; then cat <<"END"\n{GOOD}END\nelse echo "I will!"; fi\n',
    )
    world.configure(
        executors={"mine": {"type": "command", "command": [str(agent), "{prompt_file}"]}},
        tiers={"frontier": {"executor": "mine", "model": "subscription"}},
        prices={"subscription": {"input": 0, "output": 0}},
    )
    outcome = plan(world)
    assert outcome.code == 0, outcome.text
    assert outcome.json["specs"] == ["mini-projects/p/01-part.md"]
    assert not (world.root / "scribble.txt").exists(), "it works in a workspace of its own"
    [record] = world.ledger()
    assert "goal: Write a part" in record["notes"]
