"""The git of a validation is the project's: its branches, tags and objects, and somebody who commits."""

from __future__ import annotations

from pathlib import Path

import pytest

from world import STRENGTHS, World, in_strength, run

EACH = pytest.mark.parametrize("strength", STRENGTHS)
COMMANDS = """\
git diff main...HEAD -- a.txt | grep -qx '+two'
git diff origin/main...HEAD -- a.txt | grep -qx '+two'
git diff --name-only $(git merge-base main HEAD) | grep -qx a.txt
git describe --tags | grep -q '^v1-[0-9]*-g'
git rev-parse -q --verify packed && git rev-parse -q --verify deep/er
git diff --exit-code && test -z "$(git status --porcelain)"
git ls-files --error-unmatch a.txt && git grep -q two HEAD -- a.txt
! git for-each-ref | grep -q minitask
d=$(mktemp -d) && git init -q $d && git -C $d commit -q --allow-empty -m x
git config --global init.defaultBranch trunk && git init -q $d/e && git -C $d/e symbolic-ref HEAD | grep -q trunk
cd $d && git config user.name Own && git commit -q --allow-empty -m y && git log -1 --format=%an | grep -qx Own"""


@pytest.mark.variant
@pytest.mark.sampled(1)
@EACH
def test_a_validation_sees_branches_tags_and_an_identity(world: World, strength: str) -> None:
    world.git("tag", "v1")
    world.git("branch", "packed")
    world.git("pack-refs", "--all")
    world.git("branch", "deep/er")
    world.git("update-ref", "refs/remotes/origin/main", "HEAD")
    world.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    env = in_strength(world, strength)
    world.task("p/01-a", whole={"a.txt": "two\n"}, validation=COMMANDS)
    outcome = world.exec("p/01-a", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text
    refs = (
        "test $(git rev-parse main) = $(git rev-parse HEAD^) && ! git rev-parse -q --verify packed"
    )
    world.git("branch", "-D", "packed")
    world.task("p/02-b", whole={"b.txt": "b\n"}, validation=f"test -f b.txt\n{refs}")
    outcome = world.exec("p/02-b", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text


@pytest.mark.variant
@EACH
def test_a_clone_that_borrows_from_a_clone_that_borrows_works(
    world: World, tmp_path: Path, strength: str
) -> None:
    world.task(
        "p/01-a",
        whole={"a.txt": "two\n"},
        validation="git log -p -- a.txt | grep -q one\ngrep -qx two a.txt",
    )
    for source, target in ((world.root, "one"), (tmp_path / "one", "two")):
        run(("git", "clone", "-q", "--shared", source, target), cwd=tmp_path)
    borrower = World(tmp_path / "two")
    outcome = borrower.exec("p/01-a", env=in_strength(borrower, strength))
    assert outcome.json["verdict"] == "merged", outcome.text
