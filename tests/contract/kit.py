"""What several contract tests share: a ladder of scripted models, its task, and replies by phase."""

from __future__ import annotations

import contextlib
import os
import pty
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from executors.model_server import Received, Script, ScriptedServer, completion
from world import MINITASK, TIMEOUT_SECONDS, Outcome, World, environment

TIERS = ("free", "cheap", "balanced", "frontier")
B = "```text path=b.txt\nb\n```\n"
GATES = ["scope", "lint", "validate", "review"]
PASS = "```verdict\n1 pass b.txt:1 it is there\n```\n"
FIX = "```verdict\n1 fix b.txt:1 the second line is missing\n```\n"
FAIL = "```verdict\n1 fail b.txt:1 the second line is missing\n```\n"
EDIT = FIX + "\n```text path=b.txt\n<<<<<<< SEARCH\nb\n=======\nb\nc\n>>>>>>> REPLACE\n```\n"
PHASES = {
    "You review": "review",
    "Write the commit": "message",
    "Classify": "classify",
    "Plan a": "plan",
}
"""Which phase a request belongs to, by how its instructions begin."""


def settings_for(
    base_url: str, *, routing: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Every tier with a model of its own name, at 1, 10, 100 and 1,000 USD a million tokens, free for nothing."""
    rates = {tier: 10**place if place else 0 for place, tier in enumerate(TIERS)}
    return {
        "executors": {"scripted": {"type": "openai", "base_url": base_url}},
        "tiers": {tier: {"executor": "scripted", "model": f"{tier}-model"} for tier in TIERS},
        "prices": {f"{tier}-model": {"input": n, "output": n} for tier, n in rates.items()},
        "routing": {"repairs": 0, **(routing or {})},
        **more,
    }


def writes(text: str) -> Any:
    """A reply that writes b.txt."""
    return completion(f"```text path=b.txt\n{text}\n```\n")


def task_b(world: World, **front: Any) -> None:
    """The task p/01-b: b.txt holds a line `b`."""
    world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt", front=front or None)


@contextlib.contextmanager
def ladder(world: World, script: Script, **settings: Any) -> Iterator[ScriptedServer]:
    """The task of `task_b`, and models of all tiers that answer so."""
    with world.serve(script, settings_for, **settings) as server:
        task_b(world)
        yield server


def exec_b(world: World, script: Script, *words: str, **settings: Any) -> Outcome:
    """Run the task of `task_b` with models that answer so."""
    with ladder(world, script, **settings):
        return world.exec("p/01-b", *words)


def phase_of(request: Received) -> str:
    """Which phase a request belongs to."""
    start = request.json["messages"][0]["content"]
    return next((phase for word, phase in PHASES.items() if start.startswith(word)), "implement")


def answering(**replies: str | Callable[[Received], str]) -> tuple[list[tuple[str, str]], Any]:
    """A server's answers by phase, and the list of who was asked for what."""
    asked: list[tuple[str, str]] = []

    def answer(request: Received) -> Any:
        phase = phase_of(request)
        asked.append((phase, request.json["model"].partition("-")[0]))
        reply = replies[phase]
        return completion(reply(request) if callable(reply) else reply)

    return asked, answer


def on_terminal(
    world: World,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    typed: str = "",
    first: Callable[[], object] = lambda: None,
) -> tuple[int, str]:
    """Run `minitask` on a terminal of its own, and type an answer once it asks; its exit code and what it printed."""
    process, terminal = pty.fork()
    if process == 0:
        variables = environment({"TERM": "xterm-256color", "COLUMNS": "120", **(env or {})})
        os.chdir(world.root)
        os.execvpe(MINITASK[0], [*MINITASK, *arguments], variables)
    printed, has_typed, deadline = b"", False, time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so where nobody has the other end
            break
        if not part:
            break
        printed += part
        if typed and b"[Y/n]" in printed and not has_typed:
            first()
            os.write(terminal, typed.encode())
            has_typed = True
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), printed.decode()
