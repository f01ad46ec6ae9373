"""Who is let in next, and work that takes the cores that are free."""

from __future__ import annotations

import threading
import time

import pytest

from minitask.concurrency import CpuPool, PrioritySemaphore


def test_the_most_urgent_is_next_and_of_several_the_first() -> None:
    gate, order = PrioritySemaphore(1), []
    waiting = [("late", 1), ("urgent", 5), ("first", 3), ("second", 3)]

    def enter(name: str, urgency: int) -> None:
        with gate.place(urgency):
            order.append(name)

    with gate.place():
        threads = []
        for count, item in enumerate(waiting, 1):
            threads.append(threading.Thread(target=enter, args=item))
            threads[-1].start()
            while len(gate._waiting) < count:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == ["urgent", "first", "second", "late"]


def test_a_place_may_be_taken_again_and_again() -> None:
    gate = PrioritySemaphore(1)
    place = gate.place(2)
    for _ in range(3):
        with place:
            assert not gate.enter_if_free()
    assert gate.enter_if_free()
    gate.leave()


def test_nobody_slips_in_before_one_who_waits() -> None:
    gate = PrioritySemaphore(1)
    with gate.place():
        thread = threading.Thread(target=lambda: gate.enter(0))
        thread.start()
        while not gate._waiting:
            time.sleep(0.001)
        assert not gate.enter_if_free()
    thread.join()


def test_work_is_shared_among_the_cores_that_are_free() -> None:
    cores, left, most, now, lock = CpuPool(3), iter(range(12)), [0], [0], threading.Lock()

    def work() -> None:
        for _ in left:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.02)
            with lock:
                now[0] -= 1

    with cores.place():
        cores.share(work, at_most=10)
    assert most[0] == 3, "here, and on the two that are free"
    assert all(cores.enter_if_free() for _ in range(3))


def test_what_a_helper_raises_is_raised_once_all_is_over() -> None:
    cores, calls = CpuPool(2), []

    def work() -> None:
        calls.append(threading.current_thread())
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("of a helper")

    with pytest.raises(ValueError, match="of a helper"):
        cores.share(work, at_most=1)
    assert len(calls) == 2
    assert cores.enter_if_free()
