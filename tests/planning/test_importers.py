"""Plans of other tools to values and to specs: every task found, in order, nothing that proves nothing, no crash."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.errors import UsageError
from minitask.planning.importers.boxes import read_boxes
from minitask.planning.importers.foreign_plan import ForeignPlan, PlanTask
from minitask.planning.importers.import_plan import READERS
from minitask.planning.importers.markdown_plans import read_speckit, read_superpowers
from minitask.planning.importers.plan_commands import RunLine, expects_failure, read_runs
from minitask.planning.importers.plan_files import read_bullet, split_action
from minitask.planning.importers.spec_text import SpecText, render_task
from minitask.spec.frontmatter import find_format, import_command
from minitask.spec.model import Spec
from minitask.spec.parse import parse_file

CASES = Path(__file__).parent / "cases"
FORMS = {"superpowers.md": "superpowers", "tasks.md": "spec-kit", "tasks.yaml": "yaml"}


def case(name: str) -> str:
    return (CASES / name).read_text("utf-8")


def plan_of(name: str) -> ForeignPlan:
    return READERS[FORMS[name]](case(name))


def rendered(task: PlanTask, files: dict[str, str] | None = None) -> tuple[SpecText, Spec]:
    """The text of a task's spec, and what `parse_file` makes of it: one spec without a diagnostic."""
    text = render_task(task, 1, depends_on=(), context=(), read=(files or {}).get)
    parsed = parse_file(text.text, path="mini-projects/p/01-a.md")
    assert parsed.diagnostics == ()
    [spec] = parsed.specs
    return text, spec


def superpowers(body: str) -> PlanTask:
    """The only task of a plan."""
    [task] = read_superpowers(f"# A Implementation Plan\n\n### Task 1: Do it\n\n{body}\n").tasks
    return task


@pytest.mark.parametrize("name", FORMS)
def test_a_format_is_detected_and_e101_names_the_command_that_reads_it(name: str) -> None:
    assert find_format(case(name), f"docs/{name}") == FORMS[name]
    [diagnostic] = parse_file(case(name), path=f"docs/{name}").diagnostics
    assert diagnostic.code == "E101"
    assert FORMS[name] in diagnostic.message
    assert f"minitask import docs/{name}" in diagnostic.hint


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("t.md", "- [ ] 1. A\n  - [ ] 1.1 B\n    _Requirements: 1_\n", "Kiro"),
        ("openspec/changes/a/tasks.md", "## 1. A\n- [ ] 1.1 B\n", "OpenSpec"),
        ("my tasks.md", "- [ ] 1. A\n- [ ] 2. B\n", "Kiro"),
        ("tasks.json", '{"master": {"tasks": [{"id": 1, "title": "A"}]}}', "task-master"),
        (".beads/issues.jsonl", '{"id": "bd-a", "issue_type": "task"}\n', "beads"),
        ("backlog/tasks/t.md", "---\nid: t-1\nstatus: To Do\n---\n\n## Description\n", "Backlog.md"),
        (".kiro/specs/a/tasks.md", "- [ ] A\n- [ ] B\n", "Kiro"),
        ("a.md", "# Notes\n\n```\n- [ ] T001 in a sample\n```\n", ""),
        ("a.md", "# Notes\n\n- [ ] buy milk\n", ""),
        ("a.md", "# S\n\n### Task 1: A\n\nText.\n\n### File List\n\n- **File**: a.py\n", ""),
    ],
)  # fmt: skip
def test_formats_without_an_importer_are_told_what_to_do(path: str, text: str, name: str) -> None:
    form = find_format(text, path)
    assert form == name
    if form:
        words = shlex.split(import_command(form, path))
        assert words == ["minitask", "plan", "--from", path]


@pytest.mark.parametrize(
    "heading", ["### Task 1.1: A\n- **File**: `a.py`", "#### T001: A [P]\n\n**File**: `a.py`"]
)
def test_tasks_below_headings_of_other_tools_are_a_plan(heading: str) -> None:
    text = f"# Tasks\n\n{heading}\n- Do it.\n"
    assert find_format(text, "a.md") == "superpowers"
    [task] = read_superpowers(text).tasks
    assert [each.path for each in task.files] == ["a.py"]


