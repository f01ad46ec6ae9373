"""`minitask export`: boards of other tools say done for what has merged, and for nothing else."""

from __future__ import annotations

import csv
import io
import json

import pytest
import yaml

from world import Once, World

TASKS = """\
# Tasks: Counter

## Phase 1: Setup

- [ ] T001 Create `one.txt` with the line one
- [x] T002 [P] Create `two.txt`\r
```text
- [ ] T001 is no task in here
```
- [ ] T003 Polish everything
"""
PLAN = """\
# Count Implementation Plan

### Task 1: Write one

**Files:**
- Create: `one.txt`

- [ ] **Step 1: Write it**

```text
one
```

- [ ] **Step 2: Check it**

Run: `grep -qx one one.txt`
Expected: no output

### Task 2: Write two

**Files:**
- Create: `two.txt`

- [x] **Step 1: Write it**

```text
two
```

- [ ] **Step 2: Check it**

Run: `grep -qx two two.txt`
Expected: no output
"""


@pytest.fixture
def board(once: Once) -> World:
    """One task that has merged, one that waits for it and fails, one that nobody ran; titles that are not nice."""
    return once(work)


def work(world: World) -> None:
    world.task("p/01-a", whole={"a.txt": "a\n"}, validation="grep -qx a a.txt", title="=SUM(A1)")
    world.task("p/02-b", whole={"b.txt": "b\n"}, validation="grep -qx c b.txt", title='B, "b"')
    world.task(
        "p/03-c",
        whole={"c.txt": "c\n"},
        validation="grep -qx c c.txt",
        front={"depends_on": ["01-a"]},
    )
    world.exec("p/01-a")
    world.exec("p/02-b")


def test_a_task_list_ticks_what_has_merged(board: World) -> None:
    text = board.minitask("export", "tasks.md", "p").stdout
    boxes = [line[:10] for line in text.splitlines() if line.startswith("- [")]
    assert boxes == ["- [x] T001", "- [ ] T002", "- [ ] T003"], text
    assert "(depends on T001)" in text
    assert text.index("## Phase 1") < text.index("T001") < text.index("## Phase 2")


def test_task_master_gets_states_and_dependencies(board: World) -> None:
    tasks = json.loads(board.minitask("export", "tasks.json", "p").stdout)["master"]["tasks"]
    assert [(each["id"], each["status"], each["dependencies"]) for each in tasks] == [
        (1, "done", []),
        (2, "blocked", []),
        (3, "pending", [1]),
    ]
    assert tasks[0]["testStrategy"] == "grep -qx a a.txt"


def test_a_spreadsheet_gets_no_formula(board: World) -> None:
    rows = list(csv.DictReader(io.StringIO(board.minitask("export", "csv", "p").stdout)))
    assert [row["state"] for row in rows] == ["merged", "failed", "new"]
    assert [row["title"] for row in rows][:2] == ["'=SUM(A1)", 'B, "b"']


def test_backlog_gets_a_file_a_task_and_keeps_what_is_not_its_own(board: World) -> None:
    assert board.minitask("export", "backlog", "p", "--output", "backlog/tasks").code == 0
    files = sorted((board.root / "backlog/tasks").iterdir())
    fronts = [yaml.safe_load(file.read_text().split("---")[1]) for file in files]
    assert [front["status"] for front in fronts] == ["Done", "In Progress", "To Do"]
    assert fronts[2]["dependencies"] == ["task-1"]
    assert board.minitask("export", "backlog", "p", "--output", "backlog/tasks").code == 0
    files[1].write_text("mine\n")
    outcome = board.minitask("export", "backlog", "p", "--output", "backlog/tasks")
    assert (outcome.code, files[1].read_text()) == (2, "mine\n")
    assert "--force" in outcome.text


def test_a_task_list_that_was_imported_gets_its_own_boxes_right(world: World) -> None:
    world.commit({"specs/tasks.md": TASKS.replace("T002", "T002 done")})
    assert world.minitask("import", "specs/tasks.md", "--project", "p").code == 0
    name = next(iter(sorted((world.root / "mini-projects/p").glob("*.md")))).stem
    world.git("add", ".")
    world.git("commit", "-qm", "specs")
    before = (world.root / "specs/tasks.md").read_bytes()
    outcome = world.minitask("export", "tasks.md", "p", "--output", "specs/tasks.md")
    assert outcome.code == 0, outcome.text
    assert (world.root / "specs/tasks.md").read_bytes() == before, name


def test_a_plan_that_was_imported_is_ticked_where_tasks_have_merged(world: World) -> None:
    world.commit({"plan.md": PLAN})
    assert world.minitask("import", "plan.md", "--project", "p").code == 0
    world.git("add", ".")
    world.git("commit", "-qm", "specs")
    first = min(path.stem for path in (world.root / "mini-projects/p").glob("*.md"))
    assert world.exec(f"p/{first}").json["verdict"] == "merged"
    outcome = world.minitask("export", "tasks.md", "p", "--output", "plan.md")
    assert outcome.code == 0, outcome.text
    one, two = PLAN.split("### Task 2")
    expected = f"{one.replace('[ ]', '[x]')}### Task 2{two.replace('[x]', '[ ]')}"
    assert (world.root / "plan.md").read_text() == expected
    assert "1 of 2 tasks ticked" in outcome.text
