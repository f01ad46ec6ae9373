"""The odd sides of a repository: a right change passes, a wrong one fails, and the checkout stays clean."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from world import Checkpoint, Outcome, World, run


class Side(Struct):
    """A repository's files, a change, the text in it that a wrong one has otherwise, and what validates it."""

    files: dict[str, str]
    change: dict[str, str]
    validation: str
    links: dict[str, str] = {}
    checkout: dict[str, bytes] = {}
    """What the user's checkout holds when the change has landed."""


CLEAN = 'git diff --exit-code && test -z "$(git status --porcelain)"'
SIDES = {
    "text eol=crlf": Side(
        {".gitattributes": "*.txt text eol=crlf\n", "c.txt": "one\n"},
        {"c.txt": "two\n"},
        "grep -qx $'two\\r' c.txt",
        checkout={"c.txt": b"two\r\n"},
    ),
    "CRLF kept": Side(
        {".gitattributes": "* -text\n", "c.txt": "one\r\n"},
        {"c.txt": "two\r\n"},
        "grep -q two c.txt",
        checkout={"c.txt": b"two\r\n"},
    ),
    "working-tree-encoding": Side(
        {".gitattributes": "*.u text working-tree-encoding=UTF-16LE\n"},
        {"c.u": "two\n"},
        "iconv -f UTF-16LE -t UTF-8 c.u | grep -qx two",
        checkout={"c.u": "two\n".encode("utf-16-le")},
    ),
    "ident": Side(
        {".gitattributes": "*.c ident\n", "x.c": "/* $Id$ */\n"},
        {"x.c": "/* $Id$ */\nint two;\n"},
        "grep -q '[$]Id: [0-9a-f]* [$]' x.c && grep -q two x.c",
    ),
    "export-subst": Side(
        {".gitattributes": "v.txt export-subst\n", "v.txt": "$Format:%s$\n"},
        {"v.txt": "$Format:%s$\ntwo\n"},
        "git archive HEAD v.txt | tar -xO | grep -qx two && grep -q 'Format:%s' v.txt",
    ),
    "a link that is read": Side(
        {"real/x.txt": "one\n"},
        {"real/x.txt": "two\n"},
        "test -L link && grep -qx two link/x.txt",
        links={"link": "real"},
    ),
    "git's own view": Side(
        {},
        {"b.txt": "two\n"},
        "git ls-files --error-unmatch b.txt && git diff --exit-code HEAD\n"
        "git diff main...HEAD -- b.txt | grep -qx +two",
    ),
    "names": Side(
        {"a #1/ä b.txt": "one\n"},
        {"a #1/ä b.txt": "two\n", "ü#.txt": "two\n"},
        "grep -qx two 'a #1/ä b.txt' && git ls-files -z | grep -zqx 'ü#.txt'",
    ),
}


def exec_both(world: World, side: Side) -> None:
    wrong = {path: text.replace("two", "three") for path, text in side.change.items()}
    validation = f"{side.validation}\n{CLEAN}"
    world.task("p/01-wrong", whole=wrong, validation=validation)
    world.task("p/02-right", whole=side.change, validation=validation, number=2)
    tip = world.tip()
    assert world.exec("p/01-wrong").json["verdict"] == "failed"
    assert (world.tip(), world.git("status", "--porcelain")) == (tip, "")
    assert_lands(world, "p/02-right")


def assert_lands(world: World, task: str, **options: Any) -> Outcome:
    outcome = world.exec(task, **options)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.git("status", "--porcelain") == ""
    return outcome


@pytest.mark.variant
@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", SIDES)
def test_a_right_change_passes_and_a_wrong_one_fails(world: World, name: str) -> None:
    side = SIDES[name]
    for link, target in side.links.items():
        (world.root / link).symlink_to(target)
        world.git("add", link)
    if side.files:
        world.write(side.files)
        world.git("add", ".")
        world.git("commit", "-qm", "files")
        for path in side.files:
            (world.root / path).unlink()
        world.git("checkout", "-q", "--", ".")
    exec_both(world, side)
    for path, content in side.checkout.items():
        assert (world.root / path).read_bytes() == content


RENAME = "```edits\nrename Read.txt -> read.txt\n```\n"


def test_a_name_may_change_its_case(world: World) -> None:
    world.commit({"Read.txt": "x\n"})
    validation = f"git ls-files | grep -qx read.txt && test ! -e Read.txt\n{CLEAN}"
    writes = ["read.txt (create)", "Read.txt (delete)"]
    world.task("p/01-a", writes=writes, snippets=RENAME, validation=validation)
    assert_lands(world, "p/01-a")
    assert sorted(path.name for path in world.root.glob("*.txt")) == ["a.txt", "read.txt"]


