"""A run asks for many tasks at once, where they have no files in common, and ends at once where it must."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from executors.model_server import (
    Received,
    Script,
    ScriptedReply,
    ScriptedServer,
    error,
)
from world import MINITASK, World, agent_settings, write_program


def written(request: Received) -> str:
    """The file that the request's task writes, by the number in the task's title."""
    found = re.search(r"# Write (\d+)\b", request.prompt)
    assert found is not None, request.prompt
    return found[1]


def good(request: Received) -> str:
    return f"```text path={written(request)}.txt\nb\n```\n"


@contextmanager
def serving(world: World, script: Script, *, tasks: int, **more: Any) -> Iterator[ScriptedServer]:
    """Tasks, and a model that answers so."""
    with world.serve(script, **more) as server:
        for n in range(tasks):
            check, title = f"grep -qx b {n}.txt", f"Write {n}"
            world.task(f"p/0{n}-x", writes=[f"{n}.txt"], validation=check, title=title)
        yield server


class Watched:
    """A script that takes its time, and knows which requests were there at once."""

    def __init__(self, reply: Callable[[Received], ScriptedReply], *, seconds: float) -> None:
        self.reply = reply
        self.seconds = seconds
        self.together: list[frozenset[str]] = []
        self._now: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, request: Received) -> ScriptedReply:
        name = written(request)
        with self._lock:
            self._now.add(name)
            self.together.append(frozenset(self._now))
        time.sleep(self.seconds)
        with self._lock:
            self._now.discard(name)
        return self.reply(request)


@pytest.mark.variant
def test_tasks_without_common_files_are_asked_for_at_once(world: World) -> None:
    meet = threading.Barrier(6, timeout=15)

    def reply(request: Received) -> str:
        meet.wait()
        return good(request)

    with serving(world, reply, tasks=6):
        outcome = world.minitask("run", "p", "--json")
    assert not meet.broken, "six requests have to be there before one is answered"
    assert (outcome.code, [*outcome.verdicts.values()]) == (0, ["merged"] * 6), outcome.text
    assert {world.show(f"{number}.txt") for number in range(6)} == {"b\n"}
    assert world.git("rev-list", "--count", "--merges", "main") == "6", "one merge a task"


@pytest.mark.variant
def test_no_more_calls_are_made_at_once_than_the_config_allows(world: World) -> None:
    watched = Watched(good, seconds=0.15)
    with serving(world, watched, tasks=5, concurrency={"requests": 2}):
        outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert max(map(len, watched.together)) == 2


@pytest.mark.variant
def test_tasks_with_common_files_are_never_asked_for_at_once(world: World) -> None:
    """1 edits what 0 writes, 2 reads it, and 3 has nothing to do with them."""
    edits = {
        "0": "```text path=0.txt\nb\n```\n",
        "1": "```text path=0.txt\n<<<<<<< SEARCH\nb\n=======\nb\nc\n>>>>>>> REPLACE\n```\n",
        "2": "```text path=2.txt\nb\nc\n```\n",
        "3": "```text path=3.txt\nb\n```\n",
    }
    watched = Watched(lambda request: edits[written(request)], seconds=0.4)
    with world.serve(watched) as server:
        world.task("p/00-x", writes=["0.txt"], validation="grep -qx b 0.txt", title="Write 0")
        world.task("p/01-x", writes=["0.txt"], validation="grep -qx c 0.txt", title="Write 1")
        world.task(
            "p/02-x",
            writes=["2.txt"],
            reads=["0.txt"],
            validation="cmp 0.txt 2.txt",
            title="Write 2",
        )
        world.task("p/03-x", writes=["3.txt"], validation="grep -qx b 3.txt", title="Write 3")
        outcome = world.minitask("run", "p", "--json")
        prompts = {written(request): request.prompt for request in server.requests}
    assert (outcome.code, [*outcome.verdicts.values()]) == (0, ["merged"] * 4), outcome.text
    for together in watched.together:
        assert len(together & {"0", "1", "2"}) <= 1, watched.together
    assert frozenset({"0", "3"}) in watched.together
    assert "b\nc" in re.sub(r"(?m)^\d+\t", "", prompts["2"]), "it is shown what landed before it"


@pytest.mark.variant
def test_a_slow_answer_holds_no_other_task_up(world: World) -> None:
    def reply(request: Received) -> str:
        deadline = time.monotonic() + 10
        while written(request) == "0" and time.monotonic() < deadline:
            if world.git("rev-list", "--count", "--merges", "main") == "2":
                landed.set()
                break
            time.sleep(0.1)
        return good(request)

    landed = threading.Event()
    with serving(world, reply, tasks=3):
        outcome = world.minitask("run", "p", "--json")
    assert landed.is_set(), "the others land while the first is waited for"
    assert (outcome.code, [*outcome.verdicts.values()]) == (0, ["merged"] * 3), outcome.text


@pytest.mark.variant
def test_a_task_that_fails_holds_no_other_task_up(world: World) -> None:
    def reply(request: Received) -> ScriptedReply:
        return "I cannot." if written(request) == "1" else good(request)

    with serving(world, reply, tasks=3):
        outcome = world.minitask("run", "p", "--json")
    assert (outcome.code, [*outcome.verdicts.values()]) == (1, ["merged", "failed", "merged"]), (
        outcome.text
    )


@pytest.mark.parametrize(
    ("final", "code", "verdict"),
    [
        (error(401, "bad key"), 3, "error"),
        (error(403, "not yours"), 3, "error"),
        (error(429, "no credit", code="insufficient_quota"), 4, "skipped"),
    ],
    ids=["401", "403", "quota"],
)
def test_after_a_rejected_key_or_an_empty_account_nobody_asks_again(
    world: World, final: Any, code: int, verdict: str
) -> None:
    with serving(world, lambda request: final, tasks=4, concurrency={"requests": 1}) as server:
        outcome = world.minitask("run", "p", "--json")
        assert len(server.requests) == 1
    tasks = outcome.json["tasks"]
    [first] = [each for each in tasks if each["attempts"]]
    rest = [each for each in tasks if each is not first]
    assert (outcome.code, first["verdict"]) == (code, verdict), outcome.text
    assert [each["verdict"] for each in rest] == ["skipped"] * 3
    said = first["reason"].splitlines()[0]
    assert all(said in each["reason"] for each in rest)
    assert outcome.json["cost_usd"] == "0"


@pytest.mark.variant
def test_what_was_under_way_when_a_key_was_rejected_is_still_taken(world: World) -> None:
    meet = threading.Barrier(2, timeout=15)

    def reply(request: Received) -> ScriptedReply:
        if meet.wait() == 0:
            return error(401, "bad key")
        time.sleep(0.5)
        return good(request)

    with serving(world, reply, tasks=4, concurrency={"requests": 2}) as server:
        outcome = world.minitask("run", "p", "--json")
        assert len(server.requests) == 2
    assert sorted(outcome.verdicts.values()) == ["error", "merged", "skipped", "skipped"], (
        outcome.text
    )
    assert outcome.code == 3


@pytest.mark.variant
@pytest.mark.parametrize("arguments", [("run", "p"), ("exec", "p/00-x")], ids=["run", "exec"])
def test_an_interrupt_ends_calls_that_hang(world: World, arguments: tuple[str, ...]) -> None:
    asked, go = threading.Event(), threading.Event()

    def reply(request: Received) -> str:
        asked.set()
        go.wait(600)
        return good(request)

    with serving(world, reply, tasks=2) as server:
        before = world.tip()
        call: Any = {"cwd": world.root, "start_new_session": True, "text": True}
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen((*MINITASK, *arguments), **call, **pipes) as process:
            while process.poll() is None and not asked.wait(0.1):
                pass
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=120)[1]
        requests = len(server.requests)
        go.set()
        assert process.returncode == 130, said
        assert "Traceback" not in said
        assert "interrupted" in said
        assert world.tip() == before
        assert requests <= 2, "nothing is asked anew on the way out"
        again = world.minitask(*arguments, "--json")
    assert again.code == 0, again.text
    first, last = (record["attempt"] for record in world.records("p/00-x"))
    assert (first["verdict"], last["verdict"]) == ("error", "ready")
    assert first["cost_usd"] != "0", (
        "what the call may have cost is on record: unknown or estimated"
    )


def test_an_interrupt_ends_the_wait_for_another_try(world: World) -> None:
    asked = threading.Event()

    def reply(request: Received) -> ScriptedReply:
        asked.set()
        return error(429, "busy", headers={"Retry-After": "400"})

    with serving(world, reply, tasks=1) as server:
        with world.start("run", "p") as process:
            assert asked.wait(30)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=120)
        assert len(server.requests) == 1, "nobody is asked again on the way out"
    assert process.returncode == 130


def test_an_agent_does_not_outlive_a_run_that_is_told_to_end(world: World, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    slow = f"setsid sleep 60 & echo $! $$ > {tmp_path}/some; mv {tmp_path}/some {pids}; wait"
    script = f'if grep -q Slow "$1"; then {slow}; fi; sleep 2; echo b > 0.txt'
    program = write_program(tmp_path / "agent", f"#!/bin/bash\n{script}\n")
    world.configure(**agent_settings(program, "{prompt_file}"), sandbox="none")
    world.task("p/00-x", writes=["0.txt"], validation="grep -qx b 0.txt", title="Quick")
    world.task("p/01-x", writes=["1.txt"], validation="grep -qx b 1.txt", title="Slow")
    with world.start("run", "p") as process:
        while process.poll() is None and not pids.exists():
            time.sleep(0.05)
        process.terminate()
        assert process.wait(timeout=50) == 130
    alive = [pid for pid in pids.read_text().split() if Path("/proc", pid, "exe").exists()]
    assert not alive, "neither the agent nor what left its session runs on"


def test_an_agent_does_not_start_in_a_run_that_was_interrupted(
    world: World, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    program = write_program(tmp_path / "agent", f"#!/bin/bash\necho >> {began}\nsleep 60\n")
    world.configure(**agent_settings(program, "{prompt_file}"), sandbox="none")
    for number in range(4):
        world.task(f"p/0{number}-x", writes=[f"{number}.txt"], validation=f"test -s {number}.txt")
    with world.start("run", "p") as process:
        while process.poll() is None and not began.exists():
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
