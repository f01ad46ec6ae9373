"""What lands is what was proven."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from world import Checkpoint, World

PAIR = "test ! -e x.txt || test ! -e y.txt"
"""Green with one of the two files, red with both."""


def assert_is_merge_of(world: World, commit: str, *, onto: str, candidate: str) -> None:
    assert world.git("rev-parse", f"{commit}^@").splitlines() == [onto, candidate]


def test_a_landing_is_a_merge_of_the_tip_and_never_a_fast_forward(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    before = world.tip()
    outcome = world.exec("p/01-b").json
    assert world.tip() == outcome["merge"]
    assert_is_merge_of(world, outcome["merge"], onto=before, candidate=outcome["commit"])
    assert outcome["base"] == before
    changed = world.git("diff", "--name-status", before, "main")
    assert changed == "A\tb.txt"


def two_that_clash(world: World) -> None:
    world.task("p/01-x", whole={"x.txt": "x\n"}, validation=f"test -e x.txt\n{PAIR}")
    world.task("p/02-y", whole={"y.txt": "y\n"}, validation=f"test -e y.txt\n{PAIR}")
    for task in ("p/01-x", "p/02-y"):
        outcome = world.exec(task, "--no-merge")
        assert (outcome.code, outcome.json["verdict"]) == (0, "ready")
        assert outcome.json["merge"] is None


def test_two_tasks_green_alone_and_red_together_do_not_both_land(world: World) -> None:
    two_that_clash(world)
    outcome = world.minitask("merge", "p/01-x", "p/02-y", "--json")
    assert outcome.code == 1
    assert outcome.verdicts == {"p/01-x": "merged", "p/02-y": "failed"}
    assert world.has("x.txt")
    assert not world.has("y.txt")
    assert not (world.root / "y.txt").exists()


@pytest.mark.variant
def test_the_second_does_not_land_by_a_command_of_its_own_either(world: World) -> None:
    two_that_clash(world)
    assert world.minitask("merge", "p/02-y").code == 0
    tip = world.tip()
    assert world.minitask("merge", "p/01-x").code == 1
    assert world.tip() == tip


@pytest.fixture
def held(world: World) -> Checkpoint:
    """A task whose validation waits for the test."""
    world.configure(sandbox="none")
    checkpoint = Checkpoint(world.root.parent, only_with="b.txt")
    validation = f"{checkpoint.command}\ngrep -qx b b.txt\ntest ! -e poison.txt"
    world.task("p/01-b", whole={"b.txt": "b\n", "a.txt": "two\n"}, validation=validation)
    return checkpoint


def test_a_target_that_moved_meanwhile_is_merged_and_proven_again(
    world: World, held: Checkpoint
) -> None:
    with held.hold(world, "exec", "p/01-b", "--json") as running:
        moved = world.commit({"other.txt": "o\n"}, message="meanwhile")
    outcome = running.outcome
    assert outcome.json["verdict"] == "merged", outcome.text
    merge = outcome.json["merge"]
    assert_is_merge_of(world, merge, onto=moved, candidate=outcome.json["commit"])
    assert world.tip() == merge
    assert (world.show("b.txt"), world.show("other.txt")) == ("b\n", "o\n")
    assert (world.root / "b.txt").read_text() == "b\n"
    assert held.times_reached == 2


def test_a_target_that_moved_to_where_the_task_is_red_is_not_landed_on(
    world: World, held: Checkpoint
) -> None:
    with held.hold(world, "exec", "p/01-b", "--json") as running:
        moved = world.commit({"poison.txt": "p\n"}, message="meanwhile")
    outcome = running.outcome
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed")
    assert world.tip() == moved
    assert not world.has("b.txt")


def test_a_textual_conflict_leaves_the_target_untouched(world: World, held: Checkpoint) -> None:
    with held.hold(world, "exec", "p/01-b", "--json") as running:
        moved = world.commit({"a.txt": "three\n"}, message="meanwhile")
    outcome = running.outcome
    assert (outcome.code, outcome.json["verdict"]) == (1, "conflict")
    assert "a.txt" in outcome.json["reason"]
    assert outcome.json["merge"] is None
    assert world.tip() == moved
    assert (world.root / "a.txt").read_text() == "three\n"
    assert world.git("status", "--porcelain") == ""


def test_an_unmoved_target_costs_no_second_validation(world: World, held: Checkpoint) -> None:
    with held.hold(world, "exec", "p/01-b", "--json"):
        pass
    assert world.has("b.txt")
    assert held.times_reached == 1


def test_an_attempt_that_was_not_proven_is_not_merged(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx c b.txt")
    assert world.exec("p/01-b").json["verdict"] == "failed"
    tip = world.tip()
    outcome = world.minitask("merge", "p/01-b", "--json")
    assert outcome.code == 1
    assert world.tip() == tip


def test_a_task_that_was_never_run_is_not_merged(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    tip = world.tip()
    assert world.minitask("merge", "p/01-b").code in {1, 2}
    assert world.tip() == tip


def edit_branch(world: World, files: dict[str, str]) -> str:
    """A person's commit on top of the task's branch."""
    world.git("checkout", "-q", "minitask/p/01-b")
    commit = world.commit(files, message="by hand")
    world.git("checkout", "-q", "main")
    return commit


def test_a_branch_edited_by_a_person_is_proven_again_before_it_lands(world: World) -> None:
    world.proven("p/01-b", whole={"b.txt": "b\n"}, validation="grep -q b b.txt")
    before, edited = world.tip(), edit_branch(world, {"b.txt": "b by hand\n"})
    outcome = world.minitask("merge", "p/01-b", "--json")
    assert outcome.code == 0, outcome.text
    assert world.show("b.txt") == "b by hand\n"
    assert_is_merge_of(world, world.tip(), onto=before, candidate=edited)


def test_a_branch_broken_by_a_person_does_not_land(world: World) -> None:
    world.proven("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    edit_branch(world, {"b.txt": "broken\n"})
    tip = world.tip()
    outcome = world.minitask("merge", "p/01-b", "--json")
    assert outcome.code == 1
    assert outcome.json["tasks"][0]["verdict"] == "failed"
    assert world.tip() == tip


def test_the_configs_checks_run_on_the_tree_that_lands_and_block_it_when_red(world: World) -> None:
    world.commit({"minitask.yaml": 'checks: ["test ! -e b.txt || grep -qx allowed a.txt"]\n'})
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    tip = world.tip()
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed")
    assert "a.txt` of the config's `checks` failed: exit code 1" in outcome.json["reason"]
    assert world.tip() == tip
    world.commit({"a.txt": "allowed\n"})
    assert world.exec("p/01-b").json["verdict"] == "merged"


def test_checks_judge_a_merge_of_a_target_that_moved(world: World) -> None:
    world.commit({"minitask.yaml": 'checks: ["test ! -e b.txt || test ! -e poison.txt"]\n'})
    world.proven("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    moved = world.commit({"poison.txt": "p\n"})
    outcome = world.minitask("merge", "p/01-b", "--json")
    assert (outcome.code, outcome.json["tasks"][0]["verdict"]) == (1, "failed")
    assert world.tip() == moved


@pytest.mark.variant
@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_after_an_end_at_any_moment_the_same_command_completes(
    world: World, held: Checkpoint, signal_number: int, code: int
) -> None:
    before = world.tip()
    with held.hold(world, "exec", "p/01-b", "--json") as running:
        running.process.send_signal(signal_number)
        if signal_number == signal.SIGINT:
            running.process.wait(timeout=20)
    assert running.outcome.code == code
    assert world.tip() == before
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert world.git("rev-list", "--count", "--first-parent", f"{before}..main") == "1"


@pytest.mark.parametrize(
    ("whole", "validation", "verdict", "told"),
    [
        ({"b.txt": "b\n"}, "test -f b.txt\ngrep -qx c b.txt", "failed", "the spec as it is now"),
        ({"c.txt": "c\n"}, "test -f b.txt", "refused", "b.txt, which the spec does not list"),
        ({"b.txt": "b\n"}, "test -f b.txt\ngrep -qx b b.txt", "merged", ""),
    ],
    ids=["stricter", "other files", "other words"],
)
def test_a_candidate_is_judged_by_the_spec_that_is_committed_now(
    world: World, whole: dict[str, str], validation: str, verdict: str, told: str
) -> None:
    world.proven("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    world.task("p/01-b", whole=whole, validation=validation)
    [merged] = world.minitask("merge", "p/01-b", "--json").json["tasks"]
    assert (merged["verdict"] == verdict, told in merged["reason"]) == (True, True), merged
    assert world.has("b.txt") == (verdict == "merged")
    if verdict == "merged":
        assert "already merged" in world.exec("p/01-b").json["reason"]
        assert world.minitask("audit").code == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.partition("## Validation")[0], "E401"),
        (lambda text: text.replace("test -f b.txt", "test -f 'b.txt"), "E106"),
        (lambda text: f"---\nid: [\n---\n\n{text}", "E102"),
        (lambda _text: "Done.\n", "holds no task p/01-b"),
        (lambda text: f"---\nid: other\n---\n\n{text}", "holds no task p/01-b"),
    ],
    ids=["no validation", "a quote that is open", "front matter", "no task", "another name"],
)
def test_a_candidate_does_not_land_where_its_spec_cannot_be_read_any_more(
    world: World, change: Callable[[str], str], told: str
) -> None:
    path = world.task("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    assert world.exec("p/01-b", "--no-merge").json["verdict"] == "ready"
    before = world.commit({path: change(world.show(path))})
    merged = world.minitask("merge", "p/01-b")
    assert (merged.code, world.tip()) == (2, before), merged.text
    assert told in merged.stderr
    assert f"{path}" in merged.stderr
    assert "fix:" in merged.stderr


def test_a_candidate_whose_spec_is_gone_lands_by_the_one_that_it_was_made_for(world: World) -> None:
    path = world.task("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    assert world.exec("p/01-b", "--no-merge").json["verdict"] == "ready"
    world.git("rm", "-q", path)
    world.git("commit", "-qm", "the plan is done")
    assert world.minitask("merge", "p/01-b").code == 0
    assert world.has("b.txt")


OLD = "import os\n\n\ndef old(x):\n    return x\n\n\ndef last():\n    return os.name\n"
CLASHES = {
    "a rename and a use": (
        {"a.py": OLD.replace("old", "fresh")},
        {"c.py": "from a import old\n\nprint(old(1))\n"},
        "a.py has no old",
    ),
    "a module that is gone": (
        {"b.py": "X = 1\n", "a.py": None},
        {"c.py": "from a import old\n\nprint(old(1))\n"},
        "c.py:1",
    ),
    "a parameter that is gone": (
        {"a.py": OLD.replace("old(x)", "old(x, y)")},
        {"c.py": "from a import old\n\nprint(old(1))\n"},
        "`old(1)` does not fit `def old(x, y)`",
    ),
    "a definition twice": (
        {"a.py": OLD.replace("def old", "def half(x):\n    return x / 2\n\n\ndef old")},
        {"a.py": f"{OLD}\n\ndef half(x):\n    return x // 2\n"},
        "half twice",
    ),
    "a key twice": (
        {"a.json": '{\n  "k": 1,\n  "b": 1,\n  "c": 2,\n  "d": 3\n}\n'},
        {"a.json": '{\n  "b": 1,\n  "c": 2,\n  "d": 3,\n  "k": 2\n}\n'},
        "k twice",
    ),
}


def both_ready(world: World, first: dict[str, str | None], second: dict[str, str | None]) -> None:
    world.commit({"a.py": OLD, "a.json": '{\n  "b": 1,\n  "c": 2,\n  "d": 3\n}\n'})
    for number, files in enumerate((first, second), 1):
        whole = {path: text for path, text in files.items() if text is not None}
        gone = "".join(f"```edits\ndelete {path}\n```\n" for path in files if files[path] is None)
        check = "\n".join(f"! git diff --quiet HEAD~1 -- {path}" for path in files)
        world.task(
            f"p/0{number}-x",
            whole=whole,
            snippets=gone,
            writes=[path if files[path] else f"{path} (delete)" for path in files],
            validation=check,
            number=number,
        )
    for number in (1, 2):
        assert world.exec(f"p/0{number}-x", "--no-merge").json["verdict"] == "ready"


@pytest.mark.parametrize("case", CLASHES)
def test_a_merge_that_git_makes_and_that_cannot_run_is_a_conflict(world: World, case: str) -> None:
    first, second, words = CLASHES[case]
    both_ready(world, first, second)
    result = world.minitask("merge", "p/01-x", "p/02-x", "--json").json["tasks"]
    assert [task["verdict"] for task in result] == ["merged", "conflict"]
    assert words in result[1]["reason"]


def test_changes_that_meet_in_a_file_and_can_run_both_land(world: World) -> None:
    first = {"a.py": OLD.replace("import os", "import json\nimport os")}
    both_ready(
        world, first, {"a.py": OLD.replace("os.name", "os.sep"), "c.py": "from a import old\n"}
    )
    result = world.minitask("merge", "p/01-x", "p/02-x", "--json").json["tasks"]
    assert [task["verdict"] for task in result] == ["merged", "merged"]
