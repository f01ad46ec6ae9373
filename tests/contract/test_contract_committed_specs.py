"""A spec is what is committed."""

from __future__ import annotations

import pytest

from world import Checkpoint, Outcome, World, run, spec_path, spec_text

B = {"b.txt": "b\n"}
PATH = spec_path("p/01-b")
GOOD = spec_text(whole=B, validation="grep -qx b b.txt")


def commit_as_told(world: World, outcome: Outcome) -> None:
    """Run the command that the refusal names."""
    line = next(line for line in outcome.json["reason"].splitlines() if "git commit" in line)
    command = line[line.index("git ") :].rstrip("`")
    run(("sh", "-c", command), cwd=world.root)


def assert_refused_until_committed(world: World) -> None:
    before = world.tip()
    outcome = world.exec(PATH)
    assert (outcome.code, outcome.json["verdict"]) == (1, "refused")
    assert PATH in outcome.json["reason"]
    assert world.tip() == before
    assert world.refs("refs/minitask", "refs/heads/minitask") == {}
    commit_as_told(world, outcome)
    assert world.exec(PATH).json["verdict"] == "merged"
    assert world.show("b.txt") == "b\n"


@pytest.mark.variant
def test_a_spec_edited_since_its_commit_is_refused_with_the_command_that_commits_it(
    world: World,
) -> None:
    world.commit({PATH: spec_text(whole={"b.txt": "old\n"}, validation="grep -qx old b.txt")})
    world.write({PATH: GOOD})
    assert_refused_until_committed(world)


def test_a_new_spec_is_refused_with_the_command_that_commits_it(world: World) -> None:
    world.write({PATH: GOOD})
    assert_refused_until_committed(world)


@pytest.mark.variant
def test_a_staged_spec_is_refused_too(world: World) -> None:
    world.write({PATH: GOOD})
    world.git("add", PATH)
    assert_refused_until_committed(world)


def test_the_command_that_commits_a_spec_commits_nothing_else(world: World) -> None:
    world.write({PATH: GOOD, "staged.txt": "s\n"})
    world.git("add", "staged.txt")
    commit_as_told(world, world.exec(PATH))
    assert world.git("show", "--format=", "--name-only", "HEAD") == PATH
    assert world.git("diff", "--cached", "--name-only") == "staged.txt"


@pytest.mark.variant
def test_the_command_that_commits_a_spec_fits_a_path_with_spaces(world: World) -> None:
    path = "mini-projects/p/01 it's b.md"
    world.write({path: spec_text(whole=B, validation="grep -qx b b.txt", front={"id": "01-b"})})
    commit_as_told(world, world.exec(path))
    assert world.exec(path).json["verdict"] == "merged"


def test_run_refuses_an_edited_spec_as_well(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "old\n"}, validation="grep -qx old b.txt")
    world.write({PATH: GOOD})
    for form in ((), ("--json",)):
        outcome = world.minitask("run", "p", *form)
        assert outcome.code == 1
        assert f"fix: git add -- {PATH} && git commit" in outcome.text, outcome.text
    assert not world.has("b.txt")


def test_worktree_spec_runs_it_and_the_record_says_so(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "old\n"}, validation="grep -qx old b.txt")
    world.write({PATH: GOOD})
    outcome = world.exec(PATH, "--worktree-spec")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.show("b.txt") == "b\n"
    (record,) = world.records("p/01-b")
    assert any("uncommitted" in note for note in record["notes"])
    assert record["spec"]["blob"] == world.git("hash-object", PATH)
    assert (world.root / PATH).read_text() == GOOD


def test_worktree_spec_takes_a_spec_that_was_never_committed_by_its_name(world: World) -> None:
    world.write({PATH: GOOD})
    assert world.exec("p/1", "--worktree-spec", "--dry-run").code == 0
    assert world.exec("p/2", "--worktree-spec").code == 2
    assert world.exec("p/01-b", "--worktree-spec").json["verdict"] == "merged"


@pytest.mark.variant
def test_a_record_of_a_committed_spec_does_not_say_so(world: World) -> None:
    world.task("p/01-b", whole=B, validation="grep -qx b b.txt")
    world.exec(PATH)
    (record,) = world.records("p/01-b")
    assert record["notes"] == []


@pytest.mark.variant
def test_what_runs_is_the_committed_blob_though_the_file_changes_meanwhile(world: World) -> None:
    world.configure(sandbox="none")
    checkpoint = Checkpoint(world.root.parent, only_with="b.txt")
    validation = f"{checkpoint.command}\ngrep -qx b b.txt"
    world.task("p/01-b", whole=B, validation=validation)
    committed = world.git("rev-parse", f"HEAD:{PATH}")
    evil = spec_text(whole={"b.txt": "evil\n"}, validation="false\ngrep -qx evil b.txt")
    with checkpoint.hold(world, "exec", PATH, "--json") as running:
        world.write({PATH: evil})
    outcome = running.outcome
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.show("b.txt") == "b\n"
    assert outcome.json["spec"] == {"path": PATH, "blob": committed}
    commands = outcome.json["attempts"][0]["commands"]
    assert commands[-1]["command"] == "grep -qx b b.txt"
    assert (world.root / PATH).read_text() == evil
