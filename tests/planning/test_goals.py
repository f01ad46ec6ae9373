"""Plans without files and commands to goals: every task found, in order, none twice, no crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.errors import UsageError
from minitask.planning.importers.backlog_goals import read_backlog, tick_backlog
from minitask.planning.importers.boxes import read_boxes, tick
from minitask.planning.importers.foreign_plan import GoalPlan, PlanGoal, linked
from minitask.planning.importers.goal_source import READERS
from minitask.planning.importers.json_goals import (
    read_beads,
    read_task_master,
    tick_issues,
    tick_tasks,
)
from minitask.planning.plan_prompt import with_dependencies
from minitask.spec.frontmatter import parse_front_matter

CASES = Path(__file__).parent / "cases" / "goals"
FILES = sorted(path for path in CASES.rglob("*.*") if path.is_file())


def text(name: str) -> str:
    return (CASES / name).read_bytes().decode().replace("\r\n", "\n")


def backlog() -> list[tuple[str, str]]:
    return [(path.name, path.read_text()) for path in sorted((CASES / "backlog").iterdir())]


def shape(plan: GoalPlan) -> list[tuple[str, tuple[str, ...], str]]:
    """Each goal's label, needs and reason to skip it."""
    return [(goal.label, goal.needs, goal.skipped) for goal in plan.goals]


def goal(plan: GoalPlan, label: str) -> PlanGoal:
    return next(each for each in plan.goals if each.label == label)


def test_task_masters_tasks_in_both_shapes() -> None:
    plan = read_task_master(text("tasks.json"))
    assert shape(plan) == [
        ("1", (), "done"),
        ("2", (), ""),
        ("5", (), ""),
        ("3", ("2", "5"), ""),
        ("4", ("3",), "deferred"),
        ("5#2", (), ""),
    ]
    assert plan.notes == (
        "the tasks of the tag master; others: feature-x (--tag)",
        "`5#2` stands for a further task of that id",
        "task 2 depends on 9, which is not a task of the plan",
        "task 5 depends on 4, which is deferred",
        "task 5 depends on 3, in a circle: left out",
    )
    body = goal(plan, "2").text
    for words in (
        "A name is kept",
        "src/item.py (create)",
        "pytest tests/test_item.py",
        "Subtask 2.1: The class (done already)",
        "Subtask 2.2: Its check\nDepends on:\n1, 1.1",
    ):
        assert words in body
    assert "A cache" not in body
    assert shape(read_task_master(text("old.json"))) == [("1", (), ""), ("2", ("1",), "")]
    other = read_task_master(text("tasks.json"), "feature-x")
    assert (other.name, shape(other)) == ("feature-x", [("feature-x:1", (), "")])
    with pytest.raises(UsageError, match="no tag feature-y") as raised:
        read_task_master(text("tasks.json"), "feature-y")
    assert raised.value.hint == "did you mean feature-x?"


def test_kiros_sections_with_optional_parallel_and_unfinished_boxes() -> None:
    plan = read_boxes(text("kiro.md"))
    assert shape(plan) == [
        ("1", (), "done"),
        ("2", (), ""),
        ("3", ("2",), ""),
        ("4", ("2",), ""),
        ("5", (), "checkpoint"),
        ("6", ("3", "4"), ""),
    ]
    store = goal(plan, "2")
    assert (store.title, store.optional, store.rows) == ("Build the store", ("2.3",), (7, 8, 11))
    assert "- 2.1 Write the model (done already)\n  - Keep the name" in store.text
    assert "- 2.3 Write property tests for the store (optional)\n" in store.text
    assert "no task in here" in store.text
    assert goal(plan, "3").title == "Build the view"
    assert plan.notes == ("optional, planned as specs of their own: 2.3",)


def test_openspecs_boxes_with_and_without_numbers() -> None:
    plan = read_boxes(text("openspec.md"))
    assert shape(plan) == [("1", (), "done"), ("2", (), ""), ("Docs", ("2",), "")]
    assert goal(plan, "2").title == "Core"
    assert "- Handle CRLF" in goal(plan, "2").text
    assert goal(plan, "Docs").text == "- Describe it in README.md\n- Add an example"


