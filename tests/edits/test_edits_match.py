"""Finding the one place that a search text means, and what is said where there is none."""

from __future__ import annotations

import pytest

from minitask.edits.lines import reindented, split_lines, text_of
from minitask.edits.match import (
    MatchedBlock,
    describe_nearest,
    find_block,
    nearest_start,
    replaced,
)
from minitask.edits.script_model import SearchReplace
from minitask.errors import EditError


def test_line_ends_take_no_part() -> None:
    assert find_block(["a\r\n", "b\r\n", "c"], ["b\n", "c\n"]) == MatchedBlock(1, 3)


def test_overlapping_places_are_two_places() -> None:
    with pytest.raises(EditError, match=r"occurs 2 times in f.py \(lines 1, 2\)"):
        find_block(["x\n"] * 3, ["x\n"] * 2, path="f.py")


def test_two_places_but_for_trailing_space_are_not_settled_by_indentation() -> None:
    with pytest.raises(EditError, match="occurs 2 times"):
        find_block(["x \n", "x  \n", "  x\n"], ["x\n"])


def test_a_shift_is_taken_over_by_the_replacement() -> None:
    block = find_block(["if a:\n", "\tb\n", "\t\tc\n"], ["b\n", "\tc\n"])
    assert block == MatchedBlock(1, 3, added="\t")
    assert block.shift(["b\n", "\n", "\td\n"]) == ("\tb\n", "\n", "\t\td\n")


def test_blanks_alone_never_match_by_shift() -> None:
    with pytest.raises(EditError, match="does not occur"):
        find_block(["a\n", "b\n"], ["\n"])


def test_many_places_are_not_all_listed() -> None:
    with pytest.raises(EditError, match=r"occurs 500 times in f \(lines 1, .*10, …\)"):
        find_block(["x\n"] * 500, ["x\n"], path="f")


def test_the_nearest_region_of_a_long_file_is_found() -> None:
    lines = [f"    value_{n} = compute(value_{n - 1}, other={n % 7})" for n in range(5000)]
    wanted = [line.replace("compute", "calculate") for line in lines[3210:3240]]
    assert nearest_start(lines, wanted) == 3210


def test_a_message_shows_the_lines_around_the_first_difference() -> None:
    lines = [f"row {n}\n" for n in range(200)]
    wanted = [*lines[20:90], "row ninety\n", *lines[91:120]]
    with pytest.raises(EditError) as caught:
        find_block(lines, wanted, path="t.txt")
    shown = caught.value.message.splitlines()
    assert shown[0].endswith("nearest: lines 21-120 (first difference in line 91):")
    assert shown[1] == "     89 | row 88"
    assert len(shown) < 15


def test_common_indentation_is_what_lines_begin_with_alike() -> None:
    assert reindented(["\t  a\n", "\t\tb\n", "\n"], dedent=True) == ("  a\n", "\tb\n", "\n")


@pytest.mark.parametrize(
    ("have", "want", "said"),
    [
        ("value\u00a0= one", "value = one", "has U+00A0 NO-BREAK SPACE where the search text has a space"),
        ("value\t= one", "value = one", "has a tab where the search text has a space"),
        ('say "one two"', "say \u201cone two\u201d", "has U+201C LEFT DOUBLE QUOTATION MARK"),
        ("cafe\u0301 one", "caf\u00e9 one", "has U+00E9 LATIN SMALL LETTER E WITH ACUTE"),
    ],
)  # fmt: skip
def test_the_character_that_differs_is_named(have: str, want: str, said: str) -> None:
    assert said in describe_nearest(["first", have, "last"], [want])


def test_plain_text_that_differs_is_not_spelled_out() -> None:
    assert "where the search text" not in describe_nearest(["value = one"], ["value = two"])


def edited(base: str, search: str, replace: str) -> str:
    text = text_of(split_lines(base), eol="\n", bom=False)
    return "".join(replaced(text, SearchReplace("a.go", search, replace)).lines)


NESTED = "f {\n\tif {\n\t\ta\n\t\t}\n\t}\n\n\tx\n}\ng {\n\tb\n\t}\n}\n"


@pytest.mark.parametrize(
    ("base", "search", "replace", "result"),
    [
        (NESTED, "\t}\n}\n\n", "\t}\n}\n\nnew\n\n", NESTED + "\nnew\n"),
        (NESTED, "\t}\n}\n\n", "\t}\n}\nnew\n", NESTED + "new\n"),
        ("a\nb", "b\n\n", "c\n\n", "a\nc"),
    ],
)
def test_a_search_that_goes_on_past_the_end_matches_there(
    base: str, search: str, replace: str, result: str
) -> None:
    assert edited(base, search, replace) == result


@pytest.mark.parametrize("search", ["    }\n  }\n", "    end\n  end\n", "      return\n    }\n"])
def test_lines_that_only_close_match_at_their_own_depth(search: str) -> None:
    base = "a\n  return\n}\n  }\n}\n  end\nend\n"
    with pytest.raises(EditError, match="does not occur"):
        edited(base, search, search + "x\n")
