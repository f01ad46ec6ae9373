"""What was done can be looked at: `diff`, `log`, `status --watch`, colours, and the end of a run."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contract.kit import on_terminal
from minitask.cli.terminal import show
from world import MINITASK, World, environment


def test_diff_prints_an_attempt_and_what_a_person_added(world: World) -> None:
    world.commit({"a.txt": "old\n"})
    replies = [f"```text path=a.txt\n{text}\n```\n" for text in ("wrong", "right")]
    with world.serve(replies):
        world.proven("p/01-b", writes=["a.txt"], validation="grep -qx right a.txt")
    assert "+right" in world.minitask("diff", "p/01-b").stdout
    assert "+wrong" in world.minitask("diff", "p/01-b", "--attempt", "1").stdout
    assert world.minitask("diff", "p/01-b", "--attempt", "7").code == 2
    world.git("switch", "-q", "minitask/p/01-b")
    world.commit({"a.txt": "right\nand more\n"})
    world.git("switch", "-q", "main")
    shown = world.minitask("diff", "p/01-b", "--json").json
    assert "+and more" in shown["diff"]
    assert [(file["path"], file["added"]) for file in shown["files"]] == [("a.txt", 2)]
    assert world.minitask("diff", "p/01-b", "--stat").stdout == "M  a.txt  +2 -1\n"


def test_log_lists_merges_and_undos_newest_first(world: World) -> None:
    assert "nothing is merged yet" in world.minitask("log").stdout
    for name in ("p/01-b", "q/01-c"):
        world.task(name, whole={f"{name[0]}.txt": "x\n"}, validation=f"test -f {name[0]}.txt")
        world.exec(name)
    world.minitask("undo", "p/01-b")
    rows = world.minitask("log", "--json").json
    assert [(row["task"], row["undone"]) for row in rows] == [
        ("p/01-b", True),
        ("q/01-c", False),
        ("p/01-b", False),
    ]
    assert rows[1]["merge"] == world.git("rev-parse", "main^").strip()
    assert [line.split()[4] for line in world.minitask("log", "q").stdout.splitlines()] == [
        "q/01-c"
    ]
    assert len(world.minitask("log", "-n", "1").stdout.splitlines()) == 1
    assert "| * " in world.minitask("log", "q", "--graph").stdout


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("arguments", "env", "is_colored"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"TERM": "dumb"}, False),
        (("--color", "never"), {}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
    ],
)
def test_a_terminal_gets_colours(
    world: World, arguments: tuple[str, ...], env: dict[str, str], *, is_colored: bool
) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    shown = on_terminal(world, *arguments, "exec", "p/01-b", env=env)[1]
    assert ("\x1b[32m✓" in shown) == is_colored, shown
    assert "p/01-b: merged" in shown
    error = on_terminal(world, *arguments, "exec", "p/01-c", env=env)[1]
    assert ("\x1b[31merror" in error) == is_colored
    assert "\x1b[" not in world.minitask("status").stdout


def test_a_diff_cannot_steer_a_terminal(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "a\x1b]0;owned\x07b\n"}, validation="test -f b.txt")
    world.exec("p/01-b")
    assert "\x1b]0" not in on_terminal(world, "diff", "p/01-b")[1]
    assert "\x1b]0;owned\x07" in world.minitask("diff", "p/01-b").stdout, "a patch is exact"


def test_a_run_lists_each_task_once_and_notifies(world: World) -> None:
    for number in (1, 2):
        world.task(
            f"p/0{number}-b", whole={f"{number}.txt": "x\n"}, validation=f"test -f {number}.txt"
        )
    shown = on_terminal(world, "run", "p", "--notify", 'echo "$MINITASK_RESULT" > ../result')[1]
    last = shown.rpartition("\x1b[?25h")[2]
    assert "2 of 2 on main" in last
    assert "01-b" not in last
    assert (world.root.parent / "result").read_text().startswith("2 of 2 on main")
    failing = world.minitask("run", "p", "--notify", "exit 3")
    assert (failing.code, "--notify exit 3: exit code 3" in failing.stderr) == (0, True)


@contextmanager
def watched(world: World, command: str) -> Iterator[Iterator[str]]:
    """The lines that a command prints while it watches; Ctrl-C is how it ends, and is no failure."""
    with subprocess.Popen(
        (*MINITASK, command, "--watch"),
        cwd=world.root,
        env=environment({"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield iter(process.stdout.readline, "")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


@pytest.mark.variant
def test_a_watched_status_follows_a_task(world: World) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    with watched(world, "status") as lines:
        assert "new" in next(lines)
        world.exec("p/01-b")
        assert any("merged" in line for line in lines)


@pytest.mark.variant
def test_a_watched_validation_follows_a_spec(world: World) -> None:
    path = world.task("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    good = world.show(path)
    with watched(world, "validate") as lines:
        assert "1 spec" in next(lines)
        world.write({path: good.replace("b.txt", "../b.txt")})
        assert any("E2" in line for line in lines)
        world.write({"minitask.yaml": "sandbox: nonne\n"})
        assert any(line.startswith("error:") for line in lines)


def test_what_commands_did_before_the_change_is_told_as_that(world: World) -> None:
    world.landed("p/01-b", whole={"b.txt": "b\n"}, validation="ls\ntest -f b.txt")
    text = world.minitask("show", "p/01-b", "--output").stdout
    assert "\n  before    ok     ls\n" in text
    assert "\n  before    FAILED test -f b.txt (exit code 1)\n" in text
    assert "\n  FAILED" not in text


def test_nothing_that_a_command_prints_steers_the_terminal(world: World) -> None:
    printed = "bash -c \"printf '\\033]0;x\\007\\033[31mred\\x9b\\n'; exit 3\""
    world.task("p/01-a", whole={"a.txt": "a\n"}, validation=printed)
    for words in (("exec", "p/01-a"), ("show", "p/01-a"), ("show", "p/01-a", "--output")):
        text = world.minitask("--color", "always", *words).stdout
        assert "| \\x1b]0;x\\x07\\x1b[31mred" in text, text
        assert not re.search(r"\x1b(?!\[[\d;]*m)|\x07", text)


def test_no_line_is_a_command_to_a_runner(capsys: pytest.CaptureFixture[str]) -> None:
    show("a: rejected:\n  ::error::x\n::add-mask::y\nb::c\n  | ::1")
    lines = "a: rejected:\n  \\::error::x\n\\::add-mask::y\nb::c\n  | ::1\n"
    assert capsys.readouterr().out == lines
