"""Clones that lack something work: what is needed is fetched by git's own promisor, or it is said how to fill them."""

from __future__ import annotations

from pathlib import Path

import pytest

from world import World, in_strength, run

CLONES = {
    "blob:none": ("--filter=blob:none",),
    "tree:0": ("--filter=tree:0",),
    "blob:none, a cone": ("--filter=blob:none", "--sparse"),
    "tree:0, a cone": ("--filter=tree:0", "--sparse"),
    "blob:none, no cone": ("--filter=blob:none", "--no-checkout"),
    "shallow": ("--depth=1",),
    "shallow, blob:none": ("--depth=1", "--filter=blob:none"),
    "a shared clone of a reference clone": ("--shared",),
}
EDIT = "```text path=far/old.txt\n<<<<<<< SEARCH\ny\n=======\nq\n>>>>>>> REPLACE\n```\n"


@pytest.fixture
def origin(world: World) -> World:
    for key in ("allowFilter", "allowAnySHA1InWant"):
        world.git("config", f"uploadpack.{key}", "true")
    world.commit({"far/old.txt": "y\n", "far/away.txt": "x\n", "near/by.txt": "y\n"})
    world.commit({"near/by.txt": "z\n"})
    return world


def clone(origin: World, tmp_path: Path, name: str) -> World:
    source = f"file://{origin.root}"
    if "reference" in name:
        run(("git", "clone", "-q", "--reference", origin.root, source, "borrower"), cwd=tmp_path)
        source = str(tmp_path / "borrower")
    run(("git", "clone", "-q", *CLONES[name], source, "clone"), cwd=tmp_path)
    cloned = World(tmp_path / "clone")
    if "no cone" in name:
        cloned.git("sparse-checkout", "set", "--no-cone", "/near/", "/mini-projects/")
        cloned.git("checkout", "-q", "main")
    elif "cone" in name:
        cloned.git("sparse-checkout", "set", "near", "mini-projects")
    return cloned


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", CLONES)
def test_tasks_of_a_clone_land_and_are_undone(origin: World, tmp_path: Path, name: str) -> None:
    right = "grep -qx b near/b.txt && grep -q x far/away.txt"
    origin.task("p/01-a", whole={"near/b.txt": "b\n"}, validation=right)
    wrong = "grep -qx w near/w.txt"
    origin.task("p/02-w", whole={"near/w.txt": "b\n"}, validation=wrong, number=2)
    origin.task(
        "p/03-c", writes=["far/old.txt"], snippets=EDIT, validation="grep -qx q far/old.txt"
    )
    cloned = clone(origin, tmp_path, name)
    env = in_strength(cloned, "strong" if "blob" in name else "partial")
    assert cloned.exec("p/01-a", env=env).json["verdict"] == "merged"
    outcome = cloned.minitask("run", "p", "--json", env=env)
    verdicts = [*outcome.verdicts.values()]
    assert verdicts == ["merged", "failed", "merged"], outcome.text
    assert cloned.minitask("undo", "p/03-c").code == 0
    assert cloned.git("status", "--porcelain") == ""
    assert (cloned.root / "far").exists() == ("cone" not in name)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("name", "command", "fill"),
    [
        ("blob:none", "git show origin/other:o.txt", "git fetch --refetch --no-filter origin"),
        ("tree:0", "git log -p -- near/by.txt", "git fetch --refetch --no-filter origin"),
        ("shallow", "git show HEAD~3:near/by.txt", "git fetch --unshallow"),
        ("shallow", "git diff HEAD~2", "git fetch --unshallow"),
    ],
)
def test_history_that_a_clone_lacks_is_named_with_what_fills_it(
    origin: World, tmp_path: Path, name: str, command: str, fill: str
) -> None:
    origin.git("checkout", "-q", "-b", "other")
    origin.commit({"o.txt": "o\n"})
    origin.git("checkout", "-q", "main")
    validation = f"grep -qx b near/b.txt\n{command} | grep -q ."
    origin.task("p/01-a", whole={"near/b.txt": "b\n"}, validation=validation)
    cloned = clone(origin, tmp_path, name)
    outcome = cloned.exec("p/01-a")
    assert outcome.json["verdict"] == "refused", outcome.text
    assert fill in outcome.text
    assert cloned.minitask("exec", "p/01-a").text.count(fill) == 1
    cloned.git(*fill.split()[1:])
    assert cloned.exec("p/01-a").json["verdict"] == "merged"


def test_the_commit_before_the_change_is_there_in_any_clone(origin: World, tmp_path: Path) -> None:
    validation = "git diff --name-only HEAD~1 | grep -qx near/b.txt"
    origin.task("p/01-a", whole={"near/b.txt": "b\n"}, validation=validation)
    cloned = clone(origin, tmp_path, "shallow, blob:none")
    assert cloned.exec("p/01-a").json["verdict"] == "merged"
