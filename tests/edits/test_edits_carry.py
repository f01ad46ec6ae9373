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


def test_lines_below_a_removed_block_move_up() -> None:
    assert map_lines(LineRange(7, 9), versions(OLD, OLD[3:])) == LineRange(4, 6)


def test_lines_above_a_change_stay() -> None:
    assert map_lines(LineRange(1, 3), versions(OLD, [*OLD[:5], "new\n", *OLD[6:]])) == LineRange(
        1, 3
    )


def test_lines_below_an_insertion_move_down() -> None:
    assert map_lines(LineRange(2, 2), versions(OLD, ["a\n", "b\n", *OLD])) == LineRange(4, 4)


@pytest.mark.parametrize(
    "new",
    [[*OLD[:4], "changed\n", *OLD[5:]], [*OLD[:4], *OLD[5:]], [*OLD[:4], "in between\n", *OLD[4:]]],
    ids=["changed", "gone", "inserted"],
)
def test_a_change_inside_the_range_is_refused(new: list[str]) -> None:
    with pytest.raises(EditError, match=r"lines 3-7 of f\.py"):
        map_lines(LineRange(3, 7), versions(OLD, new))


def test_the_message_quotes_the_line_that_changed() -> None:
    with pytest.raises(EditError, match=r"line 5 \(`line 5`\)"):
        map_lines(LineRange(5, 5), versions(OLD, [*OLD[:4], "changed\n", *OLD[5:]]))


def test_a_range_beyond_the_old_file_is_refused() -> None:
    with pytest.raises(EditError, match="it had 10 lines then"):
        map_lines(LineRange(9, 11), versions(OLD, OLD))


def test_a_removal_that_could_begin_a_line_later_keeps_its_neighbours() -> None:
    old = ["@tool\n", "a\n", "\n", "@tool\n", "b\n", "\n", "@tool\n", "c\n"]
    later = Versions("f.py", old, old[:3] + old[6:], [LineHunk(4, 7, 4, 4)])
    assert map_lines(LineRange(7, 8), later) == LineRange(4, 5)


def test_an_insertion_that_could_begin_a_line_later_is_outside_the_range() -> None:
    old = ["a\n", "\n", "b\n"]
    new = ["a\n", "\n", "x\n", "\n", "b\n"]
    read_early = Versions("f.py", old, new, [LineHunk(1, 1, 1, 3)])
    assert map_lines(LineRange(1, 2), read_early) == LineRange(1, 2)


def test_a_block_that_was_moved_whole_is_found() -> None:
    new = [*OLD[5:], *OLD[:5]]
    assert map_lines(LineRange(6, 9), versions(OLD, new)) == LineRange(1, 4)
    assert map_lines(LineRange(1, 4), versions(OLD, new)) == LineRange(6, 9)


def test_a_block_that_stands_twice_is_not_guessed_at() -> None:
    old = ["head\n", "a\n", "b\n", "c\n"]
    new = ["a\n", "x\n", "b\n", "c\n", "a\n", "b\n", "c\n", "y\n", "a\n", "b\n", "c\n"]
    hunks = [LineHunk(0, 4, 0, 11)]
    with pytest.raises(EditError):
        map_lines(LineRange(2, 4), Versions("f.py", old, new, hunks))


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
