"""Replies made up from every form and kind of file: the file is right, or the reply goes back. Nothing else."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import assume, given
from hypothesis import strategies as st

from minitask.edits.reply.markers import is_balanced
from minitask.edits.reply.read import changes_of
from minitask.edits.reply.reply_context import ListedFile, ReplyContext
from minitask.errors import EditError
from minitask.spec.model import FileAction, LineRange

F = "```"
KINDS: dict[str, tuple[str, ...]] = {
    "src/a.py": ("import os", "", "def f():", "    return 1", "    '''", "    ```", "x = {1: 2}", "# c"),
    "a.css": ("body {", "  color: red;", "}", "", "h1 {", "  margin: 0;"),
    "docs/a.md": ("# A", "", "text", "- item", F, f"{F}bash", "npm i", "=======", "---", "1. one"),
    "a.toml": ("[a]", "x = 1", "", "y = '<<<<<<< HEAD'"),
    "t.tsv": ("1\tone", "2\ttwo", "3\t3", "4\t1", "", "name\tn"),
    "n.csv": ("1,a", "2,b", "3 c", "id,name"),
    "y.yaml": ("1: a", "2: b", "a: 1", "", "- x", "  - y"),
    "w.txt": ("one", "two", "", "</think>", "<think>", "*** Begin Patch", "+++ b/x", "--- a/x", "@@ @@"),
    "m.js": ("const a = `", "```", "`;", "", "}", "if (a) {", "// src/a.py"),
    "c.md": ("<<<<<<< HEAD", "ours", "=======", "theirs", ">>>>>>> branch", ""),
}  # fmt: skip
BLOCKS = (
    ("<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"),
    ("<<<<<<< ORIGINAL", "=======", ">>>>>>> UPDATED"),
    ("<<<<<< search", "======", ">>>>>> replace"),
    ("------- SEARCH", "=======", "+++++++ REPLACE"),
    ("<<<<<<<< HEAD", "=======", ">>>>>>> new"),
)


@dataclass(frozen=True)
class Case:
    """A file as it is and as it should be; the line that changes, from 0."""

    path: str
    base: str
    after: str
    at: int

    @property
    def request(self) -> ReplyContext:
        """One file to edit that was shown whole."""
        shown = (LineRange(1, self.base.count("\n")),)
        file = ListedFile(self.path, FileAction.EDIT, shown=shown, whole=True)
        return ReplyContext((file,), {self.path: self.base}.get, root="/repo")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    path = draw(st.sampled_from(sorted(KINDS)))
    pool = KINDS[path]
    lines = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=12).filter(any))
    at = draw(st.integers(0, len(lines) - 1))
    new = draw(st.sampled_from((*pool, "something new", "  other {")))
    how = draw(st.sampled_from(("replace", "insert", "delete")))
    after = [*lines[:at], *([] if how == "delete" else [new]), *lines[at + (how != "insert") :]]
    assume(is_well_formed(lines) and is_well_formed(after))
    return Case(path, joined(lines), joined(after), at)


def is_well_formed(lines: list[str]) -> bool:
    """Whether a file's own fences are closed, and none opens inside another."""
    is_open = False
    for line in (line for line in lines if line.startswith(F)):
        if is_open and line != F:
            return False
        is_open = not is_open
    return is_balanced(lines) and not is_open


def joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def fenced(info: str, content: str, *, bar: str = F) -> str:
    end = "" if content.endswith("\n") or not content else "\n"
    return f"{bar}{info}\n{content}{end}{bar}\n"


def diff(case: Case, old: str, new: str) -> str:
    sides = (case.base.splitlines(keepends=True), case.after.splitlines(keepends=True))
    return "".join(difflib.unified_diff(*sides, old, new))


def block(case: Case, marks: tuple[str, str, str]) -> str:
    """The whole text as one block, so that it stands there once."""
    return f"{marks[0]}\n{case.base}{marks[1]}\n{case.after}{marks[2]}\n"


def numbered(text: str, form: str) -> str:
    return "".join(
        form.format(n=n) + line for n, line in enumerate(text.splitlines(keepends=True), 1)
    )


def patch(case: Case) -> str:
    body = "".join(f"-{line}" for line in case.base.splitlines(keepends=True))
    body += "".join(f"+{line}" for line in case.after.splitlines(keepends=True))
    return f"*** Begin Patch\n*** Update File: {case.path}\n@@\n{body}*** End Patch\n"


