"""A reply edits what the prompt showed it of a file, or what the task names."""

from __future__ import annotations

import pytest

from minitask.edits.reply.read import changes_of
from minitask.edits.reply.reply_context import ListedFile, ReplyContext
from minitask.errors import EditError
from minitask.spec.model import FileAction, LineRange

F = "```"
TEXT = "".join(f"line {n}\n" for n in range(1, 10)) + "\nimport os\n    return None\n"
"""Twelve lines, of which the prompt shows lines 3 to 6."""


def asked(told: str = "", seen: str = "", ends: tuple[LineRange, ...] = ()) -> ReplyContext:
    """The request to edit a file that was shown in part, and to create another."""
    part = ListedFile("a.txt", FileAction.EDIT, shown=(LineRange(3, 6),), ends=ends)
    new = ListedFile("b.txt", FileAction.WRITE, optional=True)
    return ReplyContext(
        (part, new), {"a.txt": TEXT, "other.txt": TEXT}.get, task_text=told, extra_text=seen
    )


def operation(text: str) -> str:
    return f"{F}edits\n{text}\n{F}\n"


def search(old: str, new: str) -> str:
    return f"{F}text path=a.txt\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n{F}\n"


def diff(hunk: str) -> str:
    return f"{F}diff\n--- a/a.txt\n+++ b/a.txt\n{hunk}{F}\n"


UNSEEN = {
    "lines below": operation("delete a.txt:7-8"),
    "a range that goes on": operation("move a.txt:5-8 -> b.txt"),
    "lines above": operation("move a.txt:1-2 -> b.txt"),
    "lines of a file that is not listed": operation("copy other.txt:1-2 -> a.txt"),
    "a place to insert": operation("copy a.txt:3-4 -> a.txt:8"),
    "a search": search("line 8", "line eight"),
    "a search for what it removes": search("import os", ""),
    "an insertion into a body": search("    return None", "    x = 1\n    return None"),
    "a diff": diff("@@ -8,1 +8,1 @@\n-line 8\n+line eight\n"),
    "a diff without context": diff("@@ -8,0 +9,1 @@\n+line eight\n"),
}


@pytest.mark.parametrize("case", UNSEEN)
def test_lines_that_were_not_shown_go_back(case: str) -> None:
    with pytest.raises(EditError) as caught:
        changes_of(UNSEEN[case], asked())
    assert "not shown" in str(caught.value)
    assert "lines 3-6" in str(caught.value) or "nothing of other.txt was shown" in str(caught.value)


SEEN = {
    "the lines shown": operation("delete a.txt:3-6"),
    "the end of the file": operation("copy a.txt:3-4 -> a.txt:12"),
    "the start of the file": operation("copy a.txt:3-4 -> a.txt:0"),
    "the line before": operation("copy a.txt:3-4 -> a.txt:2"),
    "a search in what was shown": search("line 4", "line four"),
    "a search that reaches beyond": search("line 6\nline 7", "line 7"),
    "an import more": search("import os", "import os\nimport re"),
    "a diff of what was shown": diff("@@ -4,1 +4,1 @@\n-line 4\n+line four\n"),
}


@pytest.mark.parametrize("case", SEEN)
def test_lines_that_were_shown_are_edited(case: str) -> None:
    """A search outside of them counts where nothing can be lost: it adds to whole lines at the top level.

    An excerpt rarely shows the imports, and no other form of a reply could add one.
    """
    assert changes_of(SEEN[case], asked())


@pytest.mark.parametrize(
    ("case", "request_"),
    [
        ("lines below", asked(told="1. Delete lines 7-8.")),
        ("lines below", asked(told="1. Delete lines 7 to 8 of a.txt.")),
        ("lines below", asked(ends=(LineRange(7, 9),))),
        ("a search", asked(told="Change `line 8`.")),
        ("a search", asked(seen="nearest:\n      8 | line 8")),
    ],
)
def test_lines_that_were_told_otherwise_are_edited(case: str, request_: ReplyContext) -> None:
    assert changes_of(UNSEEN[case], request_)
