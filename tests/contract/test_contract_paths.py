"""A change stays within what the spec lists: nothing else is written, and nothing is spent to find out."""

from __future__ import annotations

from typing import Any

import pytest

from world import Outcome, World, run

VALIDATION = "test -e b.txt"
BAD_PATHS = [
    *("../x", "/etc/x", ".GIT/hooks/y", ".git/config", "a/../../x", "git~1/hooks/y"),
    *(".g\u200cit/hooks/y", "sub/.git/config", "a\\..\\x", "./../x", "a//../../x"),
]


def everything(world: World) -> dict[str, Any]:
    """All refs, and all files of the checkout and beside it."""
    files = [
        (str(path), path.lstat().st_mtime_ns)
        for path in sorted(world.root.parent.rglob("*"))
        if ".git" not in path.parts and not path.is_dir()
    ]
    return {
        "refs": world.refs(),
        "files": files,
        "hooks": sorted((world.root / ".git/hooks").iterdir()),
    }


def assert_refused(world: World, outcome: Outcome, before: dict[str, Any]) -> None:
    assert outcome.code == 2 or (outcome.code, outcome.json["verdict"]) == (1, "refused")
    assert everything(world) == before, outcome.text
    assert not (world.root.parent / "x").exists()


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_bad_path_is_refused_and_nothing_is_written(world: World, path: str) -> None:
    world.task("p/01-b", whole={path: "evil\n", "b.txt": "b\n"}, validation=VALIDATION)
    before = everything(world)
    assert_refused(world, world.exec("p/01-b"), before)


@pytest.mark.parametrize("path", ["../x", "/etc/x", ".GIT/hooks/y", "a/../../x"])
def test_a_bad_path_is_refused_before_a_model_is_asked(world: World, path: str) -> None:
    with world.serve([f"```text path={path}\nevil\n```\n"]) as server:
        world.task("p/01-b", writes=[path, "b.txt"], validation=VALIDATION)
        before = everything(world)
        assert_refused(world, world.exec("p/01-b"), before)
        assert server.requests == []


@pytest.mark.parametrize(
    ("path", "target"),
    [("linked/x.txt", "folder"), ("linked", "a.txt"), ("linked/x.txt", "../out")],
)
def test_a_symlink_in_the_base_is_not_followed(world: World, path: str, target: str) -> None:
    (world.root.parent / "out").mkdir()
    world.commit({"folder/x.txt": "x\n"})
    (world.root / "linked").symlink_to(target)
    world.git("add", "linked")
    world.git("commit", "-qm", "a link")
    with world.serve(["nothing"]) as server:
        world.task("p/01-b", writes=[path, "b.txt"], validation=VALIDATION)
        before = everything(world)
        outcome = world.exec("p/01-b")
        assert server.requests == []
    assert_refused(world, outcome, before)
    assert "link" in outcome.text


def test_an_edit_script_that_writes_an_unlisted_file_is_refused(world: World) -> None:
    whole = {"b.txt": "b\n", "unlisted.txt": "u\n"}
    world.task("p/01-b", whole=whole, writes=["b.txt"], validation=VALIDATION)
    before = everything(world)
    outcome = world.exec("p/01-b")
    assert "unlisted.txt" in outcome.text
    assert_refused(world, outcome, before)


def test_an_edit_script_that_deletes_an_unlisted_file_is_refused(world: World) -> None:
    snippets = "```edits\nmove a.txt:1 -> b.txt\ndelete a.txt\n```\n"
    world.task("p/01-b", snippets=snippets, writes=["b.txt"], validation=VALIDATION)
    before = everything(world)
    assert_refused(world, world.exec("p/01-b"), before)


def test_a_listed_path_is_meant_byte_for_byte(world: World) -> None:
    whole = {"b.txt": "b\n", "B.txt": "u\n"}
    world.task("p/01-b", whole=whole, writes=["b.txt"], validation=VALIDATION)
    before = everything(world)
    assert_refused(world, world.exec("p/01-b"), before)


@pytest.mark.parametrize(
    "extra", ["unlisted.txt", ".github/workflows/ci.yml", "mini-projects/p/01-b.md"]
)
def test_a_models_reply_that_writes_an_unlisted_file_goes_back_once_then_fails_with_its_cost_on_record(
    world: World, extra: str
) -> None:
    reply = f"```text path=b.txt\nb\n```\n\n```text path={extra}\nevil\n```\n"
    with world.serve(lambda request: reply) as server:
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        tip = world.tip()
        outcome = world.exec("p/01-b")
        requests = len(server.requests)
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed"), outcome.text
    assert extra in outcome.json["reason"]
    assert world.tip() == tip
    assert world.git("status", "--porcelain") == ""
    (record,) = world.records("p/01-b")
    assert requests == 2
    assert record["attempt"]["usage"]["requests"] == requests
    assert float(record["attempt"]["cost_usd"]) == pytest.approx(0.0014 * requests)
    assert record["attempt"]["verdict"] == "failed"
    assert record["attempt"]["gate"] == "scope"


@pytest.mark.parametrize("path", [".github/workflows/ci.yml", "mini-projects/p/01-b.md"])
def test_protected_files_are_refused_though_the_spec_lists_them(world: World, path: str) -> None:
    whole = {"b.txt": "b\n", path: "evil\n"}
    world.task("p/01-b", whole=whole, validation=VALIDATION)
    before = everything(world)
    assert_refused(world, world.exec("p/01-b"), before)


@pytest.mark.variant
def test_a_validation_that_writes_files_changes_nothing_of_what_lands(world: World) -> None:
    validation = "echo x > made.txt\nif [ -e b.txt ]; then echo changed > b.txt; fi\n" + VALIDATION
    world.landed("p/01-b", whole={"b.txt": "b\n"}, validation=validation)
    assert world.show("b.txt") == "b\n"
    assert not world.has("made.txt")
    assert (world.root / "b.txt").read_text() == "b\n"


@pytest.mark.variant
def test_a_name_that_begins_with_a_dash_or_holds_odd_characters_is_only_a_name(
    world: World,
) -> None:
    whole = {"-rf.txt": "1\n", "sp ace.txt": "2\n", "ünï.txt": "3\n", "$(touch x).txt": "4\n"}
    world.task("p/01-b", whole=whole, validation="test -e ./-rf.txt")
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    names = run(("git", "ls-tree", "-z", "--name-only", "main"), cwd=world.root).stdout.split("\0")
    assert set(whole) <= set(names)
    assert not (world.root / "x").exists()