def test_tasks_keep_their_order_and_what_they_wait_for() -> None:
    found = {
        name: [(task.label, task.needs, task.is_done) for task in plan_of(name).tasks]
        for name in FORMS
    }
    assert found == {
        "superpowers.md": [("1", (), False), ("2", ("1",), False)],
        "tasks.md": [
            ("T001", (), True),
            ("T002", ("T001",), False),
            ("T003", ("T001",), False),
            ("T004", ("T002", "T003"), False),
            ("T005", ("T002", "T003"), False),
            ("T006", ("T004", "T005"), False),
            ("T007", ("T006",), False),
        ],
        "tasks.yaml": [("schema", (), False), ("api", ("schema",), False)],
    }


def test_a_red_run_and_its_green_twin_are_one_check_and_code_to_create_is_a_script() -> None:
    task = plan_of("superpowers.md").tasks[0]
    text, spec = rendered(task)
    assert [(c.text, [str(e.kind) for e in c.expectations]) for c in spec.commands] == [
        ("python3 -m pytest tests/test_cart.py -q", ["fails before"])
    ]
    assert [fence.info for fence in spec.snippets] == [
        'python path="tests/test_cart.py"',
        'python path="shop/cart.py"',
    ]
    assert text.missing == ()
    assert "git commit" not in text.text
    assert any("commit" in reason for reason in task.dropped)


def test_code_of_a_file_that_is_there_is_shown_and_not_applied() -> None:
    task = plan_of("superpowers.md").tasks[0]
    _, spec = rendered(task, {"shop/cart.py": "x = 1\n", "tests/test_cart.py": "y = 2\n"})
    assert spec.snippets == ()
    assert "return sum(prices)" in spec.task


def test_a_block_that_a_fence_inside_it_ends_is_no_whole_file() -> None:
    task = superpowers(
        "**Files:**\n- Create: `a.md`\n\n**Step 1: Write it**\n\n```markdown\n# A\n\n```bash\nls\n```\n\n## B\n```\n"
    )
    text, spec = rendered(task)
    assert spec.snippets == ()
    assert "the code in line 10: a fence inside it ends it; use four backticks" in text.missing


def test_lines_are_cited_globs_are_left_to_a_person_and_a_fence_holds_no_task() -> None:
    task = plan_of("superpowers.md").tasks[1]
    text, spec = rendered(task)
    [ref] = spec.files
    assert (ref.path, [str(lines) for lines in ref.ranges]) == ("README.md", ["1-3"])
    assert text.missing == (
        "the file: `src/**/*.py` is a pattern: name the files",
        "a validation command",
    )
    assert "### Task 1: not a task" in spec.task
    assert spec.commands == ()
    assert task.dropped == ("`npm run dev`: it does not end by itself",)


@pytest.mark.parametrize(
    ("code", "present", "searches"),
    [
        ('```json\n"plan": {\n  "default": "free"\n},\n```', '{"default": 1}', ['"plan"', '"default": "free"']),
        (
            "```python\ndef total():\n    pass\n\nclass Cart:\n    def _own(self): ...\n```",
            "",
            ["def total", "class Cart"],
        ),
        ("```ts\nexport const price = 1\nconst own = 2\nfunction f() {}\n```", "", ["const price", "function f"]),
        ("```python\ndef old():\n    pass\n```", "def old():", []),
        ("```\nwords\n```", "", []),
    ],
)  # fmt: skip
def test_new_names_become_drafted_searches(code: str, present: str, searches: list[str]) -> None:
    endings = {"json": "a.json", "ts": "a.ts"}
    path = endings.get(code.split("\n", maxsplit=1)[0].strip("`"), "a.py")
    task = superpowers(
        f"**Files:**\n- Modify: `{path}`\n\n**Step 1: Change it**\n\nIn `{path}`:\n\n{code}\n"
    )
    text, spec = rendered(task, {path: present})
    assert [
        command.text.split("-e ")[1].split(" -- ")[0].strip("'") for command in spec.commands
    ] == searches
    assert text.text.count("# drafted") == len(searches)
    assert ("a validation command" in text.missing) == (not searches)


