"""Files that lost most of what they had, and whether anybody asked for that."""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import Criterion, Fence, FileAction, FileRef, LineRange, Spec

BASE = "".join(f"row_{n} = {n}\n\n" for n in range(60))
"""60 lines and 60 blank ones."""
LESS = "".join(f"row_{n} = {n}\n" for n in range(29))
EDIT = FileRef("a.py", FileAction.EDIT)


def a_spec(**parts: object) -> Spec:
    """A spec that edits `a.py` and asks for nothing to go."""
    told = {"title": "Add a flag", "files": (EDIT,), "task": "1. Add the flag for JSON.", **parts}
    return Spec(path="mini-projects/p/01.md", number="1", **told)  # type: ignore[arg-type]


def lint(content: str, spec: Spec, *others: Change) -> str:
    """The reason of the ruling on `a.py`; empty where it passed."""
    return check_lint([Change("a.py", content), *others], read={"a.py": BASE}.get, spec=spec).reason


def test_a_file_that_lost_half_of_its_lines_fails() -> None:
    assert lint(LESS, a_spec()) == (
        "a.py:29: it loses 31 of its 60 lines, which the spec does not ask for; "
        "reply with the whole file, or with edits of the lines that change"
    )
    assert "loses 60 of its 60" in lint("", a_spec())


def test_half_of_the_lines_of_a_text_passes_only_where_the_edits_name_the_rest() -> None:
    spec = a_spec(files=(FileRef("a.txt", FileAction.EDIT),))
    whole = Change("a.txt", LESS + "row = 0\n")
    assert "it loses" in check_lint([whole], read={"a.txt": BASE}.get, spec=spec).reason
    edits = Change("a.txt", LESS + "row = 0\n", explicit=True)
    assert check_lint([edits], read={"a.txt": BASE}.get, spec=spec).passed


def test_half_of_the_definitions_is_not_enough() -> None:
    assert "it loses row_29" in lint(LESS + "row = 0\n", a_spec())


def test_short_code_without_definitions_may_become_shorter() -> None:
    small = "print(1)\n" * 10
    change = [Change("a.py", "for n in range(10):\n    print(1)\n")]
    assert check_lint(change, read={"a.py": small}.get, spec=a_spec()).passed


def test_a_new_file_and_a_deleted_one_lose_nothing() -> None:
    changes = [Change("new.py", "x = 1\n"), Change("a.py", None)]
    assert check_lint(changes, read={"a.py": BASE}.get, spec=a_spec()).passed


@pytest.mark.parametrize(
    "words",
    [
        *("Remove the rows", "Deleting old rows", "drop what is unused", "Move the rows to b"),
        *("extract the table", "Split it up", "shrink it", "Reduce duplication"),
        *("simplify the parser", "rewrite it", "Replace it by a loop", "empty the file"),
        *("strip it down", "trim the table", "clean up", "deduplicate"),
        *("If a row is unused, delete it", "Delete rows that are not needed", "At most 40 lines"),
    ],
)
def test_a_spec_that_asks_for_less_gets_less(words: str) -> None:
    note = FileRef("a.py", FileAction.EDIT, note=words)
    assert not lint(LESS, a_spec(title=words))
    assert not lint(LESS, a_spec(task=f"1. {words}."))
    assert not lint(LESS, a_spec(criteria=(Criterion(words),)))
    assert not lint(LESS, a_spec(files=(note,)))


@pytest.mark.parametrize(
    "words",
    ["Add a dropdown", "call `text.strip()`", "```\nremove(x)\n```", "Keep it moist", "a splitter"],
)
def test_words_that_ask_for_nothing_to_go_change_nothing(words: str) -> None:
    assert lint(LESS, a_spec(task=words))


@pytest.mark.parametrize(
    "words",
    [
        *("Remove trailing spaces", "Use a dict instead of a list", "Delete the cache on start"),
        *("Drop support of Python 2", "Return 0 if the list is empty", "Do not rewrite it"),
        *("Fail when the rows are merged", "Print at most 20 lines", "Nothing may be moved"),
        "Change the text of the button",
    ],
)
def test_half_of_a_file_does_not_go_by_a_word_about_something_else(words: str) -> None:
    text = "# A\n\n" + "".join(f"{n}. A line of text.\n" for n in range(12))
    change = Change("a.md", "# A\n\n0. A line of text.\n")
    spec = a_spec(title=words, files=(FileRef("a.md", FileAction.EDIT),), task=f"1. {words}.")
    assert (
        "it loses 11 of its 13" in check_lint([change], read={"a.md": text}.get, spec=spec).reason
    )
    assert lint(LESS, a_spec(title=words))


def test_a_note_on_another_file_is_not_about_this_one() -> None:
    other = FileRef("b.py", FileAction.EDIT, note="remove the rows")
    assert lint(LESS, a_spec(files=(EDIT, other)))


@pytest.mark.parametrize(
    ("info", "content"),
    [
        ("edits", "move a.py:1-80 -> b.py\n"),
        ("edits", "delete a.py:1-80\n"),
        ("path=a.py", "x = 1\n"),
        ("path=a.py", "<<<<<<< SEARCH\na\nb\n=======\na\n>>>>>>> REPLACE\n"),
    ],
)
def test_an_edit_script_that_takes_lines_away_asks_for_it(info: str, content: str) -> None:
    assert not lint(LESS, a_spec(snippets=(Fence(info, content),)))


@pytest.mark.parametrize(
    ("info", "content"),
    [
        ("edits", "copy a.py:1-80 -> b.py\n"),
        ("edits", "move b.py:1-80 -> a.py\n"),
        ("edits", "no such thing\n"),
        ("path=a.py", "<<<<<<< SEARCH\na\n=======\na\nb\n>>>>>>> REPLACE\n"),
        ("python", "x = 1\n"),
    ],
)
def test_an_edit_script_that_does_not_asks_for_nothing(info: str, content: str) -> None:
    assert lint(LESS, a_spec(snippets=(Fence(info, content),)))


def test_cited_lines_may_go() -> None:
    def cited(*ranges: LineRange) -> Spec:
        return a_spec(files=(FileRef("a.py", FileAction.EDIT, ranges=ranges),))

    assert not lint(LESS, cited(LineRange(1, 20), LineRange(40, 50)))
    assert lint(LESS, cited(LineRange(1, 20), LineRange(40, 49)))
    read = FileRef("a.py", FileAction.READ, ranges=(LineRange(1, 120),))
    assert lint(LESS, a_spec(files=(EDIT, read)))


def test_what_went_to_another_file_of_the_change_is_not_lost() -> None:
    rest = "".join(f"row_{n} = {n}\n" for n in range(29, 60))
    assert not lint(LESS, a_spec(), Change("b.py", rest))
    assert lint(LESS, a_spec(), Change("b.py", "x = 1\n"))


def test_a_renamed_file_is_measured_by_what_it_was() -> None:
    change = Change("b.py", LESS, mode_from="a.py")
    assert not check_lint([change], read={"a.py": BASE}.get, spec=a_spec()).passed