@pytest.mark.parametrize("mark", ["-", "*", "+", "1.", "1)"])
@pytest.mark.parametrize("box", [" [ ]", " [~]", " [-]", " []"])
def test_a_box_with_any_mark_is_a_task_that_is_not_done(mark: str, box: str) -> None:
    plan = read_boxes(f"## 1. Work\n\n- [x] 1.1 Done\n- [✓] 1.2 Done\n{mark}{box} 1.3 Open\n")
    assert shape(plan) == [("1", (), "")]
    assert "1.2 Done (done already)\n- 1.3 Open" in goal(plan, "1").text


def test_boxes_without_their_space_or_with_their_text_below_are_tasks() -> None:
    tight = read_boxes("## 1. Work\n\n-[x] 1.1 Done\n-[ ] 1.2 Open\n")
    assert shape(tight) == [("1", (), "")]
    assert goal(tight, "1").rows == (3, 4)
    parted = read_boxes("- [ ]\n  1. Create it\n\n  - File: src/a.py\n\n- [ ]\n  2. Use it\n")
    assert [(each.label, each.title, each.rows) for each in parted.goals] == [
        ("1", "Create it", (1,)),
        ("2", "Use it", (6,)),
    ]
    assert "File: src/a.py" in goal(parted, "1").text


def test_long_words_are_kept_and_a_number_is_not_always_an_id() -> None:
    plan = read_boxes(f"## Docs\n- [ ] 3 files are renamed\n- [ ] 2. {'word ' * 9_000}\n")
    assert [(each.label, each.title[:10]) for each in plan.goals] == [
        ("Docs", "3 files ar"),
        ("2", "word word "),
    ]
    assert len(plan.goals[1].text) > 40_000


def test_a_section_of_many_boxes_is_planned_in_parts() -> None:
    lines = [f"- [ ] 3.{number} Write {number}" for number in range(1, 31)]
    plan = read_boxes("## 3. Many\n" + "\n".join(lines))
    assert shape(plan) == [("3", (), ""), ("3.11", ("3",), ""), ("3.21", ("3.11",), "")]
    assert [goal.parts for goal in plan.goals] == [10, 10, 10]


def test_beads_epics_are_context_and_the_most_urgent_comes_first() -> None:
    plan = read_beads(text("issues.jsonl"))
    assert shape(plan) == [
        ("bd-a1.1", (), ""),
        ("bd-a1.2", ("bd-a1.1",), ""),
        ("bd-b2", ("bd-a1.1", "bd-a1.2"), ""),
        ("bd-c3", (), "done"),
        ("bd-d4", (), ""),
        ("bd-e5", (), "cancelled"),
    ]
    assert "Part of bd-a1: Sync\nAll of it." in goal(plan, "bd-a1.1").text
    assert goal(plan, "bd-d4").title == "After the merge"
    assert plan.notes == (
        "lines that hold no issue: 4",
        "there more than once, the latest counts: bd-d4",
        "task bd-a1.1 depends on bd-gone, which is not a task of the plan",
    )


def test_backlogs_files_with_bad_yaml_changed_prefixes_and_subtasks() -> None:
    plan = read_backlog(backlog())
    assert shape(plan) == [
        ("BACK-3", (), ""),
        ("task-1", ("BACK-3",), ""),
        ("task-4", (), ""),
    ]
    search = goal(plan, "task-1")
    assert search.title == "Core search, with a folded title"
    assert "- A name is found\n- None is found twice" in search.text
    assert "Subtask task-1.1: Rank the results (done already)" in search.text
    assert "Subtask TASK-1.2: Highlight: the match\n## Description" in search.text
    for gone in ("<!--", "Tried grep", "[x]"):
        assert gone not in search.text
    assert goal(plan, "task-4").title == "Plain file"
    assert plan.notes == (
        "no task, for want of an id: readme.md",
        "task BACK-3 depends on task-77, which is not a task of the plan",
    )


