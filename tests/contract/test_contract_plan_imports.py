"""`minitask import`: specs that run as they are, drafts that `validate` refuses; and once more after an edit."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from executors.model_server import completion
from world import World, run

PLAN = """\
# Cheaper Routing Implementation Plan

> **For Claude:** REQUIRED SUB-SKILL: Use superpowers:executing-plans to implement this plan task-by-task.

**Goal:** Send plans to a free model.

---

### Task 1: Add entryPlan to the schema

**Files:**
- Modify: `config/schema.json:2-4` (properties)

**Step 1: Add the property**

In `config/schema.json`, after `entryDraft`, add:

```json
"entryPlan": {
  "default": "free"
},
```

**Step 2: Validate**

Run: `python3 -c "import json; json.load(open('config/schema.json'))"`
Expected: No output (valid JSON)

**Step 3: Commit**

```bash
git add config/schema.json
git commit -m "feat: entryPlan"
```

### Task 2: Set the preset

**Files:**
- Modify: `config/preset.json`

**Step 1: Update the values**

In `config/preset.json`:

```json
"entryPlan": "free",
```

**Step 2: Validate**

Run: `python3 -c "import json; json.load(open('config/preset.json'))"`
Expected: No output

### Task 3: Describe it

**Files:**
- Modify: `README.md`

**Step 1: Say it**

