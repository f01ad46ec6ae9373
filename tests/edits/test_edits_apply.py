"""What applying an edit script promises beside the files that it makes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from minitask.edits.apply_script import apply_script
from minitask.edits.grammar import parse_script
from minitask.edits.script_model import Change, EditScript, SearchReplace, UnifiedDiff
from minitask.errors import EditError
from minitask.spec.model import Fence, LineRange

if TYPE_CHECKING:
    from pathlib import Path

TEN = "".join(f"line {n}\n" for n in range(1, 11))


def operations(*lines: str) -> EditScript:
    return parse_script([Fence("edits", "".join(f"{line}\n" for line in lines), line=7)])


def shifted_by_two(path: str, cited: LineRange) -> LineRange:
    return LineRange(cited.start + 2, cited.end + 2)


def test_cited_lines_are_carried_to_the_base() -> None:
    script = operations("move a.py:1-2 -> b.py", "copy a.py:8 -> a.py:3")
    changes = apply_script(script, read={"a.py": TEN}.get, locate=shifted_by_two)
    rest = "line 1\nline 2\nline 5\nline 10\n" + "".join(f"line {n}\n" for n in range(6, 11))
    assert changes == (Change("a.py", rest), Change("b.py", "line 3\nline 4\n"))


def test_a_new_name_is_carried_under_the_old_one() -> None:
    asked: list[str] = []

    def locate(path: str, cited: LineRange) -> LineRange:
        asked.append(path)
        return cited

    script = operations("rename a.py -> b.py", "copy b.py:1 -> b.py:2")
    apply_script(script, read={"a.py": TEN}.get, locate=locate)
    assert asked == ["a.py", "a.py"]


def test_a_range_that_is_carried_beyond_the_end_is_refused() -> None:
    with pytest.raises(EditError, match=r"a\.py has 10 lines; 11-12 is beyond its end"):
        apply_script(
            operations("copy a.py:9-10 -> b.py"), read={"a.py": TEN}.get, locate=shifted_by_two
        )


def test_an_error_of_the_carrier_gets_the_place_of_the_operation() -> None:
    def locate(path: str, cited: LineRange) -> LineRange:
        raise EditError(f"line {cited.start} of {path} changed")

    with pytest.raises(EditError) as caught:
        apply_script(
            operations("# first", "delete a.py:1"),
            read={"a.py": TEN}.get,
            locate=locate,
            source="s.md",
        )
    assert caught.value.where == "s.md:9"


def test_whole_files_are_read_without_carrying() -> None:
    def locate(path: str, cited: LineRange) -> LineRange:
        raise AssertionError(path)

    changes = apply_script(operations("copy a.py -> b.py"), read={"a.py": TEN}.get, locate=locate)
    assert changes == (Change("b.py", TEN, mode_from="a.py"),)


def test_each_file_is_read_once() -> None:
    asked: list[str] = []

    def read(path: str) -> str | None:
        asked.append(path)
        return TEN if path == "a.py" else None

    apply_script(
        operations("move a.py:1 -> b.py", "move a.py:5 -> c.py", "delete a.py:3"), read=read
    )
    assert sorted(asked) == ["a.py", "b.py", "c.py"]


def test_edits_that_cancel_out_are_no_change() -> None:
    there = SearchReplace("a.py", "line 1\n", "one\n")
    back = SearchReplace("a.py", "one\n", "line 1\n")
    assert apply_script(EditScript((there, back)), read={"a.py": TEN}.get) == ()


def test_a_lone_byte_order_mark_survives_a_rename() -> None:
    changes = apply_script(operations("rename a -> b"), read={"a": "\ufeff"}.get)
    assert changes == (Change("a", None), Change("b", "\ufeff", mode_from="a"))


def test_bytes_that_are_no_utf8_survive() -> None:
    content = b"caf\xe9\nend\n".decode("utf-8", "surrogateescape")
    changes = apply_script(operations("move a:1 -> b"), read={"a": content}.get)
    moved = {change.path: change.content for change in changes}["b"]
    assert moved is not None
    assert moved.encode("utf-8", "surrogateescape") == b"caf\xe9\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("one\ntwo\nthree", "one\n2\nthree"),
        ("one\ntwo", "one\ntwo\n"),
        ("one\ntwo\n", "one\ntwo"),
        ("one", "one\nmore"),
        ("-- x\n++ y\n", "++ y\n-- x\n"),
        ("a\r\nb\r\nc\r\n", "a\r\nB\r\nc\r\n"),
        (TEN * 3, TEN + "middle\n" + TEN + TEN.replace("line 7\n", "")),
    ],
)
def test_what_git_diff_writes_applies(tmp_path: Path, old: str, new: str) -> None:
    for name, content in (("old", old), ("new", new)):
        (tmp_path / name).write_bytes(content.encode())
    command = ["git", "-c", "core.autocrlf=false", "diff", "--no-index", "--no-color", "old", "new"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=30)
    diff = ran.stdout.decode().replace("b/new", "b/old")
    assert diff
    changes = apply_script(EditScript((UnifiedDiff(diff),)), read={"old": old}.get)
    assert changes == (Change("old", new),)
