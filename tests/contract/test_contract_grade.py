"""The grade of a proof: faults planted in a change, and how many its own validation notices."""

from __future__ import annotations

import pytest

from executors.model_server import scripted_server
from world import World, model_settings

CODE = "def area(w, h):\n    if w < 0:\n        return 0\n    return w * h\n"
WEAK = "grep -q 'def area' area.py"
STRONG = (
    'python3 -c "import area; assert area.area(2, 3) == 6 and area.area(-1, 3) == 0 and '
    'area.area(1, 1) == 1 and area.area(0, 5) == 0; assert area.area(-1, 3) is not None"'
)


def test_a_weak_validation_has_a_bad_grade_on_record_and_lands(world: World) -> None:
    world.task("p/01-a", whole={"area.py": CODE}, validation=WEAK)
    outcome = world.exec("p/01-a")
    assert outcome.json["verdict"] == "merged", outcome.text
    (record,) = world.records("p/01-a")
    grade = record["attempt"]["grade"]
    assert grade["planted"] >= 3
    assert grade["noticed"] == 0
    assert {(each["path"], each["line"]) for each in grade["missed"]} <= {
        ("area.py", line) for line in (1, 2, 3, 4)
    }
    told = f"its checks notice 0 of {grade['planted']} faults planted in it"
    assert told in world.minitask("show", "p/01-a").stdout
    assert told in world.minitask("review", "p/01-a").stdout
    assert f"notice 0 of {grade['planted']}" in world.minitask("report").stdout
    report = world.minitask("report", "--format", "json").json
    assert report["grade"] == {"planted": grade["planted"], "noticed": 0}


@pytest.mark.parametrize(
    ("validation", "verdict"), [(WEAK, "ready"), (STRONG, "merged")], ids=["weak", "strong"]
)
def test_a_percentage_that_is_missed_keeps_the_task_at_ready(
    world: World, validation: str, verdict: str
) -> None:
    world.configure(grade=60)
    world.task("p/01-a", whole={"area.py": CODE}, validation=validation)
    result = world.exec("p/01-a").json
    assert result["verdict"] == verdict, result
    if verdict == "ready":
        assert "60 % is required; missed: area.py:" in result["reason"]
        assert world.minitask("merge", "p/01-a").code == 0


@pytest.mark.variant
def test_a_spec_may_ask_for_more_and_not_for_less(world: World) -> None:
    world.task("p/01-a", whole={"area.py": CODE}, validation=WEAK, front={"grade": 90})
    assert world.exec("p/01-a").json["verdict"] == "ready"
    world.configure(grade=90)
    other = CODE.replace("area", "size")
    validation = WEAK.replace("area", "size")
    world.task("p/02-b", whole={"size.py": other}, validation=validation, front={"grade": "note"})
    assert world.exec("p/02-b").json["verdict"] == "ready"
    world.configure(grade="off")
    world.task("p/03-c", whole={"c.py": CODE}, validation="test -f c.py")
    assert "grade" not in world.exec("p/03-c").json["attempts"][0]


@pytest.mark.variant
def test_what_was_moved_and_documents_are_exempt_and_said_to_be(world: World) -> None:
    world.configure(grade=90)
    world.commit({"area.py": CODE})
    snippets = "```edits\nmove area.py:1-4 -> shape.py\n```\n"
    writes = ["area.py", "shape.py", "NOTES.md"]
    whole = {"NOTES.md": "All of it is new here.\n"}
    world.task(
        "p/01-a", writes=writes, whole=whole, snippets=snippets, validation="test -s shape.py"
    )
    outcome = world.exec("p/01-a")
    assert outcome.json["verdict"] == "merged", outcome.text
    grade = outcome.json["attempts"][0]["grade"]
    assert (grade["planted"], grade["missed"]) == (0, [])
    assert "moved or copied" in grade["note"]
    assert "moved or copied" in world.minitask("show", "p/01-a").stdout


@pytest.mark.variant
def test_a_reviewer_is_told_the_grade_in_one_line(world: World) -> None:
    with scripted_server(
        [f"```text path=area.py\n{CODE}```\n", "```verdict\n1 pass area.py:1 it does\n```\n"]
    ) as server:
        settings = model_settings(server.base_url, gates=["scope", "lint", "validate", "review"])
        settings["routing"] = {"rules": [{"when": {}, "tier": "cheap", "review": "cheap"}]}
        world.configure(**settings)
        world.task("p/01-a", writes=["area.py"], validation=WEAK)
        outcome = world.exec("p/01-a")
        assert outcome.json["verdict"] == "merged", outcome.text
        assert "For the whole change: its checks notice 0 of" in server.requests[1].prompt


def test_validate_grades_edit_scripts_before_anything_lands(world: World) -> None:
    world.task("p/01-a", whole={"area.py": CODE}, validation=WEAK)
    edit = "<<<<<<< SEARCH\n        return 0\n=======\n        return -1\n>>>>>>> REPLACE\n"
    snippets = f"```python path=area.py\n{edit}```\n"
    validation = 'python3 -c "import area; assert area.area(-2, 1) == -1"'
    world.task("p/02-b", writes=["area.py"], snippets=snippets, validation=validation)
    before = world.refs("refs/heads/*")
    outcome = world.minitask("validate", "--grade", "--json")
    notes = {each["path"]: each["message"] for each in outcome.json if each["code"] == "N430"}
    weak, strong = (notes[f"mini-projects/p/{name}.md"] for name in ("01-a", "02-b"))
    assert "its checks notice 0 of" in weak
    assert "no command tests area.py:" in weak
    assert "no command tests" not in strong, strong
    assert (world.refs("refs/heads/*"), world.has("area.py")) == (before, False)