Form = Callable[[Case], str]
NAMES = (
    *("text path={}", "path=./{}", "path='{}'", "text:{}"),
    *("{}", 'title="{}"', "text path={} whole"),
)
LEADS = ("**{}**", "### `{}`", "File: {}", "`{}`:", "Here is the updated {}:")
NUMBERS = ("{n}\t", "{n}: ", "{n:>4} ", "{n} | ")
NUMBERED: tuple[Form, ...] = tuple(
    lambda c, n=form: fenced(f"path={c.path}", numbered(c.after, n)) for form in NUMBERS
)
FORMS: tuple[Form, ...] = (
    *(lambda c, i=info: fenced(i.format(c.path), c.after) for info in NAMES),
    *(lambda c, i=info: fenced(i.format(c.path), c.after, bar="`````") for info in NAMES),
    *(lambda c, x=lead: f"{x.format(c.path)}\n\n{fenced('', c.after)}" for lead in LEADS),
    *(lambda c, m=marks: fenced(f"path={c.path}", block(c, m)) for marks in BLOCKS),
    *NUMBERED,
    lambda c: fenced("", c.after),
    lambda c: fenced("diff", diff(c, f"a/{c.path}", f"b/{c.path}")),
    lambda c: fenced(f"path={c.path}", diff(c, c.path, c.path)),
    lambda c: fenced(f"path={c.path}", diff(c, "x", "y").partition("+++ y\n")[2]),
    patch,
    lambda c: fenced("patch", patch(c)),
)
AROUND: tuple[Callable[[str], str], ...] = (
    lambda reply: reply,
    lambda reply: f"Sure.\n\n{reply}\nRun:\n\n{fenced('bash', 'make test')}",
    lambda reply: f"{reply}\nIt prints:\n\n{fenced('', 'ok')}",
    lambda reply: f"<think>\n{fenced('path=x', 'draft')}</think>\n{reply}",
    lambda reply: f"Hm.\n{fenced('path=x', 'draft')}</think>\n{reply}",
    lambda reply: (f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{reply}"),
    lambda reply: fenced("markdown", reply, bar="``````"),
    lambda reply: reply * 2,
    lambda reply: reply.replace("\n", "\r\n"),
)  # fmt: skip


@st.composite
def _replies(draw: st.DrawFn) -> tuple[Case, str]:
    case = draw(cases())
    form, around = draw(st.sampled_from(FORMS)), draw(st.sampled_from(AROUND))
    if form in NUMBERED:  # nobody can tell where no line of the file is left
        assume({*filter(None, case.base.split("\n"))} & {*case.after.split("\n")})
    return case, around(form(case))


REPLIES = _replies()


def outcome(case: Case, reply: str) -> str | None:
    """The file after the reply; None where that goes back."""
    try:
        changes = changes_of(reply, case.request)
    except EditError:
        return None
    assert [change.path for change in changes] == [case.path]
    return changes[0].content


@given(REPLIES)
def test_a_reply_makes_the_right_file_or_goes_back(found: tuple[Case, str]) -> None:
    case, reply = found
    assert outcome(case, reply) in (case.after, None)


@given(REPLIES, st.data())
def test_a_reply_that_breaks_off_makes_the_right_file_or_goes_back(
    found: tuple[Case, str], data: st.DataObject
) -> None:
    case, reply = found
    assume(F not in case.after)  # cut at its own fence, a file looks whole
    cut = reply[: data.draw(st.integers(0, len(reply)))]
    assert outcome(case, cut) in (case.after, None)


STRUCTURE = (F, "<<<<<<<", "=======", ">>>>>>>", "@@", "---", "+++", "***", "-------", "</think>")


@given(REPLIES, st.data())
def test_a_reply_that_lacks_a_line_of_its_form_makes_the_right_file_or_goes_back(
    found: tuple[Case, str], data: st.DataObject
) -> None:
    case, reply = found
    lines = reply.split("\n")
    own = set(case.after.split("\n")) | set(case.base.split("\n"))
    places = [
        number
        for number, line in enumerate(lines)
        if line.startswith(STRUCTURE) and not own & {line.strip(), line[1:]}  # a diff's own lines
    ]
    if places:
        del lines[data.draw(st.sampled_from(places))]
        assert outcome(case, "\n".join(lines)) in (case.after, None)


@given(REPLIES, st.text("ab\n`~<>=+-*@ #:{}</think>path", max_size=60))
def test_any_text_beside_a_reply_does_no_harm(found: tuple[Case, str], noise: str) -> None:
    case, reply = found
    for text in (f"{noise}\n\n{reply}", f"{reply}\n\n{noise}"):
        result = outcome(case, text)
        assert result in (case.after, None)
