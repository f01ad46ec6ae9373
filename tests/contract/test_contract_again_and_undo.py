"""What has landed is not run again, unless asked; and what landed can be taken back."""

from __future__ import annotations

import pytest

from world import Once, World, spec_text

VALIDATION = "grep -qx b b.txt"


@pytest.fixture
def landed(once: Once) -> World:
    return once(work)


def work(world: World) -> None:
    world.landed("p/01-b", whole={"b.txt": "b\n", "a.txt": "two\n"}, validation=VALIDATION)


@pytest.mark.variant
def test_exec_of_a_landed_task_runs_nothing_says_so_and_exits_with_0(landed: World) -> None:
    before = landed.refs()
    outcome = landed.minitask("exec", "p/01-b")
    assert outcome.code == 0
    assert "already merged" in outcome.stdout
    assert landed.refs() == before
    assert len(landed.records("p/01-b")) == 1


@pytest.mark.variant
def test_a_landed_task_spends_nothing_a_second_time(world: World) -> None:
    with world.serve(["```text path=b.txt\nb\n```\n"]) as server:
        world.landed("p/01-b", writes=["b.txt"], validation=VALIDATION)
        again = world.exec("p/01-b")
        assert len(server.requests) == 1
    assert (again.code, again.json["verdict"], again.json["attempts"]) == (0, "merged", [])


@pytest.mark.variant
def test_landed_is_read_from_ancestry_and_not_from_a_flag(landed: World) -> None:
    landed.git("reset", "-q", "--hard", "HEAD^1")
    outcome = landed.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert landed.show("b.txt") == "b\n"
    assert (landed.root / "b.txt").exists()


def test_a_landing_on_one_branch_is_none_on_another(landed: World) -> None:
    landed.git("branch", "other", "main^1")
    outcome = landed.exec("p/01-b", "--into", "other")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert landed.has("b.txt", at="other")


def test_a_spec_that_changed_since_it_landed_is_a_new_task(landed: World) -> None:
    landed.task("p/01-b", whole={"b.txt": "c\n"}, validation="grep -qx c b.txt")
    outcome = landed.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert landed.show("b.txt") == "c\n"


def test_again_runs_it_anew(landed: World) -> None:
    landed.commit({"b.txt": "gone\n"})
    outcome = landed.exec("p/01-b", "--again")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert outcome.json["attempts"][0]["n"] == 2
    assert landed.show("b.txt") == "b\n"


def test_a_task_that_made_a_file_is_to_be_undone_before_it_runs_anew(world: World) -> None:
    fields = {"writes": ["b.txt (create)"], "validation": "test -f b.txt"}
    world.landed("p/01-b", whole={"b.txt": "b\n"}, **fields)
    assert world.exec("p/01-b").json["reason"].endswith("to rerun, `minitask undo` it first")


def test_again_of_what_is_still_there_is_refused_as_green_already(landed: World) -> None:
    outcome = landed.exec("p/01-b", "--again")
    assert (outcome.code, outcome.json["verdict"]) == (1, "refused")


def test_undo_reverts_by_one_commit_and_then_exec_runs_again(landed: World) -> None:
    merge = landed.tip()
    base = landed.tip("main^1")
    outcome = landed.minitask("undo", "p/01-b")
    assert outcome.code == 0, outcome.text
    assert landed.tip("main^1") == merge
    assert landed.git("rev-list", "--count", f"{merge}..main") == "1"
    assert landed.git("rev-parse", "main^{tree}") == landed.git("rev-parse", f"{base}^{{tree}}")
    assert not (landed.root / "b.txt").exists()
    assert (landed.root / "a.txt").read_text() == "one\n"
    assert landed.git("status", "--porcelain") == ""
    state = '"state": "{}"'
    assert state.format("undone") in landed.minitask("status", "--json").stdout
    assert landed.exec("p/01-b", "--no-merge").json["verdict"] == "ready"
    assert state.format("ready") in landed.minitask("status", "--json").stdout
    again = landed.exec("p/01-b")
    assert again.json["verdict"] == "merged", again.text
    assert landed.show("b.txt") == "b\n"
    landed.minitask("undo", "p/01-b")
    assert state.format("undone") in landed.minitask("status", "--json").stdout