@pytest.mark.parametrize(
    ("expected", "fails"),
    [
        ('FAIL with "not defined"', True),
        ("ImportError: cannot import name", True),
        ("PASS", False),
        ("All tests pass, 0 failures", False),
        ("No errors", False),
        ("PASS (no longer fails)", False),
        ("no output", False),
        ("3 rows", None),
    ],
)
def test_words_tell_whether_a_run_is_to_fail(expected: str, fails: bool | None) -> None:
    assert expects_failure(expected) is fails


@pytest.mark.parametrize(
    ("runs", "commands"),
    [
        ([("pytest a", "FAIL", ""), ("pytest  a", "PASS", "")], [("pytest  a", True)]),
        ([("pytest a", "FAIL", "")], []),
        ([("pytest a", "", "Run test to verify it fails")], []),
        ([("git push", "pushed", ""), ("npm run dev", "", ""), ("npm install", "", "")], []),
        ([("ls", "", "Look around")], []),
        ([("make test\nmake lint", "both pass", "")], [("make test", False), ("make lint", False)]),
        ([("if then (", "PASS", "")], []),
        (
            [
                ("cd /Users/ann/app/web\nnpm test", "FAIL", ""),
                ("cd /Users/ann/app/web\nnpm test", "PASS", ""),
            ],
            [("(cd web && npm test)", True)],
        ),
        (
            [("cd api && pytest", "PASS", ""), ("make test", "PASS", "")],
            [("(cd api && pytest)", False), ("make test", False)],
        ),
        ([("cd /Users/ann/app\npytest", "PASS", "")], [("pytest", False)]),
        ([("grep -r old src", "no matches", "")], [("! grep -r old src", False)]),
        ([("grep -rq old src", "no matches", "")], [("! grep -rq old src", False)]),
        ([("grep -qx new a.txt", "No output", "")], [("grep -qx new a.txt", False)]),
        ([("git status --short", "no output", "")], [("git status --short  # expect: no output", False)]),
        (
            [
                ("cd web && git commit -m x", "done", ""),
                ("make test || true", "PASS", ""),
                ("ls /Users/ann/x", "all", ""),
            ],
            [],
        ),
        ([("grep -c x a.md", "2 (one a section)", "")], [("grep -c x a.md  # Expected: 2 (one a section)", False)]),
        ([("grep -c old a.md", "0", "Count")], [("grep -c old a.md  # Expected: 0", False)]),
        ([("grep -rn old a || echo CLEAN", "CLEAN", "")], [("grep -rn old a || echo CLEAN  # Expected: CLEAN", False)]),
        ([("grep -c x a.md\ngrep -c y a.md", "2", "Verify")], [("grep -c x a.md", False), ("grep -c y a.md", False)]),
        ([("pytest a", "PASS (2 tests)", "")], [("pytest a", False)]),
        ([("mkdir -p a/b", "", "Check"), ("echo x > a.py", "", "Verify"), ("sed -i s/a/b/ c", "PASS", "")], []),
        ([("mv a /tmp/a", "", "Test"), ("rm -rf ./a", "", "Test"), ("touch a", "PASS", "")], []),
        ([("mkdir -p out && make test", "PASS", "")], [("mkdir -p out && make test", False)]),
        ([("gh pr create", "created", ""), ("git rm a", "gone", "")], []),
    ],
)  # fmt: skip
def test_only_what_is_to_pass_is_a_check(
    runs: list[tuple[str, str, str]], commands: list[tuple[str, bool]]
) -> None:
    checks, dropped = read_runs((RunLine(*run) for run in runs), folders=("web",))
    assert [(check.text, check.fails_before) for check in checks] == commands
    assert bool(dropped) == (not commands)


