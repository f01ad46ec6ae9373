"""The scope gate, change by change."""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.scope import check_paths, check_scope, starts_programs
from minitask.git.trees import TreeChange
from minitask.spec.model import FileAction, FileRef, Spec

OID = "1" * 40
SPEC = Spec(
    path="mini-projects/p/01.md",
    number="1",
    title="t",
    files=(
        FileRef("new.py", FileAction.CREATE),
        FileRef("old.py", FileAction.EDIT),
        FileRef("any.py", FileAction.WRITE),
        FileRef("gone.py", FileAction.DELETE),
        FileRef("read.py", FileAction.READ),
        FileRef(".github/workflows/ci.yml", FileAction.EDIT),
        FileRef("mini-projects/p/01.md", FileAction.EDIT),
    ),
)


def change(status: str, path: str, *, old: str = "100644", new: str = "100644") -> TreeChange:
    """A difference between two trees."""
    return TreeChange(status, path, old, new, OID, OID)


@pytest.mark.parametrize(
    ("status", "path"),
    [("A", "new.py"), ("M", "old.py"), ("A", "any.py"), ("M", "any.py"), ("D", "gone.py")],
)
def test_what_the_spec_lists_passes(status: str, path: str) -> None:
    assert check_scope(SPEC, [change(status, path)]).passed


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (change("A", "other.py"), "does not list"),
        (change("M", "read.py"), "does not list"),
        (change("A", "New.py"), "does not list"),
        (change("M", "new.py"), "lists to create"),
        (change("A", "old.py"), "lists to edit"),
        (change("D", "old.py"), "lists to edit"),
        (change("M", "gone.py"), "lists to delete"),
        (change("T", "old.py", new="120000"), "lists to edit"),
        (change("M", ".github/workflows/ci.yml"), "protected"),
        (change("M", "mini-projects/p/01.md"), "protected"),
        (change("A", "new.py", new="120000"), "link"),
        (change("A", "new.py", new="160000"), "submodule"),
        (change("M", "old.py", old="100755"), "executable no longer"),
    ],
)
def test_what_it_does_not_list_is_refused(item: TreeChange, words: str) -> None:
    ruling = check_scope(SPEC, [change("A", "any.py"), item])
    assert not ruling.passed
    assert ruling.refused
    assert words in ruling.reason


def test_an_empty_change_fails() -> None:
    assert not check_scope(SPEC, []).passed


def test_a_listed_file_may_become_executable() -> None:
    files = [change("A", "new.py", new="100755"), change("M", "old.py", new="100755")]
    assert check_scope(SPEC, files).passed


def test_further_protected_files_come_from_the_settings() -> None:
    assert not check_scope(SPEC, [change("M", "old.py")], protected=["old.*"]).passed


def test_paths_are_judged_before_anything_is_written() -> None:
    assert check_paths(SPEC, [Change("new.py", "x")]).passed
    assert not check_paths(SPEC, [Change("new.py", "x"), Change("b.py", "x")]).passed
    assert not check_paths(SPEC, [Change("mini-projects/p/01.md", "x")]).passed


@pytest.mark.parametrize(
    ("path", "starts"),
    [
        (".vscode/tasks.json", True),
        ("web/.vscode/Tasks.json", True),
        (".envrc", True),
        (".devcontainer/Dockerfile", True),
        ("web/package.json", True),
        ("Makefile", True),
        ("src/tasks.json", False),
        ("docs/package.json.md", False),
        ("envrc", False),
    ],
)
def test_files_that_make_programs_run_are_known(path: str, *, starts: bool) -> None:
    assert starts_programs(path) is starts
