"""How fences become edits, and what a script says that it touches."""

from __future__ import annotations

import pytest

from minitask.edits.diff import parse_diff
from minitask.edits.fences import path_above, path_in
from minitask.edits.grammar import (
    covers,
    parse_operation,
    parse_script,
    paths_written,
    render_script,
)
from minitask.edits.script_model import EditScript, Operation, Source, UnifiedDiff, Verb, WholeFile
from minitask.errors import EditError
from minitask.spec.model import Fence, LineRange

DIFF = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"


def script(*fences: Fence) -> EditScript:
    return parse_script(fences)


def edits(*lines: str) -> EditScript:
    return script(Fence("edits", "".join(f"{line}\n" for line in lines)))


@pytest.mark.parametrize(
    ("lead", "path"),
    [
        ("src/a.py", "src/a.py"),
        ("`src/a.py`", "src/a.py"),
        ("**src/a.py**", "src/a.py"),
        ("**`src/a.py`:**", "src/a.py"),
        ("### `src/a.py`:", "src/a.py"),
        ("__init__.py", "__init__.py"),
        (".gitignore:", ".gitignore"),
        ("docker/Makefile", "docker/Makefile"),
        ("`bin/run`", "bin/run"),
        ("`my notes.md`", "my notes.md"),
        ("Example:", None),
        ("before/after:", None),
        ("See src/a.py", None),
        ("src/a.py and src/b.py", None),
        ("https://host/a.py", None),
        ("e.g.", None),
        ("`src/`", None),
        ("", None),
    ],
)
def test_only_a_path_alone_on_the_line_above_counts(lead: str, path: str | None) -> None:
    assert path_above(lead) == path


def test_the_line_above_counts_in_replies_only() -> None:
    fence = Fence("python", "x\n", "src/a.py")
    assert parse_script([fence], lead_paths=True) == EditScript((WholeFile("src/a.py", "x\n"),))
    assert parse_script([fence]) == EditScript()


@pytest.mark.parametrize(
    ("info", "path"),
    [
        ("path=a.py", "a.py"),
        ("python path=a.py title", "a.py"),
        ('python path="a b.py" whole', "a b.py"),
        (r'path="q\"uo\\te"', 'q"uo\\te'),
        ("python xpath=a.py", None),
        ("", None),
    ],
)
def test_an_info_string_names_a_path(info: str, path: str | None) -> None:
    assert path_in(info) == path


@pytest.mark.parametrize("info", ["path=", 'path=""', 'path="open', "python path= a.py"])
def test_a_path_that_cannot_be_read_is_an_error_in_its_place(info: str) -> None:
    with pytest.raises(EditError, match="path of") as caught:
        parse_script([Fence(info, "x\n", line=4)], source="s.md")
    assert caught.value.where == "s.md:4"


def test_a_malformed_line_is_named_by_its_own_number() -> None:
    fence = Fence("edits", "# fine\n\ndelete a.py:1\ncopy a.py\n", line=10)
    with pytest.raises(EditError) as caught:
        parse_script([fence], source="s.md")
    assert caught.value.where == "s.md:14"


def test_every_part_of_an_operation_is_read() -> None:
    read = parse_operation('  move "my file.py":1-3, b.py:4,7 indent 4 -> c.py:0')
    sources = (
        Source("my file.py", LineRange(1, 3)),
        Source("b.py", LineRange(4, 4)),
        Source("b.py", LineRange(7, 7)),
    )
    assert read == Operation(Verb.MOVE, sources, "c.py", after=0, indent=4)


@pytest.mark.parametrize(
    "line",
    [
        "copy",
        "copy -> b.py",
        "copy a.py ->",
        "copy a.py -> b.py c.py",
        "copy a.py -> b.py -> c.py",
        "copy a.py:0-2 -> b.py",
        "copy a.py indent -> b.py",
        "copy a.py dedent x -> b.py",
        "copy a.py dedent b.py:1 -> c.py",
        'copy "" -> b.py',
        "delete a.py -> b.py",
        "delete a.py dedent",
        "rename a.py b.py -> c.py",
        "rename a.py -> b.py:2",
        "Copy a.py -> b.py",
    ],
)
def test_a_line_that_is_no_operation_is_refused(line: str) -> None:
    with pytest.raises(EditError) as caught:
        parse_operation(line)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+ only\n",
        "@@ -1 +1 @@\n-a\n+b\n",
        "--- a/x\n+++ b/x\n",
        "--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n",
        "--- a/x\n+++ b/x\n@@ ... @@\n-a\n+b\n",
        "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-a\n+b\nc\n",
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n a\n b\n",
        "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+t\n",
        "Binary files a/x and b/x differ\n",
    ],
)
def test_a_diff_that_is_not_well_formed_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(EditError):
        parse_script([Fence("diff", text)])


def test_the_signature_of_a_mailed_patch_is_passed_over() -> None:
    mailed = f"From 1234\nSubject: x\n---\n x.py | 2 +-\n\n{DIFF}-- \n2.39.0\n\n"
    assert [diff.new for diff in parse_diff(mailed)] == ["x.py"]


def test_paths_written_include_the_sources_of_moves() -> None:
    found = edits(
        "move a.py:1 -> b.py", "copy c.py:1 -> d.py", "delete e.py:1", "rename f.py -> g.py"
    )
    assert paths_written(found) == {"a.py", "b.py", "d.py", "e.py", "f.py", "g.py"}


def test_paths_written_by_a_diff_are_both_sides_of_a_rename_and_one_of_a_copy() -> None:
    renamed = "diff --git a/x b/y\nrename from x\nrename to y\n"
    copied = "diff --git a/x b/z\ncopy from x\ncopy to z\n"
    assert paths_written(EditScript((UnifiedDiff(renamed),))) == {"x", "y"}
    assert paths_written(EditScript((UnifiedDiff(copied),))) == {"z"}


def test_a_script_covers_what_it_writes_and_an_empty_one_nothing() -> None:
    found = edits("move a.py:1 -> b.py")
    assert covers(found, ["a.py", "b.py"])
    assert covers(found, ["b.py"])
    assert not covers(found, ["b.py", "c.py"])
    assert not covers(EditScript(), [])


def test_equal_neighbours_are_each_rendered() -> None:
    twice = EditScript((UnifiedDiff(DIFF), UnifiedDiff(DIFF)))
    assert render_script(twice).count("```diff") == 2


def test_content_without_a_final_newline_is_closed_by_its_fence() -> None:
    assert render_script(EditScript((WholeFile("a", "x"),))) == "```path=a\nx\n```\n"
