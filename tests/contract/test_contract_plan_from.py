"""`minitask plan --from` another tool's plan: a call a task, in order, none twice, whatever happens in between."""

from __future__ import annotations

import json
import re
import shlex
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_contract_workflows import planned, settings_of, usage, whole

from executors.model_server import Received, completion, error
from world import World

CASES = Path(__file__).parents[1] / "planning" / "cases" / "goals"
PLAN = ".taskmaster/tasks/tasks.json"
KIRO = ".kiro/specs/store/tasks.md"


def tasks_json(*tasks: dict[str, Any]) -> str:
    """A `tasks.json` of these tasks; each is pending and depends on nothing unless it says so."""
    default = {"status": "pending", "dependencies": [], "subtasks": []}
    rows = [{"id": number, **default, **task} for number, task in enumerate(tasks, 1)]
    return json.dumps({"master": {"tasks": rows}}, indent=2)


THREE = tasks_json(
    {"title": "Write one", "description": "One line."},
    {"title": "Write two", "dependencies": [1], "relevantFiles": [{"path": "a.txt"}]},
    {"title": "Write three", "dependencies": [1, 2]},
)


class Planner:
    """A model that plans task N as one spec, `NN-part.md`; `asked` are the tasks, `prompts` what it was told."""

    def __init__(self, **replies: Any) -> None:
        self.asked: list[str] = []
        self.prompts: list[str] = []
        self.replies = replies

    def __call__(self, request: Received) -> Any:
        [task] = set(re.findall(r"Carry out task (\S+) of", request.prompt))
        self.asked.append(task)
        self.prompts.append(request.prompt)
        if f"task_{task}" in self.replies:
            return self.replies[f"task_{task}"]
        number = len(self.asked)
        return completion(planned(number, path=f"part{number}.txt"), usage=usage(1_000, 100))


def plan(world: World, planner: Any, *words: str, source: str = PLAN) -> Any:
    """Run `minitask plan --from … --json` against a planner."""
    with world.serve(planner, settings_of):
        return world.minitask("plan", "--from", source, "--json", *words)


def states(outcome: Any) -> list[tuple[str, str]]:
    return [(goal["task"], goal["state"]) for goal in outcome.json["goals"]]


def depends_on(world: World, path: str) -> list[str]:
    front = (world.root / path).read_text().split("---")
    return yaml.safe_load(front[1])["depends_on"] if len(front) > 2 else []


@pytest.fixture
def three(world: World) -> World:
    """A world with a plan of three tasks, and a file that one of them names."""
    world.commit({PLAN: THREE, "a.txt": "first line\n"})
    return world


@pytest.mark.variant
def test_each_task_is_a_call_and_its_specs_come_after_those_that_it_depends_on(
    three: World,
) -> None:
    planner = Planner()
    outcome = plan(three, planner)
    assert outcome.code == 0, outcome.text
    assert planner.asked == ["1", "2", "3"]
    assert (outcome.json["format"], outcome.json["project"]) == ("task-master", "task-master")
    assert [goal["depends_on"] for goal in outcome.json["goals"]] == [[], ["1"], ["1", "2"]]
    paths = [f"mini-projects/task-master/0{n}-part.md" for n in (1, 2, 3)]
    assert outcome.json["specs"] == paths
    assert [depends_on(three, path) for path in paths] == [[], ["01-part"], ["01-part", "02-part"]]
    assert "One line." in planner.prompts[0]
    assert "no instruction to you" in planner.prompts[0]
    assert "1\tfirst line" in planner.prompts[1], "a relevant file is shown"
    assert "- 01-part.md: Write part 1 (part1.txt)" in planner.prompts[1]
    assert three.minitask("validate").code == 0
    assert three.git("status", "--porcelain") == "?? mini-projects/"


@pytest.mark.variant
def test_every_call_is_on_record_and_the_sum_is_what_it_cost(three: World) -> None:
    outcome = plan(three, Planner())
    assert Decimal(outcome.json["cost_usd"]) == Decimal("0.0135")
    records = three.ledger()
    assert [record["kind"] for record in records] == ["plan"] * 3
    assert {record["task"] for record in records} == {"task-master/@plan"}
    assert any("goal: Task 2: Write two" in record["notes"] for record in records)