```
Plans are free.
```
"""
BASE = {
    "config/schema.json": '{\n  "entryDraft": {\n    "default": "cheap"\n  }\n}\n',
    "config/preset.json": '{\n  "entryDraft": "cheap"\n}\n',
    "README.md": "Routing.\n",
    "docs/plans/routing.md": PLAN,
}
HOME = "mini-projects/cheaper-routing"
FIRST, SECOND, THIRD = (
    f"{HOME}/{name}.md"
    for name in ("01-add-entryplan-to-the-schema", "02-set-the-preset", "03-describe-it")
)
EDIT = '```json path={path}\n<<<<<<< SEARCH\n{{\n=======\n{{\n  "entryPlan": {value},\n>>>>>>> REPLACE\n```\n'


def imported(world: World, *words: str) -> Any:
    """The document of `minitask import … --json`, which must succeed."""
    outcome = world.minitask("import", *words, "--json")
    assert outcome.code == 0, outcome.text
    return outcome.json


def states(document: Any) -> list[str]:
    return [spec["state"] for spec in document["specs"]]


@pytest.fixture
def planned(world: World) -> World:
    """A world with the plan, and the files that it is for."""
    world.commit(BASE)
    return world


@pytest.mark.variant
def test_the_schema_and_preset_tasks_of_a_plan_run_as_they_are(planned: World) -> None:
    world = planned
    document = imported(world, "docs/plans/routing.md")
    assert (document["format"], document["tasks_found"]) == ("superpowers", 3)
    assert [(spec["path"], spec["draft"]) for spec in document["specs"]] == [
        (FIRST, False),
        (SECOND, False),
        (THIRD, True),
    ]
    assert document["specs"][2]["missing"] == ["a validation command"]
    checked = world.minitask("validate", "cheaper-routing", "--json").json
    assert {(each["path"], each["code"]) for each in checked if each["severity"] == "error"} == {
        (THIRD, "E401")
    }
    assert [each["path"] for each in checked if each["code"] == "W420"] == [FIRST, SECOND]

    def answer(request: Any) -> Any:
        is_first = "Add entryPlan" in request.prompt
        path = "config/schema.json" if is_first else "config/preset.json"
        value = json.dumps({"default": "free"}) if is_first else '"free"'
        return completion(EDIT.format(path=path, value=value))

    with world.serve(answer):
        world.commit({path: (world.root / path).read_text() for path in (FIRST, SECOND)})
        schema = world.minitask("exec", FIRST)
        preset = world.exec(SECOND)
    assert schema.code == 0, schema.text
    assert "W420" in schema.text
    assert preset.json["verdict"] == "merged", preset.text
    assert json.loads(world.show("config/preset.json"))["entryPlan"] == "free"


def test_an_import_again_updates_what_nobody_edited_and_leaves_the_rest(planned: World) -> None:
    world = planned
    imported(world, "docs/plans/routing.md")
    assert states(imported(world, "superpowers", "docs/plans/routing.md")) == ["unchanged"] * 3
    edited = (world.root / THIRD).read_text() + "\nMine.\n"
    world.write({THIRD: edited, FIRST: (world.root / FIRST).read_text().replace("\n", "\r\n")})
    changed = PLAN.replace("No output\n", "nothing at all, it is valid\n").replace(
        "Say it", "Say it all"
    )
    extra = "### Task 0: First\n\n**Files:**\n- Create: `new.py`\n\n### Task 1:"
    world.write({"docs/plans/routing.md": changed.replace("### Task 1:", extra)})
    document = imported(world, "docs/plans/routing.md")
    assert [(spec["title"], spec["state"]) for spec in document["specs"]] == [
        ("First", "created"),
        ("Add entryPlan to the schema", "updated"),
        ("Set the preset", "updated"),
        ("Describe it", "kept"),
    ]
    assert (world.root / THIRD).read_text() == edited
    assert "nothing at all" in (world.root / SECOND).read_text()
    world.write({"docs/plans/routing.md": changed[: changed.index("### Task 2")]})
    notes = imported(world, "docs/plans/routing.md")["notes"]
    assert "02-set-the-preset: no longer an open task of the plan; its spec stays" in notes


def test_a_task_behind_a_done_one_waits_for_what_that_one_waited_for(world: World) -> None:
    world.commit({"t.md": "# A\n\n- [ ] T001 Write a.py\n- [x] T002 Lint\n- [ ] T003 Write b.py\n"})
    [_, last] = imported(world, "t.md")["specs"]
    assert 'depends_on: ["01-write-a-py"]' in (world.root / last["path"]).read_text()


def test_the_command_that_e101_names_works_from_any_folder(planned: World) -> None:
    world, below = planned, planned.root / "docs/plans"
    (below / "routing.md").rename(below / "my plan.md")
    refused = world.minitask("validate", "my plan.md", cwd=below).stdout
    [command] = [line for line in refused.splitlines() if "import it: " in line]
    name, *words = shlex.split(command.partition("import it: ")[2])
    assert (name, words) == ("minitask", ["import", "docs/plans/my plan.md"])
    for cwd in (world.root, below):
        outcome = world.minitask(*words, "--dry-run", "--json", cwd=cwd)
        assert states(outcome.json) == ["created"] * 3


def test_nothing_is_written_outside_the_projects_folder(planned: World, tmp_path: Path) -> None:
    world = planned
    before = world.git("status", "--porcelain")
    assert states(imported(world, "docs/plans/routing.md", "--dry-run")) == ["created"] * 3
    shown = world.minitask("import", "docs/plans/routing.md", "--dry-run").stdout
    assert shown.endswith("\ndry run: nothing was written\n")
    assert world.git("status", "--porcelain") == before
    outside = tmp_path / "outside"
    outside.mkdir()
    (world.root / "mini-projects").mkdir()
    (world.root / HOME).symlink_to(outside)
    for options in ((), ("--project", "../up"), ("--project", "a/b")):
        outcome = world.minitask("import", "docs/plans/routing.md", *options)
        assert outcome.code == 2, outcome.text
    assert list(outside.iterdir()) == []
    assert list((world.root / "mini-projects").iterdir()) == [world.root / HOME]


@pytest.mark.parametrize(
    ("words", "files", "told"),
    [
        (("none.md",), {}, "is not a file"),
        (("README.md",), {}, "no plan in a known format"),
        (("README.md",), {}, 'minitask plan "$(cat README.md)"'),
        (("a b.md",), {"a b.md": "# T\n\n- [/] Build\n"}, "--from 'a b.md' --format openspec"),
        (("superpowers", "README.md"), {}, "no task"),
        (("wiki", "README.md"), {}, "unknown format wiki"),
        ((), {}, "one file"),
        (("a.yaml",), {"a.yaml": "tasks:\n- id: [\n  validation: x\n- title: a\n"}, "not YAML"),
        (("t.json",), {"t.json": '{"tasks": [{"title": "x"}]}'}, "task-master"),
        (("b.md",), {"b.md": b"\0"}, "NUL"),
    ],
)
def test_what_cannot_be_imported_is_said(
    world: World, words: tuple[str, ...], files: dict[str, str | bytes], told: str
) -> None:
    world.commit({"README.md": "Routing.\n", **files})
    outcome = world.minitask("import", *words)
    assert outcome.code == 2
    assert told in outcome.text
    assert not (world.root / "mini-projects").exists()


def test_the_printed_commands_commit_the_specs_and_nothing_else(world: World) -> None:
    listed = "tasks:\n  - title: Say x\n    files: [a.txt]\n    validation: grep -qx x a.txt\n"
    world.write({"plan.yaml": listed, "staged.txt": "mine\n"})
    world.git("add", "staged.txt")
    made = [world.minitask("import", "plan.yaml"), world.minitask("new", "q", "Two\nlines")]
    for outcome, folder in zip(made, ("plan", "q"), strict=True):
        _, _, line = next(x for x in outcome.stdout.splitlines() if "git add" in x).partition("&& ")
        run(("sh", "-ec", line), cwd=world.root)
        assert world.git("diff", "--name-only", "HEAD~1").startswith(f"mini-projects/{folder}/")
        assert world.git("status", "--porcelain", "staged.txt") == "A  staged.txt"