@pytest.mark.parametrize("note", ["(executable)", "(create, +x)", "(edit, executable)"])
def test_a_spec_can_ask_for_an_executable(world: World, note: str) -> None:
    if "edit" in note:
        world.commit({"run.sh": "#!/bin/sh\nexit 1\n"})
    script = "```text path=run.sh\n#!/bin/sh\necho two\n```\n"
    world.task(
        "p/01-a", writes=[f"run.sh {note}"], snippets=script, validation="./run.sh | grep -qx two"
    )
    assert_lands(world, "p/01-a")
    assert world.git("ls-tree", "main", "run.sh").startswith("100755 ")
    assert os.access(world.root / "run.sh", os.X_OK)


def test_a_file_that_is_not_executable_is_named_before_any_work(world: World) -> None:
    world.commit({"run.sh": "#!/bin/sh\nexit 1\n"})
    world.task("p/01-a", whole={"run.sh": "#!/bin/sh\n"}, validation="./run.sh")
    outcome = world.exec("p/01-a")
    assert outcome.json["verdict"] == "refused"
    assert "`(executable)`" in outcome.text


def test_a_checkout_may_lie_apart_from_its_repository(world: World, tmp_path: Path) -> None:
    world.task("p/01-a", whole={"b.txt": "b\n"}, validation=f"grep -qx b b.txt\n{CLEAN}")
    store = tmp_path / "store.git"
    (world.root / ".git").rename(store)
    (world.root / ".git").write_text(f"gitdir: {store}\n")
    run(("git", "--git-dir", store, "config", "core.worktree", world.root), cwd=tmp_path)
    assert_lands(world, "p/01-a")
    assert (world.root / "b.txt").read_text() == "b\n"


@pytest.mark.variant
def test_maintenance_beside_a_run_costs_no_task(world: World, tmp_path: Path) -> None:
    wait = Checkpoint(tmp_path, only_with="b1.txt")
    world.configure(sandbox="none")
    for key, value in (("gc.auto", "1"), ("gc.autoDetach", "false"), ("maintenance.auto", "true")):
        world.git("config", key, value)
    for n in range(1, 4):
        command = f"grep -qx b b{n}.txt\n{wait.command if n == 1 else 'sleep 0.1'}"
        world.task(f"p/0{n}-b", whole={f"b{n}.txt": "b\n"}, validation=command, number=n)
    with wait.hold(world, "run", "p", "--json") as held:
        world.git("pack-refs", "--all")
        world.git("gc", "-q")
        wait.open()
        while held.process.poll() is None:
            world.git("repack", "-adq")
            world.git("maintenance", "run", "--auto", "--quiet")
            time.sleep(0.05)
    assert held.outcome.code == 0, held.outcome.text
    world.git("gc", "-q")  # writes the graph of commits again, which names drafts
    fsck = world.git("fsck", "--connectivity-only", "--no-dangling")
    assert (fsck, world.git("status", "--porcelain")) == ("", "")


def test_paths_are_those_from_where_the_user_stands(world: World) -> None:
    path = world.task("p/01-a", writes=["no.txt (edit)"], validation="test -f no.txt")
    below = world.root / "deep/er"
    below.mkdir(parents=True)
    for words in ((), (path,), (f"../../{path}",)):
        outcome = world.minitask("validate", *words, cwd=below)
        assert outcome.stdout.startswith(f"../../{path}:4: E203"), outcome.text
    rows = world.minitask("validate", "--json", cwd=below).json
    assert rows[0]["path"] == path


@pytest.mark.variant
def test_odd_names_work_in_every_command(world: World) -> None:
    path = world.task(
        "pröj #1/01-ä b", whole={"ü #1.txt": "b\n"}, validation="grep -qx b 'ü #1.txt'"
    )
    assert_lands(world, path, env={"LC_ALL": "C"})
    project = str(Path(path).parent)
    for words in (
        *(("validate", path), ("graph", project), ("run", project), ("exec", path, "--dry-run")),
        *((name, path) for name in ("show", "diff", "merge", "review", "verify")),
        *(("status",), ("log",), ("report",), ("audit",), ("clean",), ("undo", path)),
    ):
        outcome = world.minitask(*words)
        assert outcome.code == 0, (words, outcome.text)
    assert not world.has("ü #1.txt")