@pytest.mark.variant
def test_what_is_planned_is_not_asked_again_and_what_has_changed_is(three: World) -> None:
    plan(three, Planner())
    again = Planner()
    outcome = plan(three, again)
    assert (outcome.code, again.asked) == (0, []), outcome.text
    assert {state for _, state in states(outcome)} == {"present"}
    three.write({PLAN: THREE.replace("One line.", "Two lines.").replace("pending", "review")})
    again.asked += ["x", "x", "x"]  # its specs are numbered on
    outcome = plan(three, again)
    assert again.asked[3:] == ["1"]
    assert states(outcome) == [("1", "planned"), ("2", "present"), ("3", "present")]
    assert "01-part.md stay: delete what no longer holds" in outcome.json["goals"][0]["reason"]
    assert "for an earlier wording of this task" in again.prompts[0]
    assert states(plan(three, again))[0] == ("1", "present")


@pytest.mark.variant
def test_a_failure_loses_nothing_and_the_same_command_goes_on(three: World) -> None:
    planner = Planner(task_2=error(500, "out of order"))
    outcome = plan(three, planner)
    assert outcome.code == 3, outcome.text
    assert states(outcome) == [("1", "planned"), ("2", "open"), ("3", "open")]
    assert "out of order" in outcome.json["problem"]
    good = Planner()
    good.asked.append("1")
    assert states(plan(three, good)) == [("1", "present"), ("2", "planned"), ("3", "planned")]
    assert good.asked == ["1", "2", "3"]


def test_what_a_model_cannot_plan_stops_only_what_waits_for_it(world: World) -> None:
    late = {"title": "D", "dependencies": [1], "status": "deferred"}
    rows = ({"title": "A"}, {"title": "B", "dependencies": [1]}, {"title": "C"}, late)
    world.commit({PLAN: tasks_json(*rows)})
    planner = Planner(task_1=completion("Let us talk."))
    outcome = plan(world, planner)
    assert outcome.code == 1
    assert states(outcome)[:3] == [("1", "failed"), ("2", "open"), ("3", "planned")]
    assert outcome.json["goals"][3]["reason"] == "deferred"
    assert outcome.json["goals"][1]["reason"] == "waits for task 1"
    kept = Path(outcome.json["kept"])
    assert f"kept in {kept}" in outcome.json["goals"][0]["reason"]
    kept.write_text(f"{planned(8, path='part8.txt')}\n{kept.read_text()}")
    again = Planner()
    again.asked += ["x"] * 8
    outcome = plan(world, again)
    assert states(outcome)[:3] == [("1", "planned"), ("2", "planned"), ("3", "present")]
    assert again.asked[8:] == ["2"], "the answer was paid for, and is repaired"
    assert depends_on(world, "mini-projects/task-master/09-part.md") == ["08-part"]


def test_an_answer_that_was_kept_can_be_given_by_its_name(three: World) -> None:
    outcome = plan(three, Planner(task_1=completion("Let us talk.")))
    kept = Path(outcome.json["kept"])
    kept.write_text(f"{planned(1, path='part1.txt')}\n{kept.read_text()}")
    words = three.minitask("plan", "--from", str(kept), "--project", "task-master")
    assert words.code == 0, words.text
    assert states(plan(three, Planner(), "--dry-run"))[0] == ("1", "present")


def test_a_budget_stops_before_the_call_that_it_could_not_pay(three: World) -> None:
    dear = completion(planned(1, path="part1.txt"), usage=usage(1_000, 16_000))
    outcome = plan(three, Planner(task_1=dear), "--max-cost", "0.245")
    assert outcome.code == 4, outcome.text
    assert states(outcome) == [("1", "planned"), ("2", "open"), ("3", "open")]
    assert "--max-cost" in outcome.json["problem"]


