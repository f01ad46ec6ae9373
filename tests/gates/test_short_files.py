"""A short file that is written anew keeps the lines that its task does not speak of, or somebody says why not."""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, Spec

LIST = "alpha\nbeta\ngamma\ndelta\nepsilon\n"
SHELL = "#!/bin/sh\necho first\ncp a b\nrm -f c\n"
PINS = "flask==2.0\nrequests>=2\nclick\n"
PAGE = "<ul>\n<li>alpha one</li>\n<li>beta two</li>\n<li>gamma three</li>\n</ul>\n"


def ruling(path: str, base: str, content: str, title: str, said: str = "") -> str:
    """The reason against a file that was written anew; empty where it passes."""
    files = (FileRef(path, FileAction.EDIT),)
    spec = Spec(
        path="mini-projects/p/01.md", number="1", title=title, files=files, task=f"1. {title}."
    )
    change = [Change(path, content)]
    return check_lint(change, read={path: base}.get, spec=spec, explanation=said).reason


LOST = {
    "only the new entry of a list": ("allow.txt", LIST, "zeta\n", "Add zeta to the list"),
    "only the new pin": ("requirements.txt", PINS, "rich==13\n", "Add rich==13"),
    "two new entries": ("words.txt", "north\nsouth\n", "zeta\nomikron\n", "Add zeta and omikron"),
    "only the new command": ("run.sh", SHELL, "mkdir -p out\n", "Make the folder out at the end"),
    "the head and the new command": ("run.sh", SHELL, "#!/bin/sh\nmkdir -p out\n", "Add `mkdir -p out`"),
    "only the new setting": ("a.conf", "listen 80;\nroot /a;\nindex b;\n", "gzip on;\n", "Turn gzip on"),
    "a frame with the new element": ("a.html", PAGE, "<ul>\n<li>delta four</li>\n</ul>\n", "Add an element delta four"),
    "constants": ("b.py", "FIRST = 1\nSECOND = 2\n", "THIRD = 3\n", "Add a constant THIRD = 3"),
    "code made new": (
        "b.py",
        "total = 0\nfor x in xs:\n    total += x\nprint(total)\n",
        "print(sum(xs))\n",
        "Use sum() in b.py",
    ),
    "an image": (
        "Dockerfile",
        "FROM python\nRUN pip install x\nCOPY . .\n",
        "FROM scratch\nEXPOSE 80\n",
        "Expose port 80",
    ),
    "a process": ("Procfile", "web: run the server\nworker: work\n", "beat: beat\n", "Add a process beat: beat"),
}  # fmt: skip


@pytest.mark.parametrize("case", LOST)
def test_lines_that_nobody_spoke_of_are_asked_back(case: str) -> None:
    path, *given = LOST[case]
    assert "which the spec does not" in ruling(path, *given)


@pytest.mark.parametrize("case", ["only the new command", "code made new", "an image"])
def test_lines_that_go_with_a_word_on_why_pass(case: str) -> None:
    path, *given = LOST[case]
    reason = ruling(path, *given)
    assert f"if that is meant, say in a line that {path} is to lose them" in reason
    assert not ruling(path, *given, f"I removed the old lines of {path}: they do nothing.")
    assert ruling(path, *given, f"```text path={path}\nremoved\n```\nDone.")


KEPT = {
    "an entry more": ("allow.txt", LIST, LIST + "zeta\n", "Add zeta to the list"),
    "an entry less": ("allow.txt", LIST, LIST[6:], "Drop alpha from the list"),
    "another list": ("allow.txt", LIST, "zeta\n", "Replace the contents of allow.txt with zeta"),
    "a list of one": ("allow.txt", LIST, "zeta\n", "Only zeta is allowed: remove all others"),
    "a version": ("VERSION", "1.2.3\n", "2.0.0\n", "Set the version to 2.0.0"),
    "a pin changed": ("requirements.txt", PINS, PINS.replace("2.0", "3.1"), "Update flask to 3.1"),
    "a pin replaced": ("requirements.txt", PINS, PINS.replace("click\n", "typer\n"), "Use typer in place of click"),
    "a shorter script": ("run.sh", SHELL, "#!/bin/sh\ncp a b\n", "Simplify run.sh"),
    "a function's body": (
        "c.py",
        "def total(xs):\n    s = 0\n    for x in xs:\n        s += x\n    return s\n",
        "def total(xs):\n    return sum(xs)\n",
        "total adds with sum",
    ),
    "an unused import": (
        "d.py",
        "import os\nimport sys\nprint(sys.argv)\n",
        "import sys\nprint(sys.argv[1:])\n",
        "Print the arguments without the program",
    ),
    "a stub filled in": (
        "e.py",
        "X = None\nY = None\n",
        "import json\n\nX = json.loads('1')\nY = json.loads('2')\nZ = X + Y\n",
        "Read X and Y as JSON and add Z",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", KEPT)
def test_what_the_task_asks_for_passes(case: str) -> None:
    path, *given = KEPT[case]
    assert not ruling(path, *given)