@pytest.mark.parametrize(
    ("read", "before", "after"),
    [
        (read_boxes, text("kiro.md"), text("kiro.md").replace("[x] 2.1", "[ ] 2.1")),
        (
            read_task_master,
            text("tasks.json"),
            text("tasks.json").replace('name.", "status": "done"', 'name.", "status": "pending"'),
        ),
    ],
)
def test_what_is_done_does_not_change_a_goal_and_its_words_do(
    read: Callable[[str], GoalPlan], before: str, after: str
) -> None:
    old, new = goal(read(before), "2"), goal(read(after), "2")
    assert old.text != new.text
    assert old.digest == new.digest
    assert goal(read(before.replace("model", "table")), "2").digest != old.digest


def test_a_long_chain_and_a_ring_are_put_in_order() -> None:
    ring = [PlanGoal(str(n), "x", "", (str((n + 1) % 5000),)) for n in range(5000)]
    plan = linked("p", ring)
    done: set[str] = set()
    for each in plan.goals:
        assert set(each.needs) <= done
        done.add(each.label)
    assert len(done) == 5000
    assert plan.notes == ("task 4999 depends on 0, in a circle: left out",)


@pytest.mark.parametrize(
    "front",
    [
        "",
        "---\nid: a\n---\n\n",
        "---\ndepends_on: x\nid: a\n---\n\n",
        "---\nid: a\ndepends_on:\n  - x\n---\n\n",
        "---\ndepends_on: [\n  x,\n]\ntags: [a]\n---\n\n",
    ],
)
def test_a_dependency_is_added_to_front_matter_of_any_form(front: str) -> None:
    changed = with_dependencies(f"{front}# Mini-Task 1: A\n", ("01-b",))
    options = parse_front_matter(changed).options
    assert options.depends_on == (*(("x",) if "x" in front else ()), "01-b")
    assert (options.id, options.tags) == (
        "a" if "id: a" in front else None,
        ("a",) if "tags" in front else (),
    )
    assert changed.endswith("# Mini-Task 1: A\n")


PIECES = st.sampled_from([line for path in FILES for line in path.read_text().split("\n")])
LINES = st.one_of(
    PIECES,
    st.text(max_size=30),
    st.sampled_from(["```", "---", "- [ ] 1. a", "  - [x]* b", "- [ ] 1.1", "## 1", '{"tasks": [']),
)
TEXTS = st.lists(LINES, max_size=40).map("\n".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
)
KEYS = (
    *("id", "title", "status", "dependencies", "subtasks", "details", "relevantFiles", "priority"),
    *("issue_id", "depends_on_id", "type", "updated_at", "acceptanceCriteria", "description"),
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from(["1", "1.2", "blocks", 1]))
    | st.dictionaries(st.sampled_from(KEYS), st.lists(st.dictionaries(st.sampled_from(KEYS), JSON)))
    | JSON,
    max_size=6,
)


def holds(plan: GoalPlan) -> None:
    """Labels are unique and fit a comment, and each goal comes after those that it needs."""
    done: set[str] = set()
    for each in plan.goals:
        assert each.label
        assert each.title
        assert each.label not in done
        assert set(each.needs) <= done
        done.add(each.label)
        assert each.label.isprintable()
        assert len(each.digest) == 64
        each.text.encode()


@pytest.mark.parametrize("form", READERS)
@given(body=TEXTS)
def test_no_damage_breaks_a_reader(form: str, body: str) -> None:
    try:
        holds(READERS[form](body, ""))
    except UsageError:
        assert form == "task-master"


@given(
    names=st.lists(st.text(max_size=12) | st.sampled_from([p.name for p in FILES])), data=st.data()
)
def test_no_damage_breaks_a_folder(names: Iterable[str], data: st.DataObject) -> None:
    holds(read_backlog([(name, data.draw(TEXTS)) for name in names]))


@pytest.mark.variant
@given(rows=ROWS)
def test_no_odd_json_breaks_a_reader(rows: list[object]) -> None:
    import json

    holds(read_task_master(json.dumps({"tasks": rows})))
    holds(read_beads("\n".join(json.dumps(row) for row in rows)))


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"tasks": [' + "9" * 5_000 + "]}", "{", "\ufeff", ""]
)
def test_unreadable_json_is_said(body: str) -> None:
    with pytest.raises(UsageError, match="JSON"):
        read_task_master(body)


