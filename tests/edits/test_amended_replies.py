"""A reply that corrects an earlier one: what it may say, and what comes of both against the base."""

from __future__ import annotations

import pytest

from minitask.edits.reply.amend import EarlierReply, amended, find_earlier
from minitask.edits.reply.read import changes_of
from minitask.edits.reply.reply_context import ListedFile, ReplyContext
from minitask.errors import EditError
from minitask.spec.model import FileAction, LineRange

LONG = "".join(f"line {number}\n" for number in range(1, 41))
BASE = {"a.txt": "one\ntwo\nthree\n", "long.txt": LONG}
REQUEST = ReplyContext(
    (
        ListedFile("new.txt", FileAction.CREATE, optional=True),
        ListedFile("a.txt", FileAction.EDIT, optional=True, whole=True),
        ListedFile("long.txt", FileAction.EDIT, optional=True, shown=(LineRange(1, 5),)),
    ),
    BASE.get,
)


def edit(path: str, *pairs: tuple[str, str]) -> str:
    blocks = (f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n" for old, new in pairs)
    return f"```text path={path}\n{''.join(blocks)}```\n"


def whole(path: str, content: str) -> str:
    return f"```text path={path}\n{content}```\n"


def earlier_of(*replies: str) -> EarlierReply | None:
    changes = changes_of(replies[0], REQUEST)
    for count in range(1, len(replies)):
        earlier = find_earlier(replies[:count], changes, REQUEST)
        assert earlier is not None
        changes = amended(replies[count], REQUEST, earlier)
    return find_earlier(replies, changes, REQUEST)


def outcome(*replies: str) -> dict[str, str | None] | str:
    """The files that change against the base; the reason if the last reply is not taken."""
    earlier = earlier_of(*replies[:-1])
    assert earlier is not None
    try:
        return {change.path: change.content for change in amended(replies[-1], REQUEST, earlier)}
    except EditError as error:
        return error.message


NEW = whole("new.txt", "x\ny\nz\n")
TWO = edit("a.txt", ("two", "two\n2"))
FIRST = edit("long.txt", ("line 2", "LINE 2"))
TAKEN = {
    "edits of a file that was created": ((NEW, edit("new.txt", ("y", "Y"))), {"new.txt": "x\nY\nz\n"}),
    "another file too": ((NEW, TWO), {"new.txt": "x\ny\nz\n", "a.txt": "one\ntwo\n2\nthree\n"}),
    "an edit of an edit": ((TWO, edit("a.txt", ("2", "II"))), {"a.txt": "one\ntwo\nII\nthree\n"}),
    "all anew, against the base": ((TWO, edit("a.txt", ("two", "two\nII"))), {"a.txt": "one\ntwo\nII\nthree\n"}),
    "the whole file anew": ((TWO, whole("a.txt", "1\n")), {"a.txt": "1\n"}),
    "the same again": ((NEW, NEW), {"new.txt": "x\ny\nz\n"}),
    "a third": ((NEW, edit("new.txt", ("y", "Y")), edit("new.txt", ("Y", "why"))), {"new.txt": "x\nwhy\nz\n"}),
    "one file taken back": ((NEW + TWO, edit("a.txt", ("2\nthree", "three"))), {"new.txt": "x\ny\nz\n"}),
}  # fmt: skip
REFUSED = {
    "a text that the result does not hold": (NEW, edit("new.txt", ("q", "Q"))),
    "a text that only the base holds": (edit("a.txt", ("one", "1"), ("three", "3")), edit("a.txt", ("one", "i"))),
    "an edit that was made, beside others": (TWO + FIRST, TWO + edit("a.txt", ("one", "1"))),
    "lines that were not shown": (FIRST, edit("long.txt", ("line 30", "LINE 30"))),
    "a whole file in place of one shown in part": (FIRST, whole("long.txt", "line 1\n")),
    "line numbers": (TWO, "```edits\ndelete a.txt:1\n```\n"),
    "a file that is not listed": (TWO, whole("b.txt", "b\n")),
    "markers": (NEW, whole("new.txt", "x\n>>>>>>> REPLACE\n")),
    "all of it taken back": (TWO, edit("a.txt", ("two\n2", "two"))),
    "no edits": (TWO, "It is right as it is.\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN)
def test_both_replies_make_one_change(case: str) -> None:
    replies, expected = TAKEN[case]
    assert outcome(*replies) == expected


@pytest.mark.parametrize("case", REFUSED)
def test_a_reply_that_does_not_fit_goes_back(case: str) -> None:
    assert isinstance(outcome(*REFUSED[case]), str)


def test_what_was_moved_by_line_numbers_is_asked_for_as_a_whole() -> None:
    assert earlier_of("```edits\ndelete a.txt:1\n```\n") is None


def test_a_line_that_was_shown_may_be_edited_where_it_is_now() -> None:
    grown = edit("long.txt", ("line 2", "line 2\nmore\nmore still"))
    later = edit("long.txt", ("line 5", "LINE 5"))
    assert isinstance(outcome(grown, later), dict)