@pytest.mark.parametrize(
    ("bullet", "files"),
    [
        ("Create: `a/b.py`", ["create a/b.py "]),
        ("**Modify:** `a.py:12-30` (uses `other.py`)", ["edit a.py 12-30"]),
        ("Modify: `a.py:12-30,41`, `b.py`", ["edit a.py 12-30,41", "edit b.py "]),
        ("Test: `tests/t.py::test_a`", ["write tests/t.py "]),
        ("Rename: `a.py` → `b.py`", ["delete a.py ", "create b.py "]),
        ("Read-only: `app/[id]/page.tsx`", ["read app/[id]/page.tsx "]),
        ("Create: src/plain.rs", ["create src/plain.rs "]),
        ("Modify: `/etc/passwd`", []),
        ("Modify: `../up.py`", []),
        ("Modify: `src/*.py`", []),
        ("Modify: `src/`", []),
        ("Modify: `.git/config`", []),
    ],
)
def test_bullets_name_files(bullet: str, files: list[str]) -> None:
    label, rest = split_action(bullet) or ("", "")
    named = read_bullet(label, rest)
    assert [f"{each.action} {each.path} {each.lines}" for each in named.files] == files
    assert bool(named.unclear) == (not files)


@pytest.mark.parametrize(
    ("step", "titles"),
    [
        ("**Step 1: One**\n\nDo.\n\n**Step 2b: Two**\n\nDo.", ["One", "Two"]),
        (
            "- [ ] **Step 1: One**\n\n  Do.\n\n- [x] **Step 2: Two**\n\n  Do.",
            ["One", "Two (done already)"],
        ),
        ("#### Step 1: One\n\nDo.\n\n#### Step 2 - Two\n\nDo.", ["One", "Two"]),
        ("- [ ] One\n- [ ] Two", ["One", "Two"]),
    ],
)
def test_steps_in_every_form(step: str, titles: list[str]) -> None:
    assert [part.title for part in superpowers(step).steps] == titles


@pytest.mark.parametrize(
    ("task", "is_done"),
    [
        ("A\n\n- [x] One\n- [x] **Step 2: Two**\n", True),
        ("A\n\n- [x] One\n- [ ] Two\n", False),
        ("A ✅\n\nText.\n", True),
        ("A ✔️\n\n- [ ] One\n", False),
        ("A in the x\n\nText.\n", False),
        ("A\n\n**Acceptance Criteria:**\n- [x] One\n", False),
    ],
)
def test_a_task_is_done_if_all_its_steps_are_ticked_or_its_title_is(
    task: str, is_done: bool
) -> None:
    [found] = read_superpowers(f"# P Implementation Plan\n\n### Task 1: {task}").tasks
    assert found.is_done is is_done


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("git mv a.py b.py\ngit commit -m x", ["git mv a.py b.py"]),
        ("mkdir -p web\nfind . | xargs sed -i s/a/b/", ["mkdir -p web", "find . | xargs sed -i s/a/b/"]),
        ("git add a.py\ngit commit -m x", []),
    ],
)  # fmt: skip
def test_commands_that_are_the_work_are_told(block: str, told: list[str]) -> None:
    files = "**Files:**\n- Create: `go.sh`\n\n"
    task = superpowers(f"{files}**Step 1: Move it**\n\n```bash\n{block}\n```\n")
    assert task.commands == ()
    _, spec = rendered(task)
    assert spec.snippets == ()
    assert [line.strip(" -`") for line in spec.task.split("\n")[2:]] == told


