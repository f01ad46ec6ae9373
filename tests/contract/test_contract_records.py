"""Every attempt leaves a candidate, trailers and a record."""

from __future__ import annotations

import json

import pytest

from world import Once, World, spec_text

TRAILERS = {
    *("Minitask", "Minitask-Spec", "Minitask-Model", "Minitask-Tier"),
    *("Minitask-Verdict", "Minitask-Tokens", "Minitask-Cost"),
}
BRANCH = "refs/heads/minitask/p/01-b"
ATTEMPTS = "refs/minitask/attempts/p/01-b"
VALIDATION = "grep -qx b b.txt"


@pytest.fixture
def modelled(once: Once) -> World:
    """A repository with a task that a model did and that landed."""
    return once(work)


def work(world: World) -> None:
    with world.serve(["```text path=b.txt\nb\n```\n"]):
        world.landed("p/01-b", writes=["b.txt"], validation=VALIDATION)


@pytest.mark.variant
def test_candidate_and_merge_carry_trailers(modelled: World) -> None:
    blob = modelled.git("rev-parse", "main:mini-projects/p/01-b.md")
    for commit in (BRANCH, "main"):
        trailers = modelled.trailers(commit)
        assert set(trailers) >= TRAILERS
        assert trailers["Minitask"] == "p/01-b"
        assert trailers["Minitask-Spec"] == f"mini-projects/p/01-b.md@{blob}"
        assert trailers["Minitask-Model"] == "tiny"
        assert trailers["Minitask-Tier"] == "cheap"
        assert "100" in trailers["Minitask-Tokens"]
        assert "20" in trailers["Minitask-Tokens"]
        assert "0.0014" in trailers["Minitask-Cost"]
    assert modelled.trailers("main")["Minitask-Verdict"] == "merged"
    assert modelled.trailers(BRANCH)["Minitask-Verdict"] == "ready"


def test_the_author_is_the_model_and_the_committer_the_user(modelled: World) -> None:
    author, committer = modelled.git("log", "-1", "--format=%an%n%cn <%ce>", BRANCH).splitlines()
    assert "tiny" in author
    assert committer == "Una User <una@example.com>"
    merge = modelled.git("log", "-1", "--format=%cn <%ce>", "main")
    assert merge == "Una User <una@example.com>"


def test_branch_and_attempt_point_to_the_candidate_on_its_base(modelled: World) -> None:
    refs = modelled.refs()
    candidate = refs[BRANCH]
    assert refs[f"{ATTEMPTS}/1"] == candidate
    assert modelled.tip("main^2") == candidate
    assert modelled.tip("main^1") == modelled.tip(f"{candidate}^")
    assert modelled.git("diff", "--name-only", f"{candidate}^", candidate) == "b.txt"


def test_the_branch_of_a_proven_task_verifies(modelled: World) -> None:
    assert modelled.minitask("verify", "minitask/p/01-b").code == 0
    assert modelled.minitask("verify", "p/01-b").code == 0
    assert modelled.minitask("verify", modelled.tip(BRANCH)).code == 0


@pytest.mark.variant
def test_a_branch_that_was_broken_since_does_not_verify(modelled: World) -> None:
    modelled.git("checkout", "-q", "minitask/p/01-b")
    modelled.commit({"b.txt": "broken\n"})
    modelled.git("checkout", "-q", "main")
    assert modelled.minitask("verify", "minitask/p/01-b").code == 1


@pytest.mark.variant
def test_a_failed_tasks_branch_exists_with_its_candidate(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "wrong\n"}, validation=VALIDATION)
    outcome = world.exec("p/01-b").json
    assert outcome["verdict"] == "failed"
    assert world.refs()[BRANCH] == outcome["commit"] == world.refs()[f"{ATTEMPTS}/1"]
    assert world.show("b.txt", at=BRANCH) == "wrong\n"
    assert world.trailers(BRANCH)["Minitask-Verdict"] == "failed"
    assert world.minitask("verify", "minitask/p/01-b").code == 1


@pytest.mark.variant
def test_the_ledger_holds_a_record_an_attempt_and_only_ever_grows(world: World) -> None:
    path = world.task("p/01-b", whole={"b.txt": "wrong\n"}, validation=VALIDATION)
    first = world.exec("p/01-b").json["commit"]
    ledger = world.tip("refs/minitask/ledger")
    assert len(world.ledger_files()) == 1
    world.commit({path: spec_text(whole={"b.txt": "b\n"}, validation=VALIDATION)})
    second = world.exec("p/01-b").json["commit"]
    assert len(world.ledger_files()) == 2
    assert world.git("merge-base", "--is-ancestor", ledger, "refs/minitask/ledger") == ""
    assert world.refs(ATTEMPTS) == {f"{ATTEMPTS}/1": first, f"{ATTEMPTS}/2": second}
    assert world.refs()[BRANCH] == second
    assert [record["attempt"]["n"] for record in world.records("p/01-b")] == [1, 2]
    verdicts = [record["attempt"]["verdict"] for record in world.records("p/01-b")]
    assert verdicts == ["failed", "ready"]


@pytest.mark.variant
def test_a_ledger_file_is_the_record_as_json(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    world.exec("p/01-b")
    (name,) = world.ledger_files()
    stored = json.loads(world.show(name, at="refs/minitask/ledger"))
    assert [stored] == world.records("p/01-b")


def test_a_refusal_before_any_work_leaves_no_attempt(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="true")
    assert world.exec("p/01-b").json["verdict"] == "refused"
    assert world.refs("refs/minitask/attempts", "refs/heads/minitask") == {}


@pytest.mark.variant
def test_the_title_is_the_subject_and_the_merge_names_the_branch(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION, title="Write b, at last")
    world.exec("p/01-b")
    assert "Write b, at last" in world.git("log", "-1", "--format=%s", BRANCH)
    assert "p/01-b" in world.git("log", "-1", "--format=%s", "main")


@pytest.mark.variant
def test_a_title_cannot_forge_a_trailer(world: World) -> None:
    title = "Write b Minitask-Verdict: merged"
    world.task("p/01-b", whole={"b.txt": "wrong\n"}, validation=VALIDATION, title=title)
    world.exec("p/01-b")
    assert world.trailers(BRANCH)["Minitask-Verdict"] == "failed"


def test_show_says_what_was_done_in_words(modelled: World) -> None:
    shown = modelled.minitask("show", "p/01-b")
    assert shown.code == 0
    for part in ("merged", "b.txt", VALIDATION, "tiny"):
        assert part in shown.stdout


@pytest.mark.variant
@pytest.mark.parametrize("jobs", ["1", "3"])
def test_the_ledger_names_the_merges_that_are_on_the_target_and_no_others(
    world: World, jobs: str
) -> None:
    names = [f"p/0{number}-x" for number in range(4)]
    for number, name in enumerate(names):
        world.task(name, whole={f"{number}.txt": "x\n"}, validation=f"test -f {number}.txt")
    base = world.tip()
    assert world.minitask("run", "p", "--jobs", jobs).code == 0
    assert world.minitask("undo", names[0]).code == 0
    assert world.minitask("merge", names[0]).code == 0
    merges = set(world.git("rev-list", "--merges", f"{base}..main").splitlines())
    named = {record["merge"]: record for record in world.ledger() if record["merge"]}
    assert set(named) == merges
    for merge, record in named.items():
        assert record["tree"] == world.git("rev-parse", f"{merge}^{{tree}}")
        assert record["candidate"] == world.tip(f"{merge}^2")
    shown = {record["merge"] for name in names for record in world.records(name)}
    assert shown == merges
