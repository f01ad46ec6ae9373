"""Carrying cited lines over what changed since."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.edits.check_script import versions_of
from minitask.edits.lines import LineHunk, Versions, map_lines, spread
from minitask.errors import EditError
from minitask.spec.model import LineRange


def versions(old: list[str], new: list[str]) -> Versions:
    """Two versions with the hunks that `difflib` sees between them."""
    codes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    hunks = [LineHunk(a, b, c, d) for tag, a, b, c, d in codes if tag != "equal"]
    return Versions("f.py", old, new, hunks)


OLD = [f"line {number}\n" for number in range(1, 11)]
CHANGED = [*OLD[:4], "changed\n", *OLD[5:]]
SWAPPED = [*OLD[5:], *OLD[:5]]
TOOLS = ["@tool\n", "a\n", "\n", "@tool\n", "b\n", "\n", "@tool\n", "c\n"]
ABC = ["a\n", "b\n", "c\n"]
GAP = ["a\n", "\n", "x\n", "\n", "b\n"]
CARRIED: dict[str, tuple[Versions, tuple[int, int], tuple[int, int] | str]] = {
    # fact: (the versions, the lines cited, the lines now or a pattern of the error)
    "lines below a removed block move up": (versions(OLD, OLD[3:]), (7, 9), (4, 6)),
    "lines above a change stay": (versions(OLD, [*OLD[:5], "new\n", *OLD[6:]]), (1, 3), (1, 3)),
    "lines below an insertion move down": (versions(OLD, ["a\n", "b\n", *OLD]), (2, 2), (4, 4)),
    "a change inside": (versions(OLD, CHANGED), (3, 7), r"lines 3-7 of f\.py"),
    "a line inside that is gone": (versions(OLD, [*OLD[:4], *OLD[5:]]), (3, 7), r"lines 3-7 of f\.py"),
    "an insertion inside": (versions(OLD, [*OLD[:4], "in between\n", *OLD[4:]]), (3, 7), r"lines 3-7 of f\.py"),
    "the message quotes the line that changed": (versions(OLD, CHANGED), (5, 5), r"line 5 \(`line 5`\)"),
    "a range beyond the old file": (versions(OLD, OLD), (9, 11), "it had 10 lines then"),
    "a removal that could begin a line later keeps its neighbours": (
        Versions("f.py", TOOLS, TOOLS[:3] + TOOLS[6:], [LineHunk(4, 7, 4, 4)]), (7, 8), (4, 5)
    ),
    "an insertion that could begin a line later is outside the range": (
        Versions("f.py", ["a\n", "\n", "b\n"], GAP, [LineHunk(1, 1, 1, 3)]), (1, 2), (1, 2)
    ),
    "a block that was moved up whole": (versions(OLD, SWAPPED), (6, 9), (1, 4)),
    "a block that was moved down whole": (versions(OLD, SWAPPED), (1, 4), (6, 9)),
    "a block that stands twice is not guessed at": (
        Versions("f.py", ["head\n", *ABC], ["a\n", "x\n", "b\n", "c\n", *ABC, "y\n", *ABC], [LineHunk(0, 4, 0, 11)]),
        (2, 4),
        r"lines 2-4 of f\.py",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("found", "cited", "now"), CARRIED.values(), ids=CARRIED)
def test_cited_lines_are_carried_or_refused(
    found: Versions, cited: tuple[int, int], now: tuple[int, int] | str
) -> None:
    if isinstance(now, tuple):
        assert map_lines(LineRange(*cited), found) == LineRange(*now)
        return
    with pytest.raises(EditError, match=now):
        map_lines(LineRange(*cited), found)


@given(
    st.lists(st.sampled_from(["a\n", "b\n", "\n", "return\n"]), min_size=1, max_size=24), st.data()
)
def test_what_is_carried_is_word_for_word_what_was_cited(
    old: list[str], data: st.DataObject
) -> None:
    cut = sorted(data.draw(st.tuples(*[st.integers(0, len(old))] * 2)))
    new = [*old[: cut[0]], *data.draw(st.lists(st.just("new\n"), max_size=3)), *old[cut[1] :]]
    start = data.draw(st.integers(1, len(old)))
    end = data.draw(st.integers(start, len(old)))
    try:
        found = map_lines(LineRange(start, end), versions(old, new))
    except EditError:
        return
    assert new[found.start - 1 : found.end] == old[start - 1 : end]


@given(st.lists(st.text("ab", max_size=2).map("{}\n".format), min_size=4, max_size=30), st.data())
def test_lines_outside_what_was_removed_are_never_refused(
    old: list[str], data: st.DataObject
) -> None:
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(old))] * 2)))
    unique = [f"{number} {line}" for number, line in enumerate(old)]
    new = unique[:start] + unique[end:]
    for number in range(1, len(unique) + 1):
        if not start < number <= end:
            found = map_lines(LineRange(number, number), versions(unique, new))
            assert new[found.start - 1] == unique[number - 1]


LETTERS = "".join(f"line {number}\n" for number in range(1, 11))


def _with(**changes: str) -> str:
    """The ten lines, of which `l3="x\\ny\\n"` replaces the third; an empty text takes it away."""
    lines = [changes.get(f"l{number}", f"line {number}\n") for number in range(1, 11)]
    return changes.get("above", "") + "".join(lines)


@pytest.mark.parametrize(
    ("new", "cited", "now"),
    [
        (_with(), (3, 5), (3, 5)),
        (_with(above="new\n"), (3, 5), (4, 6)),
        (_with(l4="four\n"), (3, 5), (3, 5)),
        (_with(l4="four\nand a half\n"), (3, 5), (3, 6)),
        (_with(l3="three\n"), (3, 5), (3, 5)),
        (_with(l5="five\nand more\n"), (3, 5), (3, 6)),
        (_with(l4=""), (3, 5), (3, 4)),
        (_with(l1="", l4=""), (3, 5), (2, 3)),
        (_with(l3="", l4="", l5=""), (3, 5), None),
        (_with(l9="nine\n"), (3, 5), (3, 5)),
        (_with(l8="", l9="", l10=""), (7, 10), (7, 7)),
    ],
)
def test_what_came_of_cited_lines_is_found(
    new: str, cited: tuple[int, int], now: tuple[int, int] | None
) -> None:
    found = spread(LineRange(*cited), versions_of("a.txt", LETTERS, new))
    assert found == (LineRange(*now) if now else None)


def test_a_refusal_for_changed_lines_prints_the_new_numbers() -> None:
    new = _with(above="new\n", l4="four\n")
    with pytest.raises(EditError) as caught:
        map_lines(LineRange(3, 5), versions_of("a.txt", LETTERS, new))
    assert "now in lines 4-6" in caught.value.hint
