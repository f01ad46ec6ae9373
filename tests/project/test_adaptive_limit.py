"""How many calls a provider is asked at once, after it said that it is too many."""

from __future__ import annotations

import threading

import pytest

from executors.model_server import Received, ScriptedReply, error
from minitask.project.call_pool import AdaptiveLimit
from world import World


def test_a_rate_limit_halves_what_is_asked_at_once_and_answers_bring_it_back():
    throttle = AdaptiveLimit(8)
    with throttle.place(), throttle.place(), throttle.place(), throttle.place():
        throttle.note(throttled=True)
    assert throttle.allowed == 2
    for _ in range(40):
        throttle.note(throttled=False)
    assert throttle.allowed == 8


def test_one_caller_is_always_let_in():
    throttle = AdaptiveLimit(1)
    for _ in range(5):
        throttle.note(throttled=True)
    with throttle.place():
        assert throttle.allowed == 1


@pytest.mark.variant
def test_a_busy_server_is_asked_less_at_once_and_all_tasks_are_done(world: World) -> None:
    inside, most, lock = 0, [0], threading.Lock()

    def reply(request: Received) -> ScriptedReply:
        nonlocal inside
        name = request.prompt.partition("write: ")[2].partition("\n")[0]
        with lock:
            inside += 1
            most[0] = max(most[0], inside)
            busy = inside > 2
        threading.Event().wait(0.1)
        with lock:
            inside -= 1
        if busy:
            return error(429, "slow down", headers={"Retry-After": "0.05"})
        return f"```text path={name}\nx\n```\n"

    with world.serve(reply, concurrency={"requests": 6}):
        for number in range(12):
            name = f"{number}.txt"
            world.task(f"p/{number:02d}-x", writes=[name], validation=f"grep -qx x {name}")
        outcome = world.minitask("run", "p", "--json")
    merged = [task for task in outcome.json["tasks"] if task["verdict"] == "merged"]
    assert len(merged) >= 10, outcome.text