def test_task_headings_of_all_forms_and_what_ends_the_last() -> None:
    text = (
        "# P Implementation Plan\n## Phase 1\n### Task 1.1: A\nx\n### Task 10a — B\ny\n"
        "## Task 3\nz\n## Notes\n- [ ] no step of task 3\n"
    )
    plan = read_superpowers(text)
    assert [(task.label, task.title) for task in plan.tasks] == [
        ("1.1", "A"),
        ("10a", "B"),
        ("3", "Task 3"),
    ]
    assert len(plan.tasks[-1].steps) == 1
    assert "the section `Notes` is not carried over" in plan.notes


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("## Global Constraints\n\n- Keep `api.py`\n", "Global constraints:\n- Keep `api.py`"),
        ("## Non-Goals\n\nNo *cache*.\n\n### Later\n\n- A page\n", "Non-goals:\nNo *cache*.\nLater\n- A page"),
        ("## Files NOT to Modify (Out of Scope)\n\n- a.py\n", "Files not to modify (out of scope):\n- a.py"),
        ("**Constraints:**\n- Do not touch a.py\n\nText.\n", "Constraints:\n- Do not touch a.py"),
        ("**Out of scope:** the\npage.\n", "Out of scope:\nthe page."),
        ("## Constraints\n\n- [ ] T009 Check them in a/b.py\n", None),
        ("## Notes\n\n- None\n", None),
    ],
)  # fmt: skip
def test_rules_for_the_whole_plan_are_told_with_each_task(section: str, told: str | None) -> None:
    plan = read_superpowers(f"# P Implementation Plan\n\n{section}\n## Task 1: A\n\nx\n")
    lines = read_speckit(f"# P\n\n{section}\n## Phase 1: B\n\n- [ ] T001 A in a/b.py\n")
    assert plan.context == lines.context == ((told,) if told else ())
    for goal in read_boxes(f"# P\n\n## 1. B\n\n- [ ] 1.1 A\n- [ ] 1.2 C\n\n{section}").goals:
        assert (told or "") in goal.text


@pytest.mark.parametrize(
    ("body", "files", "commands", "missing"),
    [
        ("**File**: `a.py`\n**Priority**: P1\n", "edit a.py", [], []),
        ("- **File**: `a.py`\n- **Do**: `b.py`\n- **Validation**: `tox -e a` passes\n", "edit a.py", ["tox -e a"], []),
        ("**Files:** `a.py`\n**Priority:** P1\n", "edit a.py", [], []),
        ("**Validation**: write `tests/t.py`\n", "", [], []),
        ("**Files:**\n- Modify: `a.py`\n- Test: `cd ui && npm test`\n", "edit a.py", ["(cd ui && npm test)"], []),
        ("**Files:** none modified, verification only.\n", "", [], []),
        ("**Files:**\n- Modify: no code is changed\n- Test: N/A\n", "", [], []),
        ("Run:\n\n```powershell\npy -m pytest\n```\n", "", [], ["the `powershell` commands in line 7, as bash"]),
        ("Verification:\n\n```yaml\n- name: test\n```\n", "", [], []),
    ],
)  # fmt: skip
def test_labels_of_a_task(body: str, files: str, commands: list[str], missing: list[str]) -> None:
    task = superpowers(body)
    assert ", ".join(f"{each.action} {each.path}" for each in task.files) == files
    assert [command.text for command in task.commands] == commands
    assert list(task.missing) == missing


def test_boxes_of_criteria_are_no_tasks() -> None:
    tasks = "## Tasks\n\n- [ ] A\n\n## Definition of Done\n\n- [ ] Works\n- [x] Tested\n"
    plan = read_boxes(tasks)
    assert [goal.label for goal in plan.goals] == ["Tasks"]
    assert "Criteria of the whole plan:\n- Works\n- Tested (done already)" in plan.goals[0].text
    assert plan.notes == ("2 boxes below `Definition of Done`: criteria, no tasks",)
    alone = read_boxes("## Success Criteria\n\n- [ ] Works\n")
    assert [goal.label for goal in alone.goals] == ["Success Criteria"]


