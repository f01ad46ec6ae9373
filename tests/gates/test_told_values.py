"""A value that the task sets is set."""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, Spec

PYTHON = "LIMIT = 10\nRETRIES = 3\n\n\ndef wait():\n    return RETRIES * LIMIT\n"
FILES = {
    "a.py": PYTHON,
    "b.ts": "export const LIMIT: number = 10;\nexport const RETRIES = 3;\n",
    "c.yaml": "LIMIT: 10\nRETRIES: 3\n",
    "d.json": '{\n  "LIMIT": 10,\n  "RETRIES": 3\n}\n',
    "f.json": '{\n  "a": "^9.1.2",\n  "on": {\n    "RETRIES": 3\n  }\n}\n',
    "e.go": "package e\n\nconst LIMIT = 10\n\nvar RETRIES = 3\n",
}


def ruling(path: str, content: str, task: str) -> str:
    files = (FileRef(path, FileAction.EDIT), FileRef("other.py", FileAction.EDIT))
    spec = Spec("mini-projects/p/01.md", "1", "Raise limits", files=files, task=task)
    return check_lint([Change(path, content)], read=FILES.get, spec=spec).reason


@pytest.mark.parametrize("path", [path for path in FILES if path != "f.json"])
def test_a_value_that_stays_is_a_fault(path: str) -> None:
    task = "1. Set `LIMIT` to 20.\n2. Raise `RETRIES` from 3 to `5`."
    half = FILES[path].replace("3", "5")
    assert "LIMIT is still 10, and the task sets it to 20" in ruling(path, half, task)
    assert "is still" not in ruling(path, half.replace("10", "20"), task)


@pytest.mark.parametrize(
    "task",
    [
        "1. Set `RETRIES` to 5.",
        "1. Set `LIMIT` to 10.0.",
        "1. Set `LIMIT` to 10 and `RETRIES` to 5.",
        "1. In `other.py` set `LIMIT` to 20.",
        "1. Do not set `LIMIT` to 20.",
        "1. If `wait` is slow, set `LIMIT` to 20.",
        "1. Set `LIMIT` to `RETRIES`.",
        "1. Set `other` to 20.",
    ],
)
def test_what_is_not_told_for_certain_may_stay(task: str) -> None:
    assert "is still" not in ruling("a.py", PYTHON.replace("3", "5"), task)


def test_a_name_that_is_assigned_twice_is_not_judged() -> None:
    content = PYTHON.replace("3", "5") + "\n\ndef other(LIMIT=10):\n    return LIMIT\n"
    assert "is still" not in ruling("a.py", content, "1. Set `LIMIT` to 20.")


def test_the_value_may_be_meant_for_another_file_of_the_change() -> None:
    changes = [Change("c.yaml", "LIMIT: 10\nRETRIES: 5\n"), Change("d.yaml", "LIMIT: 20\n")]
    files = tuple(FileRef(change.path, FileAction.EDIT) for change in changes)
    spec = Spec("mini-projects/p/01.md", "1", "T", files=files, task="1. Set `LIMIT` to 20.")
    reason = check_lint(changes, read={**FILES, "d.yaml": "LIMIT: 10\n"}.get, spec=spec).reason
    assert "is still" not in reason


@pytest.mark.parametrize("task", ["1. Bump `a` to 9.1.2.", '1. Set `on` to "*".'])
def test_a_range_and_an_object_are_no_values(task: str) -> None:
    assert "is still" not in ruling("f.json", FILES["f.json"].replace("3", "5"), task)
