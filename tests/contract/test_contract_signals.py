"""Signals to end, and git's own upkeep, beside a command: nothing is left, nothing is lost."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from processes import eventually
from world import MINITASK, STRENGTHS, Checkpoint, World, environment, in_strength

PIPES: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    ("strength", "command"),
    [*((strength, ("exec", "p/a")) for strength in STRENGTHS), ("partial", ("run", "p"))],
)
def test_a_signal_to_end_leaves_nothing_running(
    world: World, strength: str, command: tuple[str, ...], number: signal.Signals
) -> None:
    env = environment(in_strength(world, strength))
    for name in ("a", "b"):
        validation = f"test -f {name}.txt && echo begun && exec -a minitask-slow sleep 600"
        world.task(f"p/{name}", whole={f"{name}.txt": "n\n"}, validation=validation)
    before = world.tip()
    argv = (*MINITASK, *command, "--json")
    with subprocess.Popen(argv, cwd=world.root, env=env, **PIPES) as process:
        deadline = time.monotonic() + 60
        while not descendants(process.pid, "minitask-slow"):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        began = descendants(process.pid, "")
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    document = json.loads(output)
    verdicts = [task["verdict"] for task in document.get("tasks", [document])]
    assert set(verdicts) <= {"error", "skipped"}
    # what bubblewrap held is ended by the kernel, in its own time
    assert eventually(lambda: not [pid for pid in began if is_running(pid)], seconds=10)
    assert world.tip() == before


def is_running(pid: int) -> bool:
    """Whether a process is there, and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int, name: str) -> list[int]:
    """The processes below one whose command line begins with a name."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    text = ""
    with contextlib.suppress(OSError):
        text = " ".join(path.read_text() for path in threads)
    found = []
    for child in map(int, text.split()):
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().decode()
        except OSError:
            continue
        found += [child] if words.startswith(name) else []
        found += descendants(child, name)
    return found


@pytest.mark.variant
def test_git_may_tidy_up_beside_a_run(world: World, tmp_path: Path) -> None:
    world.configure(sandbox="none")
    checkpoint = Checkpoint(tmp_path / "checkpoint", only_with="a.md")
    checkpoint.folder.mkdir()
    for name in ("a", "b"):
        validation = f"{checkpoint.command}\ntest -f {name}.md\ngit show HEAD^:a.txt"
        world.task(f"p/{name}", whole={f"{name}.md": "n\n"}, validation=validation)
    with checkpoint.hold(world, "run", "p", "--jobs", "1", "--json") as held:
        for command in (("gc", "--prune=now"), ("repack", "-adf"), ("prune", "--expire=now")):
            world.git(*command)
    assert [task["verdict"] for task in held.outcome.json["tasks"]] == ["merged", "merged"]
    world.git("gc", "--prune=now")
    assert world.git("fsck", "--connectivity-only", "--no-dangling") == ""
    assert world.minitask("audit", "--json").code in {0, 2}


@pytest.mark.parametrize(
    ("tasks", "command"),
    [
        (3, ("prune", "--expire=now")),
        *(
            pytest.param(20, command, marks=pytest.mark.sweep)
            for command in (("prune", "--expire=now"), ("gc", "-q", "--prune=now"))
        ),
    ],
)
def test_git_may_prune_all_the_time_beside_a_run(
    world: World, tmp_path: Path, tasks: int, command: tuple[str, ...]
) -> None:
    """It fails itself while what a ref leads to is gone, and finds all that is left in the end."""
    world.configure(sandbox="none")
    for n in range(tasks):
        name = f"b{n:02d}.txt"
        world.task(f"p/{n:02d}-b", whole={name: "b\n"}, validation=f"test -f {name}", number=n)
    stop = tmp_path / "stop"
    loop = f"until [ -e {stop} ]; do git {' '.join(command)}; sleep 0.01; done"
    with subprocess.Popen(("sh", "-c", loop), cwd=world.root, **PIPES) as pruning:
        try:
            outcome = world.minitask("run", "p", "--json", "--jobs", "2")
        finally:
            stop.touch()
            pruning.communicate(timeout=60)
    assert [*outcome.verdicts.values()] == ["merged"] * tasks, outcome.text
    assert world.git("fsck", "--strict", "--no-dangling") == ""
    world.git("prune", "--expire=now")
    world.git("gc", "-q", "--prune=now")
    assert world.git("fsck", "--strict", "--no-dangling") == ""
    assert len(world.minitask("status", "p", "--json").json["tasks"]) == tasks


def test_a_dry_run_waits_for_nobody(world: World, tmp_path: Path) -> None:
    world.configure(sandbox="none")
    checkpoint = Checkpoint(tmp_path / "checkpoint", only_with="a.md")
    checkpoint.folder.mkdir()
    for name in ("a", "b"):
        world.task(
            f"p/{name}",
            whole={f"{name}.md": "n\n"},
            validation=f"{checkpoint.command}\ntest -f {name}.md",
        )
    with checkpoint.hold(world, "exec", "p/a", "--json") as held:
        assert world.exec("p/b", "--dry-run").code == 0
        assert world.minitask("run", "p", "--dry-run").code == 0
    assert held.outcome.json["verdict"] == "merged"
    outcome = world.exec("p/a", "--dry-run")
    assert outcome.code == 0, outcome.text


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("kill -SEGV $$", "SIGSEGV"),
        ("bash -c 'kill -ABRT $$'", "SIGABRT"),
        ("sh -c 'kill -9 $$'", "SIGKILL"),
    ],
)
def test_a_command_that_a_signal_ended_says_so(world: World, command: str, words: str) -> None:
    world.task("p/a", whole={"a.md": "n\n"}, validation=command)
    outcome = world.exec("p/a")
    assert outcome.code == 1
    assert words in outcome.json["reason"], outcome.text