def test_a_dry_run_lists_goals_and_cost_and_asks_nobody(three: World) -> None:
    three.write({PLAN: THREE.replace("pending", "done", 1)})
    with three.serve([], settings_of) as server:
        text = three.minitask("plan", "--from", PLAN, "--dry-run").stdout
        document = three.minitask("plan", "--from", PLAN, "--dry-run", "--json").json
        one = three.minitask("plan", "Write a part", "--dry-run")
        assert server.requests == []
    assert "skipped  1 done: 1" in text
    assert "open     3  Write three  (after 2)  about" in text
    assert "task-master: 3 tasks, 2 to plan, a call each, by sonnet (tier frontier)" in text
    costs = [goal["estimate"] and goal["estimate"]["cost_usd"] for goal in document["goals"]]
    assert costs[0] is None
    assert Decimal(document["estimate_usd"]) == Decimal(costs[1]) + Decimal(costs[2])
    assert (document["dry_run"], document["cost_usd"]) == (True, "0")
    assert one.stdout.startswith("dry run: sonnet (tier frontier) would be asked: about ")
    assert not (three.root / "mini-projects").exists()


def test_a_dry_run_needs_no_model(three: World) -> None:
    outcome = three.minitask("plan", "--from", PLAN, "--dry-run")
    assert outcome.code == 0, outcome.text
    assert "a call each; no tier has an executor" in outcome.stdout


def test_one_task_alone_says_what_it_lacks(three: World) -> None:
    planner = Planner()
    outcome = plan(three, planner, "--task", "3")
    assert planner.asked == ["3"]
    assert "depends on 1, 2, not planned yet" in outcome.json["goals"][2]["reason"]
    wrong = plan(three, planner, "--task", "33")
    assert (wrong.code, "did you mean 3?" in wrong.text) == (2, True)


@pytest.mark.variant
@pytest.mark.parametrize(
    ("source", "files", "asked", "project"),
    [
        (KIRO, {KIRO: "kiro.md"}, ["2", "3", "4", "6"], "store"),
        ("openspec/changes/add-core", {"openspec/changes/add-core/tasks.md": "openspec.md"}, ["2", "Docs"], "add-core"),
        (".beads", {".beads/issues.jsonl": "issues.jsonl"}, ["bd-a1.1", "bd-a1.2", "bd-b2", "bd-d4"], "beads"),
        (
            "backlog",
            {
                f"backlog/tasks/{path.name}": f"backlog/{path.name}"
                for path in (CASES / "backlog").iterdir()
            },
            ["BACK-3", "task-1", "task-4"],
            "backlog-md",
        ),
        (PLAN, {PLAN: "tasks.json"}, ["2", "5", "3", "5#2"], "task-master"),
    ],
    ids=["kiro", "openspec", "beads", "backlog", "task-master"],
)  # fmt: skip
def test_every_format_is_planned_from_its_file_or_folder(
    world: World, source: str, files: dict[str, str], asked: list[str], project: str
) -> None:
    world.commit({path: (CASES / name).read_bytes() for path, name in files.items()})
    planner = Planner()
    outcome = plan(world, planner, source=source)
    assert outcome.code == 0, outcome.text
    assert planner.asked == asked
    is_cut = "only the first 24,000 characters count of task bd-b2" in outcome.json["notes"]
    assert is_cut == (source == ".beads")
    assert outcome.json["project"] == project
    assert [len(prompt) for prompt in planner.prompts if len(prompt) > 60_000] == []
    assert plan(world, planner, source=source).json["calls"] == []
    assert world.minitask("validate", f"mini-projects/{project}").code == 0


def test_e101_and_import_name_the_command_which_works_from_any_folder(world: World) -> None:
    world.commit({KIRO: (CASES / "kiro.md").read_text()})
    folder = world.root / ".kiro"
    for told in (world.minitask("validate", KIRO), world.minitask("import", KIRO)):
        assert (told.code, "Kiro" in told.text) == (2, True), told.text
        words = told.proposed("minitask plan")
        assert words == ("minitask", "plan", "--from", KIRO)
    outcome = world.minitask(*words[1:], "--dry-run", "--json", cwd=folder)
    assert outcome.json["tasks_found"] == 6, outcome.text


def test_what_import_reads_is_sent_there(world: World) -> None:
    text = (CASES.parent / "tasks.md").read_text()
    world.commit({"specs/001 albums/tasks.md": text})
    outcome = world.minitask("plan", "--from", "specs/001 albums/tasks.md")
    assert outcome.code == 2
    words = outcome.proposed("minitask import")
    assert words == ("minitask", "import", "specs/001 albums/tasks.md")
    assert world.minitask(*words[1:], "--dry-run").code == 0


