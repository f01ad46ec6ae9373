"""What `validate` says of specs is what `exec` and `run` do with them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from executors.model_server import Received, completion
from world import World, model_settings, spec_text

TEN = "".join(f"line {number}\n" for number in range(1, 11))
MOVE = "```edits\nmove {path}:2-3 -> c.txt\n```\n"


def errors(world: World, *words: str) -> dict[str, list[str]]:
    """The codes of the errors that `validate` prints, by task."""
    found: dict[str, list[str]] = {}
    outcome = world.minitask("validate", "--json", *words)
    for item in outcome.json:
        if item["severity"] == "error":
            name = item["path"].removeprefix("mini-projects/").removesuffix(".md")
            found.setdefault(name, []).append(item["code"])
    assert outcome.code == (2 if found else 0)
    return found


def codes(world: World, *words: str) -> list[str]:
    return [item["code"] for item in world.minitask("validate", "--json", *words).json]


def test_the_settings_and_attributes_count_for_validate_as_for_exec_and_run(world: World) -> None:
    world.configure(**model_settings("http://127.0.0.1:9", protected=["*.lock"]))
    world.commit({"Read.txt": "r\n", "f.txt": "f\n", ".gitattributes": "*.bin filter=lfs\n"})
    cases = {
        "a/01-t": ({"x.lock": "x\n"}, {}, "E410"),
        "b/01-t": ({"b.txt": "x\n"}, {"executor": "nobody"}, "E218"),
        "c/01-t": ({"c.bin": "x\n"}, {}, "E219"),
        "d/01-t": ({"read.txt": "x\n"}, {}, "E204"),
        "e/01-t": ({"e.txt": "x\n"}, {"tier": "balanced"}, "E218"),
        "f/01-t": ({"in\u200bvisible.txt": "x\n"}, {}, "E205"),
        "g/01-t": ({"g.txt": "x\n"}, {}, ""),
    }
    for name, (whole, front, _) in cases.items():
        world.task(name, whole=whole, front=front, validation=f"test -f {next(iter(whole))}")
    assert errors(world) == {name: [code] for name, (*_, code) in cases.items() if code}
    outcome = world.minitask("run", *"abcdefg", "--json")
    for task in outcome.json["tasks"]:
        code = cases[task["task"]][2]
        assert task["verdict"] == ("refused" if code else "merged"), task
        assert code in task["reason"]
    for name in ("b/01-t", "c/01-t", "d/01-t"):
        outcome = world.minitask("exec", name)
        assert outcome.code in (1, 2)
        assert cases[name][2] in outcome.text
    assert world.exec("b/01-t", "--executor", "script").json["verdict"] == "merged"


def test_lines_are_followed_into_a_file_that_was_renamed(world: World) -> None:
    world.commit({"old.txt": TEN})
    world.task(
        "p/01-new",
        writes=["new.txt (edit)", "c.txt"],
        snippets=MOVE.format(path="new.txt"),
        validation="grep -qx 'line 2' c.txt",
    )
    world.task(
        "p/02-old",
        writes=["old.txt (edit)", "d.txt"],
        snippets="```edits\nmove old.txt:8-9 -> d.txt\n```\n",
        validation="test -f d.txt",
    )
    world.git("mv", "old.txt", "new.txt")
    world.git("commit", "--quiet", "--message", "rename")
    world.commit({"new.txt": f"first\n{TEN}"})
    found = world.minitask("validate", "--json", "p").json
    assert [item["code"] for item in found if item["severity"] == "error"] == ["E203"]
    assert "new.txt" in next(item["message"] for item in found if item["code"] == "E203")
    assert "new.txt" in world.minitask("exec", "p/02-old").text
    assert world.exec("p/01-new").json["verdict"] == "merged"
    assert world.show("c.txt") == "line 2\nline 3\n"


def test_a_rename_by_an_earlier_task_is_followed_before_and_after_it_landed(world: World) -> None:
    world.commit({"old.txt": TEN})
    world.task(
        "p/01-rename",
        writes=["old.txt (delete)", "new.txt"],
        snippets="```edits\nrename old.txt -> new.txt\n```\n",
        validation="test -f new.txt",
    )
    world.task(
        "p/02-move",
        writes=["new.txt (edit)", "c.txt"],
        snippets=MOVE.format(path="new.txt"),
        front={"depends_on": ["01-rename"]},
        validation="grep -qx 'line 2' c.txt",
    )
    assert errors(world, "p") == {}
    outcome = world.minitask("run", "p", "--json")
    assert {*outcome.verdicts.values()} == {"merged"}, outcome.text
    assert world.show("c.txt") == "line 2\nline 3\n"
    assert errors(world, "p") == {}


def test_a_model_is_told_that_lines_to_read_changed(world: World) -> None:
    asked: list[Received] = []

    def answer(request: Received) -> object:
        asked.append(request)
        return completion("```text path=b.txt\nb\n```\n")

    world.commit({"a.txt": TEN})
    world.task("p/01-b", writes=["b.txt"], reads=["a.txt (lines 2-4)"], validation="test -f b.txt")
    world.commit({"a.txt": TEN.replace("line 3", "line three")})
    assert codes(world, "p") == ["N216"]
    with world.serve(answer):
        assert world.exec("p/01-b").json["verdict"] == "merged"
    [request] = asked
    text = json.dumps(request.json)
    assert "line three" in text
    assert "these lines have changed since" in text


def test_exec_and_run_warn_of_an_anchor_that_a_typo_fix_moved(world: World) -> None:
    world.commit({"a.txt": TEN})
    path = world.task(
        "p/01-b", writes=["b.txt"], reads=["a.txt (lines 2-4)"], validation="test -f b.txt"
    )
    before = world.tip()[:12]
    world.commit({"a.txt": f"new\n{TEN}"})
    world.commit({path: world.show(path).replace("A test.", "One test.")})
    for words in (("exec", "p/01-b"), ("run", "p")):
        outcome = world.minitask(*words)
        assert "W217" in outcome.stderr
        assert f"anchor: {before}" in outcome.stderr


@pytest.mark.variant
def test_exec_and_run_warn_of_what_nothing_checks(world: World) -> None:
    check = "if grep -q x b.txt; then echo OK; else echo FAIL; fi"
    script = f"grep -q b b.txt\n{check}\nls -la b.txt  # Should be ~10 KB"
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=script)
    for words in (("exec", "p/01-b", "--no-merge"), ("run", "p")):
        outcome = world.minitask(*words)
        assert f"the command cannot fail: {check}" in outcome.stderr
        assert "states a number that no command checks" in outcome.stderr


def test_a_task_waits_for_its_dependency_unless_told_not_to_and_a_refusal_is_remembered(
    world: World,
) -> None:
    world.task("p/01-a", whole={"a2.txt": "a\n"}, validation="test -f a2.txt")
    front = {"depends_on": ["01-a"]}
    world.task("p/02-b", whole={"b.txt": "b\n"}, front=front, validation="test -f b.txt")
    outcome = world.exec("p/02-b")
    assert (outcome.code, outcome.json["verdict"]) == (1, "skipped")
    assert "p/01-a" in outcome.json["reason"]
    assert "next   minitask exec p/01-a\n" in world.minitask("exec", "p/02-b").text
    for words in (("status", "p"), ("show", "p/02-b")):
        assert "it depends on p/01-a" in world.minitask(*words).text
    assert world.exec("p/02-b", "--no-deps").json["verdict"] == "merged"
    assert "it depends on" not in world.minitask("show", "p/02-b").text
    world.task("p/03-c", writes=["none.txt (edit)"], validation="test -f b.txt")
    assert world.exec("p/03-c").code == 2
    for words in (("status", "p"), ("show", "p/03-c")):
        assert "E203" in world.minitask(*words).text


def test_why_a_task_was_not_started_is_forgotten_once_it_was_even_by_a_run_that_was_killed(
    world: World,
) -> None:
    world.task("p/01-a", whole={"a2.txt": "a\n"}, validation="test -f a2.txt")
    front = {"depends_on": ["01-a"]}
    world.task("p/02-b", whole={"b.txt": "b\n"}, front=front, validation="test -f c.txt")
    world.exec("p/02-b")
    reason = next((world.root / ".git/minitask/refusals").rglob("02-b.json"))
    kept = reason.read_bytes()
    world.exec("p/02-b", "--no-deps")
    reason.write_bytes(kept)
    status = world.minitask("status", "p", "--json").json["tasks"][1]
    assert status["state"] == "failed", status


@pytest.mark.variant
@pytest.mark.parametrize("project", ["C#", "ünï"])
def test_projects_with_odd_names_are_called_by_them(world: World, project: str) -> None:
    world.task(f"{project}/01-a", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    world.task(f"{project}/02-b", writes=["none.txt (edit)"], validation="test -f c.txt")
    assert errors(world, project) == {f"{project}/02-b": ["E203"]}
    assert errors(world, f"{project}/01-a") == {}
    listed = world.minitask("status", project, "--json").json
    own = [task["task"] for task in (listed["tasks"] if isinstance(listed, dict) else listed)]
    assert world.exec(own[0]).json["verdict"] == "merged"
    folder = Path(os.path.relpath(world.root / "mini-projects" / project, world.root))
    assert errors(world, str(folder)) == {f"{project}/02-b": ["E203"]}


@pytest.mark.variant
def test_a_spec_of_a_squash_is_refused_where_its_lines_cannot_be_told(world: World) -> None:
    world.commit({"a.txt": TEN})
    world.git("checkout", "--quiet", "-b", "plan")
    fields = {"snippets": "```edits\nmove a.txt:2-3 -> c.txt\n```\n", "writes": ["a.txt", "c.txt"]}
    path = world.task("p/01-a", validation="grep -qx 'line 2' c.txt", **fields)
    world.commit({"a.txt": f"first\n{TEN}"})
    world.git("checkout", "--quiet", "main")
    world.git("merge", "--quiet", "--squash", "plan")
    world.git("commit", "--quiet", "--message", "plan (#1)\n\n* spec\n\n* first")
    squash = world.tip()
    refused = world.minitask("exec", "p/01-a")
    merged = refused.code == 0
    assert merged == (errors(world, "p") == {})
    if merged:
        assert world.show("c.txt") == "line 2\nline 3\n"
    else:
        assert "anchor" in refused.text
        text = spec_text(
            validation="grep -qx 'line 2' c.txt", front={"anchor": f"{squash}^"}, **fields
        )
        world.commit({path: text})
        assert errors(world, "p") == {}
        assert world.exec("p/01-a").json["verdict"] == "merged"
        assert world.show("c.txt") == "line 2\nline 3\n"


@pytest.mark.variant
def test_a_spec_that_was_removed_and_added_again_cites_what_it_first_did(world: World) -> None:
    world.commit({"a.txt": TEN})
    path = world.task(
        "p/01-a",
        snippets="```edits\nmove a.txt:2-3 -> c.txt\n```\n",
        writes=["a.txt", "c.txt"],
        validation="grep -qx 'line 2' c.txt",
    )
    text = world.show(path)
    world.git("rm", "--quiet", path)
    world.git("commit", "--quiet", "--message", "remove")
    world.commit({"a.txt": f"first\n{TEN}"})
    world.commit({path: text})
    assert errors(world, "p") == {}
    assert world.exec("p/01-a").json["verdict"] == "merged"
    assert world.show("c.txt") == "line 2\nline 3\n"


def test_two_issues_in_one_task_are_said(world: World) -> None:
    text = spec_text(whole={"b.txt": "b\n"}, validation="test -f b.txt")
    both = "## Task\n\n## Issue #1: One\n\n1. Do it.\n\n## Issue #2: Two\n"
    world.commit({"mini-projects/p/01-a.md": text.replace("## Task\n", both)})
    assert codes(world, "p") == ["W419"]


def test_two_tasks_of_which_only_one_can_merge_are_an_error_together_and_none_alone(
    world: World,
) -> None:
    world.commit({"f.txt": TEN})
    for name, new in (("p/01-a", "one"), ("p/02-b", "two")):
        script = (
            f"```text path=f.txt\n<<<<<<< SEARCH\nline 3\n=======\n{new}\n>>>>>>> REPLACE\n```\n"
        )
        world.task(name, writes=["f.txt"], snippets=script, validation=f"grep -q {new} f.txt")
    assert errors(world) == errors(world, "p") == {"p/02-b": ["E309"]}
    assert errors(world, "p/01-a") == errors(world, "p/02-b") == {}
    assert "W308" in codes(world, "p/02-b")
    dry = world.minitask("run", "p", "--dry-run")
    assert "E309" in dry.text, dry.text
    outcome = world.minitask("run", "p", "--json")
    found = {task["task"]: task for task in outcome.json["tasks"]}
    assert (found["p/01-a"]["verdict"], found["p/02-b"]["verdict"]) == ("merged", "refused")
    assert "E309" in found["p/02-b"]["reason"]
    world.minitask("undo", "p/01-a")
    assert world.exec("p/02-b").json["verdict"] == "merged"


def test_a_file_of_a_project_that_holds_no_task_is_said_or_stops_the_run(world: World) -> None:
    world.task("p/01-a", whole={"made.txt": "a\n"}, validation="test -f made.txt")
    world.commit({"mini-projects/p/02-notes.md": "Notes, and no task.\n"})
    dry = world.minitask("run", "p", "--dry-run")
    assert "E101 mini-projects/p/02-notes.md" in dry.text
    world.commit({"mini-projects/p/02-notes.md": "# Mini-Task 2: Wide\n".encode("utf-16")})
    outcome = world.minitask("run", "p")
    assert (outcome.code, "E111" in outcome.text) == (2, True), outcome.text
    world.commit({"mini-projects/p/02-notes.md": "Notes, and no task.\n"})
    outcome = world.minitask("run", "p")
    assert (outcome.code, "E101 mini-projects/p/02-notes.md" in outcome.text) == (0, True), (
        outcome.text
    )