def test_deep_lists_and_bytes_that_are_no_text_break_nothing() -> None:
    deep = "[" * 500 + "]" * 500
    body = f'{{"tasks": [{{"id": 1, "title": "a \\ud800", "description": {deep}, "subtasks": {deep}}}]}}'
    plan = read_task_master(body)
    holds(plan)
    key = ("task-master", f"1 {plan.goals[0].digest}")
    assert tick_tasks(body, {key: True})[1] == 1
    row = '"id": 1, "title": "a \\ud800"}]}\n'
    text, ticked = tick_tasks(f'\ufeff{{"tasks": [{{{row}', {key: True})
    assert (text, ticked) == (f'\ufeff{{"tasks": [{{"status": "done", {row}', 1)


def all_done(form: str, plan: GoalPlan) -> dict[tuple[str, str], bool]:
    return {(form, f"{each.label} {each.digest}"): True for each in plan.goals}


def test_only_the_status_of_a_task_changes_however_the_json_is_written() -> None:
    before = (
        '{ "b": {"tasks":[ {"id":1,"status":null,"title":"x",  "big": 1E5, "status" : "pending"},\r\n'
        '\t{"title":"\\u00e9 \\"}",  "subtasks":[7, {"title":"s","status":"todo"},\r\n'
        '{"title":"t","status":"cancelled"}]},{}]}, "metadata": {"status": "pending"} }'
    )
    done = all_done("task-master", read_task_master(before))
    after, ticked = tick_tasks(before, done)
    expected = (
        before.replace('"status" : "pending"', '"status" : "done"')
        .replace('{"title":"\\u00e9', '{"status": "done", "title":"\\u00e9')
        .replace('"todo"', '"done"')
        .replace(",{}", ',{"status": "done"}')
    )
    assert (after, ticked) == (expected, 3)
    assert tick_tasks(after, done) == (after, 3)


def test_an_issue_is_closed_on_the_line_that_counts_and_nowhere_else() -> None:
    before = (CASES / "issues.jsonl").read_bytes().decode().replace("\n", "\r\n")
    done = all_done("beads", read_beads(text("issues.jsonl")))
    after, ticked = tick_issues(before, done)
    changed = [
        (
            old.replace('"status": "open"', '"status": "closed"').replace("in_progress", "closed"),
            new,
        )
        for old, new in zip(before.split("\n"), after.split("\n"), strict=True)
        if old != new
    ]
    assert [new for _, new in changed] == [old for old, _ in changed]
    assert [new[8:16].strip('", ') for _, new in changed] == [
        "bd-a1.1",
        "bd-a1.2",
        "bd-b2",
        "bd-d4",
    ]
    assert "After the merge" in changed[-1][1]
    assert tick_issues(after, done) == (after, ticked)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_only_the_status_in_the_front_matter_of_open_files_changes(end: str) -> None:
    before = [(name, text.replace("\n", end)) for name, text in backlog()]
    before.append(("task-9.md", f"\ufeff---{end}id: task-9{end}---{end}status: To Do{end}"))
    done = all_done("Backlog.md", read_backlog(before))
    changed, ticked = tick_backlog(before, done, status="Done: yes")
    quoted = 'status: "Done: yes"'
    expected = {
        name: text.replace("status: To Do", quoted, 1).replace("status: In Progress", quoted, 1)
        for name, text in before
        if name != "readme.md" and text.startswith("---") and "status: Done" not in text
    }
    expected["task-9.md"] = before[-1][1].replace(f"task-9{end}", f"task-9{end}{quoted}{end}", 1)
    assert changed == expected
    assert ticked == 4
    plain, _ = tick_backlog(before, done, status="Done")
    after = [(name, plain.get(name, text)) for name, text in before]
    assert tick_backlog(after, done, status="Done") == ({}, 4)


def test_a_lone_carriage_return_ends_a_line_where_boxes_are_ticked() -> None:
    key = ("spec-kit", "T002")
    before = "a\rb\n- [ ] T001 One\r\n- [ ] T002 Two\r- [ ] T003 Three"
    assert tick(before, {key: True}) == (before.replace("[ ] T002", "[x] T002"), 1)