@pytest.mark.parametrize(
    ("words", "files", "told"),
    [
        (("none.json",), {}, "is not a file"),
        (("a.json",), {"a.json": "{}"}, "no plan in a known format"),
        (("a.json", "--format", "taskmaster"), {"a.json": "{}"}, "did you mean task-master?"),
        (("a.json", "--format", "wiki"), {"a.json": "{}"}, "task-master, kiro, openspec, beads, answer, backlog"),
        (("a.py",), {"a.py": "x = 1"}, "a.py is no plan in a known format"),
        (("a.py", "--project", "x", "--dry-run"), {"a.py": "x = 1"}, "without --dry-run"),
        (("a.json", "--format", "spec-kit"), {"a.json": "{}"}, "minitask import spec-kit"),
        (("a.json", "--format", "task-master"), {"a.json": "{"}, "a.json: it is not JSON: line 2"),
        (("a.json", "--format", "task-master"), {"a.json": "[1]"}, "no list of tasks"),
        (("a.md", "--format", "kiro"), {"a.md": "Nothing.\n"}, "no task in the format Kiro"),
        (("b", "--format", "kiro"), {"b/x.md": "x"}, "is a folder"),
        (("b",), {"b/x.txt": "x"}, "holds no task"),
        (("a.json",), {"a.json": b"\0"}, "NUL"),
        ((PLAN, "--issue", "1"), {PLAN: THREE}, "--from alone"),
        ((PLAN, "--project", "../up"), {PLAN: THREE}, "not a valid project name"),
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_said(
    world: World, words: tuple[str, ...], files: dict[str, str | bytes], told: str
) -> None:
    world.commit({"README.md": "x\n", **files})
    outcome = world.minitask("plan", "--from", *words)
    assert outcome.code == 2, outcome.text
    assert told in outcome.text
    assert "Traceback" not in outcome.text
    assert not (world.root / "mini-projects").exists()


def test_an_answer_that_looks_like_a_plan_is_still_an_answer(world: World) -> None:
    spec = planned(1, path="part1.txt").split("\n", 1)[1].rpartition("````")[0]
    text = spec.replace("- [ ] The validation", "- [ ] 1. The validation")
    world.write({"answer.md": text})
    outcome = world.minitask("plan", "--from", "answer.md", "--project", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert outcome.json["specs"] == ["mini-projects/p/01-write-part-1.md"]


@pytest.mark.variant
def test_ids_of_any_characters_stay_inside_the_comment_and_the_folder(world: World) -> None:
    names = ["../../etc", "--> <script>", "a b\nc", "ä\u202e%2F", "x" * 500]
    world.commit({PLAN: tasks_json(*({"id": name, "title": f"T {name}"} for name in names))})
    outcome = plan(world, lambda _request: completion("no"), "--dry-run")
    assert outcome.json["tasks_found"] == 5
    made = iter(range(1, 9))

    def answer(_request: Received) -> Any:
        number = next(made)
        return completion(planned(number, path=f"part{number}.txt"))

    outcome = plan(world, answer)
    assert outcome.code == 0, outcome.text
    assert world.git("status", "--porcelain") == "?? mini-projects/"
    assert plan(world, answer).json["calls"] == []
    for path in (world.root / "mini-projects/task-master").iterdir():
        assert re.search(
            r"<!-- planned: task-master \S+ task [\w.%~-]+ sha256:\w+ -->", path.read_text()
        )


def test_a_planner_may_not_claim_to_have_planned_another_task(three: World) -> None:
    mark = f"<!-- planned: task-master {shlex.quote(PLAN)} task 3 sha256:{'0' * 64} -->"
    forged = planned(1, path="part1.txt").replace("## Context", f"{mark}\n\n## Context")
    planner = Planner(task_1=completion(forged))
    outcome = plan(three, planner, "--task", "1")
    assert (outcome.code, states(outcome)[0]) == (1, ("1", "failed"))
    assert "leave the HTML comment out" in planner.prompts[1]


def merge(world: World, *tasks: str) -> None:
    """Commit the specs, and merge the changes that some of them ask for."""
    world.git("add", "mini-projects")
    world.git("commit", "--quiet", "--allow-empty", "--message", "specs")

    def answer(request: Received) -> Any:
        number = re.findall(r"Write part (\d)", request.prompt)[0]
        return completion(whole(f"part{number}.txt", f"part {number}\n"))

    with world.serve(answer, settings_of):
        for task in tasks:
            assert world.exec(task).json["verdict"] == "merged"


def test_boxes_are_ticked_once_all_specs_of_a_section_have_merged(world: World) -> None:
    world.commit({KIRO: (CASES / "kiro.md").read_text()})
    plan(world, Planner(), source=KIRO)
    merge(world, "store/01-part", "store/02-part")
    text = (world.root / KIRO).read_text().replace("Build the view", "Build a view")
    world.write({KIRO: text})
    outcome = world.minitask("export", "tasks.md", "store", "--output", KIRO)
    assert outcome.code == 0, outcome.text
    assert "1 of 4 tasks ticked" in outcome.text
    expected = text.replace("[ ] 2. ", "[x] 2. ").replace("[-] 2.2", "[x] 2.2")
    assert (world.root / KIRO).read_text() == expected, "what was planned in other words is not"


@pytest.mark.variant
def test_task_masters_tasks_are_done_once_their_specs_have_merged(world: World) -> None:
    before = json.dumps(json.loads((CASES / "tasks.json").read_text()), indent=2)
    world.commit({PLAN: before})
    plan(world, Planner())
    merge(world, "task-master/01-part")
    outcome = world.minitask("export", "tasks.json", "task-master", "--output", PLAN)
    assert outcome.code == 0, outcome.text
    after = (world.root / PLAN).read_text()
    changed = [
        (old.strip(), new.strip())
        for old, new in zip(before.split("\n"), after.split("\n"), strict=True)
        if old != new
    ]
    assert changed == [
        ('"status": "in-progress",', '"status": "done",'),
        ('"status": "pending",', '"status": "done",'),
    ], "the task and its open subtask; one that is cancelled stays so"
    assert plan(world, Planner()).json["calls"] == []


BOARDS = {
    "issues.jsonl": (
        ".beads/issues.jsonl",
        '{"id": "bd-1", "title": "One", "status":"open"}\r\n{"id": "bd-2", "title": "Two"}\n',
    ),
    "backlog": (
        "backlog/tasks/task-1 - one.md",
        "---\r\nid: task-1\r\ntitle: One\r\nstatus: To Do  \r\n---\r\n- [ ] #1 It is there\r\n",
    ),
}


@pytest.mark.parametrize("form", BOARDS)
def test_a_board_says_done_once_the_specs_of_a_task_have_merged(world: World, form: str) -> None:
    path, before = BOARDS[form]
    config = 'statuses: ["To Do", "Shipped"]\n'
    world.commit({path: before, "backlog/config.yml": config, "README.md": "x\n"})
    source = path if form == "issues.jsonl" else "backlog"
    place = path if form == "issues.jsonl" else "backlog/tasks"
    outcome = plan(world, Planner(), source=source)
    assert outcome.code == 0, outcome.text
    project = outcome.json["project"]
    merge(world)
    assert world.minitask("export", form, project, "--output", place).code == 0
    assert (world.root / path).read_bytes().decode() == before, "nothing has merged yet"
    merge(world, f"{project}/01-part")
    shared = world.root / "shared"
    (world.root / path).rename(shared)
    (world.root / path).symlink_to(shared)
    shared.chmod(0o600)
    outcome = world.minitask("export", form, project, "--output", place)
    assert outcome.code == 0, outcome.text
    expected = before.replace('"status":"open"', '"status":"closed"').replace("To Do  ", "Shipped")
    assert (world.root / path).read_bytes().decode() == expected
    assert ((world.root / path).is_symlink(), shared.stat().st_mode & 0o777) == (True, 0o600)
    assert ("1 of 2 tasks" if form == "issues.jsonl" else "1 of 1 task done") in outcome.text
