"""What is red before and after by the same words, while something else was mended, is not the change's fault."""

from __future__ import annotations

import pytest

from minitask.ledger.record import CommandRecord
from minitask.task.unchanged import fails_without_change


def ran(command: str, code: int, output: str = "") -> CommandRecord:
    return CommandRecord(
        1, command, code, code == 0, 0.1, output, "" if code == 0 else f"exit code {code}"
    )


MENDED = (ran("test -f new.txt", 1), ran("test -f new.txt", 0))
SAME = {
    "by its words": ("ValueError: broken\n", "ValueError: broken\n"),
    "but for times": ("1 failed in 0.12s\n", "1 failed in 3.4s\n"),
    "but for private folders": (
        "open /home/u/.cache/minitask/1f/slots/0/tree/x: missing",
        "open /home/u/.cache/minitask/1f/slots/3/tree/x: missing",
    ),
}
OTHER = {
    "other words": ("ValueError: broken", "TypeError: broken"),
    "no words": ("", ""),
    "a file of the task": ("AssertionError in new.txt", "AssertionError in new.txt"),
    "a module of the task": ("from new import f", "from new import f"),
}


@pytest.mark.parametrize("said", SAME.values(), ids=SAME)
def test_what_fails_the_same_way_is_found(said: tuple[str, str]) -> None:
    before, after = (ran("make", 2, text) for text in said)
    found = fails_without_change((MENDED[0], before), (MENDED[1], after), written=("new.txt",))
    assert found is after


@pytest.mark.parametrize("said", OTHER.values(), ids=OTHER)
def test_what_may_be_the_tasks_own_is_not(said: tuple[str, str]) -> None:
    before, after = (ran("make", 2, text) for text in said)
    assert not fails_without_change((MENDED[0], before), (MENDED[1], after), written=("new.txt",))


def test_a_change_that_mended_nothing_is_to_blame() -> None:
    red = ran("make", 2, "broken")
    assert not fails_without_change((red,), (red,), written=("new.txt",))
    assert not fails_without_change((), (MENDED[1], red), written=("new.txt",))