def test_spec_kit_ids_ranges_repeats_and_an_unclosed_fence() -> None:
    text = (
        "- [ ] T004a A in `a.py` and/or so\n\n  ```sh\n  make\n  ```\n"
        "- [ ] T005 B in src/models/\n- [ ] T006 C in c.py\n"
        "- [ ] T006 D (depends on T004a, T005–T006)\n- [ ] TXXX no task\n- [ ] Untagged in x/y.py\n"
        "```\n- [ ] T009 hidden\n"
    )
    plan = read_speckit(text)
    assert [task.label for task in plan.tasks] == ["T004a", "T005", "T006", "T006#2", "line-5"]
    assert plan.tasks[3].needs == ("T006", "T004a", "T005")
    assert [each.path for each in plan.tasks[0].files] == ["a.py"]
    assert plan.tasks[0].missing == ()
    assert [code.fence.content for code in plan.tasks[0].codes] == ["make\n"]
    assert any("folder" in missing for missing in plan.tasks[1].missing)
    assert any("never closed" in note for note in plan.notes)
    assert any("second task of that id" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("line", "title", "is_done", "paths"),
    [
        ("- [❌] T001 A in a/b.py", "A in a/b.py", False, "a/b.py"),
        ("- [⚠️] T001 A", "A", False, ""),
        ("- [✅] T001 A", "A", True, ""),
        ("- [ ] T001 Edit .github/ci.yml.", "Edit .github/ci.yml.", False, ".github/ci.yml"),
        ("- [ ] T001 Edit __tests__/a.js", "Edit __tests__/a.js", False, "__tests__/a.js"),
        ("- [ ] T001 Edit **src/a.js**", "Edit src/a.js", False, "src/a.js"),
        ("- [ ] T001 Edit docker/Dockerfile", "Edit docker/Dockerfile", False, "docker/Dockerfile"),
        ("- [ ] T001 Add a script to package.json", "Add a script to package.json", False, "package.json"),
        ("- [ ] T001 Write README.md in a/README.md", "Write README.md in a/README.md", False, "a/README.md"),
        ("- [ ] T001 Add f(x) (uses g(y))", "Add f(x) (uses g(y))", False, ""),
    ],
)  # fmt: skip
def test_a_spec_kit_line_in_every_form(line: str, title: str, is_done: bool, paths: str) -> None:
    [found] = read_speckit(f'---\ndescription: "Tasks"\n---\n\n# Tasks\n\n{line}\n').tasks
    named = ", ".join(each.path for each in found.files)
    assert (found.label, found.title, found.is_done, named) == ("T001", title, is_done, paths)
    assert found.missing == ()


@pytest.mark.parametrize(
    ("told", "needs"),
    [
        ("**Dependencies:** Tasks 1–3", ("1", "2", "3")),
        ("**Depends on:** Task 1-Task 2, 4", ("1", "2", "4")),
        ("**Depends on:** T1, #3", ("1", "3")),
        ("**Dependencies:** None", ()),
        ("Text.", ("4",)),
    ],
)
def test_a_task_names_those_that_it_waits_for(told: str, needs: tuple[str, ...]) -> None:
    heads = "".join(f"### Task {number}: A\n\nx\n\n" for number in range(1, 5))
    plan = read_superpowers(f"# P Implementation Plan\n\n{heads}### Task 5: B\n\n{told}\n")
    assert plan.tasks[-1].needs == needs


CHECKS = "**Acceptance**:\n\n- [ ] FR-001: It works\n- [ ] All links work\n\n"


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (f"- [ ] T1 A\n- [ ] B\n- [ ] T3 C\n- [ ] T4 D\n- [ ] T5 E\n\n{CHECKS}", ["T1", "line-2", "T3", "T4", "T5"]),
        (f"{CHECKS}## Phase 1: X\n\n- [ ] T001 A\n- [ ] T002 B\n- [ ] T003 C\n", ["T001", "T002", "T003"]),
        ("## A\n\n- [ ] A1 A\n- [ ] A2 B\n\n## B\n\n- [ ] B1 C\n", ["A1", "A2", "B1"]),
        ("- [ ] T001 A\n\n## More\n\n- [ ] B in b.py\n- [ ] C in c.py\n", ["T001", "line-2", "line-3"]),
    ],
)  # fmt: skip
def test_a_checklist_beside_tasks_with_ids_is_no_task(text: str, labels: list[str]) -> None:
    plan = read_speckit(text)
    assert [task.label for task in plan.tasks] == labels
    checklists = [note for note in plan.notes if "in lists without a task's id" in note]
    assert len(checklists) == (CHECKS in text)


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("Write src/a.py", "write src/a.py"),
        ("Review src/a.py", "read src/a.py"),
        ("Remove src/from_x.py", "delete src/from_x.py"),
        ("Remove the flag from src/a.py", "write src/a.py"),
        ("Add the limit to src/a.py (per docs/api.yaml)", "write src/a.py, read docs/api.yaml"),
        ("Write src/a.py, adapted from `src/b.py`", "write src/a.py, read src/b.py"),
        ("Install @scope/a.js for src/a.py at http://localhost:80/x.html", "write src/a.py"),
    ],
)
def test_a_spec_kit_line_says_what_is_done_with_its_file(line: str, file: str) -> None:
    [task] = read_speckit(f"- [ ] T001 {line}\n").tasks
    assert ", ".join(f"{each.action} {each.path}" for each in task.files) == file


