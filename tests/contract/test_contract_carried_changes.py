"""A landing carries the change of its task, and nobody's history."""

from __future__ import annotations

from pathlib import Path

import pytest

from world import Checkpoint, World, spec_path, spec_text

TASK = "p/01-b"
VALIDATION = "grep -qx b b.txt"


def add_task(world: World, **fields: object) -> None:
    world.task(TASK, **{"whole": {"b.txt": "b\n"}, "validation": VALIDATION, **fields})


def ready(world: World) -> str:
    outcome = world.exec(TASK, "--no-merge")
    assert outcome.json["verdict"] == "ready", outcome.text
    return str(outcome.json["commit"])


def merged(world: World) -> str:
    outcome = world.minitask("merge", TASK, "--json")
    assert outcome.code == 0, outcome.text
    assert outcome.json["tasks"][0]["verdict"] == "merged"
    assert world.tip() == outcome.json["tasks"][0]["merge"]
    return world.tip()


def subjects(world: World) -> list[str]:
    return world.git("log", "--format=%s", "main").splitlines()


def assert_carried(world: World, *, tip: str) -> None:
    """The task's change, and no commit but the candidate made anew and its merge, came to the target."""
    assert world.git("diff", "--name-status", tip, "main") == "A\tb.txt"
    assert world.git("rev-list", "--count", f"{tip}..main") == "2"
    assert world.tip("main^1") == world.tip("main^2^") == tip


def test_a_candidate_begun_on_a_feature_branch_does_not_bring_the_branch(world: World) -> None:
    add_task(world)
    tip = world.tip()
    world.git("checkout", "-q", "-b", "feature")
    world.commit({"wip.txt": "wip\n"}, message="wip")
    candidate = ready(world)
    world.git("checkout", "-q", "main")
    merged(world)
    assert_carried(world, tip=tip)
    assert "wip" not in subjects(world)
    assert world.trailers("main^2")["Minitask-Carried"] == candidate
    assert world.minitask("verify", world.tip()).code == 0
    again = world.minitask("merge", TASK, "--json").json["tasks"][0]
    assert (again["verdict"], again["merge"]) == ("merged", world.tip())


def test_a_spec_that_the_target_does_not_hold_is_named_with_the_command_that_adds_it(
    world: World,
) -> None:
    world.git("checkout", "-q", "-b", "feature")
    add_task(world)
    ready(world)
    world.git("checkout", "-q", "main")
    tip = world.tip()
    outcome = world.minitask("merge", TASK)
    assert outcome.code == 1
    assert world.tip() == tip
    add, commit = outcome.text.split("next")[1].strip().split(" && ")
    world.git(*add.removeprefix("git ").split())
    world.git("commit", "-q", "-m", commit)
    tip = world.tip()
    merged(world)
    assert_carried(world, tip=tip)


@pytest.mark.variant
def test_a_secret_that_was_dropped_by_a_rebase_does_not_come_back(world: World) -> None:
    world.commit({"secret.txt": "sk-1234\n"}, message="oops")
    add_task(world)
    ready(world)
    world.git("rebase", "-q", "--onto", "main~2", "main~1", "main")
    tip = world.tip()
    assert not world.has("secret.txt")
    merged(world)
    assert_carried(world, tip=tip)
    assert "oops" not in subjects(world)


@pytest.mark.variant
def test_commits_are_not_there_twice_after_a_pull_with_rebase(world: World, tmp_path: Path) -> None:
    world.git("clone", "-q", "--bare", str(world.root), str(tmp_path / "remote"))
    other = World(tmp_path / "other")
    world.git("remote", "add", "origin", str(tmp_path / "remote"))
    world.git("clone", "-q", str(tmp_path / "remote"), str(other.root))
    other.commit({"theirs.txt": "t\n"}, message="theirs")
    other.git("push", "-q", "origin", "main")
    world.commit({"mine.txt": "m\n"}, message="mine")
    add_task(world)
    ready(world)
    world.git("pull", "-q", "--rebase", "origin", "main")
    tip = world.tip()
    merged(world)
    assert_carried(world, tip=tip)
    assert subjects(world).count("mine") == 1


@pytest.mark.variant
@pytest.mark.parametrize("command", ["exec", "run"])
def test_a_base_that_was_amended_while_the_validation_ran_stays_away(
    world: World, command: str
) -> None:
    world.configure(sandbox="none")
    held = Checkpoint(world.root.parent, only_with="b.txt")
    add_task(world, validation=f"{held.command}\n{VALIDATION}")
    world.commit({"a.txt": "sk-1234\n"}, message="oops")
    with held.hold(world, command, TASK, "--json") as running:
        world.write({"a.txt": "clean\n"})
        world.git("commit", "-q", "-a", "--amend", "-m", "clean")
        tip = world.tip()
    assert running.outcome.code == 0, running.outcome.text
    assert_carried(world, tip=tip)
    assert "oops" not in subjects(world)
    assert held.times_reached == 2


def test_a_change_that_does_not_fit_the_rewritten_target_is_a_conflict(world: World) -> None:
    add_task(world, whole={"b.txt": "b\n", "a.txt": "two\n"})
    ready(world)
    world.write({"a.txt": "other\n"})
    world.git("commit", "-q", "-a", "--amend", "-m", "amended")
    tip = world.tip()
    outcome = world.minitask("merge", TASK, "--json")
    assert outcome.json["tasks"][0]["verdict"] == "conflict"
    assert world.tip() == tip


