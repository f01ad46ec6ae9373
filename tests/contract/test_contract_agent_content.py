"""An agent's files land as git would commit them, and what may not land is told before it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from world import World, agent_settings, write_program

ATTRIBUTES = """*.bat eol=crlf
*.txt text=auto
*.id ident
*.w working-tree-encoding=UTF-16LE-BOM
"""
ROWS = "".join(f"row {n}\n" for n in range(9))


def command(world: World, tmp_path: Path, script: str, *, repairs: int = 0, **more: object) -> None:
    """Configure a shell script as the only executor."""
    program = write_program(tmp_path / "agent", f"#!/bin/bash\n{script}\n")
    settings = agent_settings(program, sandbox=False, **more)
    world.configure(**settings, routing={"max_escalations": 0, "repairs": repairs})


def test_an_agents_files_land_as_git_would_commit_them(world: World, tmp_path: Path) -> None:
    world.commit({".gitattributes": ATTRIBUTES}, message="attributes")
    world.write({"a.bat": "one\r\ntwo\r\n", "a.id": "$Id$\n", "a.txt": "one\ntwo\n"})
    world.write({"a.w": "one\ntwo\n".encode("utf-16"), "win.md": ROWS.replace("\n", "\r\n")})
    world.write({"unix.md": ROWS})
    world.git("add", ".")
    world.git("commit", "-qm", "files")
    edit = "sed -i 's/row 3/line 3/' unix.md win.md && sed -i 's/$/\\r/' unix.md && sed -i 's/\\r$//' win.md"
    wide = "printf '\\xff\\xfeo\\0n\\0e\\0\\n\\0t\\0h\\0r\\0e\\0e\\0\\n\\0' > a.w"
    script = f"printf 'three\\r\\n' >> a.bat; echo three >> a.id; printf 'three\\r\\n' > a.txt; {wide}; {edit}"
    command(world, tmp_path, script)
    names = ["a.bat", "a.id", "a.txt", "a.w", "unix.md", "win.md"]
    world.landed(
        "p/01-b", title="Replace everything", writes=names, validation="grep -q three a.id"
    )
    assert world.show("a.bat") == "one\ntwo\nthree\n"
    assert world.show("a.id") == "$Id$\nthree\n"
    assert world.show("a.txt") == "three\n"
    assert world.show("a.w") == "one\nthree\n"
    changed = world.git("diff", "--numstat", "main^", "main", "--", "unix.md", "win.md")
    assert changed == "1\t1\tunix.md\n1\t1\twin.md"
    assert not world.git("status", "--porcelain")


CREATE = ("Files to Create/Edit", "Files to Create")
DELETE = ("## Context", "**Files to Delete**:\n- `old.txt`\n\n## Context")
NOT_DONE = {
    "an empty file that it was started with": (
        ("touch b.txt c.txt; echo b > b.txt", CREATE, "c.txt, a file to create, was not created")
    ),
    "a file that is not there": (
        ("echo b > b.txt", CREATE, "c.txt, a file to create, was not created")
    ),
    "a file to delete that is there": (
        ("echo b > b.txt", DELETE, "old.txt, a file to delete, is still there")
    ),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("script", "words", "reason"), NOT_DONE.values(), ids=NOT_DONE)
def test_a_file_to_create_must_have_been_made_and_one_to_delete_must_be_gone(
    world: World, tmp_path: Path, script: str, words: tuple[str, str], reason: str
) -> None:
    world.commit({"old.txt": "a\n"}, message="files")
    command(world, tmp_path, script)
    writes = ["b.txt", "c.txt"] if words is CREATE else ["b.txt"]
    text = world.task("p/01-b", writes=writes, validation="grep -qx b b.txt")
    world.commit({text: world.show(text).replace(*words)}, message="spec")
    outcome = world.exec("p/01-b").json
    assert (outcome["verdict"], outcome["reason"]) == ("failed", reason)


def test_the_users_own_key_never_reaches_a_commit(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "sk-shop-0123456789")
    command(world, tmp_path, "echo sk-shop-0123456789 > b.txt", api_key_env="SHOP_KEY")
    world.task("p/01-b", writes=["b.txt"], validation="test -s b.txt")
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "refused"
    assert outcome.json["reason"] == "b.txt would hold the value of SHOP_KEY"
    assert "0123456789" not in outcome.text
    assert not world.git("log", "--all", "-S0123456789", "--oneline")


def edit_two(world: World, **fields: str) -> None:
    """Commit two files and a task that edits both."""
    world.commit({"a.txt": "one\n", "b.txt": "one\n"}, message="files")
    writes = ["a.txt", fields.pop("second", "b.txt")]
    text = world.task("p/01-b", writes=writes, validation="grep -qx two a.txt", **fields)
    spec = world.show(text).replace("Files to Create/Edit", "Files to Edit")
    world.commit({text: spec}, message="spec")


def test_a_file_to_edit_that_an_agent_leaves_goes_back_once_and_then_fails(
    world: World, tmp_path: Path
) -> None:
    prompts = tmp_path / "prompts"
    command(world, tmp_path, f"cat >> {prompts}; echo two > a.txt; echo done", repairs=1)
    edit_two(world)
    outcome = world.exec("p/01-b").json
    reason = (
        "b.txt is to be edited, and the change leaves it as it is; "
        "do it, or say in a line of your last words why b.txt needs no change"
    )
    assert (outcome["verdict"], outcome["reason"]) == ("failed", reason)
    assert [each["gate"] for each in outcome["attempts"]] == ["scope", "scope"]
    assert prompts.read_text().count(reason) == 1


@pytest.mark.parametrize("title", ["Say two", "Trim the blank lines"])
def test_blank_lines_alone_are_no_edit_unless_the_task_is_about_them(
    world: World, tmp_path: Path, title: str
) -> None:
    command(world, tmp_path, "echo two > a.txt; printf 'one\\n\\n' > b.txt; echo done")
    edit_two(world, title=title)
    outcome = world.exec("p/01-b").json
    is_about_lines = "blank" in title
    assert (outcome["verdict"] == "merged") is is_about_lines, outcome["reason"]
    assert ("changes white space alone" in outcome["reason"]) is not is_about_lines


LEFT = {
    "named in its last words": ("echo two > a.txt; echo b.txt needs no change: it is right", {}),
    "named once the change goes back": (
        'if grep -q two a.txt; then echo "I left b.txt as it is."; else echo two > a.txt; fi',
        {},
    ),
    "optional by its note": ("echo two > a.txt", {"second": "b.txt (if needed)"}),
}


@pytest.mark.parametrize("case", LEFT)
def test_a_file_to_edit_may_stay_where_somebody_says_so(
    world: World, tmp_path: Path, case: str
) -> None:
    script, fields = LEFT[case]
    command(world, tmp_path, script, repairs=1)
    edit_two(world, **fields)
    outcome = world.exec("p/01-b").json
    assert outcome["verdict"] == "merged", outcome["reason"]


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_that_an_agent_empties_does_not_land(
    world: World, tmp_path: Path, content: str
) -> None:
    command(world, tmp_path, f"echo two > a.txt; printf '{content}' > b.txt".replace("\n", "\\n"))
    edit_two(world)
    outcome = world.exec("p/01-b").json
    assert (outcome["verdict"], outcome["attempts"][-1]["gate"]) == ("failed", "scope")
    assert outcome["reason"].startswith("b.txt would be empty, which the spec does not ask for")


EMPTIED = {
    "Empty b.txt": "echo two > a.txt",
    "Remove all lines of b.txt": "echo two > a.txt",
    "Reset b.txt": "echo two > a.txt",
    "All that is in b.txt stands in a.txt": "cat b.txt > a.txt; echo two >> a.txt",
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("title", "edit"), EMPTIED.items(), ids=EMPTIED)
def test_a_file_is_emptied_where_the_spec_says_so_or_its_lines_all_moved(
    world: World, tmp_path: Path, title: str, edit: str
) -> None:
    command(world, tmp_path, f"{edit}; : > b.txt")
    edit_two(world, title=title)
    assert world.exec("p/01-b").json["verdict"] == "merged"


def test_a_listed_file_that_an_agent_makes_executable_stays_so(
    world: World, tmp_path: Path
) -> None:
    world.write({"old.sh": "exit 1\n", "kept.sh": "exit 1\n"})
    (world.root / "kept.sh").chmod(0o755)
    world.git("add", ".")
    world.git("commit", "-qm", "scripts")
    script = "echo '#!/bin/sh' > new.sh; chmod +x new.sh old.sh; chmod -x kept.sh; echo '# two' >> kept.sh"
    command(world, tmp_path, script)
    writes = ["new.sh", "old.sh", "kept.sh"]
    world.task(
        "p/01-a",
        writes=writes,
        validation="./new.sh && grep -q two kept.sh && test -x kept.sh -a -x old.sh",
    )
    outcome = world.exec("p/01-a")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.git("ls-tree", "main", *writes).count("100755 blob") == 3
    assert world.git("status", "--porcelain") == ""
