"""A commit is judged, not what a validation made of the folder; and no file around the workspace has a say."""

from __future__ import annotations

from typing import Any

import pytest

from world import World

RED = {
    "edited and looked at": "sed -i s/bad/good/ b.txt\ngrep -q good b.txt",
    "edited and looked at in one command": "sed -i s/bad/good/ b.txt && grep -q good b.txt",
    "another file": "test -f b.txt\nsed -i s/one/two/ a.txt\ngrep -q two a.txt",
    "another file in one command": "test -f b.txt && sed -i s/one/two/ a.txt && grep -q two a.txt",
    "by a program that runs on": "test -f b.txt\n(sleep 0.2; echo good > b.txt) &\nwait\ngrep -q good b.txt",
    "in a loop": "for f in b.txt; do sed -i s/bad/good/ $f; grep -q good $f; done",
    "in a function and a subshell": "f() { (sed -i s/bad/good/ b.txt; grep -q good b.txt); }\nf",
    "in a pipeline's end": "sed -i s/bad/good/ b.txt && cat b.txt | grep -q good",
    "in an if": "if echo good > b.txt; then grep -q good b.txt; else false; fi",
    "by a hard link": "test -f b.txt\nln b.txt x && echo good > x && grep -q good b.txt",
    "by a hard link that is there already": "test -f b.txt\nln b.txt x\necho good > x && grep -q good b.txt",
    "by a hard link in a new folder": "mkdir d\nln b.txt d/x && echo good > d/x && rm d/x\ngrep -q good b.txt",
}
GREEN = {
    "build outputs": "grep -q bad b.txt\necho n > out.log\ntest -f out.log",
    "rights": "chmod +x b.txt\ntest -x b.txt",
    "the same content": "cp b.txt t && mv t b.txt && grep -q bad b.txt",
    "formatted, and tested by something else": "sed -i s/bad/good/ b.txt && test -f b.txt\ngrep -q bad b.txt",
    "a snapshot that a program writes": "test -f b.txt && sh -c 'cat b.txt > snap.txt; grep -q bad snap.txt'",
    "a lock file": "test -f b.txt && echo n >> package-lock.json",
    "a file that is changed without the change, too": "grep -q bad b.txt\necho n >> a.txt",
    "a file that is no text": "test -f b.txt && echo n >> db.sqlite",
}


def verdict(world: World, validation: str, **settings: Any) -> Any:
    world.configure(**settings)
    world.commit({"package-lock.json": "{}\n", "db.sqlite": b"SQLite\0", "snap.txt": "s\n"})
    snippets = "```text path=b.txt\nbad\n```\n"
    world.task("p/01-b", snippets=snippets, writes=("b.txt",), validation=validation)
    return world.exec("p/01-b", "--no-merge").json


@pytest.mark.sampled(3)
@pytest.mark.parametrize("validation", RED.values(), ids=RED)
def test_nothing_is_green_that_the_commit_is_not(world: World, validation: str) -> None:
    assert verdict(world, validation)["verdict"] in {"failed", "refused"}


def test_what_a_command_changed_is_said(world: World) -> None:
    found = verdict(world, RED["another file"], sandbox="none")
    assert "an earlier command changed a.txt" in found["reason"]
    commands = found["attempts"][0]["commands"]
    assert [command.get("changed") for command in commands] == [None, ["a.txt"], None]


def test_a_change_of_a_command_is_noted_and_lands_not(world: World) -> None:
    outcome = verdict(world, GREEN["a snapshot that a program writes"])
    assert outcome["verdict"] == "ready"
    shown = world.minitask("show", "p/01-b").stdout
    assert "its validation changed snap.txt: restored, not part of the change" in shown
    assert world.show("snap.txt", at="minitask/p/01-b") == "s\n"


def test_what_passes_only_by_its_own_change_says_how_to_mend_it(world: World) -> None:
    reason = verdict(world, RED["another file in one command"])["reason"]
    assert "it passes only because it changed a.txt" in reason
    assert "make it check without writing" in reason


@pytest.mark.sampled(2)
@pytest.mark.parametrize("validation", GREEN.values(), ids=GREEN)
def test_what_a_validation_may_do_it_may_do_still(world: World, validation: str) -> None:
    assert verdict(world, validation)["verdict"] == "ready"


def test_no_file_around_the_workspace_has_a_say(world: World) -> None:
    """An untracked `pytest.ini` in the checkout would decide which tests are run, were the workspace below it."""
    world.write({"pytest.ini": "[pytest]\npython_files = nothing.py\n"})
    top = '"$(git rev-parse --show-toplevel)"'
    walk = "while [ $d != / ]; do d=$(dirname $d); test ! -e $d/pytest.ini || exit 1; done"
    validation = f"test -f b.txt\nd={top}\n{walk}"
    assert verdict(world, validation, sandbox="none")["verdict"] == "ready"


def test_workspaces_of_earlier_versions_are_removed(world: World) -> None:
    world.write({".git/minitask/slots/0/tree/a.txt": "old\n"})
    assert verdict(world, "grep -q bad b.txt")["verdict"] == "ready"
    assert not (world.root / ".git/minitask/slots").exists()
    assert (world.slot / "tree").is_dir()


def test_clean_removes_workspaces_wherever_they_were(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verdict(world, "grep -q bad b.txt")["verdict"] == "ready"
    monkeypatch.setenv("XDG_CACHE_HOME", str(world.root.parent / "elsewhere"))
    assert world.minitask("clean").code == 0
    assert not world.slot.exists()


def test_a_hook_that_a_validation_leaves_does_not_run_in_the_next(world: World) -> None:
    world.configure(sandbox="none")
    hook = 'h="$(git rev-parse --git-dir)/hooks/pre-commit"; mkdir -p "${h%/*}"; echo "exit 1" > "$h"; chmod +x "$h"'
    world.task("p/01-a", whole={"one.txt": "a\n"}, validation=f"test -f one.txt\n{hook}")
    commits = "test -f two.txt && git -c user.name=u -c user.email=u@x commit -q --allow-empty -m x"
    world.task("p/02-b", whole={"two.txt": "b\n"}, validation=commits, number=2)
    outcome = world.minitask("run", "p", "--jobs", "1", "--json")
    assert [*outcome.verdicts.values()] == ["merged", "merged"], outcome.text
