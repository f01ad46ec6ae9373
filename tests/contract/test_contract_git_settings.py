"""No setting of the user's git changes what a landing does."""

from __future__ import annotations

import pytest

from world import World, write_program

SETTINGS = {
    "squash": {"branch.main.mergeoptions": "--squash"},
    "unreadable": {"branch.main.mergeoptions": '--log="'},
    "others": {
        "branch.main.mergeoptions": "--no-commit --no-ff -s ours --autostash --verify-signatures -S",
        "merge.ff": "false",
        "merge.autoStash": "true",
        "merge.verifySignatures": "true",
        "merge.renames": "false",
        "merge.log": "true",
        "merge.stat": "true",
        "pull.rebase": "true",
        "commit.gpgSign": "true",
        "gpg.program": "/bin/false",
        "core.editor": "/bin/false",
        "submodule.recurse": "true",
        "advice.diverging": "true",
    },
    "trailers": {"trailer.separators": "#%", "core.commentChar": "M"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_task_lands_whatever_the_settings_say(world: World, name: str) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    for key, value in SETTINGS[name].items():
        world.git("config", key, value)
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.tip() == outcome.json["merge"]
    assert world.git("status", "--porcelain") == ""
    assert world.minitask("audit", "--json").json["proven"] == 1
    assert "already merged" in world.exec("p/01-b").json["reason"]
    assert world.minitask("undo", "p/01-b").code == 0
    assert not world.has("b.txt")


@pytest.mark.variant
def test_options_of_a_branch_whose_name_holds_an_equals_sign_are_off(world: World) -> None:
    world.git("checkout", "-q", "-b", "a=b")
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    world.git("config", "branch.a=b.mergeoptions", "--squash")
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.tip("a=b") == outcome.json["merge"]


def test_a_git_that_only_says_that_it_merged_makes_no_task_merged(world: World) -> None:
    """An alias cannot stand before a command of git's, but a wrapper on the path can."""
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    tip, real = world.tip(), world.git("--exec-path")
    wrapper = world.root.parent / "bin" / "git"
    write_program(
        wrapper,
        f'#!/bin/sh\nfor word; do [ "$word" = merge ] && exit 0; done\nexec {real}/git "$@"\n',
    )
    outcome = world.exec("p/01-b", env={"PATH": f"{wrapper.parent}:/usr/bin:/bin"})
    assert (outcome.code, outcome.json["verdict"]) == (3, "error"), outcome.text
    assert world.tip() == tip