@pytest.mark.parametrize("undo", [("minitask", "undo", "p/01-b"), ("git", "revert", "-m1", "HEAD")])
def test_each_merge_on_the_target_is_named_by_one_record(
    landed: World, undo: tuple[str, ...]
) -> None:
    for _ in range(2):
        if undo[0] == "git":
            landed.git(*undo[1:], "--no-edit")
        else:
            assert landed.minitask(*undo[1:]).code == 0
        assert landed.minitask("merge", "p/01-b").code == 0
    merges = landed.git("rev-list", "--first-parent", "--merges", "main").split()
    assert len(merges) == 3
    for records in (landed.ledger(), landed.records("p/01-b")):
        named = [record["merge"] for record in records]
        assert sorted(filter(None, named)) == sorted(merges)


def test_undo_names_the_merged_tasks_that_depend_on_what_it_takes_back(landed: World) -> None:
    chain = {"02-c": "01-b", "03-d": "02-c"}
    for name, needs in chain.items():
        front = {"depends_on": [needs]}
        whole = {f"{name}.txt": "x\n"}
        landed.landed(f"p/{name}", whole=whole, validation=f"test -f {name}.txt", front=front)
    landed.task(
        "p/04-e", whole={"e": "x\n"}, validation="test -f e", front={"depends_on": ["01-b"]}
    )
    outcome = landed.minitask("undo", "p/01-b")
    assert outcome.code == 0
    assert "p/02-c, p/03-d depend on it" in outcome.text, outcome.text
    assert "minitask undo p/03-d p/02-c" in outcome.text
    assert "p/03-d depends on it, and stays merged" in landed.minitask("undo", "p/02-c").text
    assert landed.minitask("exec", "p/02-c", "--no-deps").code == 0
    [again] = landed.minitask("undo", "p/02-c", "--json").json["tasks"]
    assert again["dependents"] == ["p/03-d"]


def test_undo_keeps_what_landed_since(landed: World) -> None:
    landed.commit({"later.txt": "l\n"})
    assert landed.minitask("undo", "p/01-b").code == 0
    assert landed.has("later.txt")
    assert not landed.has("b.txt")


def test_undo_that_conflicts_with_later_work_changes_nothing(landed: World) -> None:
    tip = landed.commit({"a.txt": "three\n"})
    outcome = landed.minitask("undo", "p/01-b")
    assert outcome.code == 1
    assert "a.txt" in outcome.text
    assert landed.tip() == tip
    assert (landed.root / "a.txt").read_text() == "three\n"


def test_undo_does_not_overwrite_what_the_user_has_edited(landed: World) -> None:
    landed.write({"b.txt": "mine\n"})
    tip = landed.tip()
    outcome = landed.minitask("undo", "p/01-b")
    assert (landed.root / "b.txt").read_text() == "mine\n"
    assert landed.tip() == tip
    assert "would overwrite your edits" in outcome.text
    assert "b.txt" in outcome.text


def test_undo_of_something_that_has_not_landed_is_bad_usage(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    assert world.minitask("undo", "p/01-b").code == 2
    assert world.exec("p/01-b", "--no-merge").code == 0
    tip = world.tip()
    outcome = world.minitask("undo", "p/01-b")
    assert outcome.code == 2
    assert "p/01-b" in outcome.stderr
    assert world.tip() == tip


def test_undo_a_second_time_is_bad_usage(landed: World) -> None:
    assert landed.minitask("undo", "p/01-b").code == 0
    tip = landed.tip()
    assert landed.minitask("undo", "p/01-b").code == 2
    assert landed.tip() == tip


@pytest.mark.variant
def test_a_failed_task_runs_again_as_a_new_attempt(world: World) -> None:
    path = world.task("p/01-b", whole={"b.txt": "x\n"}, validation=VALIDATION)
    assert world.exec("p/01-b").code == 1
    world.commit({path: spec_text(whole={"b.txt": "b\n"}, validation=VALIDATION)})
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged"
    assert outcome.json["attempts"][0]["n"] == 2