def test_yaml_tiers_unknown_fields_and_paths_that_are_patterns() -> None:
    first, second = plan_of("tasks.yaml").tasks
    assert (first.tier, second.tier) == ("cheap", "frontier")
    assert second.dropped == (
        "the dependency on nothing: no such task",
        "`owner`: no field of a spec",
    )
    assert [each.path for each in second.files] == ["api/routes.py"]
    assert any("pattern" in missing for missing in second.missing)


@pytest.mark.parametrize(
    ("entry", "is_done", "files", "dropped"),
    [
        ("status: complete", True, "", ()),
        ("state: closed", True, "", ()),
        ("done: true", True, "", ()),
        ("status: in-progress", False, "", ()),
        ("files: {create: [a.py], edit: b.py}", False, "create a.py, edit b.py", ()),
        ("files: [{path: a.py, action: delete}, c.py]", False, "delete a.py, write c.py", ()),
        ("steps: [{do: x}]", False, "", ("`steps`: an entry in a form that is not read",)),
    ],
)
def test_a_yaml_task_in_every_form(
    entry: str, is_done: bool, files: str, dropped: tuple[str, ...]
) -> None:
    [task] = READERS["yaml"](f"tasks:\n- title: A\n  validation: make\n  {entry}\n").tasks
    assert task.is_done is is_done
    assert ", ".join(sorted(f"{each.action} {each.path}" for each in task.files)) == files
    assert task.dropped == dropped


@pytest.mark.parametrize("line", ["    ```bash", "\t- ```", "    > ~~~"])
def test_text_that_is_no_fence_in_the_plan_is_none_in_the_spec(line: str) -> None:
    text = f"# Plan\n\n### Task 1: A\n\n**Step 1: Write**\n\nDo it:\n{line}\n\n### Task 2: B\n"
    first = READERS["superpowers"](text).tasks[0]
    spec = render_task(first, 1, depends_on=(), context=(), read=lambda _: None).text
    found = [item.code for item in parse_file(spec, path="mini-projects/p/01-a.md").diagnostics]
    assert "E108" not in found, spec


PIECES = st.sampled_from(
    (
        *case("superpowers.md").splitlines(),
        *case("tasks.md").splitlines(),
        *case("tasks.yaml").splitlines(),
    )
)
TEXTS = st.lists(
    st.one_of(
        PIECES,
        st.text(max_size=30),
        st.sampled_from(["```", "~~~~", "---", "\t- x", "> q", "<!--"]),
    ),
    max_size=40,
).map("\n".join)


@pytest.mark.parametrize("form", READERS)
@given(text=TEXTS)
def test_no_damage_breaks_an_importer_or_a_spec_that_it_writes(form: str, text: str) -> None:
    try:
        plan = READERS[form](text)
    except UsageError:
        return
    assert len({task.label for task in plan.tasks}) == len(plan.tasks)
    labels = [task.label for task in plan.tasks]
    for task in plan.tasks:
        assert set(task.needs) <= set(labels)
        spec_text = render_task(task, 1, depends_on=(), context=plan.context, read=lambda _: None)
        parsed = parse_file(spec_text.text, path="mini-projects/p/01-a.md")
        assert len(parsed.specs) == 1
        assert [
            d for d in parsed.diagnostics if d.code in ("E101", "E102", "E106", "E107", "E108")
        ] == []
        is_proven = bool(parsed.specs[0].commands)
        assert is_proven or "a validation command" in spec_text.missing