def test_what_a_person_adds_to_a_branch_past_its_scope_does_not_land(world: World) -> None:
    add_task(world)
    ready(world)
    world.git("checkout", "-q", f"minitask/{TASK}")
    world.commit({"unlisted.txt": "u\n"}, message="by hand")
    world.git("checkout", "-q", "main")
    tip = world.tip()
    outcome = world.minitask("merge", TASK, "--json")
    assert (outcome.code, outcome.json["tasks"][0]["verdict"]) == (1, "refused")
    assert "unlisted.txt" in outcome.json["tasks"][0]["reason"]
    assert world.tip() == tip


def test_a_branch_that_a_person_rebased_onto_others_work_does_not_bring_that(world: World) -> None:
    add_task(world)
    tip = world.tip()
    ready(world)
    world.git("checkout", "-q", "-b", "feature", "main")
    world.commit({"wip.txt": "wip\n"}, message="wip")
    world.git("rebase", "-q", "feature", f"minitask/{TASK}")
    world.git("checkout", "-q", "main")
    merged(world)
    assert_carried(world, tip=tip)


def test_what_was_undone_can_be_merged_again(world: World) -> None:
    add_task(world)
    assert world.exec(TASK).json["verdict"] == "merged"
    assert world.minitask("undo", TASK).code == 0
    tip = world.tip()
    merged(world)
    assert_carried(world, tip=tip)
    merge = world.tip()
    undone = world.minitask("undo", TASK, "--json").json["tasks"][0]
    assert not world.has("b.txt")
    assert (undone["commit"], undone["undone"]) == (world.tip(), merge)


@pytest.mark.variant
@pytest.mark.parametrize("parent", ["merge", "candidate"])
def test_a_task_that_a_person_reverted_by_hand_is_not_merged(world: World, parent: str) -> None:
    add_task(world)
    merge = world.exec(TASK).json["merge"]
    args = ("-m", "1", merge) if parent == "merge" else (f"{merge}^2",)
    world.git("revert", "--no-edit", *args)
    (task,) = world.minitask("status", "--json").json["tasks"]
    assert task["state"] == "undone"
    again = world.exec(TASK)
    assert again.json["verdict"] == "merged", again.text
    assert world.show("b.txt") == "b\n"


@pytest.mark.variant
def test_a_revert_by_hand_is_seen_though_its_file_was_written_anew(world: World) -> None:
    add_task(world)
    merge = world.exec(TASK).json["merge"]
    world.git("revert", "--no-edit", "-m", "1", merge)
    revert = world.tip()
    world.commit({"b.txt": "something else\n"})
    (task,) = world.minitask("status", "--json").json["tasks"]
    assert task["state"] == "undone"
    world.git("rm", "-q", "b.txt")
    world.git("commit", "-q", "-m", "away")
    world.git("revert", "--no-edit", revert)
    world.commit({"b.txt": "b\nand more\n"})
    (task,) = world.minitask("status", "--json").json["tasks"]
    assert task["state"] == "merged"


@pytest.mark.variant
def test_a_file_that_a_later_task_removed_makes_no_task_undone(world: World) -> None:
    add_task(world)
    assert world.exec(TASK).json["verdict"] == "merged"
    script = "```edits\ndelete b.txt\n```\n"
    spec = spec_text(writes=["b.txt"], snippets=script, validation="test ! -e b.txt")
    spec = spec.replace("**Files to Create/Edit**", "**Files to Delete**")
    world.commit({spec_path("p/02-c"): spec})
    assert world.exec("p/02-c").json["verdict"] == "merged"
    states = {
        task["task"]: task["state"] for task in world.minitask("status", "--json").json["tasks"]
    }
    assert states[TASK] == "merged"


def test_only_an_approval_on_record_lands_a_task_whose_review_is_required(world: World) -> None:
    add_task(world, front={"review": "required"})
    ready(world)
    tip = world.tip()

    def verdict(*command: str) -> str:
        return str(world.minitask(*command, TASK, "--json").json["tasks"][0]["verdict"])

    def approvals() -> int:
        return sum(record["kind"] == "review" for record in world.records(TASK))

    assert (verdict("merge"), verdict("run")) == ("ready", "ready")
    world.write({"b.txt": "in the way\n"})
    assert (verdict("review", "--approve"), approvals(), world.tip()) == ("ready", 0, tip)
    (world.root / "b.txt").unlink()
    assert (verdict("review", "--approve"), approvals()) == ("merged", 1)
    assert world.minitask("undo", TASK).code == 0
    assert verdict("merge") == "ready"
    assert verdict("review", "--approve") == "merged"
    assert world.show("b.txt") == "b\n"


def test_a_file_that_makes_programs_run_lands_marked(world: World) -> None:
    add_task(world, whole={".envrc": "export A=1\n"}, validation="test -f .envrc")
    assert world.exec(TASK).json["verdict"] == "merged"
    assert world.trailers("main")["Minitask-Runs"] == ".envrc"
    assert ".envrc" in world.records(TASK)[0]["notes"][0]
