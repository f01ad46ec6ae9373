"""What is red before and after by the same words, while something else was mended, is not the change's fault."""

from __future__ import annotations

import pytest

from minitask.ledger.record import CommandRecord
from minitask.task.feedback import fails_without_change


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


PYTHON = "E   ModuleNotFoundError: No module named 'numpy'\n1 error in 0.{}s\n"
NODE = "Error: Cannot find module 'left-pad'\nRequire stack:\n- /w/{}/new.js\n"


@pytest.mark.parametrize("output", [PYTHON, NODE])
@pytest.mark.parametrize("mended", [True, False])
def test_a_module_that_is_missing_before_and_after_is_nobodys_fault(
    output: str, mended: bool
) -> None:
    pair = (ran("pytest -q", 2, output.format(1)), ran("pytest -q", 2, output.format(22)))
    before, after = zip(*((MENDED, pair) if mended else (pair,)), strict=True)
    found = fails_without_change(before, after, written=("new.js", "src/new.py"))
    assert found is not None
    assert "is missing" in found.reason


@pytest.mark.parametrize(
    ("before", "after", "written", "told"),
    [
        (PYTHON, PYTHON, ("numpy/new.py",), ""),
        (PYTHON, PYTHON, ("src/new.py", "pyproject.toml"), ""),
        (PYTHON, PYTHON, ("src/new.py",), "Do without numpy."),
        (PYTHON, PYTHON.replace("numpy", "scipy"), ("src/new.py",), ""),
        ("E   AssertionError", PYTHON, ("src/new.py",), ""),
        (PYTHON, "E   AssertionError", ("src/new.py",), ""),
        (PYTHON, PYTHON + PYTHON.replace("numpy", "made_up"), ("src/new.py",), ""),
        (PYTHON.replace("numpy", "pkg.new"), PYTHON.replace("numpy", "pkg.new"), ("pkg/new.py",), ""),
        (NODE.replace("left-pad", "./lib"), NODE.replace("left-pad", "./lib"), ("new.js",), ""),
    ],
)  # fmt: skip
def test_a_module_that_the_change_may_bring_or_take_out_is_its_own(
    before: str, after: str, written: tuple[str, ...], told: str
) -> None:
    old, new = ran("pytest -q", 2, before), ran("pytest -q", 2, after)
    assert not fails_without_change((old,), (new,), written=written, spec_text=told)


def test_a_file_whose_name_only_holds_a_modules_does_not_bring_it() -> None:
    lack = ran("pytest -q", 2, PYTHON.replace("numpy", "six"))
    found = fails_without_change((lack,), (lack,), written=("src/sixth.py", "tests/test_sixth.py"))
    assert found is not None
    assert not fails_without_change((lack,), (lack,), written=("src/_six.c",))


def test_a_command_that_fails_by_the_change_is_its_fault_beside_a_missing_module() -> None:
    lack, other = ran("pytest -q", 2, PYTHON), ran("make", 2, "broken by it")
    was = (lack, ran("make", 0))
    assert not fails_without_change(was, (lack, other), written=("src/new.py",))


def test_a_change_that_mended_nothing_is_to_blame() -> None:
    red = ran("make", 2, "broken")
    assert not fails_without_change((red,), (red,), written=("new.txt",))
    assert not fails_without_change((), (MENDED[1], red), written=("new.txt",))
